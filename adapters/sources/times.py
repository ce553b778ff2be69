"""The newest of a source's times, however the source writes them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, time

CANDIDATES = 16
"""How many of the greatest values to look at: a garbled one sorts last but must not hide the true newest."""


def newest_of(values: Iterable[object]) -> datetime | None:
    """The newest time in ``values``, which come greatest first; what is no time is passed over.

    Aware where the value has an offset, else naive. A date counts from its midnight.
    """
    return next((found for value in values if (found := _time(value)) is not None), None)


def _time(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return None
