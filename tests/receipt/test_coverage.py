"""Releasing stops while witnesses are silent for too long, and goes on when they speak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import Unavailable
from broker.journal import Cosigned
from broker.reasons import Reason
from broker.receipt.coverage import LOOK_SECONDS, Coverage, ProvedCover
from broker.receipt.note import Checkpoint
from broker.receipt.witnesses import WitnessKey, WitnessPolicy, cosign

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


@dataclass
class Shelf:
    """A database whose writer is not to be believed, and a log of ten leaves, recorded one a minute."""

    note: Cosigned | None = None
    lies: bool = False
    size: int = 10

    def cosigned(self) -> Cosigned | None:
        return self.note

    def recorded_at(self, leaf_index: int) -> datetime | None:
        return None if self.lies else START + timedelta(minutes=leaf_index)


LATER = START + timedelta(days=1)
ORIGIN = "city.example/log"
KEYS = [Ed25519PrivateKey.generate() for _ in range(2)]
WITNESSES = [WitnessKey.of(f"w{n}.example", key) for n, key in enumerate(KEYS)]


def cosigned(size: int, says: int | None = None, origin: str = ORIGIN, by: int = 1) -> Cosigned:
    """A row with a head of ``size`` leaves, of which the row says that they are ``says``."""
    text = Checkpoint(origin, size, bytes(32)).text()
    lines = [cosign(text, w.name, key, 1) for w, key in list(zip(WITNESSES, KEYS, strict=True))[:by]]
    return Cosigned(size if says is None else says, text + "\n" + "".join(lines))


def cover(shelf: Shelf, quorum: int = 1, clock: Callable[[], datetime] = lambda: LATER) -> ProvedCover:
    return ProvedCover(shelf, WitnessPolicy.of(WITNESSES, quorum), ORIGIN, lambda: shelf.size, clock)


def test_what_witnesses_cosigned_is_verified_and_the_rest_is_uncovered() -> None:
    """The first leaf above the head; nothing, if the head is of the whole log; all of it without a head."""
    assert cover(Shelf()).first_uncovered() == START
    assert cover(Shelf(cosigned(7))).first_uncovered() == START + timedelta(minutes=7)
    assert cover(Shelf(cosigned(10))).first_uncovered() is None


@pytest.mark.parametrize(
    "row",
    [
        cosigned(7, says=10),
        cosigned(7, says=1 << 62),
        cosigned(10, origin="other.example/log"),
        cosigned(10, by=0),
        Cosigned(10, "nothing"),
        Cosigned(10, cosigned(10).note.replace("\n10\n", "\n11\n")),
    ],
)
def test_a_head_that_witnesses_did_not_cosign_covers_nothing(row: Cosigned) -> None:
    """Whoever can write to the database cannot say that they did."""
    assert cover(Shelf(row)).first_uncovered() == START
    assert cover(Shelf(cosigned(10)), quorum=2).first_uncovered() == START


def test_a_row_without_its_time_is_uncovered_since_it_was_seen() -> None:
    """Whoever can write to the database cannot make it younger than that, by deleting it or otherwise."""
    shelf, now = Shelf(cosigned(7), lies=True), [START]
    proved = cover(shelf, clock=lambda: now[0])
    assert proved.first_uncovered() == START
    now[0] = LATER
    assert proved.first_uncovered() == START
    shelf.note = cosigned(8)
    assert proved.first_uncovered() == LATER
