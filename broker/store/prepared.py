"""The statements of the append path as the driver takes them: compiled once, executed without SQLAlchemy.

Each of them runs with every batch, under the log's lock. Through SQLAlchemy one costs some 100 µs of a
processor, straight through the driver a tenth of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from sqlalchemy import ARRAY, Executable, String, Table, any_, bindparam, func, insert, select, tuple_, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement, ColumnElement

from broker.journal import RequestKey
from broker.store.tables import (
    ACT,
    DELIVERY,
    EPOCH,
    HEAD,
    LEAF,
    QUOTA,
    REQUEST,
    RETAINED,
    STATEMENT,
    SUBJECT_TAG,
    TILE,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Values = Mapping[str, object]


class Cursor(Protocol):
    """What is asked of a driver's cursor (PEP 249)."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""

    def execute(self, operation: Any, parameters: Any, /) -> object:
        """Runs one statement."""

    def fetchall(self) -> Sequence[Any]:
        """The rows that it selected."""


class Prepared:
    """One statement in one driver's words, whose values are given by name."""

    def __init__(self, statement: Executable, dialect: str) -> None:
        self._text, self._names = _compiled(statement, dialect)

    def run(self, cursor: Cursor, values: Values) -> None:
        """Executes it."""
        cursor.execute(self._text, [values[name] for name in self._names])

    def rows(self, cursor: Cursor, values: Values) -> Sequence[Any]:
        """The rows that it selects, as tuples."""
        self.run(cursor, values)
        return cursor.fetchall()


class PreparedInsert:
    """An insert of any number of rows, in as few statements as their number has binary ones.

    Not ``executemany``: for each row SQLite's would let another thread have the interpreter, and each time
    the log's lock would be held until that one lets go of it again.
    """

    def __init__(self, statement: Executable, dialect: str) -> None:
        text, self._names = _compiled(statement, dialect)
        before, row, after = _ONE_ROW.split(text)
        self._texts = [f"{before}{', '.join([row] * (1 << power))}{after}" for power in range(MOST_AT_ONCE)]

    def run(self, cursor: Cursor, rows: Sequence[Values]) -> None:
        """Inserts the rows, if there are any."""
        start = 0
        while start < len(rows):
            power = min(MOST_AT_ONCE, (len(rows) - start).bit_length()) - 1
            stop = start + (1 << power)
            values = [row[name] for row in rows[start:stop] for name in self._names]
            cursor.execute(self._texts[power], values)
            start = stop


MOST_AT_ONCE = 9
"""Powers of two from 1 to 256 rows, which a batch does not exceed."""

_ONE_ROW = re.compile(r"(?<=VALUES )(\(.*?\))(?= ON CONFLICT|$)", re.DOTALL)


def _compiled(statement: Executable, dialect: str) -> tuple[str, tuple[str, ...]]:
    """Its text, and the names of its values in the order of their places."""
    assert isinstance(statement, ClauseElement)  # noqa: S101 - every statement of SQLAlchemy's is one
    compiled = statement.compile(dialect=_dialect(dialect))
    return str(compiled), tuple(getattr(compiled, "positiontup", None) or ())


@dataclass(frozen=True, slots=True)
class AppendStatements:
    """What an append transaction reads and writes."""

    head: Prepared
    tile: Prepared
    requests: Prepared
    quotas: Prepared
    insert_leaf: PreparedInsert
    insert_statement: PreparedInsert
    insert_tag: PreparedInsert
    insert_act: PreparedInsert
    insert_request: PreparedInsert
    insert_delivery: PreparedInsert
    count_retained: PreparedInsert
    upsert_tile: PreparedInsert
    upsert_quota: PreparedInsert
    move_head: Prepared


@cache
def append_statements(dialect: str) -> AppendStatements:
    """The statements in the words of "sqlite" or "postgresql"."""

    def prepared(statement: Executable) -> Prepared:
        return Prepared(statement, dialect)

    return AppendStatements(
        head=prepared(
            select(HEAD.c.size, HEAD.c.recorded_at, EPOCH.c.sequence, HEAD.c.log_key).join_from(
                HEAD, EPOCH, HEAD.c.id == EPOCH.c.id, isouter=True
            )
        ),
        tile=prepared(
            select(TILE.c.hashes).where(
                TILE.c.level == bindparam("level"), TILE.c.tile_index == bindparam("tile_index")
            )
        ),
        requests=prepared(
            select(
                REQUEST.c.consumer_uri,
                REQUEST.c.request_id,
                REQUEST.c.leaf_index,
                REQUEST.c.request_mac,
                REQUEST.c.answer_digest,
                REQUEST.c.verdict,
            ).where(is_asked(REQUEST.c.request_id, REQUEST.c.consumer_uri, dialect))
        ),
        quotas=prepared(select(QUOTA.c.counter, QUOTA.c.used).where(is_among(QUOTA.c.counter, dialect))),
        insert_leaf=PreparedInsert(LEAF.insert(), dialect),
        insert_statement=PreparedInsert(STATEMENT.insert(), dialect),
        insert_tag=PreparedInsert(SUBJECT_TAG.insert(), dialect),
        insert_act=PreparedInsert(ACT.insert(), dialect),
        insert_request=PreparedInsert(REQUEST.insert(), dialect),
        insert_delivery=PreparedInsert(
            insert(DELIVERY).values(leaf_index=bindparam("leaf_index"), due_at=bindparam("due_at")), dialect
        ),
        count_retained=PreparedInsert(_count_retained(dialect), dialect),
        upsert_tile=PreparedInsert(_upsert(TILE, "hashes", dialect), dialect),
        upsert_quota=PreparedInsert(_upsert(QUOTA, "used", dialect), dialect),
        move_head=prepared(
            update(HEAD)
            .where(HEAD.c.size == bindparam("old_size"))
            .values(size=bindparam("new_size"), recorded_at=bindparam("at"))
        ),
    )


def among(values: Iterable[str], dialect: str) -> Values:
    """The values that a statement which asks for any of them takes: its text is the same for any number."""
    listed = list(values)
    return {"among": listed if dialect == "postgresql" else orjson.dumps(listed).decode()}


def asked(keys: Iterable[RequestKey], dialect: str) -> Values:
    """The values that :func:`is_asked` takes."""
    listed = list(keys)
    ids = [request_id for _, request_id in listed]
    return (
        {"ids": ids, "uris": [uri for uri, _ in listed]} if dialect == "postgresql" else among(ids, dialect)
    )


def is_asked(
    request_id: ColumnElement[str], consumer_uri: ColumnElement[str], dialect: str
) -> ColumnElement[bool]:
    """Whether a row of ``request`` has one of the keys that are asked for. In SQLite it may also have
    the request id of one of them alone."""
    if dialect == "sqlite":  # which would look through the whole table for pairs
        return is_among(request_id, dialect)
    # By the whole key: PostgreSQL would look through the whole table for ids alone, as long as it has no
    # statistics to tell it how few rows have one.
    ids, uris = (bindparam(name, type_=ARRAY(String)) for name in ("ids", "uris"))
    pairs = func.unnest(ids, uris).table_valued("id", "uri").render_derived()
    return tuple_(request_id, consumer_uri).in_(select(pairs.c.id, pairs.c.uri))


def is_among(column: ColumnElement[str], dialect: str) -> ColumnElement[bool]:
    """Whether the column has one of the values that :func:`among` names."""
    if dialect == "postgresql":
        return column == any_(bindparam("among", type_=ARRAY(String)))
    listed = func.json_each(bindparam("among", type_=String)).table_valued("value")
    return column.in_(select(listed.c.value))


def _upsert(table: Table, value: str, dialect: str) -> Executable:
    """ "Insert, or else replace ``value``"."""
    statement = insert_into(table, dialect)
    return statement.on_conflict_do_update(table.primary_key, set_={value: statement.excluded[value]})


def _count_retained(dialect: str) -> Executable:
    """More deliveries of a row, which only grows at its end."""
    statement = insert_into(RETAINED, dialect)
    more = {
        "last_leaf": statement.excluded.last_leaf,
        "deliveries": RETAINED.c.deliveries + statement.excluded.deliveries,
    }
    return statement.on_conflict_do_update(RETAINED.primary_key, set_=more)


def insert_into(table: Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what happens to a row that is there already: each database has its own."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # loaded where the database is PostgreSQL

    return postgresql.insert(table)


def _dialect(name: str) -> Dialect:
    """Values by position, which spares the drivers from looking for names in the text."""
    if name == "sqlite":
        return SQLiteDialect_pysqlite(paramstyle="qmark")
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    return PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
