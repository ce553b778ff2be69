"""Rows held back because too few people look so: what is then released, told and counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.sources.contract import Query, Source
from broker.arrow import Columns
from broker.desensitize.column import PlannedColumn
from broker.desensitize.gate import AnonymityGate
from broker.desensitize.plan import MaskPlan
from broker.desensitize.totals import Totals
from broker.errors import Changed, TooSmall
from broker.model import (
    Aggregate,
    AnswerStatus,
    Approved,
    Below,
    Dataset,
    FieldType,
    KAnonymity,
    Measure,
    RowCounts,
    SubjectAnswer,
)
from broker.reasons import Reason
from broker.transmit.reading import Answer, OverRowLimit, Reader
from tests.transmit.test_reading import ADA, BEN, CID, DEE, TODAY, Office

FOUND, NONE, DOUBTFUL, STALE = AnswerStatus
WIVES = ("990101198001010014", "990101198001010022", "990101198001010030", "990101198001010049")
PLAN = MaskPlan.of(
    (PlannedColumn("status", FieldType.TEXT, None), PlannedColumn("fee", FieldType.DECIMAL, None))
)
LONG_AGO = "2026-11-01 00:00:00+08:00"


def gate(k: int = 2, below: Below = Below.SUPPRESS) -> AnonymityGate:
    return AnonymityGate(KAnonymity(("status",), k, below), PLAN, ("husband_id", "wife_id"))


def clear(columns: Columns) -> Columns:
    return {"status": columns["status"]}


@pytest.fixture
def registry(tmp_path: Path, dataset: Dataset) -> Any:
    """Two married couples, and one person who alone is widowed, in a row that is old."""
    office = Office(tmp_path, dataset)
    for husband, wife in ((ADA, WIVES[0]), (BEN, WIVES[1])):
        office.add(husband, wife, fee="10.50")
    office.add(CID, WIVES[2], status="widowed", fee="99", updated_at=LONG_AGO)
    yield office
    office.source.close()


Approve = Callable[..., Approved]


def test_somebody_held_back_is_doubtful(registry: Office, approve: Approve, now: datetime) -> None:
    """Never none: only who has no row is that. Neither the age nor the time of a row held back is told."""
    answer = registry.reader.read(approve(ADA, BEN, CID, DEE), now, clear, gate())
    assert answer.counts == RowCounts(3, 0, 2, 1)
    expected = [(FOUND, 1), (FOUND, 1), (DOUBTFUL, 0), (NONE, 0)]
    assert answer.subjects == tuple(SubjectAnswer(i, *told) for i, told in enumerate(expected))
    assert answer.record_subjects == [(0,), (1,)]
    assert answer.as_of == datetime(2026, 11, 22, 16, tzinfo=UTC)


def test_a_row_that_is_not_released_hides_nobody(registry: Office, approve: Approve, now: datetime) -> None:
    """Bad rows, and those about nobody asked for, do not make a class larger."""
    registry.add(DEE, "no id", status="widowed")
    answer = registry.reader.read(approve(CID, DEE), now, clear, gate())
    assert (answer.counts, answer.records) == (RowCounts(2, 1, 0, 1), [])
    (only,) = registry.reader.read(approve(ADA), now, clear, gate()).subjects
    assert only.status is DOUBTFUL


class Generous:
    """A source that gives more rows than it was asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, query: Query, batch_rows: int) -> Any:
        return self._source.read(replace(query, subjects=[]), batch_rows)

    def newest(self, column: str) -> Any:
        return self._source.newest(column)


def test_who_was_not_asked_for_hides_nobody(registry: Office, approve: Approve, now: datetime) -> None:
    """A source that gives rows about others makes nobody's class larger."""
    source: Any = Generous(registry.source)
    reader = Reader({registry.dataset.id: source}, ZoneInfo("Asia/Shanghai"))
    answer = reader.read(approve(ADA), now, clear, gate())
    assert (answer.counts, answer.records) == (RowCounts(3, 2, 0, 1), [])


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_stream_is_read_twice(registry: Office, approve: Approve, now: datetime, batch_rows: int) -> None:
    """A class whose rows lie far apart is released whole; what is left out makes the whole no less found."""
    registry.add(DEE, WIVES[3])
    reading = registry.reader.stream(approve(), now, batch_rows, gate(3))
    assert list(reading.counting()) == [None] * -(-4 // batch_rows)
    assert reading.counts == RowCounts()
    assert sum(batch.num_rows for batch in reading) == 3
    assert (reading.counts, reading.status) == (RowCounts(4, 0, 3, 1), FOUND)


def test_a_stream_of_nobody_is_doubtful(registry: Office, approve: Approve, now: datetime) -> None:
    """Where every row is held back nobody is told that there is none."""
    reading = registry.reader.stream(approve(), now, 2, gate(3))
    list(reading.counting())
    assert list(reading) == []
    assert (reading.counts, reading.status) == (RowCounts(3, 0, 0, 3), DOUBTFUL)


def test_a_stream_that_was_not_counted_gives_nothing(
    registry: Office, approve: Approve, now: datetime
) -> None:
    """Whoever forgets to count holds everything back."""
    assert list(registry.reader.stream(approve(), now, 2, gate())) == []


def test_a_source_that_changes_between_is_found_out(
    registry: Office, approve: Approve, now: datetime
) -> None:
    """Who came after the count is held back with a new class; a class that became too small is said."""
    reading = registry.reader.stream(approve(), now, 1, gate())
    list(reading.counting())
    for husband, wife in ((DEE, WIVES[3]), (ADA, WIVES[2])):
        registry.add(husband, wife, status="divorced")
    with closing(sqlite3.connect(registry.path)) as database:
        column = registry.dataset.source.columns["husband_id"]
        database.execute(f"DELETE FROM hydj WHERE {column} = ?", (BEN,))
        database.commit()
    with pytest.raises(Changed) as raised:
        list(reading)
    assert raised.value.reason is Reason.CHANGED_WHILE_READ
    assert reading.counts == RowCounts(4, 0, 1, 3)


def test_refusing_gives_and_tells_nothing(registry: Office, approve: Approve, now: datetime) -> None:
    """Before the first row, in a stream as in a single answer."""
    with pytest.raises(TooSmall):
        registry.reader.read(approve(ADA, CID), now, clear, gate(2, Below.REFUSE))
    reading = registry.reader.stream(approve(), now, 1, gate(2, Below.REFUSE))
    with pytest.raises(TooSmall):
        list(reading.counting())
    assert (reading.counts, reading.as_of) == (RowCounts(), None)


def test_the_bound_of_rows_holds_while_counting(registry: Office, approve: Approve, now: datetime) -> None:
    """What is too much is not read through."""
    with pytest.raises(OverRowLimit):
        registry.reader.read(approve(ADA, BEN, CID, rows_per_call=2), now, clear, gate())
    reading = registry.reader.stream(approve(rows_per_call=2), now, 1, gate())
    with pytest.raises(OverRowLimit):
        list(reading.counting())


def totals(smallest: int) -> Totals:
    wanted = Aggregate(("status",), (("fee", (Measure.SUM,)),), smallest)
    return Totals(wanted, PLAN, ("husband_id", "wife_id"))


def test_totals_are_about_nobody(registry: Office, approve: Approve, now: datetime) -> None:
    """No subject has an answer of its own; rows of groups left out are counted; a gate comes before."""
    permit = approve(ADA, BEN, CID, fields=("status", "fee"))
    answer = registry.reader.read(permit, now, clear, None, totals(2))
    assert answer.records == [{"status": "married", "sum(fee)": "21", "count(rows)": 2}]
    assert (answer.subjects, answer.record_subjects) == ((), [()])
    assert (answer.counts, answer.status) == (RowCounts(3, 0, 1, 1), STALE)
    gated: Answer = registry.reader.read(permit, now, clear, gate(), totals(1))
    assert (gated.records, gated.counts) == (answer.records, RowCounts(3, 0, 1, 1))


def test_totals_of_too_few_are_not_none(registry: Office, approve: Approve, now: datetime) -> None:
    """There is something, and nobody is told that there is not; of no row there is none."""
    permit = approve(ADA, fields=("status", "fee"))
    few = registry.reader.read(permit, now, clear, None, totals(2))
    assert (few.records, few.counts, few.status) == ([], RowCounts(1, 0, 0, 1), DOUBTFUL)
    registry.add(ADA, updated_at=TODAY)
    nothing = registry.reader.read(approve(DEE, fields=("status", "fee")), now, clear, None, totals(2))
    assert (nothing.records, nothing.status) == ([], NONE)
