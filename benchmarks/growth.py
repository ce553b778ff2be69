"""What an append and a receipt cost as the log grows from 10³ to 10⁷ leaves.

The leaves in between are written straight into the tables, with short statements, but are what a log would
hold: each statement's hash in its leaf, tiles over all of them; the signer signs each size as an extension of
the one before, and every receipt that is measured is verified.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Protocol

import psycopg
from sqlalchemy import make_url

from benchmarks.appending import Appender, together
from benchmarks.appends import ORIGIN, log_at
from benchmarks.report import percentile, show
from broker.receipt.log import ReceiptLog
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.receipt.tiles import TileCache, Tree
from broker.receipt.verify import verify_receipt
from broker.store import open_store
from soak.postgres import Postgres

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
BYTES_A_LEAF = 1_300
"""On disk, with all tables and indexes: a size is left out when the disk has no room for it."""
CHUNK = 50_000
CALLERS = 64
SECONDS = 2.0
RECEIPTS = 300
DEPARTMENTS = ("housing_fund", "public_security", "civil_affairs", "medical_insurance")
_TABLES = {
    "leaf": (
        *("leaf_index", "log_entry", "kind", "recorded_at"),
        *("consumer", "consumer_uri", "provider", "dataset", "purpose", "verdict"),
    ),
    "statement": ("leaf_index", "content"),
    "request": ("request_id", "consumer_uri", "leaf_index", "request_mac", "answer_digest", "verdict"),
}

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a log of one size, times in milliseconds."""

    sizes: tuple[int, int]
    """Before and after what was measured."""
    rate: float
    one: list[float]
    many: list[float]
    receipts: list[float]
    opened: float

    def row(self) -> tuple[str, ...]:
        """As it is printed."""
        told = (f"{percentile(times, 0.5):.2f} / {percentile(times, 0.99):.2f}" for times in self._times())
        first, last = self.sizes
        return (f"{first:,} – {last:,}", f"{self.rate:,.0f}", *told, f"{self.opened:.0f}")

    def _times(self) -> tuple[list[float], ...]:
        return self.many, self.one, self.receipts


def run() -> None:
    """Print a table for each database."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/log.db"
        _show("SQLite", _costs(Path(folder), url, SqliteTables(folder)))
    with tempfile.TemporaryDirectory() as folder, closing(Postgres()) as server:
        url = server.new_url()
        _show("PostgreSQL", _costs(Path(folder), url, PostgresTables(url)))


def _show(name: str, costs: Iterable[Cost]) -> None:
    headings = ("leaves", f"appends/s, {CALLERS} callers", "each, p50 / p99 ms", "alone, p50 / p99 ms")
    headings += ("receipt, p50 / p99 ms", "log opened, ms")
    note = (
        f"one process; appends for {SECONDS:.0f} s alone, then as long by {CALLERS} callers; "
        f"{RECEIPTS} receipts of random leaves, each proved anew"
    )
    show(f"Cost by size of the log ({name})", headings, [cost.row() for cost in costs], note)


def _costs(folder: Path, url: str, tables: Tables) -> Iterator[Cost]:
    with log_at(folder, url) as state, closing(tables):
        for size in SIZES:
            if shutil.disk_usage(folder).free < size * BYTES_A_LEAF:
                return
            _fill(url, tables, size)
            yield _cost(url, state, size)


def _cost(url: str, state: Path, size: int) -> Cost:
    with closing(Appender(url, state, ORIGIN)) as appender:
        one = together([appender], 1, SECONDS)
        many = together([appender], CALLERS, SECONDS)
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_store(url)))
        signer = stack.enter_context(closing(CheckpointSigner(socket_of(state))))
        began = time.perf_counter()
        log = stack.enter_context(closing(ReceiptLog(store, signer, ORIGIN, lambda: datetime.now(UTC))))
        opened = time.perf_counter() - began
        now, receipts = log.size(), []
        for index in Random(size).choices(range(now), k=RECEIPTS):
            began = time.perf_counter()
            receipt = log.receipt(index)
            receipts.append((time.perf_counter() - began) * 1e3)
            verify_receipt(receipt, signer.verifier_key)
    ms = ([t * 1e3 for t in reached.times] for reached in (one, many))
    return Cost((size, now), many.rate, *ms, receipts, opened * 1e3)


# ── leaves in bulk ───────────────────────────────────────────────────────────────────────────────


class Tables(Protocol):
    """A database into which rows are written in bulk."""

    def put(self, table: str, rows: Sequence[Row]) -> None:
        """Adds rows."""

    def move(self, tiles: Iterable[Row], size: int, recorded_at: int) -> None:
        """Replaces tiles, moves the head, commits."""

    def close(self) -> None:
        """Give back the connection."""


def _fill(url: str, tables: Tables, size: int) -> None:
    """More leaves, until the log has ``size``."""
    with closing(open_store(url)) as store:
        head = store.head()
        tree = Tree(head.size, store.tile, TileCache(4096))
        now = max(time.time_ns() // 1000, int(head.recorded_at.timestamp() * 1e6))
        while tree.size < size:
            rows = [_leaf(index, now) for index in range(tree.size, min(size, tree.size + CHUNK))]
            for table in _TABLES:
                tables.put(table, [row[table] for row in rows])
            tree, tiles = tree.append([leaf_hash(row["leaf"][1]) for row in rows])
            changed = ((level, index, hashes) for (level, index), hashes in tiles.items())
            tables.move(changed, tree.size, now)
            tree = tree.stored()


def _leaf(index: int, now: int) -> dict[str, Row]:
    department = DEPARTMENTS[index % len(DEPARTMENTS)]
    provider = DEPARTMENTS[(index // 4 + 1) % len(DEPARTMENTS)]
    uri = f"spiffe://xinghe/department/{department}/system/counter"
    salt = os.urandom(32)
    content = b'{"format":"bench/v1","leaf":%d,"salt":"%s"}' % (index, salt.hex().encode())
    used = salt.hex()
    request_id = f"{used[:8]}-{used[8:12]}-{used[12:16]}-{used[16:20]}-{used[20:32]}"
    return {
        "leaf": (
            *(index, leaf_entry(content), "exchange", now),
            *(department, uri, provider, f"{provider}.register", "audit", "permit"),
        ),
        "statement": (index, content),
        "request": (request_id, uri, index, salt, salt, "permit"),
    }


class SqliteTables:
    """SQLite, without waiting for the disk; a checkpoint after each chunk."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/log.db"
        self._connection: sqlite3.Connection | None = None

    def put(self, table: str, rows: Sequence[Row]) -> None:
        """See :class:`Tables`, here and below."""
        connection = self._open()
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        columns = _TABLES[table]
        places = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)

    def move(self, tiles: Iterable[Row], size: int, recorded_at: int) -> None:
        connection = self._open()
        connection.executemany("REPLACE INTO tile (level, tile_index, hashes) VALUES (?, ?, ?)", tiles)
        connection.execute("UPDATE head SET size = ?, recorded_at = ?", (size, recorded_at))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            for setting in ("synchronous = OFF", f"cache_size = -{2 << 20}"):
                self._connection.execute(f"PRAGMA {setting}")
        return self._connection


class PostgresTables:
    """PostgreSQL, by COPY."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        host = str(parsed.query["host"])
        self._connection = psycopg.connect(host=host, user=parsed.username, dbname=parsed.database)
        self._connection.execute("SET synchronous_commit = off")

    def put(self, table: str, rows: Sequence[Row]) -> None:
        """See :class:`Tables`, here and below."""
        columns = ", ".join(_TABLES[table])
        with self._connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def move(self, tiles: Iterable[Row], size: int, recorded_at: int) -> None:
        upsert = (
            "INSERT INTO tile (level, tile_index, hashes) VALUES (%s, %s, %s) "
            "ON CONFLICT (level, tile_index) DO UPDATE SET hashes = excluded.hashes"
        )
        self._connection.cursor().executemany(upsert, list(tiles))
        self._connection.execute("UPDATE head SET size = %s, recorded_at = %s", (size, recorded_at))
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()
