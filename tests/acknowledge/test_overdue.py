"""Overdue deliveries: many workers look, on either database, and one leaf says so of each."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.acknowledge.overdue import Overdue
from broker.errors import Unavailable
from broker.journal import DeliveryFilter
from broker.model import EntryKind
from broker.receipt.fsck import open_fsck
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.store import open_store

PAST = datetime(2026, 11, 1, tzinfo=UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def log(request: pytest.FixtureRequest, tmp_path: Path, broker_log: Callable[..., Any]) -> Iterator[Any]:
    url = f"sqlite:///{tmp_path}/log.db"
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_url")()
    made = broker_log(url, tmp_path)
    yield made
    with open_fsck(url, made.state, made.key) as check:
        assert list(check.findings()) == []


def worker(log: Any, stack: ExitStack, clock: Callable[[], datetime] = utc_now) -> tuple[Overdue, ReceiptLog]:
    """What one worker has: its own connection, writer and way to the signer."""
    store = stack.enter_context(closing(open_store(log.url)))
    signer = stack.enter_context(closing(CheckpointSigner(socket_of(log.state))))
    receipts = stack.enter_context(closing(ReceiptLog(store, signer, log.ORIGIN, utc_now)))
    return Overdue(store, receipts, clock), receipts


def test_of_many_workers_one_records_each_missing_acknowledgement(log: Any) -> None:
    """They begin at one moment, while some deliveries are being acknowledged: each of these has its leaf, and
    at most one that was first."""
    told = [log.delivery(PAST) for _ in range(12)] + [log.delivery(utc_now() + timedelta(hours=9))]
    with log.running() as running, ExitStack() as stack:
        leaves = [running.append(entry).receipt.leaf_index for entry in told]
        workers = [worker(log, stack)[0] for _ in range(4)]
        together, recorded = threading.Barrier(5), []

        def look(overdue: Overdue) -> None:
            together.wait()
            recorded.append(overdue.record())

        threads = [threading.Thread(target=look, args=[one]) for one in workers]
        for thread in threads:
            thread.start()
        together.wait()
        for leaf, entry in zip(leaves[:6], told, strict=False):
            running.append(log.said_of(EntryKind.ACKNOWLEDGEMENT, leaf, entry))
        for thread in threads:
            thread.join()
        kinds: dict[EntryKind, Counter[int]] = {kind: Counter() for kind in EntryKind}
        for index in range(running.size()):
            said = orjson.loads(running.entry(index).statement)
            kinds[EntryKind(said["kind"])][said.get("of", -1)] += 1
        assert kinds[EntryKind.ACKNOWLEDGEMENT] == Counter(leaves[:6])
        missing = kinds[EntryKind.ACKNOWLEDGEMENT_MISSING]
        assert set(missing.values()) == {1}
        assert set(leaves[6:12]) <= set(missing) <= set(leaves[:12])
        assert sum(recorded) == len(missing)
        left = [one.delivery.leaf_index for one in running.deliveries(DeliveryFilter(), -1, 99)]
        assert left == leaves[6:]
        assert [one.record() for one in workers] == [0] * 4


def test_nothing_is_missing_before_its_time(log: Any) -> None:
    """Not a moment before; at the deadline itself it is."""
    due_at = utc_now() + timedelta(minutes=1)
    with log.running() as running, ExitStack() as stack:
        leaf = running.append(log.delivery(due_at)).receipt.leaf_index
        early, _ = worker(log, stack, lambda: due_at - timedelta(microseconds=1))
        late, receipts = worker(log, stack, lambda: due_at)
        assert (early.record(), late.record()) == (0, 1)
        (found,) = receipts.deliveries(DeliveryFilter(), -1, 9)
        assert (found.delivery.leaf_index, found.delivery.missing) == (leaf, leaf + 1)


def test_the_watch_looks_by_itself_and_ends_when_told(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the delivery is on record as missing; stopped, its thread is gone."""
    monkeypatch.setattr("broker.acknowledge.overdue.LOOK_SECONDS", 0.01)
    with log.running() as running, ExitStack() as stack:
        running.append(log.delivery(PAST))
        overdue, receipts = worker(log, stack)
        overdue.start()
        while receipts.deliveries(DeliveryFilter(), -1, 9)[0].delivery.missing is None:
            pass
        overdue.stop()
        assert not any(thread.name == "overdue-deliveries" for thread in threading.enumerate())


@pytest.mark.parametrize(
    "altered",
    [
        "UPDATE leaf SET consumer = 'health', consumer_uri = 'spiffe://xinghe/x', provider = 'health'",
        "UPDATE delivery SET due_at = due_at - 1",
        "DELETE FROM statement WHERE leaf_index = 1",
        "UPDATE statement SET content = CAST(replace(content, 'tax', 'pax') AS BLOB) WHERE leaf_index = 1",
    ],
)
def test_nobody_is_accused_by_what_the_database_says_alone(
    tmp_path: Path, broker_log: Callable[..., Any], altered: str
) -> None:
    """The leaf names whom the log names; where the log does not say so, there is none, and others go on."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    told = log.delivery(PAST)
    with log.running() as running, ExitStack() as stack:
        assert running.append(told).receipt.leaf_index == 1
        with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
            connection.execute(altered)
        other = running.append(log.delivery(PAST)).receipt.leaf_index
        overdue, receipts = worker(log, stack)
        accused = "leaf" in altered.split()[1]
        with suppress(Unavailable):  # which says that there is something that cannot be recorded
            assert overdue.record() == 1 + accused
        said = [orjson.loads(receipts.receipt(n).statement) for n in range(3, receipts.size())]
        assert {one["of"] for one in said} == ({1, other} if accused else {other})
        assert {one["consumer"]["department"] for one in said} == {told.consumer}
        assert {one["provider"] for one in said} == {told.provider}
