"""Releasing stops while witnesses are silent for too long, and goes on when they speak."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from broker.errors import Unavailable
from broker.reasons import Reason
from broker.receipt.coverage import LOOK_SECONDS, Coverage

START = datetime(2026, 11, 24, tzinfo=UTC)
LIMIT = 60.0


@dataclass
class World:
    """A clock that is set by hand, and a shelf on which the first uncovered leaf is of some time."""

    now: datetime = START
    uncovered: datetime | None = None
    broken: bool = False
    looks: int = 0

    def coverage(self, seconds: float = LIMIT) -> Coverage:
        began = self.now
        return Coverage(self, seconds, lambda: self.now, monotonic=lambda: (self.now - began).total_seconds())

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def first_uncovered(self) -> datetime | None:
        self.looks += 1
        if self.broken:
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        return self.uncovered


def stopped(coverage: Coverage) -> bool:
    """Whether it refuses, in the words that were promised."""
    if coverage.holds():
        coverage.check()
        return False
    with pytest.raises(Unavailable) as caught:
        coverage.check()
    return caught.value.reason is Reason.NOT_WITNESSED


def test_it_stops_when_a_receipt_is_uncovered_for_too_long_and_goes_on() -> None:
    """To the second, by the clock that dates receipts; what is covered may be of any age."""
    world = World(uncovered=START)
    coverage = world.coverage()
    world.pass_by(LIMIT)
    assert not stopped(coverage)
    world.pass_by(LOOK_SECONDS)
    assert stopped(coverage)
    world.uncovered = START + timedelta(seconds=30)
    world.pass_by(LOOK_SECONDS)
    assert not stopped(coverage)
    world.uncovered = None
    world.pass_by(10 * LIMIT)
    assert not stopped(coverage)


def test_a_start_with_an_old_uncovered_log_releases_nothing() -> None:
    """A broker whose witnesses are new waits for their first word."""
    world = World(uncovered=START - timedelta(days=9))
    coverage = world.coverage()
    assert stopped(coverage)
    world.uncovered = None
    world.pass_by(LOOK_SECONDS)
    assert not stopped(coverage)


def test_it_looks_once_a_second_and_no_oftener() -> None:
    """It is asked by every exchange."""
    world = World()
    coverage = world.coverage()
    for _ in range(100):
        coverage.check()
    assert world.looks == 1


def test_what_was_found_holds_no_longer_than_the_limit_without_another_look() -> None:
    """A database that does not answer is no permission for ever."""
    world = World()
    coverage = world.coverage()
    coverage.check()
    world.broken = True
    world.pass_by(LIMIT)
    assert not stopped(coverage)
    world.pass_by(1)
    assert stopped(coverage)


def test_without_a_limit_nobody_is_asked() -> None:
    """0 is off."""
    world = World(uncovered=START - timedelta(days=9))
    assert not stopped(world.coverage(0))
    assert world.looks == 0
