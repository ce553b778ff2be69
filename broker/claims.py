"""What a consumer says that a value is (主张), where policy answers only whether it is so (比对核验).

A claim comes as text, and is read in one spelling for each type, so that nobody is told *no* for a way of
writing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from broker.model import FieldType

_WHOLE = re.compile("-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,20})?")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_TRUTHS = {"true": True, "false": False}

SPELLINGS: Mapping[FieldType, str] = {
    FieldType.TEXT: "……",
    FieldType.INTEGER: "-12",
    FieldType.DECIMAL: "-12.50",
    FieldType.BOOLEAN: "true / false",
    FieldType.DATE: "2026-11-23",
    FieldType.TIMESTAMP: "2026-11-23T10:30:00+08:00",
}
"""An example of each."""


def claim_column(field: str) -> str:
    """The column that holds what is claimed of ``field``; no field has such a name."""
    return f"{field}?"


def read_claim(text: str, kind: FieldType) -> object:
    """``text`` as a Python value of the type in which a field of ``kind`` is read; None for an empty one.

    Raises:
        ValueError: it is spelled otherwise. The message does not quote it.
    """
    return _READERS[kind](text) if text else None


def _spelled(text: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(text):
        raise ValueError("another spelling")
    return text


def _truth(text: str) -> bool:
    if text not in _TRUTHS:
        raise ValueError("another spelling")
    return _TRUTHS[text]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(_spelled(text, _DAY))
    except ValueError:
        raise ValueError("no such day") from None


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(_spelled(text, _INSTANT)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("no such instant") from None


_READERS: Mapping[FieldType, Callable[[str], object]] = {
    FieldType.TEXT: str,
    FieldType.INTEGER: lambda text: int(_spelled(text, _WHOLE)),
    FieldType.DECIMAL: lambda text: _spelled(text, _DECIMAL),
    FieldType.BOOLEAN: _truth,
    FieldType.DATE: _day,
    FieldType.TIMESTAMP: _instant,
}
