"""MySQL and MariaDB: exact comparison, sessions that cannot write, limits of time.

By default these servers ignore case, accents and trailing blanks when they compare (MySQL manual, 12.8.5
and 12.10.1). A subject is data, so the index narrows the rows in the column's own collation, and a
comparison byte by byte decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import CHAR

Subject = sa.BindParameter[Any]
Result = sa.CursorResult[*tuple[Any, ...]]

BACKENDS = ("mysql", "mariadb")
_STALLED_SECONDS = 600
"""How long the server waits for a stream's reader before it gives up."""
_GRACE_SECONDS = 5
"""The server ends a statement first; only when it does not answer at all the connection does."""


def is_among(column: sa.ColumnElement[Any], subjects: Sequence[Subject]) -> sa.ColumnElement[bool]:
    """``column`` equals one of ``subjects``, byte by byte in UTF-8."""
    return sa.and_(column.in_(subjects), exact(column).in_(subjects))


def begins_with(column: sa.ColumnElement[Any], prefix: sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """``column`` begins with ``prefix``, byte by byte in UTF-8."""
    return sa.func.left(exact(column), sa.func.length(prefix)) == prefix


def exact(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """``column`` as text that is compared byte by byte in UTF-8."""
    # Binary for the server, which then compares bytes; a text for SQLAlchemy, which sends texts.
    return sa.type_coerce(sa.cast(sa.cast(column, CHAR(charset="utf8mb4")), sa.BINARY), sa.String())


def connect_args(connect_seconds: float, statement_seconds: float) -> Mapping[str, object]:
    """Arguments for pymysql."""
    seconds = statement_seconds + _GRACE_SECONDS
    return {
        "connect_timeout": connect_seconds,
        "read_timeout": seconds,
        "write_timeout": seconds,
        "charset": "utf8mb4",
        "local_infile": False,
    }


def session(statement_seconds: float) -> Callable[[Any, Any], None]:
    """A listener that makes each new connection read-only and limits the time of its statements."""

    def prepare(connection: Any, record: Any) -> None:
        if "mariadb" in connection.get_server_info().lower():
            limit = "max_statement_time", statement_seconds
        else:  # milliseconds, of SELECT statements only; there are no others here
            limit = "max_execution_time", int(statement_seconds * 1000)
        record.info["time_limit"] = limit
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute(f"SET SESSION net_write_timeout = {_STALLED_SECONDS}")
            cursor.execute("SET SESSION {} = {}".format(*limit))

    return prepare


@contextmanager
def streaming(connection: sa.Connection, execute: Callable[[], Result]) -> Iterator[Result]:
    """The result of ``execute``, whose rows may take long to read: until the last one the statement runs.
    Each step is still limited by the connection's read timeout. A stream that is abandoned costs its
    connection, because the protocol has no other way out than to read all that remains.
    """
    name, limit = connection.info["time_limit"]
    connection.exec_driver_sql(f"SET SESSION {name} = 0")
    with execute() as result:
        try:
            yield result
        except BaseException:
            _give_up(connection)
            raise
    connection.exec_driver_sql(f"SET SESSION {name} = {limit}")


def _give_up(connection: sa.Connection) -> None:
    """Close the connection under an unread result, which would otherwise read on when it is closed."""
    driver = connection.connection.driver_connection
    connection.invalidate()
    unread = getattr(driver, "_result", None)
    if unread is not None:
        unread.unbuffered_active = False
