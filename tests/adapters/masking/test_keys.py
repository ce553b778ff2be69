"""A field's keys: HKDF of RFC 5869, each label and length apart."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.masking.keys import FieldKeys

VECTORS = [
    # Salt, info and output of RFC 5869 A.1 and A.3; the input is 22 bytes 0b.
    (
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (None, b"", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
]


@pytest.mark.parametrize(("salt", "info", "output"), VECTORS)
def test_vectors_of_rfc_5869(salt, info, output) -> None:
    """The implementation that keys are derived by gives the RFC's own output."""
    assert HKDF(hashes.SHA256(), 42, salt, info).derive(b"\x0b" * 22).hex() == output


@pytest.mark.parametrize("length", [16, 32, 64])
def test_derivation_is_as_documented(length: int) -> None:
    """Without salt, the label and the length as info, each after its own length: written out by hand."""
    key, digits = bytes(range(32)), str(length).encode()
    info = b"\0\0\0\x05label" + len(digits).to_bytes(4, "big") + digits
    pseudorandom = hmac.digest(bytes(32), key, hashlib.sha256)
    first = hmac.digest(pseudorandom, info + b"\x01", hashlib.sha256)
    both = first + hmac.digest(pseudorandom, first + info + b"\x02", hashlib.sha256)
    assert FieldKeys(1, key).derive("label", length) == both[:length]


def test_the_key_does_not_show() -> None:
    """What is logged by accident holds no key."""
    assert "1f1f" not in repr(FieldKeys(1, b"\x1f" * 32))
    assert "key" not in repr(FieldKeys(1, b"\x1f" * 32)).removeprefix("FieldKeys")
