"""The broker's database: one Core transaction for each batch appended, plain selects for the readers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection, literal_column, select, update
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import Unavailable
from broker.journal import (
    Claim,
    Cosigned,
    DeliveryFilter,
    DeliveryOnRecord,
    Head,
    Leaf,
    NeedOnRecord,
    RequestKey,
)
from broker.model import EntryKind, ReceiptFilter
from broker.reasons import Reason
from broker.store import expiry, rows
from broker.store.applications import ApplicationTables
from broker.store.chains import ChainTables, held_acts
from broker.store.commitments import commitments
from broker.store.connection import Database, connect
from broker.store.corrections import CorrectionTables
from broker.store.cosigned import CosignedTable
from broker.store.delegations import DelegationTables
from broker.store.deliveries import DeliveryTables
from broker.store.disposals import DisposalTables, retained_rows
from broker.store.epochs import EpochTables
from broker.store.expiry import Expiring
from broker.store.leases import LeaseTables
from broker.store.needs import NeedTables
from broker.store.prepared import AppendStatements, Cursor, among, append_statements, asked
from broker.store.schema import require_current, state_of
from broker.store.searches import Searches
from broker.store.tables import HEAD, LEAF, STATEMENT

if TYPE_CHECKING:
    import psycopg

log = structlog.get_logger("sharebroker.store")

_READ_LEAVES = select(LEAF, STATEMENT.c.content).join_from(
    LEAF, STATEMENT, LEAF.c.leaf_index == STATEMENT.c.leaf_index, isouter=True
)


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
        self._statements = append_statements(database.engine.dialect.name)

    @contextmanager
    def append_transaction(self) -> Iterator[StoreTransaction]:
        """See :class:`broker.journal.Journal`, here and below."""
        with self._translated(), self._database.exclusive() as connection:
            yield StoreTransaction(connection)

    def head(self) -> Head:
        with self._reading() as connection:
            return _head(self._statements, _cursor(connection))

    def tile(self, level: int, index: int) -> bytes:
        with self._reading() as connection:
            return _tile(self._statements, _cursor(connection), level, index)

    def log_entries(self, start: int, stop: int) -> list[bytes]:
        """What the tree hashes of the leaves from ``start`` to before ``stop``, in order."""
        query = select(LEAF.c.log_entry).where(LEAF.c.leaf_index >= start, LEAF.c.leaf_index < stop)
        with self._reading() as connection:
            return list(connection.execute(query.order_by(LEAF.c.leaf_index)).scalars())

    def expired(self, expiring: Expiring) -> tuple[int, int, int]:
        """See :func:`broker.store.expiry.expired`."""
        with self._reading() as connection:
            return expiry.expired(connection, expiring)

    def leaf(self, index: int) -> Leaf | None:
        with self._reading() as connection:
            found = connection.execute(_READ_LEAVES.where(LEAF.c.leaf_index == index)).mappings().first()
            return None if found is None else rows.leaf(found)

    def acts(self, index: int, approvals: Collection[str]) -> list[bytes]:
        with self._reading() as connection:
            return held_acts(connection, index, approvals)

    def chain_leaves(self, fingerprints: Collection[bytes]) -> dict[bytes, int]:
        with self._reading() as connection:
            return ChainTables(connection).leaves(fingerprints)

    def leaves(self, wanted: ReceiptFilter, before: int | None, limit: int) -> list[Leaf]:
        query = _READ_LEAVES.where(*rows.conditions(wanted))
        if before is not None:
            query = query.where(LEAF.c.leaf_index < before)
        query = query.order_by(LEAF.c.leaf_index.desc()).limit(limit)
        with self._reading() as connection:
            return [rows.leaf(row) for row in connection.execute(query).mappings()]

    def told(self, kinds: Collection[EntryKind], after: int, limit: int) -> list[Leaf]:
        """At most ``limit`` leaves of these kinds (but exchanges) above ``after``, oldest first."""
        # The second condition says to the database that its index of the rarer kinds has them all.
        wanted = LEAF.c.kind.in_(kinds), LEAF.c.kind != literal_column("'exchange'")
        query = _READ_LEAVES.where(LEAF.c.leaf_index > after, *wanted)
        query = query.order_by(LEAF.c.leaf_index).limit(limit)
        with self._reading() as connection:
            return [rows.leaf(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def searches(self) -> Iterator[Searches]:
        """Leaves by time and kind, as committed."""
        with self._reading() as connection:
            yield Searches(connection)

    def commitments(self, consumer: str, dataset: str, purpose: str) -> list[Leaf]:
        """See :func:`broker.store.commitments.commitments`."""
        with self._reading() as connection:
            return commitments(connection, consumer, dataset, purpose)

    def needs(self, consumer: str, before: int | None, limit: int) -> list[NeedOnRecord]:
        with self._reading() as connection:
            return NeedTables(connection).listed(consumer, before, limit)

    def deliveries(self, wanted: DeliveryFilter, after: int, limit: int) -> list[DeliveryOnRecord]:
        with self._reading() as connection:
            return DeliveryTables(connection).listed(wanted, after, limit)

    def unacknowledged(self, now: datetime, limit: int) -> list[DeliveryOnRecord]:
        """At most ``limit`` deliveries that are overdue, while no leaf says so; the longest overdue first."""
        with self._reading() as connection:
            return DeliveryTables(connection).untold(rows.microseconds(now), limit)

    def count_deliveries(self, now: datetime) -> tuple[int, int]:
        """How many deliveries wait to be acknowledged or are disputed, and how many of them are overdue or
        disputed."""
        with self._reading() as connection:
            return DeliveryTables(connection).count(rows.microseconds(now))

    @contextmanager
    def disposals(self) -> Iterator[DisposalTables]:
        """Disposal orders and what waits for one, as committed."""
        with self._reading() as connection:
            yield DisposalTables(connection)

    def cosigned(self) -> Cosigned | None:
        """The newest checkpoint that enough witnesses have cosigned; None before the first."""
        with self._reading() as connection:
            return CosignedTable(connection).newest()

    def publish_cosigned(self, cosigned: Cosigned, instead_of: str = "") -> bool:
        """Puts it in the place of a smaller one, or of that with the note ``instead_of``, durably; False when
        another process was faster."""
        with self._translated(), self._database.exclusive() as connection:
            return CosignedTable(connection).publish(cosigned, instead_of)

    def recorded_at(self, leaf_index: int) -> datetime | None:
        """When a leaf was recorded, as its row says; None when there is no such row."""
        with self._reading() as connection:
            query = select(LEAF.c.recorded_at).where(LEAF.c.leaf_index == leaf_index)
            found = connection.scalar(query)
        return None if found is None else rows.instant(found)

    @contextmanager
    def epochs(self) -> Iterator[EpochTables]:
        """What is in force, as committed."""
        with self._reading() as connection:
            yield EpochTables(connection)

    @contextmanager
    def applications(self) -> Iterator[ApplicationTables]:
        """The applications that people decide, as committed."""
        with self._reading() as connection:
            yield ApplicationTables(connection)

    @contextmanager
    def corrections(self) -> Iterator[CorrectionTables]:
        """The corrections that consumers have asked for, as committed."""
        with self._reading() as connection:
            yield CorrectionTables(connection)

    @contextmanager
    def delegations(self) -> Iterator[DelegationTables]:
        """The officers who review in another's place, as committed."""
        with self._reading() as connection:
            yield DelegationTables(connection)

    @contextmanager
    def leases(self) -> Iterator[LeaseTables]:
        """The streams under way, as committed."""
        with self._reading() as connection:
            yield LeaseTables(connection)

    def close(self) -> None:
        """Give back connections and files."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._translated(), self._database.engine.connect() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """A database in trouble is an :class:`Unavailable`, whose message holds nothing of the database's
        own: PostgreSQL's details quote the values of a row."""
        try:
            yield
        except (SQLAlchemyError, self._database.driver_error, OSError) as error:
            cause = getattr(error, "orig", None) or error
            log.error(
                "database_failed", error=type(cause).__name__, sqlstate=getattr(cause, "sqlstate", None)
            )
            raise Unavailable(Reason.LOG_UNAVAILABLE) from None


class StoreTransaction:
    """A :class:`broker.journal.AppendTransaction`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._dialect = connection.dialect.name
        self._statements = append_statements(self._dialect)
        self._cursor = _cursor(connection)
        self.head = _head(self._statements, self._cursor)

    @property
    def epochs(self) -> EpochTables:
        """What is in force, as it will be committed."""
        return EpochTables(self.connection)

    def tile(self, level: int, index: int) -> bytes:
        return _tile(self._statements, self._cursor, level, index)

    @property
    def applications(self) -> ApplicationTables:
        """The applications that people decide, likewise."""
        return ApplicationTables(self.connection)

    @property
    def delegations(self) -> DelegationTables:
        """The officers who review in another's place, likewise."""
        return DelegationTables(self.connection)

    @property
    def leases(self) -> LeaseTables:
        return LeaseTables(self.connection)

    @property
    def needs(self) -> NeedTables:
        return NeedTables(self.connection)

    @property
    def deliveries(self) -> DeliveryTables:
        return DeliveryTables(self.connection)

    @property
    def disposals(self) -> DisposalTables:
        """Disposal orders and what waits for one, as they will be committed."""
        return DisposalTables(self.connection)

    @property
    def corrections(self) -> CorrectionTables:
        """The corrections, as they will be committed."""
        return CorrectionTables(self.connection)

    @property
    def chains(self) -> ChainTables:
        return ChainTables(self.connection)

    def claims(self, keys: Collection[RequestKey]) -> dict[RequestKey, Claim]:
        if not keys:
            return {}
        found = self._statements.requests.rows(self._cursor, asked(keys, self._dialect))
        claims = {(uri, request_id): rows.claim(*claim) for uri, request_id, *claim in found}
        return {key: claims[key] for key in keys if key in claims}

    def used(self, counters: Collection[str]) -> dict[str, int]:
        if not counters:
            return {}
        return dict(self._statements.quotas.rows(self._cursor, among(counters, self._dialect)))

    def put(
        self,
        leaves: Sequence[Leaf],
        tiles: Mapping[tuple[int, int], bytes],
        used: Mapping[str, int],
        recorded_at: datetime,
    ) -> None:
        statements, cursor = self._statements, self._cursor
        known = [rows.particulars(leaf.entry) for leaf in leaves]
        tags = [row for leaf, its in zip(leaves, known, strict=True) for row in rows.tag_rows(leaf, its)]
        claims = [rows.request_row(leaf) for leaf in leaves if leaf.entry.request_id]
        acts = [row for leaf in leaves for row in rows.act_rows(leaf)]
        changed = [{"level": level, "tile_index": i, "hashes": h} for (level, i), h in tiles.items()]
        counted = [{"counter": name, "used": n} for name, n in used.items()]
        size = self.head.size + len(leaves)
        moved = {"old_size": self.head.size, "new_size": size, "at": rows.microseconds(recorded_at)}
        with self._one_trip():
            statements.insert_leaf.run(
                cursor, [rows.leaf_row(*each) for each in zip(leaves, known, strict=True)]
            )
            statements.insert_statement.run(cursor, [rows.statement_row(leaf) for leaf in leaves])
            statements.insert_tag.run(cursor, tags)
            statements.insert_act.run(cursor, acts)
            statements.insert_request.run(cursor, claims)
            statements.insert_delivery.run(cursor, rows.delivery_rows(leaves))
            statements.count_retained.run(cursor, retained_rows(leaves))
            statements.upsert_tile.run(cursor, changed)
            statements.upsert_quota.run(cursor, counted)
            statements.move_head.run(cursor, moved)
        # The fence: whatever became of the lock, a head that another writer moved is not moved again.
        if cursor.rowcount != 1:
            log.error("head_moved_by_another_writer")
            raise Unavailable(Reason.LOG_UNAVAILABLE)

    def erase_expired(self, expiring: Expiring, most: int) -> int:
        """See :func:`broker.store.expiry.erase_expired`."""
        return expiry.erase_expired(self.connection, expiring, most)

    def name_log_key(self, leaf_index: int) -> None:
        """Say that heads larger than this leaf are signed under the key that it names."""
        self.connection.execute(update(HEAD).values(log_key=leaf_index))

    def _one_trip(self) -> AbstractContextManager[object]:
        """Where the database is a server: sends it all statements before it waits for the first answer."""
        if self._dialect != "postgresql":
            return nullcontext()
        driver: psycopg.Connection | None = self.connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - narrows what SQLAlchemy leaves open
        return driver.pipeline()


def _cursor(connection: Connection) -> Cursor:
    cursor: Cursor = connection.connection.cursor()
    return cursor


def _head(statements: AppendStatements, cursor: Cursor) -> Head:
    ((size, recorded_at, epoch, log_key),) = statements.head.rows(cursor, {})
    return Head(size, rows.instant(recorded_at), epoch or 0, log_key)


def _tile(statements: AppendStatements, cursor: Cursor, level: int, index: int) -> bytes:
    found = statements.tile.rows(cursor, {"level": level, "tile_index": index})
    return bytes(found[0][0]) if found else b""
