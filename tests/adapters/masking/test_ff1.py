"""FF1: NIST's samples, a plain implementation of the standard's own steps, and what it refuses."""

from __future__ import annotations

import string
from math import ceil, log2, log10

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.ff1 import FF1

ALPHABET = string.digits + string.ascii_lowercase
KEY = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
DIGITS, MIXED = "0123456789", "0123456789abcdefghi"
NO_TWEAK, DIGIT_TWEAK, MIXED_TWEAK = "", "39383736353433323130", "3737373770717273373737"
SAMPLES = [
    # Key bytes, radix, tweak, plaintext, ciphertext: NIST, "FF1 samples", 1 to 9.
    (16, 10, NO_TWEAK, DIGITS, "2433477484"),
    (16, 10, DIGIT_TWEAK, DIGITS, "6124200773"),
    (16, 36, MIXED_TWEAK, MIXED, "a9tv40mll9kdu509eum"),
    (24, 10, NO_TWEAK, DIGITS, "2830668132"),
    (24, 10, DIGIT_TWEAK, DIGITS, "2496655549"),
    (24, 36, MIXED_TWEAK, MIXED, "xbj3kv35jrawxv32ysr"),
    (32, 10, NO_TWEAK, DIGITS, "6657667009"),
    (32, 10, DIGIT_TWEAK, DIGITS, "1001623463"),
    (32, 36, MIXED_TWEAK, MIXED, "xs8a0azh2avyalyzuwd"),
]


def numerals(*texts: str) -> np.ndarray:
    return np.array([[ALPHABET.index(c) for c in text] for text in texts], np.uint8)


@pytest.mark.parametrize(("size", "radix", "tweak", "plain", "cipher"), SAMPLES)
@pytest.mark.parametrize("rows", [1, 40_000])
def test_nist_samples(size: int, radix: int, tweak: str, plain: str, cipher: str, rows: int) -> None:
    """All nine samples of NIST, both ways, alone and in a column longer than one chunk."""
    ff1 = FF1(bytes.fromhex(KEY)[:size], radix, len(plain), bytes.fromhex(tweak))
    column = np.repeat(numerals(plain), rows, axis=0)
    encrypted = ff1.encrypt(column)
    assert (encrypted == numerals(cipher)).all()
    assert (ff1.decrypt(encrypted) == column).all()


def by_the_book(key: bytes, radix: int, tweak: bytes, row: list[int]) -> list[int]:
    """Algorithm 7 step by step, as SP 800-38G writes it."""

    def ciph(block: bytes) -> bytes:
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305

    def num(digits: list[int]) -> int:
        return sum(digit * radix**place for place, digit in enumerate(reversed(digits)))

    n, t = len(row), len(tweak)
    u = n // 2
    v = n - u
    a, b_half = row[:u], row[u:]
    b = ceil(ceil(v * log2(radix)) / 8)
    d = 4 * ceil(b / 4) + 4
    p = b"\x01\x02\x01" + radix.to_bytes(3, "big") + bytes([10, u % 256])
    p += n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - b - 1) % 16) + bytes([i]) + num(b_half).to_bytes(b, "big")
        r = bytes(16)
        for at in range(0, len(p + q), 16):
            r = ciph(bytes(x ^ y for x, y in zip(r, (p + q)[at : at + 16], strict=True)))
        s = r
        for j in range(1, ceil(d / 16)):
            s += ciph(bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"), strict=True)))
        m = u if i % 2 == 0 else v
        c = (num(a) + int.from_bytes(s[:d], "big")) % radix**m
        a, b_half = b_half, [c // radix**place % radix for place in range(m - 1, -1, -1)]
    return a + b_half


@given(
    radix=st.integers(2, 256),
    length=st.integers(2, 60),
    tweak=st.binary(max_size=40),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_standard_and_turns_back(radix: int, length: int, tweak: bytes, seed: int) -> None:
    """Any radix, length and tweak, alone or in a column: each row as by the standard, and back."""
    while radix**length < 1_000_000:
        length += 1
    rows = np.random.default_rng(seed).integers(0, radix, (12, length)).astype(np.uint8)
    rows[2] = radix - 1
    key = bytes(range(32))
    ff1 = FF1(key, radix, length, tweak)
    encrypted = ff1.encrypt(rows)
    assert [ff1.encrypt_one(row) for row in rows.tolist()] == encrypted.tolist()
    assert [ff1.decrypt_one(row) for row in encrypted.tolist()] == rows.tolist()
    assert encrypted.tolist() == [by_the_book(key, radix, tweak, row) for row in rows.tolist()]
    assert (ff1.decrypt(encrypted) == rows).all()


def test_a_column_is_permuted() -> None:
    """No two of many values meet: what is encrypted is a permutation of the domain."""
    ff1 = FF1(bytes(16), 10, 6)
    every = np.array([list(f"{number:06d}".encode()) for number in range(1_000_000)], np.uint8) - ord("0")
    encrypted = ff1.encrypt(every).astype(np.int64) @ 10 ** np.arange(5, -1, -1)
    assert len(np.unique(encrypted)) == 1_000_000


def test_another_cipher_of_that_block() -> None:
    """The block cipher is a seam: another one of 16-byte blocks gives other tokens, and turns them back."""
    column = numerals(DIGITS)
    other = FF1(bytes(16), 10, 10, cipher=algorithms.SM4)
    assert not (other.encrypt(column) == FF1(bytes(16), 10, 10).encrypt(column)).all()
    assert (other.decrypt(other.encrypt(column)) == column).all()


@pytest.mark.parametrize(("radix", "length"), [(10, 5), (2, 19), (36, 3), (1, 50), (257, 8), (10, 1)])
def test_small_domains_are_refused(radix: int, length: int) -> None:
    """A domain that could be tried out, or a radix that is none, is no encryption."""
    with pytest.raises(ValueError, match="FF1"):
        FF1(bytes(16), radix, length)


@pytest.mark.parametrize("rows", [[[0] * 9], [[0] * 9 + [10]], [0] * 10])
def test_what_is_no_row_of_numerals_is_refused(rows: list[object]) -> None:
    """Another length, a numeral outside the radix, another shape: an error, never a guess."""
    with pytest.raises(ValueError, match="FF1"):
        FF1(bytes(16), 10, 10).encrypt(np.array(rows, np.uint8))


@pytest.mark.parametrize("row", [[0] * 9, [0] * 9 + [10], [0] * 9 + [-1]])
def test_what_is_no_row_is_refused(row: list[int]) -> None:
    """The same of one row by itself."""
    with pytest.raises(ValueError, match="FF1"):
        FF1(bytes(16), 10, 10).encrypt_one(row)


def test_no_rows() -> None:
    """An empty column stays one."""
    assert FF1(bytes(16), 10, 10).encrypt(np.empty((0, 10), np.uint8)).shape == (0, 10)


@pytest.mark.parametrize(
    ("radix", "length"), [(256, 13), (256, 14), (256, 15), (10, 33), (10, 34), (10, 35), (31, 23)]
)
def test_halves_around_a_words_width(radix: int, length: int) -> None:
    """Halves just below and just above 56 bits, where columns give way to single rows: as by the standard."""
    rows = np.random.default_rng(7).integers(0, radix, (5, length)).astype(np.uint8)
    rows[0] = radix - 1
    ff1 = FF1(bytes(16), radix, length, b"tweak")
    assert ff1.encrypt(rows).tolist() == [
        by_the_book(bytes(16), radix, b"tweak", row) for row in rows.tolist()
    ]


@pytest.mark.parametrize("radix", range(10, 37))
def test_every_radix_of_digits_and_letters_turns_back(radix: int) -> None:
    """Every length from the smallest domain on, alone and in a column."""
    random = np.random.default_rng(radix)
    for length in range(ceil(6 / log10(radix)), 41):
        ff1, rows = (
            FF1(bytes(32), radix, length, b"t"),
            random.integers(0, radix, (2, length)).astype(np.uint8),
        )
        encrypted = ff1.encrypt(rows)
        assert (ff1.decrypt(encrypted) == rows).all()
        assert ff1.decrypt_one(ff1.encrypt_one(rows[0].tolist())) == rows[0].tolist()
