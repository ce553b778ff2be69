"""FF1 format-preserving encryption (NIST SP 800-38G, algorithms 7 and 8) of one number or of a whole column.

P and the tweak's blocks are the same for every value of a column, so a round is one ECB call over all of it.
FF3 is not offered: SP 800-38G Rev. 1 withdrew it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from adapters.masking.arrays import Bytes
from adapters.masking.cipher import BLOCK, CIPHER, BlockCipher, blocks

Numbers: TypeAlias = npt.NDArray[np.uint64]
Encrypt = Callable[[bytes], bytes]
"""From whole blocks to as many."""

SMALLEST_DOMAIN = 1_000_000
"""SP 800-38G Rev. 1 §5.1: radix^length is at least that, or all values could be tried."""

_ROUNDS = 10
_ROWS_AT_ONCE = 16_384
"""The working set of so many rows stays in the processor's cache."""
_WIDEST_HALF = 1 << 56
"""Below that a half times 256 fits 64 bits."""


class FF1:
    """Numerals of one ``length`` in one ``radix`` under one key and tweak. Safe for use by many threads.

    Numerals are ``uint8``, each below ``radix``, the most significant first, in arrays of shape (n, length).

    Raises:
        ValueError: the radix is not of 2 to 256, the domain is smaller than :data:`SMALLEST_DOMAIN`, or the
            key is none of the cipher's.
    """

    def __init__(
        self, key: bytes, radix: int, length: int, tweak: bytes = b"", *, cipher: BlockCipher = CIPHER
    ) -> None:
        if not 2 <= radix <= 256:
            raise ValueError("FF1: a radix of 2 to 256")
        if length < 2 or radix**length < SMALLEST_DOMAIN:
            raise ValueError(f"FF1: fewer than {SMALLEST_DOMAIN} values of {length} numerals to base {radix}")
        self.radix, self.length = radix, length
        self._cipher = cipher(key)
        self._left, self._right = length // 2, length - length // 2
        self._half_bytes = ceil((radix**self._right - 1).bit_length() / 8)
        self._sum_bytes = 4 * ceil(self._half_bytes / 4) + 4
        self._modulus = radix**self._left, radix**self._right
        self._prefix, self._last = self._constant(tweak)
        self._fixed = self._prefix ^ int.from_bytes(self._last, "big") << 8 * (self._half_bytes + 1)
        self._beyond: int = 8 * (BLOCK - self._sum_bytes)

    def encrypt(self, numerals: Bytes) -> Bytes:
        """Each row encrypted; shape and radix stay."""
        return self._each(numerals, range(_ROUNDS))

    def decrypt(self, numerals: Bytes) -> Bytes:
        """What :meth:`encrypt` was given."""
        return self._each(numerals, range(_ROUNDS - 1, -1, -1))

    def encrypt_one(self, numerals: Sequence[int]) -> list[int]:
        """One row, for which the fixed cost of vectorised calls would be most of the work."""
        return self._row(numerals, range(_ROUNDS))

    def decrypt_one(self, numerals: Sequence[int]) -> list[int]:
        """What :meth:`encrypt_one` was given."""
        return self._row(numerals, range(_ROUNDS - 1, -1, -1))

    def _constant(self, tweak: bytes) -> tuple[int, bytes]:
        """Of P ‖ Q what no value changes: the chain over its whole blocks, and the rest, before i and B.

        A half of more than 15 bytes leaves no block for i and B to share; nothing then precedes them there.
        """
        first = bytes([1, 2, 1]) + self.radix.to_bytes(3, "big") + bytes([10, self._left % 256])
        first += self.length.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        padding = -(len(tweak) + self._half_bytes + 1) % BLOCK
        start = tweak + bytes(padding)
        whole = len(start) // BLOCK * BLOCK
        return _chained(self._encryptor(), 0, first + start[:whole]), start[whole:]

    def _encryptor(self) -> Encrypt:
        return blocks(self._cipher).update

    # ── one value, of any size ───────────────────────────────────────────────────────────────────

    def _row(self, row: Sequence[int], rounds: range) -> list[int]:
        if len(row) != self.length or min(row) < 0 or max(row) >= self.radix:
            raise ValueError(f"FF1: {self.length} numerals below {self.radix} are expected")
        left, right = _number(row[: self._left], self.radix), _number(row[self._left :], self.radix)
        left, right = self._one(left, right, rounds)
        return [*_numerals(left, self.radix, self._left), *_numerals(right, self.radix, self._right)]

    def _one(self, left: int, right: int, rounds: range) -> tuple[int, int]:
        """Both halves after ``rounds``, ascending to encrypt, descending to decrypt."""
        encrypt, forward = self._encryptor(), rounds.step > 0
        for i in rounds:
            modulus = self._modulus[i % 2]
            if forward:
                left, right = right, (left + self._sum(encrypt, i, right)) % modulus
            else:
                left, right = (right - self._sum(encrypt, i, left)) % modulus, left
        return left, right

    def _sum(self, encrypt: Encrypt, i: int, half: int) -> int:
        """y of round ``i``: steps 6.i to 6.iv."""
        if self._half_bytes < BLOCK and self._sum_bytes <= BLOCK:  # one block in, one out
            block = self._fixed ^ i << 8 * self._half_bytes ^ half
            output = int.from_bytes(encrypt(block.to_bytes(BLOCK, "big")), "big")
            return output >> self._beyond
        message = self._last + bytes([i]) + half.to_bytes(self._half_bytes, "big")
        state = _chained(encrypt, self._prefix, message)
        stretched = state.to_bytes(BLOCK, "big")
        for j in range(1, ceil(self._sum_bytes / BLOCK)):
            stretched += encrypt((state ^ j).to_bytes(BLOCK, "big"))
        return int.from_bytes(stretched[: self._sum_bytes], "big")

    # ── a column ─────────────────────────────────────────────────────────────────────────────────

    def _each(self, numerals: Bytes, rounds: range) -> Bytes:
        if numerals.ndim != 2 or numerals.shape[1] != self.length:
            raise ValueError(f"FF1: rows of {self.length} numerals are expected")
        if numerals.size and int(numerals.max()) >= self.radix:
            raise ValueError("FF1: a numeral outside the radix")
        result = np.empty(numerals.shape, np.uint8)
        for first in range(0, len(numerals), _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            result[rows] = self._column(numerals[rows], rounds)
        return result

    def _column(self, numerals: Bytes, rounds: range) -> Bytes:
        if max(self._modulus) > _WIDEST_HALF:
            return np.array([self._row(row, rounds) for row in numerals.tolist()], np.uint8)
        left, right = self._numbers(numerals[:, : self._left]), self._numbers(numerals[:, self._left :])
        left, right = self._many(left, right, rounds)
        result = np.empty(numerals.shape, np.uint8)
        self._write(left, result[:, : self._left])
        self._write(right, result[:, self._left :])
        return result

    def _many(self, left: Numbers, right: Numbers, rounds: range) -> tuple[Numbers, Numbers]:
        """:meth:`_one` of each pair: the last block of Q alone differs from row to row."""
        first = BLOCK - self._half_bytes - 1
        high, low = np.frombuffer(self._fixed.to_bytes(BLOCK, "big"), ">u8").astype(np.uint64)
        inputs = np.empty((len(left), 2), ">u8")
        inputs[:, 0] = high
        update = blocks(self._cipher).update_into
        output = np.empty(len(left) * 2 + 2, ">u8")
        forward = rounds.step > 0
        for i in rounds:
            modulus = np.uint64(self._modulus[i % 2])
            counter = i << 8 * (BLOCK - 1 - first)
            inputs[:, 0] = high ^ np.uint64(counter >> 64)
            inputs[:, 1] = (right if forward else left) ^ (low ^ np.uint64(counter & (1 << 64) - 1))
            update(inputs.data.cast("B"), output.data.cast("B"))
            y = self._reduced(output[:-2].reshape(-1, 2), modulus)
            if forward:
                left, right = right, _added(left, y, modulus)
            else:
                left, right = _added(right, modulus - y, modulus), left
        return left, right

    def _reduced(self, output: npt.NDArray[np.uint64], modulus: np.uint64) -> Numbers:
        """The first 8 or 12 bytes of each row, as a number modulo ``modulus``."""
        number = _remainder(output[:, 0].astype(np.uint64), modulus)
        if self._sum_bytes == 8:
            return number
        rest = output[:, 1].astype(np.uint64) >> np.uint64(32)
        bits = 32 if modulus <= 1 << 32 else 16 if modulus <= 1 << 48 else 8
        for shift in range(32 - bits, -1, -bits):
            digit = rest >> np.uint64(shift) & np.uint64((1 << bits) - 1)
            number = _remainder((number << np.uint64(bits)) | digit, modulus)
        return number

    def _numbers(self, numerals: Bytes) -> Numbers:
        numbers = np.zeros(len(numerals), np.uint64)
        for column in numerals.T:
            numbers *= np.uint64(self.radix)
            numbers += column
        return numbers

    def _write(self, numbers: Numbers, numerals: Bytes) -> None:
        radix = np.uint64(self.radix)
        for place in range(numerals.shape[1] - 1, -1, -1):
            quotient = numbers // radix
            numerals[:, place] = numbers - quotient * radix
            numbers = quotient


def _chained(encrypt: Encrypt, state: int, message: bytes) -> int:
    """PRF of algorithm 6: CBC-MAC over whole blocks, from ``state`` on."""
    for at in range(0, len(message), BLOCK):
        block = state ^ int.from_bytes(message[at : at + BLOCK], "big")
        state = int.from_bytes(encrypt(block.to_bytes(BLOCK, "big")), "big")
    return state


def _added(one: Numbers, other: Numbers, modulus: np.uint64) -> Numbers:
    total = one + other
    less: Numbers = np.minimum(total, total - modulus)  # below the modulus the difference wraps around
    return less


def _remainder(numbers: Numbers, modulus: np.uint64) -> Numbers:
    """``numbers % modulus``; numpy divides by one number for a whole column several times faster."""
    return numbers - numbers // modulus * modulus


def _number(numerals: Sequence[int], radix: int) -> int:
    number = 0
    for numeral in numerals:
        number = number * radix + numeral
    return number


def _numerals(number: int, radix: int, length: int) -> list[int]:
    numerals = []
    for _ in range(length):
        number, numeral = divmod(number, radix)
        numerals.append(numeral)
    return numerals[::-1]
