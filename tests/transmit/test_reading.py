from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from adapters.sources.sql import SqlSource
from broker.arrow import Columns
from broker.errors import TooLarge, Unavailable
from broker.model import AnswerStatus, Approved, Dataset, RowCounts, RowScope, SubjectAnswer
from broker.transmit import group
from broker.transmit import reading as module
from broker.transmit.freshness import CLOCK_SKEW_SECONDS
from broker.transmit.group import GroupTooSmall
from broker.transmit.reading import Answer, OverRowLimit, Reader

FOUND, NONE, DOUBTFUL, STALE = AnswerStatus
ADA, BEN, CID, DEE = "990101189901010015", "990101189901010023", "99010118990101004X", "990101199001010019"
Approve = Callable[..., Approved]
TODAY = "2026-11-23 00:00:00+08:00"
LONG_AGO = "2026-11-01 00:00:00+08:00"


def clear(columns: Columns) -> Columns:
    """A mask that only projects."""
    return {"status": columns["status"]}


class Office:
    """A registry office with its database and the broker's reader of it."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self.path = folder / "office.db"
        self.dataset = dataset
        with closing(sqlite3.connect(self.path)) as database:
            database.execute(f"CREATE TABLE hydj ({', '.join(dataset.source.columns.values())})")
            database.commit()
        self.source = SqlSource({"url": "sqlite:///office.db", "table": "hydj"}, str(folder))
        self.reader = Reader({dataset.id: self.source}, ZoneInfo("Asia/Shanghai"))

    def add(self, husband_id: str, wife_id: str | None = None, **changes: Any) -> None:
        row = {
            "husband_id": husband_id,
            "wife_id": wife_id,
            "status": "married",
            "updated_at": TODAY,
        } | changes
        columns = ", ".join(self.dataset.source.columns[name] for name in row)
        with closing(sqlite3.connect(self.path)) as database:
            database.execute(
                f"INSERT INTO hydj ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
            )
            database.commit()


@pytest.fixture
def office(tmp_path: Path, dataset: Dataset) -> Iterator[Office]:
    """An empty registry."""
    office = Office(tmp_path, dataset)
    yield office
    office.source.close()


def statuses(answer: Answer) -> list[AnswerStatus]:
    return [subject.status for subject in answer.subjects]


def test_found(office: Office, approve: Approve, now: datetime) -> None:
    """A sound, current row is found, under whichever subject field, and dated by itself."""
    office.add(ADA, BEN)
    for subject in (ADA, BEN):
        answer = office.reader.read(approve(subject), now, clear)
        assert (answer.status, statuses(answer), answer.counts) == (FOUND, [FOUND], RowCounts(1, 0, 1))
        assert answer.records == [{"status": "married"}]
        assert answer.record_subjects == [(0,)]
        assert answer.as_of == datetime(2026, 11, 22, 16, tzinfo=UTC)


def test_none_in_a_current_source(office: Office, approve: Approve, now: datetime) -> None:
    """Somebody without rows has none, if the source is current; the answer is dated by the source."""
    office.add(ADA)
    answer = office.reader.read(approve(BEN), now, clear)
    assert (answer.status, statuses(answer), answer.records) == (NONE, [NONE], [])
    assert answer.as_of == datetime(2026, 11, 22, 16, tzinfo=UTC)


def test_no_row_in_a_stale_source_is_not_none(office: Office, approve: Approve, now: datetime) -> None:
    """A source that was not updated within its cycle cannot say that there is none."""
    office.add(ADA, updated_at=LONG_AGO)
    answer = office.reader.read(approve(BEN), now, clear)
    assert (answer.status, statuses(answer)) == (STALE, [STALE])
    assert answer.as_of == datetime(2026, 10, 31, 16, tzinfo=UTC)


def test_no_row_in_a_source_of_unknown_age_is_not_none(
    office: Office, approve: Approve, now: datetime
) -> None:
    """An empty source, or one without a readable time, cannot say that there is none."""
    assert office.reader.read(approve(BEN), now, clear).status == STALE
    office.add(ADA, updated_at="soon")
    assert Reader(office.reader._sources, ZoneInfo("UTC")).read(approve(BEN), now, clear).status == STALE


def test_a_stale_row_is_released_as_stale(office: Office, approve: Approve, now: datetime) -> None:
    """An old row, one of unknown age and one from the future are hints, and the status says so."""
    office.add(ADA, updated_at=LONG_AGO)
    office.add(BEN, updated_at=None)
    office.add(CID, updated_at="2027-01-01 00:00:00Z")
    office.add(DEE)
    answer = office.reader.read(approve(ADA, BEN, CID, DEE), now, clear)
    assert statuses(answer) == [STALE, STALE, STALE, FOUND]
    assert answer.status == STALE
    assert len(answer.records) == 4
    assert answer.as_of == datetime(2026, 10, 31, 16, tzinfo=UTC)


def test_the_edges_of_the_update_cycle(office: Office, approve: Approve, now: datetime) -> None:
    """Exactly one cycle old is current, a moment more is not; a clock may be ahead by minutes."""
    ahead = timedelta(seconds=CLOCK_SKEW_SECONDS)
    moment = timedelta(microseconds=1)
    times = [now - timedelta(days=1), now - timedelta(days=1) - moment, now + ahead, now + ahead + moment]
    for subject, time in zip((ADA, BEN, CID, DEE), times, strict=True):
        office.add(subject, updated_at=time.isoformat())
    answer = office.reader.read(approve(ADA, BEN, CID, DEE), now, clear)
    assert statuses(answer) == [FOUND, STALE, FOUND, STALE]


def test_a_bad_row_is_doubtful_and_never_released(office: Office, approve: Approve, now: datetime) -> None:
    """A bad row counts against all of whom it is about; their sound rows are still released."""
    office.add(ADA, BEN, registered_on="2023-02-30")
    office.add(ADA, CID)
    answer = office.reader.read(approve(ADA, BEN, CID, fields=("status", "registered_on")), now, clear)
    assert (answer.status, statuses(answer)) == (DOUBTFUL, [DOUBTFUL, DOUBTFUL, FOUND])
    assert [subject.rows for subject in answer.subjects] == [1, 0, 1]
    assert answer.record_subjects == [(0, 2)]
    assert answer.counts == RowCounts(read=2, bad=1, released=1)


def test_only_fields_that_are_read_are_judged(office: Office, approve: Approve, now: datetime) -> None:
    """A defect in a field that nobody asked for does not make the row bad: it was never read."""
    office.add(ADA, registered_on="2023-02-30")
    assert office.reader.read(approve(ADA), now, clear).status == FOUND


def test_an_id_in_lower_case_is_not_none(office: Office, approve: Approve, now: datetime) -> None:
    """A row under 99…4x is about 99…4X: it is bad, so the answer is doubtful, and never "none"."""
    office.add(CID.lower())
    office.add(ADA)
    answer = office.reader.read(approve(CID, ADA), now, clear)
    assert statuses(answer) == [DOUBTFUL, FOUND]


def test_a_row_about_nobody_makes_everybody_doubtful(
    office: Office, approve: Approve, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that gives a row nobody asked for is not trusted, and that row is not released."""
    office.add(ADA)
    office.add(BEN)
    read = office.source.read
    monkeypatch.setattr(office.source, "read", lambda query, n: read(replace(query, subjects=()), n))
    answer = office.reader.read(approve(ADA, CID), now, clear)
    assert statuses(answer) == [DOUBTFUL, DOUBTFUL]
    assert answer.counts == RowCounts(read=2, bad=1, released=1)


def test_records_are_in_the_same_order_at_every_read(office: Office, approve: Approve, now: datetime) -> None:
    """By subject, then by content, however the source orders its rows."""
    for subject, status in ((BEN, "a"), (ADA, "c"), (BEN, "b"), (ADA, "b")):
        office.add(subject, status=status)
    answer = office.reader.read(approve(ADA, BEN), now, clear)
    assert [r["status"] for r in answer.records] == ["b", "c", "a", "b"]
    assert answer.record_subjects == [(0,), (0,), (1,), (1,)]


def test_row_scopes_are_pushed_down(office: Office, approve: Approve, now: datetime) -> None:
    """A row outside the scope is not even read."""
    office.add(ADA, district="990101")
    office.add(ADA, district="990201")
    office.add(ADA, district=None)
    answer = office.reader.read(approve(ADA, row_scopes=(RowScope("district", "9901"),)), now, clear)
    assert answer.counts == RowCounts(1, 0, 1)


def test_the_row_limit(
    office: Office, approve: Approve, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the limit all rows, beyond it none; without a limit the message's own applies."""
    office.add(ADA)
    office.add(ADA)
    assert office.reader.read(approve(ADA, rows_per_call=2), now, clear).counts.released == 2
    with pytest.raises(OverRowLimit):
        office.reader.read(approve(ADA, rows_per_call=1), now, clear)
    monkeypatch.setattr(module, "MOST_UNARY_ROWS", 1)
    with pytest.raises(TooLarge):
        office.reader.read(approve(ADA), now, clear)
    with pytest.raises(TooLarge):
        office.reader.read(approve(ADA, rows_per_call=2), now, clear)


def test_a_source_that_cannot_be_read(office: Office, approve: Approve, now: datetime) -> None:
    """Nothing is answered, and the error names the dataset only."""
    with closing(sqlite3.connect(office.path)) as database:
        database.execute("DROP TABLE hydj")
    with pytest.raises(Unavailable) as raised:
        office.reader.read(approve(ADA), now, clear)
    assert raised.value.about == office.dataset.id
    assert raised.value.__context__ is None


def test_a_stream_of_the_whole_dataset(office: Office, approve: Approve, now: datetime) -> None:
    """Batches come in turn, and the counts run with them."""
    for subject in (ADA, BEN, CID, DEE, ADA):
        office.add(subject)
    reading = office.reader.stream(approve(), now, 2)
    assert reading.status == DOUBTFUL, "before the end nothing is certain"
    running = [(batch.num_rows, reading.counts.released) for batch in reading]
    assert running == [(2, 2), (2, 4), (1, 5)]
    assert (reading.status, reading.counts, reading.subjects) == (FOUND, RowCounts(5, 0, 5), ())
    assert reading.as_of == datetime(2026, 11, 22, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": None}, DOUBTFUL),
        ({"updated_at": LONG_AGO}, STALE),
        ({"updated_at": None}, STALE),
        ({"updated_at": "2027-01-01 00:00:00Z"}, STALE),
    ],
    ids=str,
)
def test_one_row_decides_the_status_of_a_stream(
    office: Office, approve: Approve, now: datetime, change: dict[str, Any], status: AnswerStatus
) -> None:
    """A single bad or stale row among many shows in the status of the whole."""
    for subject in (ADA, BEN, CID):
        office.add(subject)
    office.add(DEE, **change)
    reading = office.reader.stream(approve(), now, 3)
    assert sum(batch.num_rows for batch in reading) == (3 if status == DOUBTFUL else 4)
    assert reading.status == status


def test_an_empty_stream(office: Office, approve: Approve, now: datetime) -> None:
    """An empty scope of a current source is none, an empty source is of unknown age."""
    empty = office.reader.stream(approve(), now, 3)
    assert (list(empty), empty.status) == ([], STALE)
    office.add(ADA, district="990201")
    scope = (RowScope("district", "9901"),)
    reader = Reader({office.dataset.id: office.source}, ZoneInfo("Asia/Shanghai"))
    scoped = reader.stream(approve(row_scopes=scope), now, 3)
    assert (list(scoped), scoped.status) == ([], NONE)


def test_a_stream_beyond_its_limit(office: Office, approve: Approve, now: datetime) -> None:
    """No row beyond the limit is given out."""
    for subject in (ADA, BEN, CID, DEE):
        office.add(subject)
    reading = office.reader.stream(approve(rows_per_call=3), now, 2)
    given: list[pa.RecordBatch] = []
    with pytest.raises(OverRowLimit):
        given.extend(reading)
    assert sum(batch.num_rows for batch in given) == reading.counts.released == 2


def test_naive_times_are_the_citys(office: Office, approve: Approve, now: datetime) -> None:
    """A time without offset is local: yesterday 13:00 in Shanghai is within a day of noon, 11:00 not."""
    office.add(ADA, updated_at="2026-11-22 13:00:00")
    office.add(BEN, updated_at="2026-11-22 11:00:00")
    assert statuses(office.reader.read(approve(ADA, BEN), now, clear)) == [FOUND, STALE]
    assert office.reader.read(approve(CID), now, clear).as_of == datetime(2026, 11, 22, 5, tzinfo=UTC)


def test_the_sources_age_is_asked_once_in_a_while(
    office: Office, approve: Approve, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many answers without rows cost the source one look at its newest time."""
    office.add(ADA)
    asked: list[str] = []
    newest = office.source.newest

    def counted(column: str) -> datetime | None:
        asked.append(column)
        return newest(column)

    monkeypatch.setattr(office.source, "newest", counted)
    for _ in range(3):
        office.reader.read(approve(BEN), now, clear)
        office.reader.read(approve(ADA), now, clear)
    assert asked == ["c_updated_at"]


# ── row scopes and the smallest group ────────────────────────────────────────────────────────────


def test_a_list_of_values_is_pushed_down(office: Office, approve: Approve, now: datetime) -> None:
    """Only rows with one of the values are read; of several scopes on one field every one holds."""
    for district in ("990101", "990102", "990201", None):
        office.add(ADA, district=district)
    listed = RowScope("district", values=("990102", "990201"))
    answer = office.reader.read(approve(ADA, row_scopes=(listed,)), now, clear)
    assert answer.counts == RowCounts(2, 0, 2)
    both = (listed, RowScope("district", "9901"))
    assert office.reader.read(approve(ADA, row_scopes=both), now, clear).counts == RowCounts(1, 0, 1)


@pytest.mark.parametrize("rows", [1, 40], ids=["few", "many"])
@pytest.mark.parametrize(
    "scope",
    [
        RowScope("district", "9901"),
        RowScope("district", values=("990101",)),
        RowScope("children", values=("2",)),
    ],
    ids=["prefix", "values", "integers"],
)
def test_a_row_outside_the_scope_is_not_released(
    office: Office,
    approve: Approve,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    scope: RowScope,
    rows: int,
) -> None:
    """A source that does not keep to the scope is not trusted: what is outside is bad, a null too."""
    for inside in ({"district": "990101", "children": 2}, {"district": "990201"}, {"district": None}):
        for _ in range(rows):
            office.add(ADA, **inside)
    read = office.source.read
    monkeypatch.setattr(
        office.source, "read", lambda query, n: read(replace(query, prefixes=(), within=()), n)
    )
    answer = office.reader.read(approve(ADA, row_scopes=(scope,)), now, clear)
    assert (answer.status, answer.counts) == (DOUBTFUL, RowCounts(3 * rows, 2 * rows, rows))


def test_a_group_that_is_too_small_is_not_released(office: Office, approve: Approve, now: datetime) -> None:
    """Of fewer subjects than the smallest group nothing is given out; of none or enough everything."""
    for subject in (ADA, ADA, BEN):
        office.add(subject)
    everybody = (ADA, BEN, CID, DEE)
    with pytest.raises(GroupTooSmall):
        office.reader.read(approve(*everybody, minimum_group_size=3), now, clear)
    answer = office.reader.read(approve(*everybody, minimum_group_size=2), now, clear)
    assert statuses(answer) == [FOUND, FOUND, NONE, NONE]
    assert office.reader.read(approve(CID, DEE, minimum_group_size=3), now, clear).status == NONE


def test_bad_rows_are_about_nobody(office: Office, approve: Approve, now: datetime) -> None:
    """What is not released does not make the group larger."""
    office.add(ADA)
    office.add(BEN, status=None)
    with pytest.raises(GroupTooSmall):
        office.reader.read(approve(ADA, BEN, minimum_group_size=2), now, clear)


def test_a_stream_waits_for_its_group(office: Office, approve: Approve, now: datetime) -> None:
    """Nothing is given out, or told, before enough subjects are there; then all of it is, in order."""
    for subject in (ADA, ADA, ADA, ADA, BEN, CID):
        office.add(subject, status="x")
    reading = office.reader.stream(approve(minimum_group_size=3), now, 2)
    assert reading.counts == RowCounts()
    parts = iter(reading)
    first = next(parts)
    assert (first.num_rows, reading.counts) == (2, RowCounts(6, 0, 6))
    assert [batch.num_rows for batch in parts] == [2, 2]
    assert reading.status == FOUND


def test_a_stream_about_too_few_gives_and_tells_nothing(
    office: Office, approve: Approve, now: datetime
) -> None:
    """The whole of it is held back, and so are its counts and whom it would have found."""
    for _ in range(5):
        office.add(ADA)
    for permit in (approve(minimum_group_size=2), approve(ADA, BEN, minimum_group_size=2)):
        reading = office.reader.stream(permit, now, 2)
        with pytest.raises(GroupTooSmall):
            list(reading)
        assert reading.counts == RowCounts()
        assert all(
            subject == SubjectAnswer(place, DOUBTFUL, 0) for place, subject in enumerate(reading.subjects)
        )
        assert (reading.status, reading.as_of) == (DOUBTFUL, None)


def test_an_empty_answer_is_no_small_group(office: Office, approve: Approve, now: datetime) -> None:
    """That there is none is told, whatever the smallest group."""
    office.add(ADA, district="990201")
    permit = approve(minimum_group_size=9, row_scopes=(RowScope("district", "9901"),))
    reading = office.reader.stream(permit, now, 2)
    assert (list(reading), reading.status) == ([], NONE)


def test_what_is_held_back_is_bounded(
    office: Office, approve: Approve, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that finds no group among very many rows is not released, rather than held in memory."""
    monkeypatch.setattr(group, "MOST_HELD", 3)
    for subject in (ADA, ADA, ADA, ADA, BEN):
        office.add(subject)
    with pytest.raises(GroupTooSmall):
        list(office.reader.stream(approve(minimum_group_size=2), now, 2))
