"""The store on real SQLite and PostgreSQL databases."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text

from broker.errors import Unavailable
from broker.journal import Claim, Head, Leaf, NeedOnRecord
from broker.model import Entry, EntryKind, Need, Particulars, ReceiptFilter, Verdict
from broker.reasons import Reason
from broker.store import Store, migrate, open_store
from broker.store.prepared import among, append_statements, asked
from broker.store.rows import conditions, instant, microseconds
from broker.store.tables import LEAF

NOW = datetime(2026, 11, 23, 4, 0, 0, 123456, tzinfo=UTC)
CONSUMER = "spiffe://xinghe/department/tax/system/counter-1"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db"
    new: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    migrate(url)
    store = open_store(url)
    yield store
    store.close()


def leaf(index: int, **changes: object) -> Leaf:
    members: dict[str, object] = {
        "kind": EntryKind.EXCHANGE,
        "statement": b'{"n":%d}' % index,
        "recorded_at": NOW + timedelta(seconds=index),
        "consumer": "tax",
        "consumer_uri": CONSUMER,
        "provider": "civil_affairs",
        "dataset": "civil_affairs.marriage",
        "purpose": "low_income_check",
        "verdict": Verdict.PERMIT,
    }
    return Leaf(index, b"\x01" + bytes([index]) * 32, Entry(**{**members, **changes}))  # type: ignore[arg-type]


def put(store: Store, *leaves: Leaf, used: dict[str, int] | None = None) -> None:
    with store.append_transaction() as transaction:
        transaction.put(leaves, {(0, 0): b"h" * 32}, used or {}, NOW)


def test_a_new_log_is_empty(store: Store) -> None:
    """What was never written is absent, not an error."""
    assert store.head() == Head(0, datetime(1970, 1, 1, tzinfo=UTC))
    assert store.tile(0, 0) == b""
    assert store.leaf(0) is None
    assert store.leaves(ReceiptFilter(), None, 10) == []


def test_what_is_put_is_read_back(store: Store) -> None:
    """Leaf, statement, tile, head, request id and quota of one transaction all arrive."""
    put(store, leaf(0), leaf(1, verdict=None, request_id="r", request_mac=b"m"), used={"calls/x": 3})
    put(store, leaf(2), used={"calls/x": 4})
    assert store.head() == Head(3, NOW)
    assert store.tile(0, 0) == b"h" * 32
    assert store.leaf(0) == leaf(0)
    assert store.leaf(1) == leaf(1, verdict=None)
    with store.append_transaction() as transaction:
        assert transaction.head == Head(3, NOW)
        assert transaction.used(["calls/x", "calls/y"]) == {"calls/x": 4}
        asked = [(CONSUMER, "r"), ("spiffe://other", "r"), (CONSUMER, "other")]
        assert transaction.claims(asked) == {(CONSUMER, "r"): Claim(1, b"m", b"", None)}


def test_log_entries_come_in_order_without_statements(store: Store) -> None:
    """A range of them, as bytes; what lies beyond the log is absent."""
    put(store, *(leaf(index) for index in range(5)))
    assert store.log_entries(1, 4) == [leaf(index).log_entry for index in (1, 2, 3)]
    assert store.log_entries(4, 9) == [leaf(4).log_entry]
    assert store.log_entries(5, 9) == []


def test_an_exception_rolls_everything_back(store: Store) -> None:
    """Half a batch is never seen, and the next writer is not locked out."""
    with pytest.raises(LookupError), store.append_transaction() as transaction:  # noqa: PT012
        transaction.put([leaf(0)], {(0, 0): b"h" * 32}, {"calls/x": 1}, NOW)
        raise LookupError
    assert store.head().size == 0
    assert store.leaf(0) is None
    put(store, leaf(0))
    assert store.head().size == 1


def test_writers_exclude_each_other(url: str, store: Store) -> None:
    """Read-then-write under the append transaction loses no update, within a store and between stores."""
    other = open_store(url)

    def add(number: int) -> None:
        with (store, other)[number % 2].append_transaction() as transaction:
            before = transaction.used(["n"]).get("n", 0)
            transaction.put([leaf(transaction.head.size)], {}, {"n": before + 1}, NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    other.close()
    assert store.head().size == 40
    with store.append_transaction() as transaction:
        assert transaction.used(["n"]) == {"n": 40}


def test_the_fence_stops_a_writer_whose_head_was_moved(store: Store) -> None:
    """Even if a lock were lost, a batch on an old head does not commit."""
    put(store, leaf(0))
    with pytest.raises(Unavailable), store.append_transaction() as transaction:  # noqa: PT012
        transaction.head = Head(0, NOW)
        transaction.put([leaf(7)], {}, {}, NOW)
    assert store.leaf(7) is None


def test_errors_of_the_database_quote_no_values(store: Store) -> None:
    """PostgreSQL's details quote the row that broke a constraint; nothing of it gets through."""
    secret = "-".join(("secret", "request"))  # the traceback shows this file's lines
    put(store, leaf(0, request_id=secret))
    with pytest.raises(Unavailable) as caught:
        put(store, leaf(1, request_id=secret))
    shown = "".join(traceback.format_exception(caught.value))
    assert secret not in shown
    assert CONSUMER not in shown


def test_filters_select_and_page_newest_first(store: Store) -> None:
    """Every member of the filter narrows; together they are joined by "and"."""
    put(
        store,
        leaf(0, kind=EntryKind.GENESIS, consumer="", provider="", consumer_uri="", dataset="", verdict=None),
        leaf(1),
        leaf(2, consumer="housing_fund", consumer_uri="spiffe://h", verdict=Verdict.DENY),
        leaf(3, provider="tax", consumer="civil_affairs", purpose="other", dataset="tax.income"),
    )

    def found(before: int | None = None, limit: int = 10, **members: object) -> list[int]:
        wanted = ReceiptFilter(**members)  # type: ignore[arg-type]
        return [one.index for one in store.leaves(wanted, before, limit)]

    assert found() == [3, 2, 1, 0]
    assert found(limit=2) == [3, 2]
    assert found(before=2) == [1, 0]
    assert found(department="tax") == [3, 1]
    assert found(department="civil_affairs", party="housing_fund") == [2]
    assert found(dataset="tax.income") == [3]
    assert found(purpose="other") == [3]
    assert found(verdict=Verdict.DENY) == [2]
    assert found(consumer_uri=CONSUMER) == [3, 1]
    assert found(since=NOW + timedelta(seconds=1), until=NOW + timedelta(seconds=3)) == [2, 1]


SAID = b"""{"operator": "GJJ_0088", "case_no": "GJJ-2026-1", "service_item": "i-1",
"subject_tags": ["aa", "bb"],
"decision": {"rules": ["r_1", "r2"], "reasons": [{"code": "QUOTA_EXCEEDED"}], "missing": []}}"""


def test_receipts_are_found_by_what_their_statements_say(store: Store) -> None:
    """By operator, case, item, each rule, each reason, kind and any of some tags; whole words only."""
    put(
        store,
        leaf(0),
        leaf(1, statement=SAID, verdict=Verdict.DENY),
        leaf(2, kind=EntryKind.TRACE, statement=b'{"operator": "GJJX0088", "decision": {"rules": ["rx1"]}}'),
        leaf(3, particulars=Particulars(case_no="GJJ-2026-1", rules=("r2",), subject_tags=(b"\xcc",))),
    )

    def found(**members: object) -> list[int]:
        wanted = ReceiptFilter(**members)  # type: ignore[arg-type]
        return [one.index for one in store.leaves(wanted, None, 10)]

    assert found(operator="GJJ_0088") == [1]
    assert found(case_no="GJJ-2026-1") == [3, 1]
    assert found(service_item="i-1") == [1]
    assert found(rule="r_1") == [1]
    assert found(rule="r2") == [3, 1]
    assert found(rule="r") == []
    assert found(reason="QUOTA_EXCEEDED") == [1]
    assert found(reason="QUOTA") == []
    assert found(kind=EntryKind.TRACE) == [2]
    assert found(kind=EntryKind.EXCHANGE) == [3, 1, 0]
    assert found(subject_tags=(b"\xaa",)) == [1]
    assert found(subject_tags=(b"\xaa", b"\xbb", b"\xcc")) == [3, 1]
    assert found(case_no="GJJ-2026-1", verdict=Verdict.DENY) == [1]
    assert found(case_no="GJJ-2026-1", party="housing_fund") == []


@pytest.mark.parametrize(
    "wanted",
    [
        ReceiptFilter(case_no="c"),
        ReceiptFilter(operator="o"),
        ReceiptFilter(reason="QUOTA_EXCEEDED"),
        ReceiptFilter(kind=EntryKind.TRACE),
        ReceiptFilter(verdict=Verdict.REVIEW),
        ReceiptFilter(subject_tags=(b"a",)),
    ],
    ids=str,
)
def test_what_is_rare_is_found_by_an_index(tmp_path: Path, wanted: ReceiptFilter) -> None:
    """An auditor's question does not read the whole log."""
    migrate(url := f"sqlite:///{tmp_path}/log.db")
    with closing_store(url) as store, store._database.engine.connect() as connection:
        query = select(LEAF.c.leaf_index).where(*conditions(wanted)).order_by(LEAF.c.leaf_index.desc())
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {query.compile(connection, compile_kwargs={'literal_binds': True})}"
        )
        said = [row[3] for row in plan]
    assert any("leaf_" in line or "subject_tag" in line for line in said)
    assert "SCAN leaf" not in said


def test_an_erased_statement_leaves_its_leaf(url: str, store: Store) -> None:
    """Forgetting removes the statement and nothing that the tree is made of."""
    put(store, leaf(0))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM statement"))
    engine.dispose()
    left = store.leaf(0)
    assert left is not None
    assert left.entry.statement == b""
    assert left.log_entry == leaf(0).log_entry
    assert len(store.leaves(ReceiptFilter(), None, 10)) == 1


def test_sqlite_commits_are_private(tmp_path: Path) -> None:
    """No other account can read the database or its log."""
    url = f"sqlite:///{tmp_path}/log.db"
    migrate(url)
    with closing_store(url) as store:
        put(store, leaf(0))
        with store._database.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("log.db", "log.db.lock", "log.db-shm", "log.db-wal"), 0o600)


def test_a_used_request_id_is_found_by_an_index(tmp_path: Path) -> None:
    """A scan of the table at every batch would make the log slower with every receipt."""
    url = f"sqlite:///{tmp_path}/log.db"
    migrate(url)
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        statement = append_statements("sqlite").requests._text
        ids = among(["a", "b", "c"], "sqlite")["among"]
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (ids,)).fetchall()
    assert "SEARCH request USING INDEX" in str(plan)


@pytest.mark.postgres
@pytest.mark.parametrize("size", [4, 64])
def test_a_used_request_id_is_found_by_an_index_in_postgresql(postgres_url: str, size: int) -> None:
    """From the first minute on, and after a restore, when there are no statistics yet."""
    migrate(postgres_url)
    keys = [(CONSUMER, str(number)) for number in range(0, 2 * size, 2)]
    with closing_store(postgres_url) as store, store.append_transaction() as transaction:
        transaction.connection.execute(
            text(
                "INSERT INTO request SELECT number::text, :uri, number, repeat('m', 32)::bytea, '', 'permit'"
                " FROM generate_series(1, 60000, 2) AS number"
            ),
            {"uri": CONSUMER},
        )
        cursor = transaction.connection.connection.cursor()
        statement = append_statements("postgresql").requests
        values = asked(keys, "postgresql")
        cursor.execute(f"EXPLAIN {statement._text}", [values[name] for name in statement._names])
        plan = str(cursor.fetchall())
        assert "Index Scan" in plan
        assert "Seq Scan" not in plan
        assert transaction.claims(keys) == {}
        there = (CONSUMER, "7")
        assert transaction.claims([*keys, there, ("spiffe://other", "7")]).keys() == {there}


@pytest.mark.postgres
def test_postgres_commits_synchronously_whatever_the_servers_default(postgres_url: str) -> None:
    """An acknowledged batch is on disk even where an administrator has traded that for speed."""
    migrate(postgres_url)
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    engine.dispose()
    with closing_store(postgres_url) as store, store.append_transaction() as transaction:
        assert transaction.connection.scalar(text("SHOW synchronous_commit")) == "on"
        assert transaction.connection.scalar(text("SHOW lock_timeout")) == "10s"


def closing_store(url: str) -> closing[Store]:
    return closing(open_store(url))


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_keep_their_microseconds(time: datetime) -> None:
    """A time read back is the time written."""
    assert instant(microseconds(time)) == time


# ── the list of needs ────────────────────────────────────────────────────────────────────────────


def needing(index: int, dataset: str, consumer: str = "tax", cause: Reason = Reason.DATASET_UNKNOWN) -> Leaf:
    need = Need(consumer, dataset, "low_income_check", ("a", "b"), cause)
    return leaf(index, verdict=Verdict.DENY, consumer=consumer, dataset=dataset, need=need)


def test_needs_are_counted_and_listed(store: Store) -> None:
    """One row for each need, with its first and its last leaf; two of a batch are two applications."""
    first = [needing(0, "tax.x"), needing(1, "tax.y", "housing"), needing(2, "tax.x")]
    again = needing(3, "tax.x", cause=Reason.FIELD_NOT_SHARED)
    for leaves in (first, [again]):
        with store.append_transaction() as transaction:
            transaction.put(leaves, {}, {}, NOW)
            transaction.needs.record(leaves)
            keys = [leaf.entry.need.key for leaf in first]  # type: ignore[union-attr]
            assert transaction.needs.known([*keys, "other"]) == set(keys)
    newer, older = store.needs("", None, 10)
    assert again.entry.need is not None
    times = [NOW + timedelta(seconds=seconds) for seconds in (0, 3)]
    assert older == NeedOnRecord(again.entry.need, 3, 0, 3, *times)
    assert (newer.need.consumer, newer.applications, newer.first_leaf) == ("housing", 1, 1)
    assert store.needs("", None, 1) == [newer]
    assert store.needs("", newer.first_leaf, 10) == [older]
    assert store.needs("tax", None, 10) == [older]
    assert store.needs("nobody", None, 10) == []


def test_a_need_is_gone_with_its_leaf(store: Store) -> None:
    """What is rolled back was never needed."""
    with pytest.raises(LookupError), store.append_transaction() as transaction:  # noqa: PT012
        transaction.put([needing(0, "tax.x")], {}, {}, NOW)
        transaction.needs.record([needing(0, "tax.x")])
        raise LookupError
    assert store.needs("", None, 10) == []


def test_a_need_may_have_very_many_fields(store: Store) -> None:
    """As many and as long as an application may have; a key of them all would be too long for an index."""
    fields = tuple(f"f{number:03}_" * 19 for number in range(200))
    need = Need("tax", "x" * 100, "p", fields, Reason.DATASET_UNKNOWN)
    with store.append_transaction() as transaction:
        leaves = [leaf(0, need=need)]
        transaction.put(leaves, {}, {}, NOW)
        transaction.needs.record(leaves)
    assert [recorded.need for recorded in store.needs("", None, 10)] == [need]
