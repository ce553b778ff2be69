"""Streams in the log: one answer for each request id, one attempt at a time, one outcome for each attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.errors import Changed, Conflict
from broker.journal import LeaseLost
from broker.model import LeaseEnd, ReceiptFilter
from broker.reasons import Reason
from broker.receipt.attempts import interruption
from broker.receipt.log import ReceiptLog
from broker.store import open_store


class World:
    """A running log, with streams that are opened and ended without data."""

    def __init__(self, files: Any, log: ReceiptLog) -> None:
        self.files = files
        self.log = log

    def open(self, request_id: str) -> int:
        return self.log.append(self.files.opening(request_id)).receipt.leaf_index

    def end(
        self, request_id: str, opening: int, content: bytes = b"rows", *, interrupted: bool = False
    ) -> Any:
        return self.log.append(self.files.outcome(request_id, opening, content, interrupted=interrupted))

    def said(self) -> list[dict[str, Any]]:
        with closing(open_store(self.files.url)) as store:
            return [orjson.loads(x.entry.statement) for x in store.leaves(ReceiptFilter(), None, 99)[::-1]]

    def outcomes(self, opening: int) -> list[dict[str, Any]]:
        return [s for s in self.said() if s.get("decision_leaf") == opening]

    def leases(self) -> list[int]:
        with closing(open_store(self.files.url)) as store, store.leases() as leases:
            return [lease.opening for lease in leases.live()]

    def used(self) -> dict[str, int]:
        counter = self.files.opening("x").charges[0].counter
        with closing(open_store(self.files.url)) as store, store.append_transaction() as transaction:
            return transaction.used([counter])


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path, broker_log: Callable[..., Any]) -> Iterator[World]:
    url = f"sqlite:///{tmp_path}/log.db"
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_url")()
    files = broker_log(url, tmp_path)
    with files.running() as log:
        yield World(files, log)


def test_a_stream_has_its_lease_from_its_first_leaf_to_its_last(world: World) -> None:
    """Both are recorded in the transaction of the leaf."""
    opening = world.open("r")
    assert world.leases() == [opening]
    assert not world.end("r", opening).redelivered
    assert world.leases() == []


def test_an_outcome_is_recorded_once(world: World) -> None:
    """Whatever is said of a stream that has its outcome comes too late, and leaves nothing."""
    opening = world.open("r")
    world.end("r", opening, interrupted=True)
    for interrupted in (True, False):
        with pytest.raises(LeaseLost):
            world.end("r", opening, interrupted=interrupted)
    assert len(world.outcomes(opening)) == 1


def test_the_same_again_is_another_delivery_of_the_first(world: World) -> None:
    """Opening and outcome of the retry name the outcome that they repeat; nothing is charged again."""
    first = world.open("r")
    used, original = world.used(), world.end("r", first).receipt
    retry = world.open("r")
    again = world.end("r", retry)
    assert again.redelivered
    opened, ended = world.said()[-2:]
    assert (opened["kind"], opened["of"]) == ("redelivered", original.leaf_index)
    assert (ended["decision_leaf"], ended["of"]) == (retry, original.leaf_index)
    assert orjson.loads(again.receipt.statement) == ended
    assert world.used() == used == {next(iter(used)): 10}


def test_something_else_under_the_same_id_is_no_answer(world: World) -> None:
    """The outcome that says so is recorded all the same, for data were handed over; the first one stands."""
    first = world.open("r")
    world.end("r", first, b"old")
    retry = world.open("r")
    with pytest.raises(Changed) as refused:
        world.end("r", retry, b"new")
    assert refused.value.reason is Reason.DATA_CHANGED
    (said,) = world.outcomes(retry)
    assert said["outcome"]["interrupted"]
    assert [why["code"] for why in said["outcome"]["reasons"]] == [Reason.DATA_CHANGED]
    assert world.leases() == []
    assert world.end("r", world.open("r"), b"old").redelivered


def test_after_an_attempt_that_broke_off_the_next_gives_the_answer(world: World) -> None:
    """Nobody has the whole of the first, so the retry may bring other data; then that is the answer."""
    first = world.open("r")
    world.end("r", first, b"half", interrupted=True)
    retry = world.open("r")
    assert not world.end("r", retry, b"whole").redelivered
    assert world.end("r", world.open("r"), b"whole").redelivered


def test_another_request_under_the_same_id_is_refused(world: World) -> None:
    """It neither takes over nor leaves a leaf."""
    opening = world.open("r")
    with pytest.raises(Conflict) as refused:
        world.log.append(replace(world.files.opening("r"), request_mac=b"o" * 32))
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert world.leases() == [opening]
    assert world.outcomes(opening) == []


def test_a_retry_takes_over_from_the_attempt_under_way(world: World) -> None:
    """The earlier attempt has its outcome in the same transaction, and cannot be completed."""
    first, other = world.open("r"), world.open("other")
    retry = world.open("r")
    assert world.leases() == [other, retry]
    (said,) = world.outcomes(first)
    assert said["outcome"]["interrupted"]
    assert [why["code"] for why in said["outcome"]["reasons"]] == [Reason.TAKEN_OVER]
    with pytest.raises(LeaseLost):
        world.end("r", first)
    assert not world.end("r", retry).redelivered


def test_whoever_closes_a_stream_must_have_seen_its_last_renewal(world: World) -> None:
    """A holder that renewed after all keeps its stream; one that did not has its last record as outcome."""
    opening = world.open("r")
    with closing(open_store(world.files.url)) as store:
        with store.leases() as leases:
            (seen,) = leases.live()
        said = world.files.outcome("r", opening, b"half", interrupted=True).statement
        with store.append_transaction() as transaction:
            assert transaction.leases.renew({opening: said, opening + 1: said}) == {opening}
        entry = world.files.opening("x")  # for its time
        with pytest.raises(LeaseLost):
            world.log.append(interruption(seen, Reason.LEASE_EXPIRED, entry.recorded_at))
        with store.leases() as leases:
            (now,) = leases.live()
    assert (now.renewals, now.unfinished) == (1, said)
    world.log.append(interruption(now, Reason.LEASE_EXPIRED, entry.recorded_at))
    (outcome,) = world.outcomes(opening)
    recorded = orjson.loads(said)
    assert outcome["outcome"]["known_until"] == recorded["recorded_at"]
    assert outcome["outcome"]["digest"] == recorded["outcome"]["digest"]
    assert interruption(now, Reason.LEASE_EXPIRED, entry.recorded_at).lease == LeaseEnd(opening, 1)


def test_attempts_at_once_follow_each_other(world: World) -> None:
    """Retries that reach the log in one batch: one opens, the next takes over, one is left under way."""
    with ThreadPoolExecutor(8) as pool:
        leaves = list(pool.map(world.open, ["r"] * 8))
    assert world.leases() == [max(leaves)]
    assert all(len(world.outcomes(leaf)) == (leaf != max(leaves)) for leaf in leaves)
    assert world.used() == {next(iter(world.used())): 10}
