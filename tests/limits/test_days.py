"""Periods of working days, against a count by the book: one day after the other."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.approve.bundle import load_bundle
from broker.limits.days import (
    Certainty,
    Due,
    YearMissing,
    deadline,
    due,
    elapsed,
    overdue,
    remaining,
    reminder,
    worked,
)
from broker.model import Calendar

CALENDAR = load_bundle(Path(__file__).parents[2] / "policies", lambda *_: None).catalog.calendar
SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [SHANGHAI, ZoneInfo("Asia/Urumqi"), ZoneInfo("UTC"), ZoneInfo("America/New_York")]
instants = st.datetimes(datetime(2025, 1, 2), datetime(2026, 11, 1), timezones=st.just(UTC))
lengths = st.integers(1, 25)
zones = st.sampled_from(ZONES)


def at(text: str) -> datetime:
    """An instant of Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def by_the_book(start: datetime, days: int, zone: ZoneInfo) -> date:
    """The day of the event is not counted; days off are not; the last counted day is the last day."""
    day, counted = start.astimezone(zone).date(), []
    while len(counted) < days:
        day += timedelta(days=1)
        if CALENDAR.is_working(day):
            counted.append(day)
    return counted[-1]


# ── by the book ──────────────────────────────────────────────────────────────────────────────────


@given(instants, lengths, zones)
def test_deadline_is_the_end_of_the_last_working_day(start: datetime, days: int, zone: ZoneInfo) -> None:
    """In any zone, over all holidays and make-up days of two years, it is what counting on fingers gives."""
    last = by_the_book(start, days, zone)
    end = datetime.combine(last + timedelta(days=1), time(), zone)
    assert due(start, days, CALENDAR, zone) == Due(end.astimezone(UTC), last)
    assert deadline(start, days, CALENDAR, zone) == end


@given(instants, lengths, zones)
def test_inverses(start: datetime, days: int, zone: ZoneInfo) -> None:
    """Counting back what was counted forth gives the number: at the start all is left, at the end none."""
    end = deadline(start, days, CALENDAR, zone)
    last_moment = end - timedelta.resolution
    assert remaining(start, end, CALENDAR, zone) == days
    assert (elapsed(start, end, CALENDAR, zone), elapsed(start, last_moment, CALENDAR, zone)) == (
        days,
        days - 1,
    )
    assert remaining(last_moment, end, CALENDAR, zone) == 0 == overdue(end, last_moment, CALENDAR, zone)


@given(instants, lengths, st.integers(0, 60 * 24 * 40), zones)
def test_used_and_left_make_the_whole(start: datetime, days: int, minutes: int, zone: ZoneInfo) -> None:
    """On a working day within the period, days over, the current one and those left add up to it."""
    now, end = start + timedelta(minutes=minutes), deadline(start, days, CALENDAR, zone)
    first, today = start.astimezone(zone).date(), now.astimezone(zone).date()
    if now < end and today > first:
        current = CALENDAR.is_working(today)
        assert elapsed(start, now, CALENDAR, zone) + current + remaining(now, end, CALENDAR, zone) == days


@given(instants, lengths, lengths, zones)
def test_later_is_never_sooner(start: datetime, days: int, more: int, zone: ZoneInfo) -> None:
    """A longer period, or one begun later, never ends sooner; and it ends at a midnight of the zone."""
    end = deadline(start, days, CALENDAR, zone)
    assert deadline(start, days + more, CALENDAR, zone) > end
    assert deadline(start + timedelta(hours=more), days, CALENDAR, zone) >= end
    assert end.astimezone(zone).time() == time()


@given(instants, lengths, st.integers(0, 5), zones)
def test_reminder_leaves_that_many_days(start: datetime, days: int, before: int, zone: ZoneInfo) -> None:
    """It comes with the beginning of a working day, so many of them before the last."""
    end = deadline(start, days, CALENDAR, zone)
    when = reminder(end, before, CALENDAR, zone)
    assert CALENDAR.is_working(when.astimezone(zone).date())
    assert when.astimezone(zone).time() == time()
    assert remaining(when, end, CALENDAR, zone) == before


# ── cases that go wrong elsewhere ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "days", "last"),
    [
        ("2026-11-24T09:00", 1, "2026-11-25"),  # an ordinary Tuesday
        ("2026-11-24T00:00", 1, "2026-11-25"),  # the first moment of a day is of that day
        ("2026-11-24T23:59:59.999999", 1, "2026-11-25"),  # and so is the last
        ("2026-11-27T18:00", 1, "2026-11-30"),  # Friday evening → Monday
        ("2026-11-28T10:00", 1, "2026-11-30"),  # filed on a Saturday → Monday
        ("2026-09-30T17:00", 1, "2026-10-08"),  # over the National Day
        ("2026-09-30T17:00", 3, "2026-10-10"),  # Saturday the 10th is worked
        ("2026-02-13T17:00", 2, "2026-02-24"),  # Saturday the 14th is worked, then nine days off
        ("2025-12-31T23:30", 1, "2026-01-04"),  # the year ends; Sunday the 4th is worked
        ("2026-01-01T00:00", 1, "2026-01-04"),
        ("2025-01-27T12:00", 10, "2025-02-17"),  # Spring Festival with its make-up Saturday
    ],
)
def test_days_of_the_notices(start: str, days: int, last: str) -> None:
    """Weekends, holidays, make-up days and the end of the year, as an officer in Shanghai counts them."""
    assert due(at(start), days, CALENDAR, SHANGHAI).last_day == date.fromisoformat(last)


def test_midnight_is_that_of_the_city() -> None:
    """Half past midnight in Shanghai is the day before in Greenwich, and a day later on the clock."""
    start = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
    assert due(start, 1, CALENDAR, SHANGHAI).last_day == date(2026, 11, 25)
    assert due(start, 1, CALENDAR, ZoneInfo("UTC")).last_day == date(2026, 11, 24)
    assert deadline(start, 1, CALENDAR, SHANGHAI) == datetime(2026, 11, 25, 16, tzinfo=UTC)


def test_leap_day_is_a_day_like_others() -> None:
    """The 29th of February 2028, a Tuesday, is counted."""
    plain = Calendar(years=frozenset({2028}))
    assert due(at("2028-02-28T10:00"), 1, plain, SHANGHAI).last_day == date(2028, 2, 29)
    assert due(at("2028-02-28T10:00"), 2, plain, SHANGHAI).last_day == date(2028, 3, 1)


def test_summer_time_changes_no_day() -> None:
    """Where clocks change, a limit still ends at midnight of the place."""
    plain, new_york = Calendar(years=frozenset({2026})), ZoneInfo("America/New_York")
    end = deadline(datetime(2026, 3, 6, 12, tzinfo=new_york), 1, plain, new_york)
    assert end == datetime(2026, 3, 10, 4, tzinfo=UTC)


def test_overdue_counts_from_the_first_working_day_after() -> None:
    """A weekend after the limit is overdue, by no working day yet."""
    end = deadline(at("2026-11-26T10:00"), 1, CALENDAR, SHANGHAI)
    found = [overdue(end, at(f"2026-{day}T08:00"), CALENDAR, SHANGHAI) for day in ("11-28", "11-30", "12-01")]
    assert found == [0, 1, 2]


@pytest.mark.parametrize("days", [0, -1])
def test_period_of_no_day_is_refused(days: int) -> None:
    """Every limit of the law is at least a day."""
    with pytest.raises(ValueError, match="at least one"):
        due(at("2026-11-24T09:00"), days, CALENDAR, SHANGHAI)


def test_time_without_zone_is_refused() -> None:
    """Nobody guesses which midnight was meant."""
    with pytest.raises(ValueError, match="zone"):
        due(datetime(2026, 11, 24), 1, CALENDAR, SHANGHAI)


# ── years that nobody knows yet ──────────────────────────────────────────────────────────────────


def test_provisional_year_is_computed_and_said() -> None:
    """Statutory days are left out; that the notice may change the rest stands beside the result."""
    found = due(at("2026-12-30T10:00"), 2, CALENDAR, SHANGHAI)
    assert (found.last_day, found.certainty, found.years) == (
        date(2027, 1, 4),
        Certainty.PROVISIONAL,
        (2027,),
    )
    assert deadline(at("2026-12-30T10:00"), 2, CALENDAR, SHANGHAI) == found.at
    assert due(at("2026-12-30T10:00"), 1, CALENDAR, SHANGHAI).certainty is Certainty.EXACT


def test_year_that_is_missing_gives_the_earliest_end() -> None:
    """Any day might be made up, but the statutory holidays of fixed date are free: not before the 2nd."""
    found = due(at("2027-12-30T10:00"), 2, CALENDAR, SHANGHAI)
    assert (found.last_day, found.certainty, found.years) == (
        date(2028, 1, 2),
        Certainty.EARLIEST,
        (2027, 2028),
    )
    with pytest.raises(YearMissing) as missing:
        deadline(at("2027-12-30T10:00"), 2, CALENDAR, SHANGHAI)
    assert (missing.value.year, missing.value.earliest) == (2028, found.at)
    assert "2028-01-02" in missing.value.zh
    assert "sharebroker calendar import" in missing.value.en


@given(instants, lengths)
def test_earliest_end_is_never_after_the_true_one(start: datetime, days: int) -> None:
    """What is said of an unknown year holds whatever its notice brings."""
    assert due(start, days, Calendar(), SHANGHAI).at <= deadline(start, days, CALENDAR, SHANGHAI)


def test_no_day_between_days_in_the_wrong_order() -> None:
    """Counting backwards counts nothing."""
    assert worked(date(2026, 11, 24), date(2026, 11, 20), CALENDAR) == 0
