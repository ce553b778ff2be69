"""What one person's key does: tags that do not link, numbers that only its holder reads.

Source: RFC 2104 (HMAC-SHA256) as the pseudorandom function, each use under a label of its own; RFC 5297
(AES-SIV, a key of 512 bits) where something must be opened again. Deterministic encryption is meant: who
seals needs no random number and can repeat none.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES = 32
TAG_BYTES = 16
SLOT_BYTES = 16
_NUMBER_BYTES = 8
_TIME_BYTES = 8
_DIGEST_BYTES = 32
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Issued:
    """What the vault remembers of a number that it gave out."""

    number: int
    """From 1 on, without a gap."""
    request_id: str
    statement_sha256: bytes
    """Of the statement that it was given out for, 32 bytes: with the version before it, the log's entry."""
    at: datetime
    """When that statement says that it was recorded, in whole microseconds."""


class SubjectKey:
    """The key of one person. Whoever destroys it leaves nothing by which the person's receipts are found."""

    __slots__ = ("_key", "_siv")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a person's key has 32 bytes")
        self._key = key
        self._siv = AESSIV(hmac.digest(key, b"seal", "sha512"))

    def __repr__(self) -> str:
        return "SubjectKey()"  # never the key

    @classmethod
    def new(cls) -> tuple[SubjectKey, bytes]:
        """A random key, and its bytes."""
        key = secrets.token_bytes(KEY_BYTES)
        return cls(key), key

    def tag(self, request_id: str) -> bytes:
        """16 bytes by which the receipts of one request are found; those of two requests do not link."""
        return hmac.digest(self._key, b"tag\0" + request_id.encode(), "sha256")[:TAG_BYTES]

    def seal(self, number: int, tag: bytes) -> bytes:
        """24 bytes that hold ``number`` for the holder of the key, beside the tag they belong to."""
        return self._siv.encrypt(number.to_bytes(_NUMBER_BYTES, "big"), [b"number", tag])

    def open(self, sealed: bytes, tag: bytes) -> int:
        """The inverse of :meth:`seal`.

        Raises:
            ValueError: it was sealed under another key, beside another tag, or was changed.
        """
        return int.from_bytes(self._opened(sealed, [b"number", tag]), "big")

    def slot(self, number: int) -> str:
        """Under which name the vault keeps what it knows of a number: 32 hexadecimal digits."""
        named = b"slot\0" + number.to_bytes(_NUMBER_BYTES, "big")
        return hmac.digest(self._key, named, "sha256")[:SLOT_BYTES].hex()

    def seal_issued(self, issued: Issued) -> bytes:
        """The vault's memory of a number, for the holder of the key."""
        at = (issued.at - _BEGINNING) // timedelta(microseconds=1)
        content = at.to_bytes(_TIME_BYTES, "big") + issued.statement_sha256 + issued.request_id.encode()
        return self._siv.encrypt(content, [b"issued", self.slot(issued.number).encode()])

    def open_issued(self, number: int, sealed: bytes) -> Issued:
        """The inverse of :meth:`seal_issued`; raises ValueError as :meth:`open`."""
        content = self._opened(sealed, [b"issued", self.slot(number).encode()])
        at = int.from_bytes(content[:_TIME_BYTES], "big")
        digest, request_id = content[_TIME_BYTES:][:_DIGEST_BYTES], content[_TIME_BYTES + _DIGEST_BYTES :]
        return Issued(number, request_id.decode(), digest, _BEGINNING + timedelta(microseconds=at))

    def seal_held(self, content: bytes, digest: bytes) -> bytes:
        """What is held of the person for a while, whose SHA-256 that is; unreadable without the key."""
        return self._siv.encrypt(content, [b"held", digest])

    def open_held(self, sealed: bytes, digest: bytes) -> bytes:
        """The inverse of :meth:`seal_held`; raises ValueError as :meth:`open`."""
        return self._opened(sealed, [b"held", digest])

    def _opened(self, sealed: bytes, beside: list[bytes]) -> bytes:
        try:
            return self._siv.decrypt(sealed, beside)
        except InvalidTag:
            raise ValueError("sealed under another key, or changed") from None


def digest_of(statement: bytes) -> bytes:
    """What :attr:`Issued.statement_sha256` holds."""
    return sha256(statement).digest()
