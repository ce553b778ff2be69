"""The raw limit of appending: rows that a log has written, inserted once more by nobody but the database.

The same schema with the same indexes, as many rows a transaction as the log's writer reached, on disk before
the next begins. One connection in one process, which makes no entries, hashes no tree, asks no signer and
has no callers; its rows lie ready before the clock runs.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import make_url

from broker.store.connection import connect

HASH = 32
WIDTH = 256
_TABLES = ("leaf", "statement", "request")

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Limit:
    """Rows a second: all that an append writes, and its statement alone in a table without indexes."""

    whole: float
    alone: float


def written(url: str, count: int) -> Rows:
    """The last rows that a log has written: leaves, statements and used request ids."""
    database = connect(url)
    found: Rows = {}
    with closing(database), database.engine.connect() as connection:
        for table in _TABLES:
            query = f"SELECT * FROM {table} ORDER BY leaf_index DESC LIMIT {count}"
            found[table] = [tuple(row) for row in connection.exec_driver_sql(query)][::-1]
    return found


class Bare:
    """An empty database with the log's schema, filled with rows of a log."""

    def __init__(self, url: str) -> None:
        self._database = make_url(url)
        self._postgres = self._database.get_backend_name() == "postgresql"
        self._next = 1
        self._connection: Any = self._open()
        self._execute("CREATE TABLE alone (id BIGINT, content " + ("BYTEA)" if self._postgres else "BLOB)"))

    def limit(self, rows: Rows, batch: int, seconds: float) -> Limit:
        """What it reaches with so many rows a transaction, in half of the time each."""
        statements = rows["statement"]
        alone = ("INSERT INTO alone VALUES (?, ?)", statements)
        return Limit(
            self._reach(self._batches(rows, batch), batch, seconds / 2),
            self._reach(([(alone[0], statements[:batch])] for _ in _for_ever()), batch, seconds / 2),
        )

    def close(self) -> None:
        """Give back the connection."""
        self._connection.close()

    def _reach(self, batches: Iterator[Any], batch: int, seconds: float) -> float:
        count, began = 0, time.perf_counter()
        spent = 0.0
        while time.perf_counter() - began < 2 * seconds and spent < seconds:
            statements = next(batches)
            start = time.perf_counter()
            self._transaction(statements)
            spent += time.perf_counter() - start
            count += batch
        return count / spent

    def _batches(self, rows: Rows, batch: int) -> Iterator[list[tuple[str, Sequence[Any]]]]:
        """Each of other rows than the one before, under leaf indices and request ids of its own."""
        at = 0
        for _ in _for_ever():
            at = at + batch if at + 2 * batch <= len(rows["leaf"]) else 0
            first, self._next = self._next, self._next + batch
            leaves = [(first + n, *row[1:]) for n, row in enumerate(rows["leaf"][at : at + batch])]
            texts = [(first + n, *row[1:]) for n, row in enumerate(rows["statement"][at : at + batch])]
            used = [
                (str(uuid.uuid4()), row[1], first + n, *row[3:])
                for n, row in enumerate(rows["request"][at : at + batch])
            ]
            tiles = [
                (0, tile, bytes(HASH * min(WIDTH, first + batch - tile * WIDTH)))
                for tile in range(first // WIDTH, (first + batch - 1) // WIDTH + 1)
            ]
            yield [
                *(
                    (_insert(table, values), values)
                    for table, values in zip(_TABLES, (leaves, texts, used), strict=True)
                ),
                (
                    "INSERT INTO tile VALUES (?, ?, ?) ON CONFLICT (level, tile_index) "
                    "DO UPDATE SET hashes = excluded.hashes",
                    tiles,
                ),
                ("UPDATE head SET size = ?", [(first + batch,)]),
            ]

    def _transaction(self, statements: list[tuple[str, Sequence[Any]]]) -> None:
        cursor = self._connection.cursor()
        if self._postgres:
            with self._connection.transaction(), self._connection.pipeline():
                for text, values in statements:
                    cursor.executemany(text.replace("?", "%s"), values)
        else:
            cursor.execute("BEGIN IMMEDIATE")
            for text, values in statements:
                cursor.executemany(text, values)
            cursor.execute("COMMIT")

    def _open(self) -> Any:
        if self._postgres:
            query = dict(self._database.query)
            return psycopg.connect(
                host=str(query["host"]),
                user=self._database.username,
                dbname=self._database.database,
                autocommit=True,
            )
        connection = sqlite3.connect(str(self._database.database), isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _execute(self, text: str) -> None:
        self._connection.execute(text)


def _insert(table: str, values: Sequence[tuple[Any, ...]]) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(values[0]))})"


def _for_ever() -> Iterator[None]:
    while True:
        yield
