"""One snapshot of the database: what was committed at the first look, however long reading takes.

For backup and ``fsck``, which read everything beside a broker that appends. Values come as the driver gives
them, without the conversions of :mod:`broker.store.rows`: a damaged one must be reported, not raise. Nothing
holds more than :data:`BATCH_ROWS` rows at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    Boolean,
    Connection,
    Integer,
    LargeBinary,
    RowMapping,
    Select,
    String,
    TableClause,
    bindparam,
    column,
    func,
    inspect,
    select,
    table,
)
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

from broker.errors import VerificationFailed
from broker.journal import RequestKey
from broker.store import tables as _tables  # noqa: F401 - fills the metadata
from broker.store.connection import connect
from broker.store.prepared import asked, is_asked
from broker.store.schema import (
    SchemaState,
    reachable,
    require_current,
    require_not_newer,
    revision_of,
    state_in,
    state_of,
)

MOST_BOUND = 512
"""Values in one list; a database takes only so many."""
BATCH_ROWS = 2048
"""A tile has 8 KiB, a statement one or two."""

Row = RowMapping
Progress = Callable[[str, int, int], None]
"""Told from time to time which table is being worked on, how many of its rows are done, and of how many."""

_STREAMED = {"yield_per": BATCH_ROWS}
"""PostgreSQL then keeps the rows in a cursor of the server's."""

_ARROW_TYPES: tuple[tuple[type[TypeEngine[Any]], pa.DataType], ...] = (
    (Boolean, pa.bool_()),
    (Integer, pa.int64()),
    (String, pa.string()),
    (LargeBinary, pa.binary()),
)


def no_progress(_table: str, _done: int, _total: int) -> None:
    """For those whom nobody watches."""


@contextmanager
def open_snapshot(url: str, *, older: bool = False) -> Iterator[Snapshot]:
    """A snapshot of the database at ``url``, whose schema must be this program's, or with ``older`` an older.

    Raises:
        SetUpError: the URL is wrong, or the database has another schema or cannot be reached.
    """
    database = connect(url)
    try:
        if state_of(database) is SchemaState.EMPTY:  # looking into a snapshot would create a file
            require_current(SchemaState.EMPTY)
        with ExitStack() as transaction:
            with reachable():  # not around what is done with it: that raises for reasons of its own
                connection = transaction.enter_context(database.snapshot())
                (require_not_newer if older else require_current)(state_in(connection))
            yield Snapshot(connection)
    finally:
        database.close()


CHECK_CACHE_KIB = 256 * 1024
"""Memory for the check of an SQLite file."""

BLOCK_BYTES = 1 << 20


def _read_ahead(file: str | None) -> None:
    """Reads ``file`` from end to end, if it fits into free memory: a disk gives that many times sooner
    than the same pages one by one."""
    if not file or os.path.getsize(file) > os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        return
    with open(file, "rb", buffering=0) as stream:
        block = bytearray(BLOCK_BYTES)
        while stream.readinto(block):
            pass


class Snapshot:
    """What the tables hold, as one transaction sees it.

    Raises (every method):
        SetUpError: the database cannot be read.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        with reachable():
            self.revision = revision_of(connection) or ""
            inspector = inspect(connection)
            names = sorted(set(inspector.get_table_names()) & SQLModel.metadata.tables.keys())
            self.tables: dict[str, pa.Schema] = {n: arrow_schema(inspector.get_columns(n)) for n in names}
            """Every table of ours that this revision has, with its columns as Arrow types."""
            self._keys = {n: inspector.get_pk_constraint(n)["constrained_columns"] for n in names}

    def count(self, name: str) -> int:
        """Number of rows of a table."""
        return int(self._scalar(select(func.count()).select_from(table(name))))

    def rows(self, name: str) -> Iterator[Row]:
        """Every row of a table, in the order of its key."""
        return self._stream(self._ordered(name))

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """As :meth:`rows`, in Arrow.

        Raises:
            VerificationFailed: a value is not of its column's type.
        """
        schema = self.tables[name]
        with reachable():
            result = self._connection.execute(self._ordered(name), execution_options=_STREAMED)
            for rows in result.partitions():
                columns = zip(zip(*rows, strict=True), schema, strict=True)
                try:
                    arrays = [pa.array(values, field.type) for values, field in columns]
                except (pa.ArrowException, TypeError, ValueError, OverflowError):
                    raise VerificationFailed(
                        f"表 {name} 含有类型不符的值 / table {name}: a value is not of its column's type"
                    ) from None
                yield pa.record_batch(arrays, schema=schema)

    def entries(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        """(leaf index, log entry) of the leaves from ``start`` to before ``stop``, in order."""
        leaf = table("leaf", column("leaf_index"), column("log_entry"))
        with reachable():
            found = self._connection.execute(_range(select(leaf), leaf), {"start": start, "stop": stop})
            return [(index, entry) for index, entry in found.all()]

    def leaves(self, start: int, stop: int) -> list[Row]:
        """Rows of ``leaf`` with their statement's ``content`` (None once erased), as :meth:`entries`."""
        leaf, statement = self._table("leaf"), self._table("statement")
        joined = leaf.outerjoin(statement, leaf.c.leaf_index == statement.c.leaf_index)
        query = _range(select(leaf, statement.c.content).select_from(joined), leaf)
        with reachable():
            return list(self._connection.execute(query, {"start": start, "stop": stop}).mappings().all())

    def told(self, start: int, stop: int) -> list[tuple[Any, Any, Any, Any]]:
        """(leaf index, log entry, kind, statement; None once erased), as :meth:`entries`."""
        leaf, statement = self._table("leaf"), self._table("statement")
        joined = leaf.outerjoin(statement, leaf.c.leaf_index == statement.c.leaf_index)
        columns = (leaf.c.leaf_index, leaf.c.log_entry, leaf.c.kind, statement.c.content)
        query = _range(select(*columns).select_from(joined), leaf)
        with reachable():
            found = self._connection.execute(query, {"start": start, "stop": stop})
            return [tuple(row) for row in found.all()]

    def statements_of(self, kind: str, limit: int) -> list[bytes]:
        """At most so many statements of leaves of one kind, in order."""
        leaf, statement = self._table("leaf"), self._table("statement")
        joined = leaf.join(statement, leaf.c.leaf_index == statement.c.leaf_index)
        query = select(statement.c.content).select_from(joined).where(leaf.c.kind == kind)
        with reachable():
            found = self._connection.execute(query.order_by(leaf.c.leaf_index).limit(limit)).scalars()
            return [content for content in found if isinstance(content, bytes)]

    def acts(self, start: int, stop: int) -> list[Row]:
        """Rows of ``act`` of the leaves from ``start`` to before ``stop``."""
        act = self._table("act")
        with reachable():
            found = self._connection.execute(_range(select(act), act), {"start": start, "stop": stop})
            return list(found.mappings().all())

    def leaf_count(self) -> int:
        """One more than the largest leaf index; 0 without leaves."""
        largest = self._scalar(select(func.max(self._table("leaf").c.leaf_index)))
        return 0 if largest is None else int(largest) + 1

    def leaves_outside(self, size: int) -> Iterator[int]:
        """Leaf indices that a log of that size cannot have."""
        index = self._table("leaf").c.leaf_index
        return (row["leaf_index"] for row in self._stream(select(index).where((index < 0) | (index >= size))))

    def orphans(self) -> Iterator[int]:
        """Leaf indices of statements that have no leaf."""
        leaf, statement = self._table("leaf"), self._table("statement")
        joined = statement.outerjoin(leaf, leaf.c.leaf_index == statement.c.leaf_index)
        query = select(statement.c.leaf_index).select_from(joined).where(leaf.c.leaf_index.is_(None))
        return (row["leaf_index"] for row in self._stream(query))

    def tile(self, level: int, index: int) -> bytes:
        """A stored tile; empty when there is none, or when it is no bytes."""
        tile = self._table("tile")
        query = select(tile.c.hashes).where(tile.c.level == level, tile.c.tile_index == index)
        found = self._scalar(query)
        return found if isinstance(found, bytes) else b""

    def last_tile(self, level: int) -> tuple[int, int]:
        """Index of the last stored tile of a level, and its length in bytes; (0, 0) without any."""
        tile = self._table("tile")
        query = select(tile.c.tile_index).where(tile.c.level == level).order_by(tile.c.tile_index.desc())
        index = self._scalar(query.limit(1))
        return (0, 0) if index is None else (int(index), len(self.tile(level, int(index))))

    def tile_keys(self) -> Iterator[tuple[int, int]]:
        """(level, index) of every stored tile, in order."""
        tile = self._table("tile")
        query = select(tile.c.level, tile.c.tile_index).order_by(tile.c.level, tile.c.tile_index)
        return ((row["level"], row["tile_index"]) for row in self._stream(query))

    def claims(self, keys: Collection[RequestKey]) -> list[Row]:
        """The rows of ``request`` with one of these keys; perhaps also others with the same request ids."""
        request, dialect = self._table("request"), self._connection.dialect.name
        query = select(request).where(is_asked(request.c.request_id, request.c.consumer_uri, dialect))
        with reachable():
            return list(self._connection.execute(query, asked(keys, dialect)).mappings().all())

    def tags(self, wanted: Collection[bytes]) -> set[tuple[bytes, int]]:
        """Those of the subjects' tags that are on record, each with its leaves."""
        tagged = self._table("subject_tag")
        found: set[tuple[bytes, int]] = set()
        with reachable():
            for some in _batched(sorted(wanted), MOST_BOUND):
                query = select(tagged.c.tag, tagged.c.leaf_index).where(tagged.c.tag.in_(some))
                found.update((bytes(tag), index) for tag, index in self._connection.execute(query))
        return found

    def tagged(self) -> Iterator[Row]:
        """Rows of ``subject_tag``, each with ``log_entry`` and ``content`` of its leaf (None without)."""
        tagged, leaf, statement = (self._table(name) for name in ("subject_tag", "leaf", "statement"))
        joined = tagged.outerjoin(leaf, leaf.c.leaf_index == tagged.c.leaf_index).outerjoin(
            statement, statement.c.leaf_index == tagged.c.leaf_index
        )
        query = select(tagged, leaf.c.log_entry, statement.c.content)
        return self._stream(query.select_from(joined))

    def requests(self) -> Iterator[Row]:
        """Rows of ``request``, each with ``log_entry``, ``leaf_consumer_uri``, ``leaf_verdict`` and
        ``content`` of the leaf and statement that it points to (None where there are none)."""
        request, leaf, statement = (self._table(name) for name in ("request", "leaf", "statement"))
        joined = request.outerjoin(leaf, leaf.c.leaf_index == request.c.leaf_index).outerjoin(
            statement, statement.c.leaf_index == request.c.leaf_index
        )
        about = [leaf.c[name].label(f"leaf_{name}") for name in ("consumer_uri", "verdict")]
        query = select(request, leaf.c.log_entry, *about, statement.c.content)
        return self._stream(query.select_from(joined))

    def file_damage(self) -> Iterator[str]:
        """What SQLite finds wrong with its file and its indexes, which no table shows; nothing elsewhere."""
        if self._connection.dialect.name != "sqlite":
            return
        with reachable():
            # Each row is looked up in each index: from the disk, but for what stands in memory before.
            _read_ahead(self._connection.engine.url.database)
            self._connection.exec_driver_sql(f"PRAGMA cache_size = {-CHECK_CACHE_KIB}")
            said = self._connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        yield from (line for line in said if line != "ok")

    def _table(self, name: str) -> TableClause:
        """Without types, so that nothing is converted."""
        return table(name, *(column(field.name) for field in self.tables[name]))

    def _ordered(self, name: str) -> Select[Any]:
        wanted = self._table(name)
        return select(wanted).order_by(*(wanted.c[key] for key in self._keys[name]))

    def _scalar(self, query: Select[Any]) -> Any:
        with reachable():
            return self._connection.execute(query).scalar()

    def _stream(self, query: Select[Any]) -> Iterator[Row]:
        with reachable():
            yield from self._connection.execute(query, execution_options=_STREAMED).mappings()


def arrow_schema(columns: Collection[Any]) -> pa.Schema:
    """The Arrow schema of columns as SQLAlchemy's inspector tells them; the same for both databases.

    Raises:
        TypeError: a column has a type that a backup does not know yet.
    """
    return pa.schema([pa.field(c["name"], _arrow_type(c["type"]), nullable=c["nullable"]) for c in columns])


def _arrow_type(sql_type: TypeEngine[Any]) -> pa.DataType:
    for kind, arrow_type in _ARROW_TYPES:
        if isinstance(sql_type, kind):
            return arrow_type
    raise TypeError(f"a backup has no Arrow type for {type(sql_type).__name__}")


def _range(query: Select[Any], leaf: TableClause) -> Select[Any]:
    index = leaf.c.leaf_index
    return query.where(index >= bindparam("start"), index < bindparam("stop")).order_by(index)


def _batched(values: list[bytes], size: int) -> Iterator[list[bytes]]:
    return (values[start : start + size] for start in range(0, len(values), size))
