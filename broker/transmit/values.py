"""A few rows, value by value: for them the fixed cost of Arrow's calls would be most of the work.

What conversion means is defined in :mod:`broker.transmit.conversion`. Here the usual types and spellings are
read, tested by the very same formats; a column with anything else in it goes there. A test compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import pyarrow as pa

from broker.formats import Format
from broker.model import FieldType
from broker.transmit.conversion import (
    DATE,
    DECIMAL,
    LOCAL_TIME,
    OFFSET_TIME,
    TRUTH,
    WHOLE_NUMBER,
    WHOLE_TEXT,
    converted,
    offset_of,
)

FEW = 32
"""Up to so many rows this is quicker."""

_MIDNIGHT = time()
_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
_MOST_INTEGER = 2**63 - 1
_TRUE = ("1", "true", "True", "TRUE")

Read = Callable[[Any, tzinfo], object]
"""From a source's value to the catalog's. Raises ValueError or OverflowError for what is not read here."""


def converted_values(values: pa.Array, kind: FieldType, zone: tzinfo) -> list[object]:
    """:func:`~broker.transmit.conversion.converted` as Python values."""
    readers = _READERS[kind]
    try:
        return [None if value is None else readers[type(value)](value, zone) for value in values.to_pylist()]
    except (KeyError, ValueError, OverflowError):
        result: list[object] = converted(values, kind, zone).to_pylist()
        return result


def _spelled(form: Format, read: Callable[[str], object]) -> Read:
    matches = form.matches

    def read_text(text: str, _zone: tzinfo) -> object:
        if not matches(text):
            raise ValueError("another spelling")
        return read(text)

    return read_text


def _as_it_is(value: object, _zone: tzinfo | None = None) -> object:
    return value


def _integer(value: int, _zone: tzinfo) -> int:
    if not -_MOST_INTEGER <= value <= _MOST_INTEGER:
        raise OverflowError("beyond 64 bits")
    return value


def _truth(value: int, _zone: tzinfo) -> bool:
    if value not in (0, 1):
        raise ValueError("neither yes nor no")
    return value == 1


def _instant(moment: datetime, zone: tzinfo) -> datetime:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    local = moment.replace(tzinfo=UTC)
    if not _FIRST <= local <= _LAST:
        raise OverflowError("as an instant it may lie beyond the years 1 to 9999")
    return local - offset_of(zone, local)


def _instant_of_text(text: str, zone: tzinfo) -> datetime:
    if not OFFSET_TIME.matches(text) and not LOCAL_TIME.matches(text):
        raise ValueError("another spelling")
    return _instant(datetime.fromisoformat(text), zone)


def _instant_of_date(day: date, zone: tzinfo) -> datetime:
    return _instant(datetime.combine(day, _MIDNIGHT), zone)


_READERS: Mapping[FieldType, Mapping[type, Read]] = {
    FieldType.TEXT: {str: _spelled(WHOLE_TEXT, _as_it_is), int: lambda value, _: str(value)},
    FieldType.INTEGER: {int: _integer, str: _spelled(WHOLE_NUMBER, int)},
    FieldType.DECIMAL: {str: _spelled(DECIMAL, _as_it_is), int: lambda value, _: str(value)},
    FieldType.BOOLEAN: {bool: _as_it_is, int: _truth, str: _spelled(TRUTH, _TRUE.__contains__)},
    FieldType.DATE: {date: _as_it_is, str: _spelled(DATE, date.fromisoformat)},
    FieldType.TIMESTAMP: {datetime: _instant, str: _instant_of_text, date: _instant_of_date},
}
