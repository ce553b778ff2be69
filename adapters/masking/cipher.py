"""What the keyed operators are built of: one block cipher, its SIV, and the hash by which keys are derived.

AES and SHA-256. A cipher of 16-byte blocks and a hash of 32 bytes take their places here and nowhere else;
whoever puts others in changes what every token is, so the operators' versions and key labels with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import (
    BlockCipherAlgorithm,
    Cipher,
    CipherContext,
    algorithms,
    modes,
)
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

BLOCK = 16
"""Bytes in a block."""

BlockCipher = Callable[[bytes], BlockCipherAlgorithm]
"""From a key to a cipher of blocks of :data:`BLOCK` bytes; raises ValueError for a key of another length."""


class Siv(Protocol):
    """Deterministic authenticated encryption (RFC 5297) under one key."""

    def encrypt(self, data: bytes, associated_data: list[bytes] | None) -> bytes:
        """16 bytes longer than ``data``."""
        ...

    def decrypt(self, data: bytes, associated_data: list[bytes] | None) -> bytes:
        """Raises :class:`cryptography.exceptions.InvalidTag` for what was not encrypted under this key."""
        ...


CIPHER: BlockCipher = algorithms.AES
SIV: Callable[[bytes], Siv] = AESSIV
"""Of :data:`CIPHER`, by which whole columns are encrypted (:mod:`adapters.masking.siv`)."""
HASH: Callable[[], HashAlgorithm] = SHA256


def blocks(cipher: BlockCipherAlgorithm) -> CipherContext:
    """Encrypts each block by itself, which CMAC and FF1 are built of."""
    return Cipher(cipher, modes.ECB()).encryptor()  # noqa: S305 - of single blocks, never of a message


def derived(key: bytes, info: bytes, length: int) -> bytes:
    """``length`` key bytes from ``key`` for ``info``: HKDF without salt (RFC 5869)."""
    return HKDF(algorithm=HASH(), length=length, salt=None, info=info).derive(key)
