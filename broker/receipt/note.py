"""The signed log head: C2SP tlog-checkpoint texts in C2SP signed notes, Ed25519 only.

::

    xinghe.example/receipts                          origin, the same as the key's name
    5                                                tree size
    fr8Xt…=                                          root hash, base64
                                                     blank line
    — xinghe.example/receipts 9mO3…=                 key name, base64(key id ‖ signature over the lines above)

Reading is strict in one way throughout: what was read is printed again, and must give the same text. So no
second spelling of a number, of base64 or of a key passes.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.errors import VerificationFailed
from broker.reasons import Sentence
from broker.receipt.merkle import HASH_SIZE

ED25519 = b"\x01"
"""Signature type of signed-note."""

KEY_SIZE = 32
KEY_ID_SIZE = 4
SIGNATURE_SIZE = 64
MAX_SIGNATURES = 100
"""signed-note asks verifiers for a limit of at least 16."""

DASH = "— "
"""Em dash (U+2014) and space, which begin a signature line."""


class NotSigned(VerificationFailed):
    """A note without a line of any trusted key. It may bear a later key's, of which one has to learn."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key and the name it signs notes under (signed-note, Verifier keys).

    Printed as ``name+key id in hex+base64(type ‖ public key)``.

    Raises:
        ValueError: the name is empty or has spaces, ``+`` or control characters, or the key is not 32 bytes.
    """

    TYPE: ClassVar[bytes]
    """Signature type, one byte: what the key signs, and how."""
    WHAT: ClassVar[Sentence]

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError("a key name is not empty and has no spaces, plus signs or control characters")
        if len(self.public_key) != KEY_SIZE:
            raise ValueError("an Ed25519 public key is 32 bytes long")

    @property
    def id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ type ‖ public key), first 4 bytes (signed-note, Signatures)."""
        return sha256(self.name.encode() + b"\n" + self.TYPE + self.public_key).digest()[:KEY_ID_SIZE]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(self.TYPE + self.public_key).decode()}"

    @classmethod
    def of(cls, name: str, private_key: Ed25519PrivateKey) -> Self:
        """The key that verifies what ``private_key`` signs under ``name``."""
        return cls(name, private_key.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a printed key.

        Raises:
            VerificationFailed: it is none of this type, or its key id does not belong to its name and key.
        """
        name, _, rest = text.partition("+")
        try:
            key = cls(name, b64decode(rest.partition("+")[2], validate=True)[len(cls.TYPE) :])
        except ValueError:
            key = None
        if key is None or str(key) != text:
            zh, en = cls.WHAT
            raise VerificationFailed(f"{zh}格式或编号不符 / {en}: malformed, or not the key its id names")
        return key


@dataclass(frozen=True, slots=True)
class VerifierKey(NoteKey):
    """The public key of a log and the name it signs under: what an auditor trusts."""

    TYPE = ED25519
    WHAT = Sentence("信任公钥", "trust key")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's head: who it is, its size, its root.

    Raises:
        ValueError: the origin is no key name, the size negative, or the root not 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not is_name(self.origin) or self.size < 0 or len(self.root) != HASH_SIZE:
            raise ValueError(
                "a checkpoint has an origin without spaces, a size from 0 and a root of 32 bytes"
            )

    def text(self) -> str:
        """The note text to sign (tlog-checkpoint, Note text), without extension lines."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Reads a note text. Extension lines are refused: this log writes none.

    Raises:
        VerificationFailed: it is not exactly what :meth:`Checkpoint.text` writes.
    """
    try:
        origin, size, root, _ = text.split("\n")
        checkpoint = Checkpoint(origin, int(size), b64decode(root, validate=True))
    except ValueError:
        checkpoint = None
    if checkpoint is None or checkpoint.text() != text:
        raise VerificationFailed("日志头格式不符 / checkpoint: malformed")
    return checkpoint


def claimed_checkpoint(note: str) -> Checkpoint:
    """The head in a note, whoever may have signed it: nothing is verified.

    Raises:
        VerificationFailed: the note or the head is malformed.
    """
    return parse_checkpoint(read_note(note)[0])


def sign_note(text: str, name: str, *private_keys: Ed25519PrivateKey) -> str:
    """The note of ``text`` with a signature by each key, all under the key name ``name``.

    Raises:
        ValueError: the text is empty, has control characters or no final newline, or the name is no key name.
    """
    if len(text) < 2 or not text.endswith("\n") or not _is_text(text):
        raise ValueError("a note's text is not empty, ends in a newline and has no control characters")
    ids = [VerifierKey.of(name, key).id for key in private_keys]
    signatures = [key.sign(text.encode()) for key in private_keys]
    lines = [Signature(name, *signed).line() for signed in zip(ids, signatures, strict=True)]
    return "\n".join((text, "".join(lines)))


def verify_note(note: str, key: VerifierKey) -> str:
    """The text of a note that ``key`` has signed, once. Lines of other signers are ignored, if well-formed.

    Raises:
        VerificationFailed: the note is malformed, or not signed by this key.
    """
    return open_note(note, (key,))[0]


def open_note(note: str, keys: Collection[VerifierKey]) -> tuple[str, frozenset[VerifierKey]]:
    """The text of a note, and those of the keys that have signed it: one at least, each once. Lines of other
    signers are ignored, if well-formed.

    Raises:
        VerificationFailed: the note is malformed, none of the keys has signed it (:class:`NotSigned`), or a
            line that bears a key's name and id does not verify (signed-note, Signatures).
    """
    text, signatures = read_note(note)
    signers = set()
    for key in keys:
        ours = [found.content for found in signatures if found.by(key)]
        if len(ours) > 1:
            raise VerificationFailed("信任公钥的签名重复 / signature: more than one by the trust key")
        if ours:
            _verify(key, ours[0], text)
            signers.add(key)
    if not signers:
        raise NotSigned("没有信任公钥的签名 / signature: none by the trust key")
    return text, frozenset(signers)


def _verify(key: VerifierKey, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text.encode())
    except InvalidSignature:
        raise VerificationFailed("签名不符 / signature: does not verify under the trust key") from None


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note; nothing is verified."""

    name: str
    key_id: bytes
    content: bytes
    """What follows the key id: at least one byte."""

    def by(self, key: NoteKey) -> bool:
        """Whether it claims to be by that key."""
        return (self.name, self.key_id) == (key.name, key.id)

    def line(self) -> str:
        """The line, with its newline."""
        return f"{DASH}{self.name} {b64encode(self.key_id + self.content).decode()}\n"


def read_note(note: str) -> tuple[str, list[Signature]]:
    """Text and signature lines, parted by the last blank line (signed-note, Format). Nothing is verified.

    Raises:
        VerificationFailed: it is no note, or a signature line malformed.
    """
    text, blank, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not (blank and text and _is_text(note)) or lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise VerificationFailed("日志头不是签名文本 / checkpoint: not a signed note")
    return text + "\n", [parse_signature(line) for line in lines]


def parse_signature(line: str) -> Signature:
    """One signature line, without its newline.

    Raises:
        VerificationFailed: it is malformed.
    """
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    try:
        content = b64decode(encoded, validate=True)
    except ValueError:
        content = b""
    signature = Signature(name, content[:KEY_ID_SIZE], content[KEY_ID_SIZE:])
    if signature.line() != f"{line}\n" or not is_name(name) or not signature.content:
        raise VerificationFailed("签名行格式不符 / signature: malformed line")
    return signature


_NO_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


def _is_text(text: str) -> bool:
    """UTF-8, and no control character but newline (signed-note, Format)."""
    return _NO_TEXT.search(text) is None


def is_name(name: str) -> bool:
    """Whether it can name a key: not empty, no Unicode spaces, no plus (signed-note, Format)."""
    return bool(name) and _is_text(name) and not any(char.isspace() or char == "+" for char in name)
