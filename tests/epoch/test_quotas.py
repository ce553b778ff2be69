"""Quotas by day and by month of the city: exact over their bounds, over workers, and over either database."""

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from broker.errors import TooLarge, Unavailable
from broker.reasons import Reason
from tests.epoch.test_streaming import always

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
HOUSEHOLD = "sharing/public-security-household.yaml"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
RULE = "civil-affairs-marriage-001/housing-fund-withdrawal/housing_fund"
MOMENT, DAY = timedelta(microseconds=1), timedelta(days=1)


def next_month(instant):
    """The first instant of the month after, in the city's zone."""
    local = instant.astimezone(ZoneInfo("Asia/Shanghai"))
    later = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=31)
    return later.replace(day=1).astimezone(UTC)


FIRST = next_month(datetime.now(UTC))
"""A month begins, after all that the tests were given and before any of their policies expires."""
MONTH = FIRST.astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()[:7]


@pytest.fixture
def limited(any_world):
    """Publishes further limits for the withdrawal."""

    def publish(more):
        files = any_world.edit(MARRIAGE, LIMITS, LIMITS.replace("}", f", {more}}}"))
        any_world.publisher.policy(files, any_world.order)
        any_world.let_it_look()

    return publish


class Asking:
    """Asks at any instant; gives "" for what was released, else the counter that is used up."""

    def __init__(self, world, worker):
        self.world, self.worker = world, worker

    def exchange(self, instant, request):
        worker = replace(self.worker, clock=lambda: instant)
        return worker.unary(request, replace(self.world.consumer, not_after=instant), always)

    def at(self, instant):
        exchanged = self.exchange(instant, self.world.withdrawal())
        if exchanged.answer is not None:
            return ""
        (why,) = exchanged.decision.reasons
        assert why.reason is Reason.QUOTA_EXCEEDED
        return why.about


def test_calls_per_day_and_month_end_with_their_day_and_month(any_world, limited):
    """By the city's midnight, to the microsecond; a call that one counter refuses costs the other none."""
    limited("calls_per_day: 2, calls_per_month: 4")
    asking, month = Asking(any_world, any_world.worker()), f"calls/{RULE}/{MONTH}"
    assert asking.at(FIRST - MOMENT) == "", "of the month before"
    assert [asking.at(FIRST) for _ in range(3)] == ["", "", f"{month}-01"]
    assert asking.at(FIRST + DAY - MOMENT) == f"{month}-01"
    assert [asking.at(FIRST + DAY), asking.at(FIRST + 2 * DAY)] == ["", ""]
    for instant in (FIRST + 2 * DAY, FIRST + 3 * DAY, next_month(FIRST) - MOMENT):
        assert asking.at(instant) == month
    assert asking.at(next_month(FIRST)) == ""
    with any_world.store.append_transaction() as transaction:
        used = transaction.used([month, *(f"{month}-{day:02}" for day in range(1, 5))])
    assert used == {month: 4, f"{month}-01": 2, f"{month}-02": 1, f"{month}-03": 1}


def test_rows_per_month_are_those_released_on_all_its_days(any_world, limited):
    """What was asked for in vain costs nothing."""
    limited("rows_per_month: 3")
    asking = Asking(any_world, any_world.worker())
    nobody = any_world.withdrawal(subjects=("990101189901010015",))
    days = [FIRST + number * DAY for number in range(5)]
    assert [asking.at(day) for day in days] == ["", "", "", *[f"rows/{RULE}/{MONTH}"] * 2]
    assert asking.exchange(days[4], nobody).answer.counts.released == 0
    assert asking.at(next_month(FIRST)) == ""


def test_a_monthly_quota_is_exact_over_workers_and_days(any_world, limited):
    """Of many calls at once, on the last and the first days of a month, as many are answered as it allows."""
    limited("calls_per_month: 7")
    workers = [Asking(any_world, any_world.worker()) for _ in range(2)]
    instants = [FIRST + number * DAY for number in range(12)] + [FIRST - MOMENT] * 3

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda n: workers[n % 2].at(instants[n]), range(len(instants))))
    assert Counter(told) == {"": 7 + 3, f"calls/{RULE}/{MONTH}": 5}


def test_what_cannot_be_counted_is_not_released(world):
    """While the counters cannot be read, a call under a quota has neither an answer nor a receipt; it goes
    through once they can, and the failed one has cost nothing."""
    files = world.edit(MARRIAGE, LIMITS, LIMITS.replace("}", ", calls_per_day: 1}"))
    world.publisher.policy(files, world.order)
    asking, recorded = Asking(world, world.worker()), len(world.statements())
    with closing(sqlite3.connect(world.folder / "log.db")) as database:
        database.execute("ALTER TABLE quota RENAME TO elsewhere")
    with pytest.raises(Unavailable):
        asking.at(FIRST)
    assert len(world.statements()) == recorded
    with closing(sqlite3.connect(world.folder / "log.db")) as database:
        database.execute("ALTER TABLE elsewhere RENAME TO quota")
    assert [asking.at(FIRST) for _ in range(2)] == ["", f"calls/{RULE}/{MONTH}-01"]


@pytest.mark.parametrize(
    "limits", ["rows_per_day: 60", "rows_per_call: 70, rows_per_day: 60, rows_per_month: 80"]
)
def test_a_stream_releases_no_more_rows_than_the_least_quota(any_world, limits):
    """It is charged the most that it may release, when it begins: so no more goes out."""
    rule = "public-security-household-001/grid-service/medical_insurance"
    files = any_world.edit(HOUSEHOLD, "limits: {calls_per_day: 2000}", f"limits: {{{limits}}}")
    any_world.publisher.policy(files, any_world.order)
    worker = replace(any_world.worker(), clock=lambda: FIRST)
    consumer = replace(any_world.issue("medical_insurance"), not_after=FIRST)
    parts = worker.stream(any_world.package(), consumer, always)
    with pytest.raises(TooLarge) as caught:
        list(parts)
    assert caught.value.reason is Reason.TOO_MANY_ROWS
    assert any_world.statements()[-1]["outcome"]["rows"]["released"] <= 60
    with any_world.store.append_transaction() as transaction:
        counters = [f"rows/{rule}/{MONTH}-01", f"rows/{rule}/{MONTH}"]
        assert set(transaction.used(counters).values()) == {60}
