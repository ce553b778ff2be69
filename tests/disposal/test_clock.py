"""Until when data may be kept, and which rows count what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given
from hypothesis import strategies as st

from broker.journal import Leaf, Lease
from broker.model import DisposalMethod, Retained, dispose_by
from broker.reasons import Reason
from broker.receipt.attempts import interruption
from broker.receipt.disposals import digest_of, retained_of, set_of
from broker.receipt.statement import instant
from broker.store.disposals import retained_rows

SHANGHAI = ZoneInfo("Asia/Shanghai")
TIMES = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@given(at=TIMES, days=st.integers(1, 1000), zone=st.sampled_from([SHANGHAI, ZoneInfo("Europe/Berlin"), UTC]))
def test_days_are_whole_and_the_day_of_delivery_does_not_count(at: datetime, days: int, zone: Any) -> None:
    """Midnight after the last day, wherever the city is: never less than the days, never a day and an hour
    more."""
    until = dispose_by(at, days, zone).astimezone(zone)
    assert (until.hour, until.minute, until.second) == (0, 0, 0)
    assert until.date() - at.astimezone(zone).date() == timedelta(days=days + 1)
    assert timedelta(days=days, hours=-1) <= until - at <= timedelta(days=days + 1, hours=1)


def test_year_ends_leap_days_and_midnight() -> None:
    """Known answers in Shanghai, one second on either side of midnight."""

    def kept(text: str, days: int) -> str:
        at = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
        return dispose_by(at, days, SHANGHAI).astimezone(SHANGHAI).isoformat()

    assert kept("2026-12-31T23:59:59", 1) == "2027-01-02T00:00:00+08:00"
    assert kept("2027-01-01T00:00:00", 1) == "2027-01-03T00:00:00+08:00"
    assert kept("2028-02-28T12:00:00", 1) == "2028-03-01T00:00:00+08:00"
    assert kept("2026-11-24T09:00:00", 30) == "2026-12-25T00:00:00+08:00"
    assert dispose_by(datetime(2026, 1, 1, tzinfo=UTC), 999_999_999, SHANGHAI).year == 2126


def test_a_stronger_method_satisfies_a_weaker_demand() -> None:
    """And no weaker one a stronger."""
    clear, purge, destroy = DisposalMethod
    satisfied = [
        (one, wanted) for one in DisposalMethod for wanted in DisposalMethod if one.satisfies(wanted)
    ]
    assert satisfied == [
        *((clear, clear), (purge, clear), (purge, purge)),
        *((destroy, clear), (destroy, purge), (destroy, destroy)),
    ]


def test_a_batch_counts_what_is_due_on_a_day_in_one_row(broker_log: Any) -> None:
    """By consumer, dataset, purpose, grant and day; what has no clock is in none."""
    day = datetime(2026, 12, 25, tzinfo=UTC)
    entries = [
        broker_log.retained(day),
        broker_log.exchange(),
        broker_log.retained(day),
        broker_log.retained(day, "7"),
        broker_log.retained(day + timedelta(days=1)),
    ]
    leaves = [Leaf(10 + number, b"", entry) for number, entry in enumerate(entries)]
    counted = [
        (row["grant_number"], row["first_leaf"], row["last_leaf"], row["deliveries"])
        for row in retained_rows(leaves)
    ]
    assert counted == [("", 10, 12, 2), ("7", 13, 13, 1), ("", 14, 14, 1)]


@given(st.sets(st.integers(0, (1 << 63) - 1), min_size=1, max_size=20))
def test_a_digest_is_of_these_deliveries_only(leaves: set[int]) -> None:
    """In whichever order a set had them, and with none more or fewer."""
    told = sorted(leaves)
    one = set_of(datetime(2026, 1, 1, tzinfo=UTC), told)
    assert (one.first, one.last, one.count, one.digest) == (told[0], told[-1], len(told), digest_of(told))
    assert digest_of(told[1:]) != one.digest != digest_of([*told, told[-1] + 1])


def test_what_a_stream_had_handed_over_has_a_clock_though_it_broke_off(broker_log: Any) -> None:
    """That of the last sign of life: whoever closes it takes over what that said."""
    until = datetime(2026, 12, 25, tzinfo=UTC)
    opening = broker_log.opening("s1")
    unfinished = orjson.loads(opening.lease.unfinished)

    def closed(content: dict[str, Any]) -> Any:
        lease = Lease(3, ("spiffe://x", "s1"), 30_000, 0, orjson.dumps(content))
        return interruption(lease, Reason.LEASE_EXPIRED, datetime.now(UTC))

    assert closed(unfinished).retained is None
    entry = closed(unfinished | {"dispose_by": instant(until), "grant": "7"})
    assert entry.retained == retained_of(orjson.loads(entry.statement)) == Retained(until, "7")
