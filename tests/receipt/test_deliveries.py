"""Deliveries in a log on a real database: acknowledged once, missed once, disputed once, whoever is first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.journal import DeliveryFilter, DeliverySettled
from broker.model import EntryKind
from broker.receipt.fsck import open_fsck
from broker.store import open_store

PAST = datetime(2026, 11, 1, tzinfo=UTC)
ACKNOWLEDGED, DISPUTED, MISSING = (
    EntryKind.ACKNOWLEDGEMENT,
    EntryKind.ACKNOWLEDGEMENT_DISPUTED,
    EntryKind.ACKNOWLEDGEMENT_MISSING,
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def log(request: pytest.FixtureRequest, tmp_path: Path, broker_log: Callable[..., Any]) -> Iterator[Any]:
    url = f"sqlite:///{tmp_path}/log.db"
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_url")()
    made = broker_log(url, tmp_path)
    yield made
    with open_fsck(url, made.state, made.key) as check:
        assert list(check.findings()) == []


def waiting(log: Any) -> dict[int, tuple[int | None, int | None]]:
    """Leaf → (missing, disputed) of the deliveries on the table."""
    with closing(open_store(log.url)) as store:
        found = [on_record.delivery for on_record in store.deliveries(DeliveryFilter(), -1, 100)]
    return {one.leaf_index: (one.missing, one.disputed) for one in found}


def test_a_delivery_waits_until_it_is_acknowledged_once(log: Any) -> None:
    """The first acknowledgement counts; whoever comes later gets its receipt, and leaves no leaf."""
    told = log.delivery(PAST)
    with log.running() as running:
        leaf = running.append(told).receipt.leaf_index
        assert waiting(log) == {leaf: (None, None)}
        acknowledgements = [log.said_of(ACKNOWLEDGED, leaf, told) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            appended = list(pool.map(running.append, acknowledgements))
        again = running.append(log.said_of(ACKNOWLEDGED, leaf, told))
        assert {one.receipt.statement for one in appended} == {again.receipt.statement}
        assert [one.redelivered for one in appended].count(False) == 1
        assert running.size() == leaf + 2
        assert waiting(log) == {}
        with pytest.raises(DeliverySettled):
            running.append(log.said_of(MISSING, leaf, told))


def test_a_missing_acknowledgement_is_recorded_once_and_may_still_come(log: Any) -> None:
    """Of many who notice, one is first; the delivery stays on the table until it is acknowledged, late."""
    told = log.delivery(PAST)
    with log.running() as running:
        leaf = running.append(told).receipt.leaf_index

        def notice(_: int) -> int:
            try:
                return int(running.append(log.said_of(MISSING, leaf, told)).receipt.leaf_index)
            except DeliverySettled:
                return 0

        with ThreadPoolExecutor(8) as pool:
            (recorded,) = filter(None, pool.map(notice, range(8)))
        assert waiting(log) == {leaf: (recorded, None)}
        late = running.append(log.said_of(ACKNOWLEDGED, leaf, told)).receipt
        assert orjson.loads(late.statement)["late"] is True
        assert waiting(log) == {}


def test_a_dispute_is_recorded_once_before_and_once_after_the_acknowledgement(log: Any) -> None:
    """It acknowledges nothing, and cannot be made to vanish, nor to fill the log."""
    told = log.delivery(datetime.now(UTC) + timedelta(hours=1))
    with log.running() as running:
        leaf = running.append(told).receipt.leaf_index
        first, again = [running.append(log.said_of(DISPUTED, leaf, told)).receipt for _ in range(2)]
        assert first.statement == again.statement
        assert waiting(log) == {leaf: (None, first.leaf_index)}
        running.append(log.said_of(ACKNOWLEDGED, leaf, told))
        assert waiting(log) == {}
        after, last = [running.append(log.said_of(DISPUTED, leaf, told)).receipt for _ in range(2)]
        assert after.statement == last.statement != first.statement
        assert waiting(log) == {leaf: (None, after.leaf_index)}
        assert running.size() == after.leaf_index + 1


def test_a_delivery_made_again_keeps_its_first_deadline(log: Any) -> None:
    """A retry brings neither a second row nor a later time, and its copy of the statement names none."""
    told = log.delivery(PAST)
    later = log.delivery(datetime.now(UTC))
    retry = replace(told, statement=later.statement, acknowledge_by=later.acknowledge_by)
    with log.running() as running:
        leaf = running.append(told).receipt.leaf_index
        assert running.append(retry).redelivered
        copied = running.entry(leaf + 1)
        assert copied.kind is EntryKind.REDELIVERED
        assert "acknowledge_by" not in orjson.loads(copied.statement)
        (found,) = running.deliveries(DeliveryFilter(), -1, 9)
        assert found.delivery.due_at == PAST


def test_a_stream_that_comes_again_is_due_when_it_first_was(log: Any) -> None:
    """Two complete outcomes of one request id are one delivery; one that broke off is none."""

    def due(entry: Any, at: datetime) -> Any:
        content = orjson.loads(entry.statement) | {"acknowledge_by": at.isoformat()}
        return replace(entry, statement=orjson.dumps(content, option=orjson.OPT_SORT_KEYS), acknowledge_by=at)

    with log.running() as running:
        openings = [running.append(log.opening("s")).receipt.leaf_index]
        first = running.append(due(log.outcome("s", openings[0]), PAST)).receipt.leaf_index
        opening = running.append(log.opening("s")).receipt.leaf_index
        again = running.append(due(log.outcome("s", opening), datetime.now(UTC))).receipt
        said = orjson.loads(again.statement)
        assert (said["of"], "acknowledge_by" in said) == (first, False)
        opening = running.append(log.opening("s")).receipt.leaf_index
        running.append(log.outcome("s", opening, interrupted=True))
        assert waiting(log) == {first: (None, None)}


def test_deliveries_are_listed_by_party_and_deadline(log: Any) -> None:
    """The oldest first; of one consumer or caller, in which a department takes part, overdue or disputed."""
    now = datetime.now(UTC)
    told = [
        log.delivery(PAST),
        log.delivery(now + timedelta(hours=1)),
        log.delivery(now + timedelta(hours=2)),
    ]
    told[2] = replace(told[2])
    with log.running() as running:
        overdue, due, disputed = [running.append(entry).receipt.leaf_index for entry in told]
        running.append(log.said_of(DISPUTED, disputed, told[2]))

        def found(**wanted: Any) -> list[int]:
            listed = running.deliveries(DeliveryFilter(**wanted), -1, 100)
            return [one.delivery.leaf_index for one in listed]

        assert found() == found(consumer="tax") == found(party="civil_affairs") == [overdue, due, disputed]
        assert found(consumer="civil_affairs") == found(party="housing_fund") == found(consumer_uri="x") == []
        assert found(consumer_uri=told[0].consumer_uri, party="tax") == [overdue, due, disputed]
        assert found(overdue_at=now) == [overdue, disputed]
        assert [one.delivery.leaf_index for one in running.deliveries(DeliveryFilter(), overdue, 1)] == [due]
    with closing(open_store(log.url)) as store:
        assert store.count_deliveries(now) == (3, 2)
        assert [one.delivery.leaf_index for one in store.unacknowledged(now, 9)] == [overdue]
