"""The resident identity number of GB 11643-1999, as far as masking must know it: is it well formed?"""

from __future__ import annotations

import re
from datetime import date

import numpy as np

from adapters.masking.arrays import Bools, Bytes
from adapters.masking.check_characters import RESIDENT_CHECKS, columns_of, resident_check

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
    return RESIDENT_CHECKS[resident_check([int(digit) for digit in text[:17]])] == text[17]


def are_resident_ids(characters: Bytes) -> Bools:
    """:func:`is_resident_id` of each row of ``characters``, ASCII, shape (n, 18)."""
    digits = characters[:, :17] - np.uint8(ord("0"))
    formed = (digits <= 9).all(axis=1)
    digits[~formed] = 0
    checked = _CHECK_BYTES[resident_check(columns_of(digits))] == characters[:, 17]
    valid: Bools = formed & checked & have_birth_dates(characters)
    return valid


def have_birth_dates(characters: Bytes) -> Bools:
    """Whether each row, 17 digits and a check character, begins as a region does and names a day of the
    Gregorian calendar from year 1 on."""
    digits = (characters[:, 6:14] - np.uint8(ord("0"))).T.astype(np.int32)
    year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3]
    month, day = digits[4] * 10 + digits[5], digits[6] * 10 + digits[7]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = _MONTH_DAYS[np.where(month <= 12, month, 0)] - ((month == 2) & ~leap)
    there: Bools = (characters[:, 0] > ord("0")) & (year >= 1) & (day >= 1) & (day <= last)
    return there
