"""Check characters of numbers that identify people, cards and organisations, for a whole column at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adapters.masking.arrays import Bytes

RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_CHECKS = "10X98765432"
"""GB 11643-1999 (ISO 7064, MOD 11-2): by the weighted sum modulo 11."""
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015 §4.2."""
DIGITS = "0123456789"
_USCC_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))


def resident_check(numerals: Bytes) -> Bytes:
    """Place in :data:`RESIDENT_CHECKS` of the check character; ``numerals`` of shape (n, 17)."""
    return _summed(numerals, RESIDENT_WEIGHTS, 11)


def uscc_check(numerals: Bytes) -> Bytes:
    """Place in :data:`USCC_ALPHABET`; ``numerals`` are places in it too, of shape (n, 17)."""
    return (31 - _summed(numerals, _USCC_WEIGHTS, 31)) % 31


def luhn_check(numerals: Bytes) -> Bytes:
    """The last digit of a card number by ISO/IEC 7812-1 annex B; ``numerals`` are those before it."""
    doubled: npt.NDArray[np.int64] = numerals[:, ::-1].astype(np.int64)
    doubled[:, ::2] *= 2
    totals = (doubled - 9 * (doubled > 9)).sum(axis=1)
    check: Bytes = (-totals % 10).astype(np.uint8)
    return check


def _summed(numerals: Bytes, weights: tuple[int, ...], modulus: int) -> Bytes:
    """Sums of 17 products of at most 30 * 30 fit 16 bits."""
    totals = np.zeros(len(numerals), np.uint16)
    for column, weight in zip(numerals.T, weights, strict=True):
        totals += column * np.uint16(weight)
    return (totals % np.uint16(modulus)).astype(np.uint8)
