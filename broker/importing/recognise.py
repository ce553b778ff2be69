"""What a column holds: type and format from a sample, then how many of all its values do not keep to them.

A value is odd exactly when the quality check of :mod:`broker.transmit` would find its row bad: a draft says
before the first exchange what will be doubtful. Only counts leave this module, never a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from adapters.sources.rounded import Rounded
from broker.formats import FORMATS
from broker.importing.vocabulary import AMOUNT, DATE, TRUTH, Care, Word
from broker.model import FieldType
from broker.transmit.conversion import converted

SURE, HINTED = 0.9, 0.5
"""Share of the sample that must fit: without, and with a name that says the same."""
_IDENTIFIERS = ("resident_id", "uscc", "mobile", "organisation_code")
"""Told by their check characters or prefix alone; the others need a name that says so."""
_BY_NAME = ("region", "postal_code", "gender", "name", "address")
_SHORTEST_CARD = 16
_CARE = {"resident_id": Care.PERSONAL, "mobile": Care.PERSONAL, "bank_card": Care.SENSITIVE}
_ROUNDED_FROM = 1e15
"""A floating point number of more than 15 digits may have lost some."""
_SAID = r"^(?:是|否|[YyNn]|true|false|True|False|TRUE|FALSE)$"
_LEADING_ZERO = "^[+-]?0[0-9]"


@dataclass(frozen=True, slots=True)
class Guess:
    """Type and format of a column, and why."""

    type: FieldType
    format: str
    zh: str
    en: str

    @property
    def care(self) -> Care:
        """What the values themselves ask for."""
        return _CARE.get(self.format, Care.PUBLIC)


@dataclass(slots=True)
class Count:
    """What was counted in a column so far."""

    values: int = 0
    empty: int = 0
    odd: int = 0
    """Values that do not fit the guess; their rows will be bad."""
    rounded: int = 0
    """Of those, long numbers of which a spreadsheet has kept the first digits only."""

    def add(self, column: pa.Array, guess: Guess, zone: tzinfo) -> None:
        """Count one batch of the column."""
        column = _decoded(column)
        self.values += len(column)
        self.empty += column.null_count
        self.odd += _odd(column, guess, zone)
        texts = _texts(column)
        if texts is not None:
            self.rounded += len(Rounded(texts))
        elif pa.types.is_floating(column.type):
            self.rounded += int(pc.greater_equal(column, _ROUNDED_FROM).true_count)


def guess(sample: pa.Array, word: Word, zone: tzinfo) -> Guess:
    """Type and format of a column by the values of ``sample`` and what its name says."""
    values = _decoded(sample).drop_null()
    if not len(values):
        return Guess(FieldType.TEXT, "", "没有值", "no values")
    return _native(values) or _named_or_proven(values, word) or _plain(values, word, zone)


# ── guessing ─────────────────────────────────────────────────────────────────────────────────────


def _native(values: pa.Array) -> Guess | None:
    """By the source's own type, where that leaves no doubt."""
    kind = values.type
    if pa.types.is_boolean(kind):
        return Guess(FieldType.BOOLEAN, "", "源类型：布尔", "boolean in the source")
    if pa.types.is_date(kind):
        return Guess(FieldType.DATE, "", "源类型：日期", "date in the source")
    if pa.types.is_timestamp(kind):
        return Guess(FieldType.TIMESTAMP, "", "源类型：时间", "time in the source")
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Guess(FieldType.DECIMAL, "", "源类型：小数", "decimal in the source")
    if _texts(values) is None:
        return Guess(FieldType.TEXT, "", "源类型不能共享", "a type that cannot be shared")
    return None


def _named_or_proven(values: pa.Array, word: Word) -> Guess | None:
    texts = _texts(values)
    for name in _IDENTIFIERS:
        if _share(FORMATS[name].matches_all(texts)) >= (HINTED if word.format == name else SURE):
            return _of_format(name)
    is_card = word.format == "bank_card" or bool(pc.min(pc.utf8_length(texts)).as_py() >= _SHORTEST_CARD)
    if is_card and _share(FORMATS["bank_card"].matches_all(texts)) >= SURE:
        return _of_format("bank_card")
    if word.format in _BY_NAME and _share(FORMATS[word.format].matches_all(texts)) >= SURE:
        return _of_format(word.format)
    return None


def _of_format(name: str) -> Guess:
    title = FORMATS[name].title
    return Guess(FieldType.TEXT, name, f"值符合“{title}”", f"values are {name}")


def _plain(values: pa.Array, word: Word, zone: tzinfo) -> Guess:
    for holds, type_, zh, en in _PLAIN:
        if holds(values, word, zone):
            return Guess(type_, "", zh, en)
    if word.format in (*_IDENTIFIERS, "bank_card"):
        zh, en = "列名像有格式，多数值却不合", "named like a format that most values do not have"
        return Guess(FieldType.TEXT, "", zh, en)
    return Guess(FieldType.TEXT, "", "文字", "text")


def _is_truth(values: pa.Array, word: Word, _zone: tzinfo) -> bool:
    texts = _texts(values)
    said = _share(pc.match_substring_regex(texts, _SAID))
    return said >= SURE or (
        word.format == TRUTH and _share(pc.match_substring_regex(texts, f"{_SAID}|^[01]$")) >= SURE
    )


def _is_date(values: pa.Array, word: Word, zone: tzinfo) -> bool:
    share = _fits(values, FieldType.DATE, zone)
    # Every date is a time too: where more are times, some of them have an hour.
    has_hours = _fits(values, FieldType.TIMESTAMP, zone) > share
    return not has_hours and share >= (HINTED if word.format == DATE else SURE)


def _is_time(values: pa.Array, word: Word, zone: tzinfo) -> bool:
    return _fits(values, FieldType.TIMESTAMP, zone) >= (HINTED if word.format == DATE else SURE)


def _is_whole(values: pa.Array, word: Word, zone: tzinfo) -> bool:
    if word.is_code or word.format == AMOUNT or _has_leading_zero(values):
        return False
    return _fits(values, FieldType.INTEGER, zone) >= SURE


def _is_decimal(values: pa.Array, word: Word, zone: tzinfo) -> bool:
    if word.is_code or (word.format != AMOUNT and _has_leading_zero(values)):
        return False
    return _fits(values, FieldType.DECIMAL, zone) >= SURE


_PLAIN: tuple[tuple[Callable[[pa.Array, Word, tzinfo], bool], FieldType, str, str], ...] = (
    (_is_truth, FieldType.BOOLEAN, "值为是否", "yes or no"),
    (_is_date, FieldType.DATE, "值为日期", "dates"),
    (_is_time, FieldType.TIMESTAMP, "值为时间", "times"),
    (_is_whole, FieldType.INTEGER, "值为整数", "whole numbers"),
    (_is_decimal, FieldType.DECIMAL, "值为小数", "decimals"),
)


def _has_leading_zero(values: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(_texts(values), _LEADING_ZERO)).as_py())


# ── counting ─────────────────────────────────────────────────────────────────────────────────────


def _odd(values: pa.Array, guessed: Guess, zone: tzinfo) -> int:
    fitting = converted(values, guessed.type, zone)
    odd = fitting.null_count - values.null_count
    if guessed.format:
        odd += FORMATS[guessed.format].matches_all(fitting).false_count
    return int(odd)


def _fits(values: pa.Array, kind: FieldType, zone: tzinfo) -> float:
    """Share of ``values`` (without nulls) that ``kind`` can carry."""
    return 1 - int(converted(values, kind, zone).null_count) / len(values)


def _share(truths: pa.Array) -> float:
    return int(truths.true_count) / len(truths)


def _decoded(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _texts(values: pa.Array) -> pa.Array | None:
    """``values`` as ``string`` where they are texts or whole numbers, else None."""
    kind = values.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()
    return values.cast(pa.string()) if is_text or pa.types.is_integer(kind) else None
