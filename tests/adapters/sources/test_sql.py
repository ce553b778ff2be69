from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from adapters.sources import sql
from adapters.sources.conformance import read
from adapters.sources.contract import Query, SourceError
from adapters.sources.sql import SqlSource


def database(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "office.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SqlSource]:
    """Three rows whose column ``v`` has no common type, as SQLite allows."""
    database(
        tmp_path,
        'CREATE TABLE "my ""table" (id TEXT, v)',
        """INSERT INTO "my ""table" VALUES ('1', 7), ('2', 'x'), ('3', 1.5), ('5', NULL)""",
        """INSERT INTO "my ""table" VALUES ('4', x'E5BCA0FF')""",
        """INSERT INTO "my ""table" VALUES (CAST(x'E5BCA0FF' AS TEXT), 'damaged')""",
    )
    source = SqlSource({"url": "sqlite:///office.db", "table": 'my "table'}, str(tmp_path))
    yield source
    source.close()


def test_the_session_cannot_write(office: SqlSource, postgres_url: str) -> None:
    """Even a statement that would write is refused by the database itself."""
    with office._engine.connect() as connection, pytest.raises(DBAPIError, match="readonly"):
        connection.exec_driver_sql('DELETE FROM "my ""table"')
    postgresql = SqlSource({"url": postgres_url, "table": "t"}, "/")
    with postgresql._engine.connect() as connection, pytest.raises(DBAPIError, match="read-only"):
        connection.exec_driver_sql("CREATE TABLE t (a int)")
    postgresql.close()


def test_values_without_a_common_type_are_text(office: SqlSource) -> None:
    """One column may mix types; the quality check sees what was there, damage included."""
    batch = next(iter(office.read(Query({"v": "v"}, (), (), order_by=("id",)), 100)))
    assert batch.schema.types == [pa.string()]
    assert batch["v"].to_pylist() == ["7", "x", "1.5", "张\ufffd", None, "damaged"]


@pytest.mark.parametrize(("subject", "kind"), [("1", pa.int64()), ("3", pa.float64()), ("5", pa.null())])
def test_values_of_one_type_keep_it(office: SqlSource, subject: str, kind: pa.DataType) -> None:
    """A batch has its values' own type."""
    (batch,) = office.read(Query({"v": "v"}, ("id",), (subject,)), 100)
    assert batch.schema.types == [kind]


def test_damaged_text_does_not_hide_its_neighbours(office: SqlSource) -> None:
    """Bytes that are no UTF-8 come as U+FFFD, instead of failing the read."""
    assert "张\ufffd" in [row["id"] for row in read(office, Query({"id": "id"}, (), ()))]


def test_a_statement_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read ends with the time limit; the next one, of another statement, works."""
    endless = "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n) SELECT v FROM n WHERE v < 0"
    database(tmp_path, f"CREATE VIEW endless AS {endless}", "CREATE TABLE t (a TEXT)")
    monkeypatch.setattr(sql, "STATEMENT_SECONDS", 0.2)
    with closing(SqlSource({"url": "sqlite:///office.db", "table": "endless"}, str(tmp_path))) as source:
        for limit in (1, None):
            with pytest.raises(SourceError, match=r"^endless: OperationalError$"):
                read(source, Query({"v": "v"}, (), (), limit=limit))
    with closing(SqlSource({"url": "sqlite:///office.db", "table": "t"}, str(tmp_path))) as source:
        assert read(source, Query({"a": "a"}, (), ())) == []


@pytest.mark.parametrize(
    "options",
    [
        {"url": "sqlite:///office.db"},
        {"table": "t"},
        {"url": "sqlite:///office.db", "table": "t", "password": "x"},
        {"url": "sqlite:///missing.db", "table": "t"},
        {"url": "sqlite://", "table": "t"},
        {"url": "mssql://host/db", "table": "t"},
        {"url": "sqlite:///office.db", "table": "t", "password_file": "none"},
        {"url": "not a url", "table": "t"},
    ],
    ids=str,
)
def test_options_are_strict(office: SqlSource, tmp_path: Path, options: dict[str, str]) -> None:
    """What is missing, unknown or not there is refused when the source is opened; no file is made."""
    with pytest.raises(SourceError):
        SqlSource(options, str(tmp_path))
    assert not (tmp_path / "missing.db").exists()


def test_a_path_is_no_uri(tmp_path: Path) -> None:
    """Characters with a meaning in URIs are part of the path; the database is still opened read-only."""
    folder = tmp_path / "a?mode=rwc#%41 b"
    folder.mkdir()
    database(folder, "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('1')")
    with closing(SqlSource({"url": "sqlite:///office.db", "table": "t"}, str(folder))) as source:
        assert read(source, Query({"a": "a"}, ("a",), ("1",))) == [{"a": "1"}]


def test_values_that_the_driver_cannot_send(office: SqlSource, postgres_url: str) -> None:
    """A lone surrogate or a NUL ends in a SourceError, not in the driver's own."""
    with pytest.raises(SourceError):
        read(office, Query({"v": "v"}, ("id",), ("\ud800",), limit=1))
    with (
        closing(SqlSource({"url": postgres_url, "table": "pg_class"}, "/")) as source,
        pytest.raises(SourceError),
    ):
        read(source, Query({"v": "relname"}, ("relname",), ("a\0",), limit=1))


def test_an_unreachable_server(tmp_path: Path) -> None:
    """The error names table and cause, and not the address."""
    url = f"postgresql://user:secret@/db?host={tmp_path}"
    with closing(SqlSource({"url": url, "table": "register"}, "/")) as source:
        with pytest.raises(SourceError, match=r"^register: OperationalError$"):
            read(source, Query({"v": "v"}, (), ()))
        with pytest.raises(SourceError, match=r"^register: OperationalError$"):
            source.newest("v")


@pytest.fixture
def legacy(new_postgres_url: Callable[[], str]) -> Iterator[SqlSource]:
    """A PostgreSQL table with the types that legacy systems like."""
    url = new_postgres_url()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE legacy (id char(20), born date, changed timestamptz, local timestamp, "
            "fee numeric(9,2), n int, doc jsonb, raw bytea)"
        )
        connection.exec_driver_sql(
            "INSERT INTO legacy VALUES ('A1', '2001-02-03', '2026-01-01Z', '2026-01-01', 1.50, 7, '{}', 'x'),"
            " ('A2', 'infinity', 'infinity', '20000-01-01', 'NaN', 8, '[]', 'y')"
        )
    engine.dispose()
    source = SqlSource({"url": url, "table": "legacy"}, "/")
    yield source
    source.close()


def test_legacy_types_of_postgresql(legacy: SqlSource) -> None:
    """Padding is no part of a text, numerics keep their digits, and infinity does not end the read."""
    columns = {name: name for name in ("id", "born", "changed", "local", "fee", "n")}
    first, second = (
        read(legacy, Query(columns, ("id",), (subject,), limit=9))[0] for subject in ("A1", "A2")
    )
    expected: dict[str, Any] = {
        "id": "A1",
        "born": date(2001, 2, 3),
        "changed": datetime(2026, 1, 1, tzinfo=UTC),
        "local": datetime(2026, 1, 1),
        "fee": "1.50",
        "n": 7,
    }
    assert first == expected
    assert {name: second[name] for name in ("born", "changed", "fee")} == {
        "born": "infinity",
        "changed": "infinity",
        "fee": "NaN",
    }
    assert [row["id"] for row in read(legacy, Query(columns, ("n",), ("8",), limit=9))] == ["A2"]
    assert legacy.newest("changed") == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_stream_uses_a_cursor_on_the_server(legacy: SqlSource) -> None:
    """A large read is fetched batch by batch, within the memory of one."""
    batches = legacy.read(Query({"id": "id"}, (), ()), 1)
    assert next(batches).num_rows == 1
    with legacy._engine.connect() as connection:
        cursors = connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE query ~ '^FETCH'")
        assert cursors.scalar() == 1
    assert sum(batch.num_rows for batch in batches) == 1


def test_a_lost_connection_costs_one_read(legacy: SqlSource) -> None:
    """When the server ends the sessions that are kept at hand, the read after the failed one works."""
    query = Query({"id": "id"}, ("n",), ("8",), limit=9)
    assert len(read(legacy, query)) == 1
    with legacy._engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    with pytest.raises(SourceError):
        read(legacy, query)
    assert len(read(legacy, query)) == 1
