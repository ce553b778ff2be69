"""The resident identity number of GB 11643-1999, as far as masking must know it: is it well formed?"""

from __future__ import annotations

import re
from datetime import date

import numpy as np

from adapters.masking.arrays import Bools, Bytes
from adapters.masking.check_characters import RESIDENT_CHECKS, RESIDENT_WEIGHTS, resident_check

LENGTH = 18
_FORM = re.compile(r"[1-9][0-9]{16}[0-9X]")
_CHECK_BYTES = np.frombuffer(RESIDENT_CHECKS.encode(), np.uint8)
_MONTH_DAYS = np.array((0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31))


def is_resident_id(text: str) -> bool:
    """Whether ``text`` has the form, a date of birth that exists, and the right check character."""
    if not _FORM.fullmatch(text):
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(RESIDENT_WEIGHTS, text[:17], strict=True))
    return RESIDENT_CHECKS[total % 11] == text[17]


def are_resident_ids(characters: Bytes) -> Bools:
    """:func:`is_resident_id` of each row of ``characters``, ASCII, shape (n, 18)."""
    digits = characters[:, :17].astype(np.int64) - ord("0")
    formed = (digits >= 0).all(axis=1) & (digits <= 9).all(axis=1) & (digits[:, 0] > 0)
    digits[~formed] = 0
    checked = _CHECK_BYTES[resident_check(digits)] == characters[:, 17]
    valid: Bools = formed & checked & _dates_exist(digits[:, 6:14])
    return valid


def _dates_exist(digits: np.typing.NDArray[np.int64]) -> Bools:
    """Whether each row of eight digits is a date of the Gregorian calendar from year 1 on."""
    year = digits[:, :4] @ np.array((1000, 100, 10, 1))
    month, day = digits[:, 4] * 10 + digits[:, 5], digits[:, 6] * 10 + digits[:, 7]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = _MONTH_DAYS[np.where(month <= 12, month, 0)] - ((month == 2) & ~leap)
    exists: Bools = (year >= 1) & (day >= 1) & (day <= last)
    return exists
