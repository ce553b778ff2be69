"""Tables of SQLite, PostgreSQL, MySQL and MariaDB databases, read-only.

SQLAlchemy Core writes every statement: names from the catalog are quoted, values are bound. A read of limited
size is written once per shape and then run by the driver itself, in one round trip and a tenth of the time; a
stream goes through SQLAlchemy. The session itself cannot write (SQLite: ``mode=ro`` and ``query_only``;
PostgreSQL: ``default_transaction_read_only``; MySQL and MariaDB: ``SET SESSION TRANSACTION READ ONLY``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from adapters.sources import mysql
from adapters.sources.columns import batch_of
from adapters.sources.contract import Query, SourceError
from adapters.sources.options import check_options
from adapters.sources.postgresql import register_loaders
from adapters.sources.times import CANDIDATES, newest_of

Statement = sa.Select[*tuple[Any, ...]]
Subject = sa.BindParameter[Any]
Rows = Sequence[Sequence[object]]
Arguments = Sequence[object] | Mapping[str, object]

STATEMENT_SECONDS = 30
"""A statement, or one step of a stream, that takes longer is ended."""
CONNECT_SECONDS = 5
_MOST_IDLE = 4
"""Connections kept at hand for reads of limited size; the engine's pool has room for more than these."""
_MOST_STATEMENTS = 256
"""Distinct shapes of query kept compiled per source."""


_LIMIT: sa.BindParameter[int] = sa.bindparam("limit", type_=sa.Integer())


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement in the driver's own words."""

    text: str
    names: Sequence[str] | None
    """The values' names in the order of their places; None where the driver takes them by name."""
    fixed: Mapping[str, object]
    """What SQLAlchemy adds by itself: SQLite's offset."""

    @classmethod
    def of(cls, statement: Statement, dialect: sa.Dialect) -> _Written:
        compiled = statement.compile(dialect=dialect)
        positions = getattr(compiled, "positiontup", None)
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return cls(str(compiled), None if positions is None else tuple(positions), fixed)

    def arguments(self, values: Mapping[str, object]) -> Arguments:
        named = {**self.fixed, **values}
        return named if self.names is None else tuple([named[name] for name in self.names])


class SqlSource:
    """One table or view. Options: ``url``, ``table``, ``schema`` for one outside the search path, and
    ``password_file``, whose first line is the password, so that it does not stand in the catalog."""

    kind: ClassVar[str] = "sql"

    def __init__(self, options: Mapping[str, str], base: str) -> None:
        check_options(self.kind, options, required={"url", "table"}, optional={"schema", "password_file"})
        self._table = sa.table(options["table"], schema=options.get("schema"))
        self._name = options["table"]
        self._engine = _engine(options, base)
        self._errors = self._engine.dialect.loaded_dbapi.Error
        is_mysql = self._engine.dialect.name in mysql.BACKENDS
        self._streaming = mysql.streaming if is_mysql else _streaming
        self._written: dict[object, _Written] = {}
        self._idle: list[sa.PoolProxiedConnection] = []
        """Kept out of the engine's pool, whose bookkeeping costs half as much as a look-up."""
        self._closed = False

    def read(self, query: Query, batch_rows: int) -> Iterator[pa.RecordBatch]:
        if query.subjects and not query.subject_columns:
            raise SourceError(f"{self._name}: subjects, but no column to find them in")
        names = list(query.columns)
        if query.limit is not None and query.limit <= batch_rows:
            rows = self._fetch(self._statement(query), _values(query))
            return iter([batch_of(names, rows)] if rows else [])
        return (batch_of(names, rows) for rows in self._parts(query, batch_rows))

    def newest(self, column: str) -> datetime | None:
        wanted: sa.ColumnClause[Any] = sa.column(column)
        statement = (
            sa.select(wanted)
            .select_from(self._table)
            .where(wanted.is_not(None))
            .order_by(wanted.desc())
            .limit(_LIMIT)
        )
        rows = self._fetch(_Written.of(statement, self._engine.dialect), {"limit": CANDIDATES})
        return newest_of(value for (value,) in rows)

    def columns(self) -> dict[str, str]:
        """The table's columns, each with the comment that the database holds of it, or ``""``.

        Raises:
            SourceError: the table is not there, or cannot be read.
        """
        with self._failures():
            found = sa.inspect(self._engine).get_columns(self._table.name, self._table.schema)
            return {column["name"]: column.get("comment") or "" for column in found}

    def close(self) -> None:
        self._closed = True
        self._give_idle_up()

    def _statement(self, query: Query) -> _Written:
        """Written once per shape of query."""
        shape = (
            tuple(query.columns.values()),
            tuple(query.subject_columns),
            _places(query.subjects),
            tuple([column for column, _ in query.prefixes]),
            tuple([(column, _places(values)) for column, values in query.within]),
            tuple(query.order_by),
        )
        written = self._written.get(shape)
        if written is None:
            if len(self._written) >= _MOST_STATEMENTS:
                self._written.clear()
            dialect = self._engine.dialect
            statement = _select(self._table, query, dialect.name)
            written = self._written[shape] = _Written.of(statement, dialect)
        return written

    def _fetch(self, statement: _Written, values: Mapping[str, object]) -> Rows:
        """All rows at once. A failure costs the connection, and when that was lost, those beside it."""
        with self._failures():
            connection = self._take()
            try:
                _start_clock(connection)
                with closing(connection.cursor()) as cursor:
                    cursor.execute(statement.text, statement.arguments(values))
                    rows: Rows = cursor.fetchall()
                    return rows
            except BaseException as error:
                self._give_up(connection, error)
                raise
            finally:
                self._give_back(connection)

    def _take(self) -> sa.PoolProxiedConnection:
        with suppress(IndexError):  # another thread may take the last
            return self._idle.pop()
        return self._engine.raw_connection()

    def _give_back(self, connection: sa.PoolProxiedConnection) -> None:
        if connection.is_valid and not self._closed and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def _give_up(self, connection: sa.PoolProxiedConnection, error: BaseException) -> None:
        if isinstance(error, self._errors) and self._engine.dialect.is_disconnect(error, connection, None):
            self._give_idle_up()
        connection.invalidate(error)

    def _give_idle_up(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
        self._engine.dispose()

    def _parts(self, query: Query, batch_rows: int) -> Iterator[Rows]:
        statement, values = _select(self._table, query, self._engine.dialect.name), _values(query)
        with self._failures(), self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                # A cursor on the server needs a transaction; without one everything would be fetched at once.
                connection = connection.execution_options(isolation_level="READ COMMITTED")
            _start_clock(connection)
            connection = connection.execution_options(yield_per=batch_rows)
            with self._streaming(connection, lambda: connection.execute(statement, values)) as result:
                for part in result.partitions():
                    yield part
                    _start_clock(connection)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig else error
        except self._errors as error:
            cause = error
        except (ValueError, OverflowError) as error:
            cause = error  # the driver cannot send a subject: a NUL, a lone surrogate
        else:
            return
        # Not chained: the driver's message may quote values. MySQL's begins with a number that explains it.
        code = next((f" {argument}" for argument in cause.args[:1] if isinstance(argument, int)), "")
        raise SourceError(f"{self._name}: {type(cause).__name__}{code}") from None


def table_names(options: Mapping[str, str], base: str) -> list[str]:
    """The tables and views of a database. ``options`` are those of :class:`SqlSource` without ``table``.

    Raises:
        SourceError: it cannot be reached.
    """
    with closing(SqlSource({**options, "table": "database"}, base)) as database, database._failures():
        inspector = sa.inspect(database._engine)
        schema = options.get("schema")
        return sorted([*inspector.get_table_names(schema), *inspector.get_view_names(schema)])


def _select(table: sa.TableClause, query: Query, dialect: str) -> Statement:
    is_among, begins_with, as_text = _COMPARISONS.get(dialect, (_is_among, _begins_with, _as_text))
    # Binds have no type of their own: PostgreSQL then takes that of the column, and uses its index.
    statement: Statement = sa.select(*(sa.column(name) for name in query.columns.values())).select_from(table)
    if query.subjects:
        subjects: Sequence[Subject] = [sa.bindparam(f"subject_{i}") for i in range(_places(query.subjects))]
        statement = statement.where(
            sa.or_(*(is_among(sa.column(name), subjects) for name in query.subject_columns))
        )
    for i, (name, _) in enumerate(query.prefixes):
        statement = statement.where(
            begins_with(sa.column(name), sa.bindparam(f"prefix_{i}", type_=sa.String()))
        )
    for i, (name, values) in enumerate(query.within):
        places = [sa.bindparam(f"within_{i}_{j}", type_=sa.String()) for j in range(_places(values))]
        statement = statement.where(as_text(sa.column(name)).in_(places) if places else sa.false())
    statement = statement.order_by(*(sa.column(name) for name in query.order_by))
    return statement if query.limit is None else statement.limit(_LIMIT)


def _places(values: Sequence[str]) -> int:
    """How many values a statement for these has room for: powers of two make few statements."""
    return 1 << (len(values) - 1).bit_length() if values else 0


def _values(query: Query) -> dict[str, object]:
    """The values of a query's statement by their names; the last of a list fills the places that are left."""
    values: dict[str, object] = {f"prefix_{i}": prefix for i, (_, prefix) in enumerate(query.prefixes)}
    if query.limit is not None:
        values["limit"] = query.limit
    lists = [("subject", query.subjects), *((f"within_{i}", of) for i, (_, of) in enumerate(query.within))]
    for name, listed in lists:
        for i in range(_places(listed)):
            values[f"{name}_{i}"] = listed[min(i, len(listed) - 1)]
    return values


def _streaming(connection: sa.Connection, execute: Callable[[], mysql.Result]) -> mysql.Result:
    return execute()


def _is_among(
    column: sa.ColumnElement[Any], subjects: Sequence[sa.BindParameter[str]]
) -> sa.ColumnElement[bool]:
    return column.in_(subjects)


def _begins_with(column: sa.ColumnElement[Any], prefix: sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    # Not LIKE, which ignores case in SQLite; not a range, which depends on PostgreSQL's collation.
    return sa.func.substr(_as_text(column), 1, sa.func.length(prefix)) == prefix


def _as_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.String())


_COMPARISONS = dict.fromkeys(mysql.BACKENDS, (mysql.is_among, mysql.begins_with, mysql.exact))


# ── engines ──────────────────────────────────────────────────────────────────────────────────────


def _engine(options: Mapping[str, str], base: str) -> sa.Engine:
    try:
        parsed = sa.make_url(options["url"])
    except ArgumentError:
        raise SourceError("source sql: option url is no database URL") from None
    if "password_file" in options:
        parsed = parsed.set(password=_password(Path(base, options["password_file"])))
    opener = _OPENERS.get(parsed.get_backend_name())
    if opener is None:
        raise SourceError(
            f"source sql: databases are {' and '.join(_OPENERS)}, not {parsed.get_backend_name()}"
        )
    return opener(parsed, base)


def _password(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise SourceError(f"source sql: {path.name} is open to others; run chmod 600")
        return path.read_text("utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        raise SourceError(f"source sql: {path.name} cannot be read") from None


def _create(url: sa.URL, connect_args: Mapping[str, object]) -> sa.Engine:
    return sa.create_engine(
        url,
        connect_args=dict(connect_args),
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=8,
        max_overflow=8,
        pool_timeout=CONNECT_SECONDS,
        pool_use_lifo=True,
        skip_autocommit_rollback=True,  # or each read would cost MySQL a second round trip
    )


def _open_sqlite(url: sa.URL, base: str) -> sa.Engine:
    path = Path(base, url.database or "").absolute()
    if not path.is_file():
        raise SourceError(f"source sql: there is no database file {path.name}")
    read_only = sa.URL.create(
        "sqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"}
    )
    engine = _create(read_only, {"timeout": CONNECT_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA query_only = ON")
        # Damaged text becomes U+FFFD and its row bad; raising would hide the rows beside it.
        connection.text_factory = _decode
        deadline = record.info["deadline"] = _Deadline()
        connection.set_progress_handler(deadline.has_passed, 10_000)

    return engine


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


_POSTGRESQL_NETWORK = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": (STATEMENT_SECONDS + 5) * 1000,
}
"""A connection that something on the way has dropped without a word is noticed, and costs no call minutes."""


def _open_postgresql(url: sa.URL, base: str) -> sa.Engine:
    settings = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_SECONDS}s"
    arguments = {"options": settings, "connect_timeout": CONNECT_SECONDS, **_POSTGRESQL_NETWORK}
    engine = _create(url.set(drivername="postgresql+psycopg"), arguments)
    sa.event.listen(engine, "connect", register_loaders)
    return engine


def _open_mysql(url: sa.URL, base: str) -> sa.Engine:
    engine = _create(
        url.set(drivername="mysql+pymysql"), mysql.connect_args(CONNECT_SECONDS, STATEMENT_SECONDS)
    )
    sa.event.listen(engine, "connect", mysql.session(STATEMENT_SECONDS))
    return engine


_OPENERS: Mapping[str, Callable[[sa.URL, str], sa.Engine]] = {
    "sqlite": _open_sqlite,
    "postgresql": _open_postgresql,
    **dict.fromkeys(mysql.BACKENDS, _open_mysql),
}


class _Deadline:
    """SQLite has no statement timeout: its progress handler asks this."""

    def __init__(self) -> None:
        self._at = float("inf")

    def start(self) -> None:
        self._at = time.monotonic() + STATEMENT_SECONDS

    def has_passed(self) -> bool:
        return time.monotonic() > self._at


def _start_clock(connection: sa.Connection | sa.PoolProxiedConnection) -> None:
    if deadline := connection.info.get("deadline"):
        deadline.start()
