"""How sources write times, and the newest of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, time

import pyarrow as pa
import pyarrow.compute as pc

CANDIDATES = 16
"""How many of the greatest values to look at: a garbled one sorts last but must not hide the true newest."""

_SPELLED = (
    r"^([0-9]{4}) ?[-/.年] ?([0-9]{1,2}) ?[-/.月] ?([0-9]{1,2})(?: ?[日号])?(?:[ T]?$|[ T] ?([0-9].*)$)"
)
_SPELLED_HOUR = r"^(.{10} )([0-9]:)"


def in_iso(texts: pa.Array) -> pa.Array:
    """``texts`` (``string``, length n) with dates in their usual spellings rewritten to ISO 8601.

    ``2026/1/3``, ``2026.01.03`` and ``2026年1月3日`` become ``2026-01-03``, and before a time likewise
    (``2026/1/3 8:05`` → ``2026-01-03 08:05``). The year comes first and has four digits, so each can be meant
    in one way only. Whatever is written otherwise stays as it is; nothing is checked against the calendar.
    """
    spelled = pc.fill_null(pc.match_substring_regex(texts, _SPELLED), False)
    if not spelled.true_count:
        return texts
    found = texts.filter(spelled)
    for pattern, replacement in (
        (_SPELLED, r"\1-0\2-0\3 \4"),
        ("^([0-9]{4}-)0([0-9]{2}-)", r"\1\2"),
        ("^([0-9]{4}-[0-9]{2}-)0([0-9]{2})", r"\1\2"),
        (_SPELLED_HOUR, r"\10\2"),
        (" $", ""),
    ):
        found = pc.replace_substring_regex(found, pattern, replacement)
    return pc.replace_with_mask(texts, spelled, found)


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
            return datetime.fromisoformat(in_iso(pa.array([value]))[0].as_py())
    return None
