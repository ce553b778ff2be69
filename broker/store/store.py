"""The broker's database: one Core transaction for each batch appended, plain selects for the readers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Executable, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import Unavailable
from broker.journal import Claim, Head, Leaf, RequestKey
from broker.model import ReceiptFilter
from broker.reasons import Reason
from broker.store import rows
from broker.store.connection import Database, connect
from broker.store.epochs import EpochTables
from broker.store.schema import require_current, state_of
from broker.store.tables import EPOCH, HEAD, LEAF, QUOTA, REQUEST, STATEMENT, TILE

log = structlog.get_logger("sharebroker.store")

# Built once: SQLAlchemy then finds each compiled in its cache, and the drivers keep them prepared.
_READ_HEAD = select(HEAD.c.size, HEAD.c.recorded_at, EPOCH.c.sequence).join_from(
    HEAD, EPOCH, HEAD.c.id == EPOCH.c.id, isouter=True
)
_READ_TILE = select(TILE.c.hashes).where(
    TILE.c.level == bindparam("level"), TILE.c.tile_index == bindparam("tile_index")
)
_READ_LEAVES = select(LEAF, STATEMENT.c.content).join_from(
    LEAF, STATEMENT, LEAF.c.leaf_index == STATEMENT.c.leaf_index, isouter=True
)
_READ_REQUESTS = select(REQUEST).where(REQUEST.c.request_id.in_(bindparam("ids", expanding=True)))
_READ_QUOTAS = select(QUOTA).where(QUOTA.c.counter.in_(bindparam("counters", expanding=True)))
_MOVE_HEAD = (
    update(HEAD)
    .where(HEAD.c.size == bindparam("old_size"))
    .values(size=bindparam("new_size"), recorded_at=bindparam("at"))
)
_INSERT_LEAF, _INSERT_STATEMENT, _INSERT_REQUEST = insert(LEAF), insert(STATEMENT), insert(REQUEST)


def _upserts(table: Table, value: str) -> dict[str, Executable]:
    """ "Insert, or else replace ``value``", by dialect."""
    key = table.primary_key
    on_sqlite, on_postgresql = sqlite.insert(table), postgresql.insert(table)
    return {
        "sqlite": on_sqlite.on_conflict_do_update(key, set_={value: on_sqlite.excluded[value]}),
        "postgresql": on_postgresql.on_conflict_do_update(key, set_={value: on_postgresql.excluded[value]}),
    }


_UPSERT_TILE, _UPSERT_QUOTA = _upserts(TILE, "hashes"), _upserts(QUOTA, "used")


def open_store(url: str) -> Store:
    """The store at ``url``, whose schema must be this program's.

    Raises:
        SetUpError: the URL is wrong, the database out of reach, or its schema missing, older or newer.
    """
    database = connect(url)
    try:
        require_current(state_of(database))
    except BaseException:
        database.close()
        raise
    return Store(database)


class Store:
    """A :class:`broker.journal.Journal` in SQLite or PostgreSQL; safe for use by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def append_transaction(self) -> Iterator[StoreTransaction]:
        """See :class:`broker.journal.Journal`, here and below."""
        with _translated(), self._database.exclusive() as connection:
            yield StoreTransaction(connection, _head(connection))

    def head(self) -> Head:
        with self._reading() as connection:
            return _head(connection)

    def tile(self, level: int, index: int) -> bytes:
        with self._reading() as connection:
            found: bytes | None = connection.scalar(_READ_TILE, {"level": level, "tile_index": index})
            return found or b""

    def leaf(self, index: int) -> Leaf | None:
        with self._reading() as connection:
            found = connection.execute(_READ_LEAVES.where(LEAF.c.leaf_index == index)).mappings().first()
            return None if found is None else rows.leaf(found)

    def leaves(self, wanted: ReceiptFilter, before: int | None, limit: int) -> list[Leaf]:
        query = _READ_LEAVES.where(*rows.conditions(wanted))
        if before is not None:
            query = query.where(LEAF.c.leaf_index < before)
        query = query.order_by(LEAF.c.leaf_index.desc()).limit(limit)
        with self._reading() as connection:
            return [rows.leaf(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def epochs(self) -> Iterator[EpochTables]:
        """What is in force, as committed."""
        with self._reading() as connection:
            yield EpochTables(connection)

    def close(self) -> None:
        """Give back connections and files."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _translated(), self._database.engine.connect() as connection:
            yield connection


@dataclass(frozen=True, slots=True)
class StoreTransaction:
    """A :class:`broker.journal.AppendTransaction`."""

    connection: Connection
    head: Head

    @property
    def epochs(self) -> EpochTables:
        """What is in force, as it will be committed."""
        return EpochTables(self.connection)

    def claims(self, keys: Collection[RequestKey]) -> dict[RequestKey, Claim]:
        if not keys:
            return {}
        found = self.connection.execute(
            _READ_REQUESTS, {"ids": [request_id for _, request_id in keys]}
        ).mappings()
        claims = {(row["consumer_uri"], row["request_id"]): rows.claim(row) for row in found}
        return {key: claims[key] for key in keys if key in claims}

    def used(self, counters: Collection[str]) -> dict[str, int]:
        if not counters:
            return {}
        found = self.connection.execute(_READ_QUOTAS, {"counters": list(counters)}).mappings()
        return {row["counter"]: row["used"] for row in found}

    def put(
        self,
        leaves: Sequence[Leaf],
        tiles: Mapping[tuple[int, int], bytes],
        used: Mapping[str, int],
        recorded_at: datetime,
    ) -> None:
        dialect = self.connection.dialect.name
        self._write(_INSERT_LEAF, [rows.leaf_row(leaf) for leaf in leaves])
        self._write(_INSERT_STATEMENT, [rows.statement_row(leaf) for leaf in leaves])
        self._write(_INSERT_REQUEST, [rows.request_row(leaf) for leaf in leaves if leaf.entry.request_id])
        self._write(
            _UPSERT_TILE[dialect],
            [{"level": level, "tile_index": index, "hashes": h} for (level, index), h in tiles.items()],
        )
        self._write(_UPSERT_QUOTA[dialect], [{"counter": name, "used": n} for name, n in used.items()])
        self._move_head(self.head.size + len(leaves), recorded_at)

    def _write(self, statement: Executable, values: list[dict[str, object]]) -> None:
        if values:
            self.connection.execute(statement, values)

    def _move_head(self, size: int, recorded_at: datetime) -> None:
        """The fence: whatever became of the lock, a head that another writer moved is not moved again."""
        values = {"old_size": self.head.size, "new_size": size, "at": rows.microseconds(recorded_at)}
        if self.connection.execute(_MOVE_HEAD, values).rowcount != 1:
            log.error("head_moved_by_another_writer")
            raise Unavailable(Reason.LOG_UNAVAILABLE)


def _head(connection: Connection) -> Head:
    size, recorded_at, epoch = connection.execute(_READ_HEAD).one()
    return Head(size, rows.instant(recorded_at), epoch or 0)


@contextmanager
def _translated() -> Iterator[None]:
    """A database in trouble is an :class:`Unavailable`, whose message holds nothing of the database's own:
    PostgreSQL's details quote the values of a row."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        log.error("database_failed", error=type(cause).__name__, sqlstate=getattr(cause, "sqlstate", None))
        raise Unavailable(Reason.LOG_UNAVAILABLE) from None
