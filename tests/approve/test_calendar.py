"""Working days and the order of masks, as the authority declares them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from broker.approve.bundle import Bundle, load_bundle
from broker.approve.problem import PolicyProblems
from broker.approve.rule import WorkingHours

ROOT = Path(__file__).parent.parent.parent
SHANGHAI = ZoneInfo("Asia/Shanghai")
Load = Callable[[Path], Bundle]
Edit = Callable[[str, str, str], Path]

OFF = (
    "2025-01-01 2025-01-28 2025-02-04 2025-04-04 2025-05-01 2025-05-05 2025-06-02 2025-10-01 2025-10-08 "
    "2026-01-01 2026-01-02 2026-02-16 2026-02-23 2026-04-06 2026-05-01 2026-05-05 2026-06-19 2026-09-25 "
    "2026-10-01 2026-10-07 2026-11-21 2026-11-22"
)
WORKED = (
    "2025-01-26 2025-02-08 2025-04-27 2025-09-28 2025-10-11 2026-01-04 2026-02-14 2026-02-28 2026-05-09 "
    "2026-09-20 2026-10-10 2025-01-27 2025-02-05 2025-10-09 2026-02-24 2026-10-08 2026-11-23"
)


def test_shipped_calendar_is_that_of_the_notices() -> None:
    """Holidays are off, also on weekdays, and make-up days are worked, also on weekends."""
    calendar = load_bundle(ROOT / "policies", lambda *_: None).catalog.calendar
    assert [day for day in OFF.split() if calendar.is_working(date.fromisoformat(day))] == []
    assert [day for day in WORKED.split() if not calendar.is_working(date.fromisoformat(day))] == []


def test_year_without_notice_is_unknown(folder: Path, load: Load) -> None:
    """Nobody guesses which days will be worked next year."""
    with pytest.raises(LookupError):
        load(folder).catalog.calendar.is_working(date(2027, 1, 4))


def test_new_year_may_begin_in_december(edit: Edit, load: Load) -> None:
    """A year's notice also tells of the days before it."""
    written = edit("calendar.yaml", '"2026-10-01/2026-10-07"', '"2025-12-31/2026-01-02"')
    assert load(written).catalog.calendar.holidays == {
        date(2025, 12, 31),
        date(2026, 1, 1),
        date(2026, 1, 2),
    }


def test_working_days_need_a_calendar(edit: Edit, load: Load) -> None:
    """Without ``calendar.yaml`` a rule about working days is refused, other rules are not."""
    folder = edit("sharing/marriage.yaml", 'until: "2027-12-31"', 'until: "2027-12-31", days: working')
    (rule,) = load(folder).rules
    assert rule.working_hours is not None
    (folder / "calendar.yaml").unlink()
    with pytest.raises(PolicyProblems, match="NO_CALENDAR"):
        load(folder)


def test_days_and_hours_are_typed(edit: Edit, load: Load) -> None:
    """Hours are half-open, 24:00 is the day's end, and all is told in the rule's zone."""
    written = (
        'until: "2027-12-31", hours: ["00:00-01:00", "22:00-24:00"], days: [mon, sun], zone: Asia/Urumqi'
    )
    (rule,) = load(edit("sharing/marriage.yaml", 'until: "2027-12-31"', written)).rules
    assert rule.working_hours == WorkingHours(
        ZoneInfo("Asia/Urumqi"),
        ((time(0), time(1)), (time(22), time(0))),
        frozenset({0, 6}),
    )
    assert rule.valid_from == datetime(2025, 12, 31, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("clock", "held"),
    [("00:00", True), ("00:59", True), ("01:00", False), ("21:59", False), ("22:00", True), ("23:59", True)],
)
def test_hours_end_before_their_end(clock: str, held: bool) -> None:
    """The first minute of a range is in it, the last is not, but for midnight there is no minute left out."""
    hours = WorkingHours(SHANGHAI, ((time(0), time(1)), (time(22), time(0))))
    assert hours.hold(datetime.fromisoformat(f"2026-11-23T{clock}:59.999999+08:00")) is held


def test_order_of_masks_and_floors(folder: Path, load: Load) -> None:
    """Later operators are stricter; what is not in the order has no place in it."""
    order = load(folder).catalog.mask_order
    assert [order.strictness(name) for name in ("year", "redact", "pseudonym")] == [0, 2, None]
    assert dict(order.floors) == {"L4": "redact"}
    for file in ("masking.yaml", "calendar.yaml"):
        (folder / file).unlink()
    catalog = load(folder).catalog
    assert (catalog.mask_order.operators, catalog.calendar.years) == ((), frozenset())
