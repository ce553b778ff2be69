"""Stretches of time (periods, kinds of days, hours of the day) that conditions tell apart."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from broker.model import Calendar

T = TypeVar("T", datetime, time)
Period = tuple[datetime | None, datetime | None]
"""From the first instant, to the first no longer in it; None is without end."""
Clock = tuple[time, time | None]
"""Likewise within a local day; None is midnight."""
Truth = bool | None
"""None: it cannot be told."""
TRUTHS: tuple[Truth, ...] = (True, False, None)


class Day(NamedTuple):
    """A kind of local day: Monday is 0, and whether it is worked by each of the calendars that matter."""

    weekday: int
    working: tuple[Truth, ...] = ()


def periods_between(ends: Iterable[Period]) -> list[Period]:
    """All of time, divided wherever one of these begins or ends."""
    cuts = sorted({cut for period in ends for cut in period if cut is not None})
    return list(zip([None, *cuts], [*cuts, None], strict=True))


def within(period: Period, valid: Period) -> bool:
    """Whether ``period``, which no end of ``valid`` divides, lies in it."""
    (start, end), (first, last) = period, valid
    return (first is None or (start is not None and first <= start)) and (
        last is None or (end is not None and end <= last)
    )


def days_in(period: Period, zone: ZoneInfo, calendars: Sequence[Calendar]) -> list[Day]:
    """The kinds of days that there are in ``period``."""
    start, end = (None if cut is None else cut.astimezone(zone) for cut in period)
    if start and end and end - start <= timedelta(days=7):
        days = _each(start.date(), (end - timedelta.resolution).date())
        return list({Day(day.weekday(), _kind(calendars, day)): None for day in days})
    if not calendars:
        return [Day(weekday) for weekday in range(7)]
    first = start.date() if start else date.min
    last = (end - timedelta.resolution).date() if end else date.max
    known = _known_days(tuple(calendars))
    within = known[bisect_left(known, first, key=_date) : bisect_right(known, last, key=_date)]
    kinds = list(dict.fromkeys(day for _, day in within))
    years = frozenset[int]().union(*[calendar.years for calendar in calendars])
    if not (start and end and years.issuperset(range(first.year, last.year + 1))):
        kinds += [Day(weekday, (None,) * len(calendars)) for weekday in range(7)]
    return kinds


@lru_cache(maxsize=16)
def _known_days(calendars: tuple[Calendar, ...]) -> list[tuple[date, Day]]:
    """Every day of the years that any of the calendars knows, in order, each with its kind."""
    years = sorted(frozenset[int]().union(*[calendar.years for calendar in calendars]))
    return [
        (day, Day(day.weekday(), _kind(calendars, day)))
        for year in years
        for day in _each(date(year, 1, 1), date(year, 12, 31))
    ]


def _date(known: tuple[date, Day]) -> date:
    return known[0]


def _each(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _kind(calendars: Sequence[Calendar], day: date) -> tuple[Truth, ...]:
    return tuple(worked(calendar, day) for calendar in calendars)


def worked(calendar: Calendar, day: date) -> Truth:
    """Whether it is a working day; nobody knows of a year that the calendar has not."""
    try:
        return calendar.is_working(day)
    except LookupError:
        return None


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def joined_periods(found: Iterable[Period]) -> tuple[Period, ...]:
    """The same, apart and in order."""
    spans = _joined((start or _FIRST, end or _LAST) for start, end in found)
    return tuple((None if a == _FIRST else a, None if b == _LAST else b) for a, b in spans)


def joined_clocks(found: Iterable[Clock]) -> tuple[Clock, ...]:
    """The same, apart and in order."""
    spans = _joined((start, end or time.max) for start, end in found)
    return tuple((a, None if b == time.max else b) for a, b in spans)


def _joined(spans: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """Those that meet or overlap made one."""
    joined: list[tuple[T, T]] = []
    for start, end in sorted(spans):
        if joined and joined[-1][1] >= start:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
