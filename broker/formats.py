"""Formats of identifiers and codes, each for one text and, vectorised, for an Arrow column.

The catalog names a format per field (``format: resident_id``); the quality check applies it to every row
read and ``apply`` to every subject asked for. Both forms of a format always agree (a test compares them).
A format knows no clock and no register: it says that a text is well formed, not that somebody has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from operator import mul
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Truths = npt.NDArray[np.bool_]
Proof = Callable[[str], bool]

FEW = 32
"""Columns up to this length are checked text by text: compiling the pattern would be the whole cost."""

RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""GB 11643-1999, ISO 7064 MOD 11-2: 2^(17-i) mod 11 for the body's 17 digits."""
RESIDENT_CHECKS = "10X98765432"
"""GB 11643-1999: check character for each remainder of 11."""
ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
"""GB 11714-1997."""
ORGANISATION_CHECKS = "0X987654321"
"""GB 11714-1997: 11 - remainder, with 10 written X and 11 written 0."""
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015: no I, O, S, V, Z."""
USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
"""GB 32100-2015, ISO 7064 MOD 31-3."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name in the catalog, its Chinese title, and the test in both forms."""

    name: str
    title: str
    matches: Callable[[str], bool]
    matches_all: Callable[[pa.Array], pa.Array]
    """Takes text of any string type, length n; gives n booleans, null where the text is null."""
    types: tuple[str, ...] = ("text",)
    """Types of the fields that may have it; of other types the text is what a cast to text gives."""

    def holds_for(self, texts: pa.Array) -> bool:
        """Whether every text that is there matches: the quick question before ``matches_all``."""
        if len(texts) > FEW:
            return bool(self.matches_all(texts).false_count == 0)
        return all(text is None or self.matches(text) for text in texts.to_pylist())


def resident_id_check_characters(bodies: Bytes) -> Bytes:
    """Check characters (GB 11643-1999) for many bodies.

    ``bodies``: shape (n, 17), the digits as numbers 0 to 9 (not as ASCII). Gives shape (n,), ASCII codes.
    """
    remainders = bodies.astype(np.int64) @ np.array(RESIDENT_WEIGHTS) % 11
    characters: Bytes = _table(RESIDENT_CHECKS)[remainders]
    return characters


def _table(alphabet: str) -> Bytes:
    return np.frombuffer(alphabet.encode("ascii"), np.uint8)


def _values_of(alphabet: str) -> Bytes:
    """ASCII code → place in ``alphabet``; 255 for characters outside."""
    values = np.full(256, 255, np.uint8)
    values[_table(alphabet)] = np.arange(len(alphabet), dtype=np.uint8)
    return values


_DIGIT_VALUES = _values_of("0123456789")
_ORGANISATION_VALUES = _values_of(ORGANISATION_ALPHABET)
_USCC_VALUES = _values_of(USCC_ALPHABET)
_DAYS = np.array((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), np.int64)


# ── what a pattern cannot say: for one text, and for the bytes of many, shape (n, width) ──────────


def _is_date(text: str) -> bool:
    """``YYYYMMDD``, digits only, is a day of the Gregorian calendar."""
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return True


def _are_dates(digits: Bytes) -> Truths:
    """The same for digits as numbers, shape (n, 8)."""
    wide = digits.astype(np.int64)
    year, month, day = wide[:, :4] @ (1000, 100, 10, 1), wide[:, 4:6] @ (10, 1), wide[:, 6:] @ (10, 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = _DAYS[np.clip(month, 0, 12) * (month <= 12)] + ((month == 2) & leap)
    result: Truths = (year >= 1) & (day >= 1) & (day <= days)
    return result


def _is_written_date(text: str) -> bool:
    return _is_date(text.replace("-", ""))


def _are_written_dates(texts: Bytes) -> Truths:
    return _are_dates(_DIGIT_VALUES[texts[:, (0, 1, 2, 3, 5, 6, 8, 9)]])


def _is_resident_id(text: str) -> bool:
    total = sum(map(mul, RESIDENT_WEIGHTS, map(int, text[:17])))
    return RESIDENT_CHECKS[total % 11] == text[17] and _is_date(text[6:14])


def _are_resident_ids(texts: Bytes) -> Truths:
    digits = _DIGIT_VALUES[texts[:, :17]]
    result: Truths = (resident_id_check_characters(digits) == texts[:, 17]) & _are_dates(digits[:, 6:14])
    return result


def _is_organisation_code(text: str) -> bool:
    total = sum(w * ORGANISATION_ALPHABET.index(c) for w, c in zip(ORGANISATION_WEIGHTS, text, strict=False))
    return ORGANISATION_CHECKS[total % 11] == text[8]


def _are_organisation_codes(texts: Bytes) -> Truths:
    remainders = _ORGANISATION_VALUES[texts[:, :8]].astype(np.int64) @ np.array(ORGANISATION_WEIGHTS) % 11
    result: Truths = _table(ORGANISATION_CHECKS)[remainders] == texts[:, 8]
    return result


def _is_uscc(text: str) -> bool:
    total = sum(w * USCC_ALPHABET.index(c) for w, c in zip(USCC_WEIGHTS, text, strict=False))
    return USCC_ALPHABET[-total % 31] == text[17] and _is_organisation_code(text[8:17])


def _are_usccs(texts: Bytes) -> Truths:
    totals = _USCC_VALUES[texts[:, :17]].astype(np.int64) @ np.array(USCC_WEIGHTS)
    checks = _table(USCC_ALPHABET)[-totals % 31]
    result: Truths = (checks == texts[:, 17]) & _are_organisation_codes(texts[:, 8:17])
    return result


def _passes_luhn(text: str) -> bool:
    """ISO/IEC 7812-1 annex B: every second digit from the right doubled, digits summed, a multiple of 10."""
    doubled = (divmod(2 * int(c), 10) for c in text[-2::-2])
    return (sum(int(c) for c in text[-1::-2]) + sum(map(sum, doubled))) % 10 == 0


def _pass_luhn(texts: Bytes) -> Truths:
    digits = _DIGIT_VALUES[texts].astype(np.int64)
    doubled = 2 * digits[:, -2::-2]
    totals = digits[:, -1::-2].sum(axis=1) + (doubled - 9 * (doubled > 9)).sum(axis=1)
    result: Truths = totals % 10 == 0
    return result


# ── the formats ──────────────────────────────────────────────────────────────────────────────────


def _right_aligned(texts: pa.Array, width: int) -> Bytes:
    """Bytes of ASCII texts without nulls, each at most ``width`` long, filled up with 0 at the left.

    Gives shape (n, width).
    """
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2], np.uint8)
    places = offsets[1:, None] + np.arange(-width, 0)
    result: Bytes = np.where(places >= offsets[:-1, None], data[np.maximum(places, 0)], np.uint8(ord("0")))
    return result


def by_pattern(name: str, title: str, pattern: str, types: tuple[str, ...] = ("text",)) -> Format:
    """The format of whatever ``pattern`` matches as a whole; keep to what ``re`` and RE2 both mean alike."""
    compiled = re.compile(pattern)

    def matches_all(texts: pa.Array) -> pa.Array:
        return pc.match_substring_regex(texts.cast(pa.string()), f"^(?:{pattern})$")

    return Format(name, title, lambda text: compiled.fullmatch(text) is not None, matches_all, types)


def _with_proof(shape: Format, width: int, one: Proof, many: Callable[[Bytes], Truths]) -> Format:
    """``shape``, and a proof for the texts that have it: ASCII, at most ``width`` long."""

    def matches_all(texts: pa.Array) -> pa.Array:
        fits = shape.matches_all(texts)
        candidates = texts.cast(pa.string()).filter(fits)  # a null is not a candidate
        if not len(candidates):
            return fits
        proven = pa.array(many(_right_aligned(candidates, width)))
        return pc.replace_with_mask(fits, pc.fill_null(fits, False), proven)

    return Format(shape.name, shape.title, lambda text: shape.matches(text) and one(text), matches_all)


_MONTH, _DAY = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
# A birth year from 1800: a year such as 0001 is a slip of the keyboard, whatever its check character.
_RESIDENT_ID = f"[1-9][0-9]{{5}}(?:1[89]|2[0-9])[0-9]{{2}}{_MONTH}{_DAY}[0-9]{{3}}[0-9X]"
_DATE = f"[0-9]{{4}}-{_MONTH}-{_DAY}"
_USCC = f"[{USCC_ALPHABET}]{{2}}[0-9]{{6}}[{USCC_ALPHABET}]{{10}}"
# Province, city, district by two digits each; below a 00 there is nothing but 00.
REGION_PATTERN = "[1-9][0-9](?:0000|(?:0[1-9]|[1-9][0-9])[0-9]{2})"
"""GB/T 2260-2007."""
# No control characters; the first is no space either, not the ideographic one.
_PRINTED = "[^\\x00-\\x1f\\x7f]"
_VISIBLE = "[^\\x00-\\x20\\x7f\u00a0\u3000]"

_ALL = (
    # GB 11643-1999
    _with_proof(
        by_pattern("resident_id", "公民身份号码", _RESIDENT_ID), 18, _is_resident_id, _are_resident_ids
    ),
    # GB 32100-2015; places 9 to 17 are an organisation code with a check of its own
    _with_proof(by_pattern("uscc", "统一社会信用代码", _USCC), 18, _is_uscc, _are_usccs),
    # GB 11714-1997, without the hyphen that print puts before the check character
    _with_proof(
        by_pattern("organisation_code", "组织机构代码", "[0-9A-Z]{8}[0-9X]"),
        9,
        _is_organisation_code,
        _are_organisation_codes,
    ),
    # JR/T 0008-2000, ISO/IEC 7812-1
    _with_proof(by_pattern("bank_card", "银行卡号", "[0-9]{13,19}"), 19, _passes_luhn, _pass_luhn),
    # GB/T 7408.1-2023 (ISO 8601-1), extended form
    _with_proof(by_pattern("date", "日期", _DATE), 10, _is_written_date, _are_written_dates),
    # Numbering plan of the Ministry of Industry and Information Technology
    by_pattern("mobile", "手机号码", "1[3-9][0-9]{9}"),
    # GB/T 2260-2007
    by_pattern("region", "行政区划代码", REGION_PATTERN),
    by_pattern("postal_code", "邮政编码", "[0-9]{6}"),
    # GB/T 2261.1-2003: unknown, male, female, not stated
    by_pattern("gender", "性别代码", "[0129]"),
    # Whatever is written as one: it tells a mask what the text is, and refuses what is no text of an office
    by_pattern("name", "姓名或名称", f"{_VISIBLE}{_PRINTED}{{0,99}}"),
    by_pattern("address", "地址", f"{_VISIBLE}{_PRINTED}{{0,299}}"),
    # Yuan, jiao and fen; prices and interest have up to four places
    by_pattern("amount", "金额", r"-?[0-9]{1,15}(?:\.[0-9]{1,4})?", ("integer", "decimal")),
)

FORMATS: Mapping[str, Format] = MappingProxyType({one.name: one for one in _ALL})
"""Every format by its name."""
