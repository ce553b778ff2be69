"""MySQL and MariaDB: what is sent, and what a real server answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql as dialect
from sqlalchemy.exc import DBAPIError

from adapters.sources import mysql, sql
from adapters.sources.conformance import ROWS, check_source, check_subjects_are_data, read
from adapters.sources.contract import Query, SourceError
from adapters.sources.sql import SqlSource

# ── what is sent, without a server ───────────────────────────────────────────────────────────────


def compiled(query: Query) -> str:
    statement = sql._select(sa.table("hydj", schema="mz"), query, "mysql")
    text = statement.params(subjects=list(query.subjects)).compile(
        dialect=dialect.dialect(), compile_kwargs={"render_postcompile": True}
    )
    return " ".join(str(text).split())


def test_subjects_are_compared_byte_by_byte() -> None:
    """The index narrows in the column's collation, bytes decide: neither case nor blanks are ignored."""
    assert compiled(Query({"a": "xm"}, ("sfzh",), ("A", "B"))) == (
        "SELECT xm FROM mz.hydj WHERE sfzh IN (%s, %s) AND "
        "CAST(CAST(sfzh AS CHAR CHARACTER SET utf8mb4) AS BINARY) IN (%s, %s)"
    )


def test_a_prefix_is_compared_byte_by_byte() -> None:
    """LENGTH counts bytes in MySQL, and so does LEFT of a binary text."""
    assert "left(CAST(CAST(qh AS CHAR CHARACTER SET utf8mb4) AS BINARY), length(%s)) = %s" in compiled(
        Query({"a": "xm"}, (), (), (("qh", "9901"),))
    )


def test_names_are_quoted() -> None:
    """A name of the catalog is a name, whatever it holds."""
    assert compiled(Query({"a": "x`; DROP TABLE t; --"}, (), ())).startswith(
        "SELECT `x``; DROP TABLE t; --` "
    )


@pytest.mark.parametrize("url", ["mysql://u@h/db", "mysql+pymysql://u@h/db", "mariadb+pymysql://u@h/db"])
def test_one_driver_serves_both(url: str) -> None:
    """Whatever the URL's spelling; nothing is connected yet."""
    with closing(SqlSource({"url": url, "table": "t"}, "/")) as source:
        assert source._engine.dialect.driver == "pymysql"


def test_every_connection_is_limited() -> None:
    """Text is UTF-8 of all planes, the server may not ask for files, and no step waits without end."""
    given = mysql.connect_args(5, 30)
    assert given["charset"] == "utf8mb4"
    assert given["local_infile"] is False
    assert given["connect_timeout"] == 5
    assert given["read_timeout"] == given["write_timeout"] == 35


class Server:
    """Remembers what a new session is told."""

    def __init__(self, version: str) -> None:
        self.version, self.told, self.info = version, list[str](), dict[str, object]()

    def get_server_info(self) -> str:
        return self.version

    def cursor(self) -> Server:
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        self.told.append(statement)


@pytest.mark.parametrize(
    ("version", "limit"),
    [("8.4.3", "max_execution_time = 30000"), ("10.11.18-MariaDB-0+deb12u1", "max_statement_time = 30")],
)
def test_a_session_cannot_write_and_ends_in_time(version: str, limit: str) -> None:
    """MySQL counts milliseconds, MariaDB seconds."""
    server = Server(version)
    mysql.session(30)(server, server)
    assert "SET SESSION TRANSACTION READ ONLY" in server.told
    assert f"SET SESSION {limit}" in server.told


def test_a_password_need_not_stand_in_the_catalog(tmp_path: Path) -> None:
    """It is the first line of a file that its owner alone can read."""
    file = tmp_path / "register.password"
    options = {"url": "mysql://u@h/db", "table": "t", "password_file": "register.password"}
    with pytest.raises(SourceError, match=r"register\.password cannot be read"):
        SqlSource(options, str(tmp_path))
    file.write_text("s3cret:/@\n")
    file.chmod(0o644)
    with pytest.raises(SourceError, match="chmod 600"):
        SqlSource(options, str(tmp_path))
    file.chmod(0o600)
    with closing(SqlSource(options, str(tmp_path))) as source:
        assert source._engine.url.password == "s3cret:/@"


# ── what a real server answers ───────────────────────────────────────────────────────────────────


@pytest.fixture
def url(new_mariadb_url: Callable[[], str]) -> str:
    return new_mariadb_url()


def run(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def opened(url: str, table: str = "register") -> SqlSource:
    return SqlSource({"url": url, "table": table}, "/")


def test_conforms(url: str) -> None:
    """A register in the server's usual, careless collation keeps every clause of the contract."""
    run(
        url,
        "CREATE TABLE register (sfzh VARCHAR(20), po_sfzh VARCHAR(20), xm VARCHAR(40), qh CHAR(6), "
        "born DATE, changed DATETIME, KEY (sfzh)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    )
    engine = sa.create_engine(url)
    table = sa.table("register", *(sa.column(name) for name in ROWS[0]))
    with engine.begin() as connection:
        rows = [{**row, "changed": row["changed"] and row["changed"].replace(tzinfo=None)} for row in ROWS]  # type: ignore[attr-defined]
        connection.execute(table.insert(), rows)
    engine.dispose()
    with closing(opened(url)) as source:
        check_source(source)


@pytest.mark.parametrize("charset", ["utf8mb4", "gbk"])
def test_hostile_subjects_are_data(url: str, charset: str) -> None:
    """What looks alike to the server's collation is not the same, in an old Chinese encoding either."""
    texts = ["A1", "a1", "A1 ", " A1", "%", "_", "\\", "' OR '1'='1", "甲", "é", "e", "\t", "1", "01", ""]
    foreign = (
        ("🀄", "É") if charset == "utf8mb4" else ()
    )  # MariaDB compares no text that a column cannot hold
    run(url, f"CREATE TABLE register (it VARCHAR(40), KEY (it)) CHARACTER SET {charset}")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.table("register", sa.column("it")).insert(), [{"it": text} for text in texts])
    engine.dispose()
    with closing(opened(url)) as source:
        check_subjects_are_data(source, "it", texts)
        assert read(source, Query({"it": "it"}, ("it",), (*foreign, "E", "a1  "))) == []


def test_legacy_types(url: str) -> None:
    """Zero dates stay text and do not end the read; numbers keep their digits; flags are 0 and 1."""
    run(
        url,
        "CREATE TABLE register (id CHAR(8), born DATE, changed TIMESTAMP NULL, fee DECIMAL(9,2), "
        "paid TINYINT(1), raw BLOB, n BIGINT)",
        "SET sql_mode = ''",
        "INSERT INTO register VALUES ('A1', '2001-02-03', '2026-01-01 08:00:00', 1.50, 1, 'x', 7), "
        "('A2', '0000-00-00', NULL, -0.05, 0, NULL, 9223372036854775807)",
    )
    columns = {name: name for name in ("id", "born", "changed", "fee", "paid", "n")}
    with closing(opened(url)) as source:
        first, second = read(source, Query(columns, (), (), order_by=("id",)))
        assert first == {
            "id": "A1",
            "born": "2001-02-03",
            "changed": datetime(2026, 1, 1, 8),
            "fee": "1.50",
            "paid": 1,
            "n": 7,
        }
        assert (second["born"], second["fee"], second["n"]) == ("0000-00-00", "-0.05", 2**63 - 1)
        assert read(source, Query({"born": "born"}, ("n",), ("7",), limit=3)) == [{"born": date(2001, 2, 3)}]
        assert source.newest("changed") == datetime(2026, 1, 1, 8)
        assert source.newest("born") == datetime(2001, 2, 3)


def test_sessions_cannot_write(url: str) -> None:
    """Even a statement that would write is refused by the server itself."""
    run(url, "CREATE TABLE register (id INT)", "INSERT INTO register VALUES (1)")
    with closing(opened(url)) as source, source._engine.connect() as connection:
        for statement in ("DELETE FROM register", "CREATE TABLE other (id INT)", "DROP TABLE register"):
            with pytest.raises(DBAPIError, match="READ ONLY"):
                connection.exec_driver_sql(statement)


def test_a_statement_that_takes_too_long_is_ended(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends it, and the next one works."""
    run(
        url,
        "CREATE TABLE register (id INT)",
        "INSERT INTO register VALUES (1)",
        "CREATE VIEW slow AS SELECT id + SLEEP(600) AS id FROM register",
    )
    with monkeypatch.context() as patch:
        patch.setattr(sql, "STATEMENT_SECONDS", 0.2)
        with (
            closing(opened(url, "slow")) as source,
            pytest.raises(SourceError, match=r"^slow: OperationalError 1969$"),
        ):
            read(source, Query({"id": "id"}, (), (), limit=1))
    with closing(opened(url)) as source:
        assert read(source, Query({"id": "id"}, (), (), limit=1)) == [{"id": 1}]


@pytest.fixture
def long_table(url: str) -> Iterator[SqlSource]:
    """50,000 rows of some 200 bytes: more than the socket's buffers hold."""
    run(url, "CREATE TABLE register AS SELECT seq AS id, REPEAT('x', 200) AS text FROM seq_1_to_50000")
    with closing(opened(url)) as source:
        yield source


def test_a_stream_is_fetched_as_it_is_read(long_table: SqlSource) -> None:
    """Rows are still on the server when the first batch is out; a slow reader is no slow statement."""
    batches = long_table.read(Query({"id": "id", "text": "text"}, (), ()), 1000)
    first = next(batches)
    with long_table._engine.connect() as connection:
        states = connection.exec_driver_sql(
            "SELECT STATE FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT id%%'"
        )
        assert states.scalar() is not None
    assert first.num_rows + sum(batch.num_rows for batch in batches) == 50_000
    with long_table._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT @@max_statement_time").scalar() == sql.STATEMENT_SECONDS


def test_an_abandoned_stream_is_not_read_to_its_end(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Of 4 TB the rest stays where it is; the connection is given up, others are limited as before."""
    run(url, "CREATE VIEW register AS SELECT seq AS id, REPEAT('x', 200) AS text FROM seq_1_to_20000000000")
    with closing(opened(url)) as source:
        batches = source.read(Query({"id": "id", "text": "text"}, (), ()), 10)
        next(batches)
        batches.close()  # type: ignore[attr-defined]
        assert not caplog.records
        with source._engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT @@max_statement_time").scalar() == sql.STATEMENT_SECONDS


def test_an_unreachable_server() -> None:
    """The error names table and cause (the server's own number), and not the address."""
    with (
        closing(opened("mysql://user:secret@127.0.0.1:1/db")) as source,
        pytest.raises(SourceError, match=r"^register: OperationalError 2003$"),
    ):
        read(source, Query({"v": "v"}, (), (), limit=1))
