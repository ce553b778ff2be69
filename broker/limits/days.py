"""Working days from one instant to another, in the zone of the city.

How a period is counted:

- The day of the event is not counted, counting begins on the next (《民法典》第二百零一条).
- Working days leave out the statutory holidays, and count the days worked in their place (《行政许可法》
  第八十二条; the State Council's yearly notice).
- The period ends with the end of its last day, at 24:00 (《民法典》第二百零三条).

An end is given as the first instant after it, in UTC: whoever acts before that instant acts in time. A year
whose notice is not out yet is never guessed: see :class:`Certainty`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from broker.errors import SetUpError
from broker.model import Calendar

_DAY = timedelta(days=1)
_INSTANT = timedelta.resolution
_FIXED_HOLIDAYS = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
"""Month and day of those that each year has alike (《全国年节及纪念日放假办法》第二条, 2024)."""


class Certainty(StrEnum):
    """What is known of the days that a period was counted over."""

    EXACT = "exact"
    """Each lies in a year whose notice is known."""
    PROVISIONAL = "provisional"
    """Some lie in a year of which only the statutory days are known: its notice may move the end."""
    EARLIEST = "earliest"
    """Some lie in a year that the calendar does not have: the end is not before this."""


@dataclass(frozen=True, slots=True)
class Due:
    """The end of a period."""

    at: datetime
    """The first instant after it, UTC."""
    last_day: date
    """Its last day, in the zone."""
    certainty: Certainty = Certainty.EXACT
    years: tuple[int, ...] = ()
    """Years whose notice could move it: ``sharebroker calendar import`` brings them in."""


class YearMissing(SetUpError):
    """The calendar does not have a year that a period reaches into; ``earliest`` is when it could end."""

    def __init__(self, year: int, earliest: datetime, zone: ZoneInfo) -> None:
        self.year = year
        self.earliest = earliest
        day = _last_day(earliest, zone)
        super().__init__(
            f"工作日历没有 {year} 年，截止日最早为 {day}；请用 sharebroker calendar import 录入"
            "国务院办公厅的放假安排，再发布策略",
            f"the calendar has no {year}; the limit cannot end before {day}: bring the State Council's "
            "notice in with sharebroker calendar import and publish the policies",
        )


def due(start: datetime, working_days: int, calendar: Calendar, zone: ZoneInfo) -> Due:
    """When ``working_days`` (1 or more) that begin with an event at ``start`` (aware) are over.

    A day of a provisional year counts as its statutory days say, one of a year that the calendar does not
    have counts whenever it might be worked: the result says so, and is then the earliest end possible.
    """
    if working_days < 1:
        raise ValueError("a period has at least one working day")
    day, left = _day(start, zone), working_days
    years: set[int] = set()
    while left:
        day += _DAY
        if day.year not in calendar.years:
            years.add(day.year)
        left -= _may_be_worked(day, calendar)
    return Due(_end(day, zone), day, _certainty(years, calendar), tuple(sorted(years)))


def deadline(start: datetime, working_days: int, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """As :func:`due`, the instant alone, for who can do nothing without it.

    Raises:
        YearMissing: it reaches into a year that the calendar does not have.
    """
    found = due(start, working_days, calendar, zone)
    if found.certainty is Certainty.EARLIEST:
        missing = next(year for year in found.years if year not in calendar.provisional)
        raise YearMissing(missing, found.at, zone)
    return found.at


def elapsed(start: datetime, now: datetime, calendar: Calendar, zone: ZoneInfo) -> int:
    """Working days of a period begun at ``start`` that are over by ``now``; the current one is not."""
    return worked(_day(start, zone), _day(now, zone) - _DAY, calendar)


def remaining(now: datetime, end: datetime, calendar: Calendar, zone: ZoneInfo) -> int:
    """Working days left after that of ``now`` until ``end``: 0 on the last day, and when it is over."""
    return worked(_day(now, zone), _last_day(end, zone), calendar)


def overdue(end: datetime, now: datetime, calendar: Calendar, zone: ZoneInfo) -> int:
    """Working days begun since ``end``; 0 before it, and on days off right after it."""
    return worked(_last_day(end, zone), _day(now, zone), calendar)


def reminder(end: datetime, working_days: int, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """The beginning of the working day from which ``working_days`` are left after it, UTC."""
    day, left = _last_day(end, zone), working_days
    while left:
        day -= _DAY
        left -= _may_be_worked(day, calendar)
    return _end(day - _DAY, zone)


def worked(first: date, last: date, calendar: Calendar) -> int:
    """Working days after ``first`` up to and with ``last``; 0 when there is no such day."""
    days = (first + timedelta(days=number) for number in range(1, (last - first).days + 1))
    return sum(_may_be_worked(day, calendar) for day in days)


def _may_be_worked(day: date, calendar: Calendar) -> bool:
    """As far as is known: of a year that the calendar does not have, any day that law does not keep free."""
    if day.year in calendar.years or day.year in calendar.provisional:
        return calendar.as_listed(day)
    return (day.month, day.day) not in _FIXED_HOLIDAYS


def _certainty(years: set[int], calendar: Calendar) -> Certainty:
    if not years:
        return Certainty.EXACT
    return Certainty.PROVISIONAL if years <= calendar.provisional else Certainty.EARLIEST


def _day(instant: datetime, zone: ZoneInfo) -> date:
    if instant.tzinfo is None:
        raise ValueError("a time without a zone")
    return instant.astimezone(zone).date()


def _last_day(end: datetime, zone: ZoneInfo) -> date:
    return _day(end - _INSTANT, zone)


def _end(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + _DAY, time(), zone).astimezone(UTC)
