"""AES-SIV of whole columns: equal to the library that single rows take, and damage found."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.masking.cipher import blocks
from adapters.masking.siv import _s2v, _stream, siv_decrypted, siv_encrypted

KEY = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")


def rows_of(messages: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(messages), np.uint8).reshape(len(messages), -1)


@settings(max_examples=10)
@given(st.integers(0, 1 << 64), st.integers(1, 5))
def test_a_column_equals_the_library(seed, rows) -> None:
    """Bit for bit at every width: shorter than a block, whole blocks and between; and back."""
    random = Random(seed)
    key = random.randbytes(64)
    for width in range(1, 101):
        messages = [random.randbytes(width) for _ in range(rows)]
        encrypted = siv_encrypted(key, rows_of(messages))
        assert [row.tobytes() for row in encrypted] == [AESSIV(key).encrypt(each, None) for each in messages]
        turned, genuine = siv_decrypted(key, encrypted)
        assert genuine.all()
        assert [row.tobytes() for row in turned] == messages


def test_rfc_5297_counter_mode() -> None:
    """The key stream of the RFC's example A.1, of its tag."""
    tag = rows_of([bytes.fromhex("85632d07c6e8f37f950acd320a2ecc93")])
    assert _stream(KEY[16:], tag, 14, algorithms.AES).tobytes().hex() == "51e218d2c5a2ab8c4345c4a623b2"


def test_bits_that_would_carry_are_cleared() -> None:
    """From a tag of ones, many blocks on: a carry would change other words than the last (RFC 5297 §2.5)."""
    tag = rows_of([b"\xff" * 16])
    head = b"\xff" * 8 + b"\x7f\xff\xff\xff"
    counters = [head + word.to_bytes(4, "big") for word in (0x7FFFFFFF, 0x80000000)]
    expected = blocks(algorithms.AES(KEY[16:])).update(b"".join(counters))
    assert _stream(KEY[16:], tag, 32, algorithms.AES).tobytes() == expected


@pytest.mark.parametrize("width", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("place", [0, 15, 16, -1])
def test_damage_is_found_and_shows_nothing(width, place) -> None:
    """One bit changed in tag or ciphertext: not genuine, and no byte of what it would be."""
    encrypted = siv_encrypted(KEY * 2, rows_of([b"x" * width] * 3))
    encrypted[1, place] ^= 1
    messages, genuine = siv_decrypted(KEY * 2, encrypted)
    assert genuine.tolist() == [True, False, True]
    assert not messages[1].any()
    assert (messages[[0, 2]] == ord("x")).all()


def test_another_cipher_of_that_block() -> None:
    """The block cipher is a seam here too: SM4 turns back, and is not AES."""
    messages = rows_of([b"0123456789", b"9876543210"])
    encrypted = siv_encrypted(KEY, messages, algorithms.SM4)
    turned, genuine = siv_decrypted(KEY, encrypted, algorithms.SM4)
    assert genuine.all()
    assert (turned == messages).all()
    assert (encrypted != siv_encrypted(KEY, messages)).any()
    assert (_s2v(KEY[:16], messages, algorithms.SM4) == encrypted[:, :16]).all()
