"""Witnesses: offices apart that have seen the log only grow, and how many of them must say so.

A cosignature is one more signature line of a checkpoint's note (C2SP tlog-cosignature, Ed25519), made by a
witness that has verified that the log is an extension of all it saw before. Who demands some of the witnesses
cannot be shown another log than everybody else, not even by those who hold the log's key.

A policy file is a C2SP tlog-policy::

    log xinghe.example/receipts+8d2f0a11+AQ…           optional: the logs that the policy is about
    witness audit audit.example/w1+1f0c22d9+BA…
    witness bureau bureau.example/w+77ab3c1e+BA…
    group offices 2 audit bureau
    quorum offices
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.errors import VerificationFailed
from broker.reasons import Sentence
from broker.receipt.note import SIGNATURE_SIZE, NoteKey, Signature, VerifierKey, read_note

TIME_SIZE = 8
MAX_TIME = (1 << 63) - 1
"""POSIX seconds (tlog-cosignature, Format)."""

NONE = b"none"
"""In a policy file: no witness is needed."""


@dataclass(frozen=True, slots=True)
class WitnessKey(NoteKey):
    """The public key of a witness and its name."""

    TYPE = b"\x04"
    WHAT = Sentence("见证公钥", "witness key")


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature."""

    witness: WitnessKey
    at: int
    """When the witness gave it, by its own clock: POSIX seconds."""
    line: str
    """As it stands in the note, with its newline."""


def cosign(text: str, name: str, private_key: Ed25519PrivateKey, at: int) -> str:
    """The signature line of a witness over a checkpoint's text, with its newline.

    Raises:
        ValueError: the name is no key name, or the time is before 1970 or beyond 63 bits.
    """
    if not 0 <= at <= MAX_TIME:
        raise ValueError("a cosignature's time is from 0 to 2^63 - 1")
    content = at.to_bytes(TIME_SIZE, "big") + private_key.sign(_message(text, at))
    return Signature(name, WitnessKey.of(name, private_key).id, content).line()


def cosignatures(note: str, witnesses: Iterable[WitnessKey]) -> tuple[Cosignature, ...]:
    """The cosignatures of those witnesses in a note, one of each at most; lines of others are ignored.

    Raises:
        VerificationFailed: the note is malformed, or a line that claims to be by one of the witnesses is not.
    """
    text, signatures = read_note(note)
    return tuple(
        _verified(text, witness, found[0])
        for witness in witnesses
        if (found := [signature for signature in signatures if signature.by(witness)])
    )


@dataclass(frozen=True, slots=True)
class Group:
    """So many of its members must have seen a checkpoint."""

    quorum: int
    members: tuple[WitnessKey | Group, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.quorum <= len(self.members):
            raise ValueError("a quorum is at least one, and at most all")

    def met(self, seen: frozenset[WitnessKey]) -> bool:
        """Whether enough of the members are, or have, what was ``seen``."""
        held = sum(m.met(seen) if isinstance(m, Group) else m in seen for m in self.members)
        return held >= self.quorum


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """Which witnesses there are, and which of them must have cosigned; ``group`` None: nobody needs to.

    Raises:
        ValueError: two witnesses have one public key: one office would count as two.
    """

    witnesses: tuple[WitnessKey, ...] = ()
    group: Group | None = None
    logs: frozenset[str] = field(default_factory=frozenset)
    """Origins of the logs that it is about; empty: any."""

    def __post_init__(self) -> None:
        if len({witness.public_key for witness in self.witnesses}) != len(self.witnesses):
            raise ValueError("two witnesses have the same public key")

    @classmethod
    def of(cls, witnesses: Iterable[WitnessKey], quorum: int) -> WitnessPolicy:
        """``quorum`` of the witnesses, 0 for none.

        Raises:
            ValueError: there are fewer, or two of them have one key.
        """
        known = tuple(witnesses)
        return cls(known, Group(quorum, known) if quorum else None)

    def met_by(self, seen: Iterable[WitnessKey]) -> bool:
        """Whether the cosignatures of these witnesses are enough."""
        return self.group is None or self.group.met(frozenset(seen))

    def require(self, note: str) -> tuple[Cosignature, ...]:
        """The cosignatures of known witnesses in a checkpoint's note, if they are enough.

        The log's own signature is verified elsewhere: see :func:`broker.receipt.verify.verify_checkpoint`.

        Raises:
            VerificationFailed: they are not, one of them is false, the log is none of those that the policy
                is about, or the note is malformed.
        """
        text, _ = read_note(note)
        if self.logs and text.partition("\n")[0] not in self.logs:
            raise VerificationFailed("见证要求不含此日志 / witnesses: the policy is not about this log")
        found = cosignatures(note, self.witnesses)
        if not self.met_by(cosignature.witness for cosignature in found):
            raise VerificationFailed(
                f"见证不足：仅有 {len(found)} 家见证人签名 / witnesses: only {len(found)} of those known "
                "have cosigned, which the policy finds too few"
            )
        return found

    @classmethod
    def parse(cls, content: bytes) -> WitnessPolicy:
        """Reads a policy file (C2SP tlog-policy).

        Raises:
            VerificationFailed: it is none; says in which line.
        """
        return _PolicyFile().read(content)


class _PolicyFile:
    """A policy file while it is read: what was named so far."""

    def __init__(self) -> None:
        self._named: dict[bytes, WitnessKey | Group] = {}
        self._witnesses: list[WitnessKey] = []
        self._members: set[bytes] = set()
        self._logs: dict[bytes, str] = {}
        """Public key → origin."""
        self._quorum: WitnessKey | Group | None = None
        self._decided = False

    def read(self, content: bytes) -> WitnessPolicy:
        for number, line in enumerate(content.split(b"\n"), 1):
            words = line.replace(b"\t", b" ").split()
            try:
                if _CONTROL.search(line):
                    raise ValueError("a control character")
                if words and not words[0].startswith(b"#"):
                    self._line(words[0], words[1:])
            except (ValueError, KeyError, VerificationFailed):
                raise _wrong_line(number) from None
        if not self._decided:
            raise VerificationFailed("见证要求没有 quorum 行 / witness policy: no quorum line")
        group = Group(1, (self._quorum,)) if isinstance(self._quorum, WitnessKey) else self._quorum
        return WitnessPolicy(tuple(self._witnesses), group, frozenset(self._logs.values()))

    def _line(self, keyword: bytes, words: list[bytes]) -> None:
        match keyword, words:
            case b"log", [vkey] | [vkey, _]:
                key = VerifierKey.parse(vkey.decode())
                _put_new(self._logs, key.public_key, key.name)
            case b"witness", [name, vkey] | [name, vkey, _]:
                witness = WitnessKey.parse(vkey.decode())
                if any(known.public_key == witness.public_key for known in self._witnesses):
                    raise ValueError("a witness twice")
                self._name(name, witness)
                self._witnesses.append(witness)
            case b"group", [name, quorum, *members] if len(set(members)) == len(members):
                found = tuple(self._take(member) for member in members)
                self._name(name, Group(_quorum(quorum, len(found)), found))
            case b"quorum", [name] if not self._decided:
                self._quorum = None if name == NONE else self._named[name]
                self._decided = True
            case _:
                raise ValueError("no such line")

    def _name(self, name: bytes, what: WitnessKey | Group) -> None:
        if name == NONE:
            raise ValueError("a reserved name")
        _put_new(self._named, name, what)

    def _take(self, name: bytes) -> WitnessKey | Group:
        """What is named. Each may be a member once: so no witness counts twice towards a quorum."""
        if name in self._members:
            raise ValueError("a member twice")
        self._members.add(name)
        return self._named[name]


Named = TypeVar("Named")

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def _quorum(word: bytes, members: int) -> int:
    if word in (b"any", b"all"):
        return 1 if word == b"any" else members
    if not word.isdigit():
        raise ValueError("no number")
    return int(word)


def _put_new(table: dict[bytes, Named], key: bytes, value: Named) -> None:
    if key in table:
        raise ValueError("twice")
    table[key] = value


def _wrong_line(number: int) -> VerificationFailed:
    return VerificationFailed(f"见证要求第 {number} 行有误 / witness policy: line {number} is wrong")


def _message(text: str, at: int) -> bytes:
    """What an Ed25519 cosignature signs (tlog-cosignature, Ed25519 signed message)."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _verified(text: str, witness: WitnessKey, signature: Signature) -> Cosignature:
    at = int.from_bytes(signature.content[:TIME_SIZE], "big")
    try:
        if len(signature.content) != TIME_SIZE + SIGNATURE_SIZE or at > MAX_TIME:
            raise InvalidSignature
        key = Ed25519PublicKey.from_public_bytes(witness.public_key)
        key.verify(signature.content[TIME_SIZE:], _message(text, at))
    except InvalidSignature:
        raise VerificationFailed(
            "见证签名不符 / cosignature: does not verify under the witness's key"
        ) from None
    return Cosignature(witness, at, signature.line())
