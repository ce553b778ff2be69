"""Check characters of numbers that identify people, cards and organisations.

The same arithmetic serves one number, given as its numerals, and a whole column of them, given as one array
of numerals for each place (:func:`columns_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from adapters.masking.arrays import Bytes

Whole: TypeAlias = npt.NDArray[np.uint16]
Column = TypeVar("Column", int, Whole)

RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_CHECKS = "10X98765432"
"""GB 11643-1999 (ISO 7064, MOD 11-2): by the weighted sum modulo 11."""
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015 §4.2."""
DIGITS = "0123456789"
_USCC_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))


def columns_of(numerals: Bytes) -> list[Whole]:
    """The columns of numerals of shape (n, length), as the functions below take them."""
    return list(numerals.T.astype(np.uint16))


def resident_check(columns: Sequence[Column]) -> Column:
    """Place in :data:`RESIDENT_CHECKS` of the check character, by the 17 numerals before it."""
    return _summed(columns, RESIDENT_WEIGHTS) % 11


def uscc_check(columns: Sequence[Column]) -> Column:
    """Place in :data:`USCC_ALPHABET`, by the places in it of the 17 characters before."""
    return (31 - _summed(columns, _USCC_WEIGHTS) % 31) % 31


def luhn_check(columns: Sequence[Column]) -> Column:
    """The last digit of a card number by ISO/IEC 7812-1 annex B, by the digits before it."""
    total = sum(columns[-2::-2])
    for column in columns[::-2]:
        doubled = column * 2
        total = total + doubled - (doubled > 9) * 9
    return (10 - total % 10) % 10  # type: ignore[return-value]


def _summed(columns: Sequence[Column], weights: tuple[int, ...]) -> Column:
    """Of 17 products of at most 30 * 30: they fit 16 bits."""
    total = columns[0] * weights[0]
    for column, weight in zip(columns[1:], weights[1:], strict=True):
        total = total + column * weight
    return total
