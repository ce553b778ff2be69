"""What a witness remembers: of each log the head it cosigned last, on disk before anyone sees that it did.

All that a witness is worth hangs on this file: a head is compared with the one before and takes its place in
one transaction, over all threads and processes, whatever is killed in between. SQLite, no WAL: one file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from broker.durable import sync_folder
from broker.errors import SetUpError
from broker.receipt.merkle import EMPTY_ROOT

LOCK_SECONDS = 30
VERSION = 1

_SCHEMA = f"""
BEGIN;
CREATE TABLE head (
  origin TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  at INTEGER NOT NULL,
  note TEXT NOT NULL,
  uncompared TEXT NOT NULL
) STRICT;
CREATE TABLE fork (
  origin TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  one TEXT NOT NULL,
  other TEXT NOT NULL
) STRICT;
PRAGMA user_version = {VERSION};
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The head of a log that was cosigned last; size 0 and no note when none was."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    at: int = 0
    """When, POSIX seconds; never goes back, whatever the clock does."""
    note: str = ""
    """The checkpoint with the log's signature and the witness's own."""
    uncompared: str = ""
    """Likewise the oldest that an own copy of the log has not reached yet."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Two heads that one log has signed, of which none is an extension of the other."""

    at: int
    """When the witness saw it, POSIX seconds."""
    one: str
    """Signed notes, both verified."""
    other: str


class Heads:
    """The heads, within a transaction that no other can come in between of."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def cosigned(self, origin: str) -> Cosigned:
        """What was cosigned last of this log."""
        query = "SELECT size, root, at, note, uncompared FROM head WHERE origin = ?"
        found = self._connection.execute(query, (origin,)).fetchone()
        return Cosigned(*found) if found else Cosigned()

    def advance(self, origin: str, head: Cosigned) -> None:
        """Puts a head in the place of one that is not larger.

        Raises:
            ValueError: it would go back.
        """
        statement = (
            "INSERT INTO head (origin, size, root, at, note, uncompared) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, "
            "at = excluded.at, note = excluded.note, uncompared = excluded.uncompared "
            "WHERE excluded.size >= head.size AND excluded.at >= head.at"
        )
        values = (origin, head.size, head.root, head.at, head.note, head.uncompared)
        if self._connection.execute(statement, values).rowcount != 1:
            raise ValueError("a head never goes back")

    def compared(self, origin: str, uncompared: str) -> None:
        """Says which head is now the oldest that no copy has reached; empty for none."""
        statement = "UPDATE head SET uncompared = ? WHERE origin = ?"
        self._connection.execute(statement, (uncompared, origin))

    def fork(self, origin: str) -> Fork | None:
        """The proof that this log has forked, if one was seen."""
        query = "SELECT at, one, other FROM fork WHERE origin = ?"
        found = self._connection.execute(query, (origin,)).fetchone()
        return Fork(*found) if found else None

    def record_fork(self, origin: str, fork: Fork) -> bool:
        """Keeps the first proof; from then on nothing of this log is cosigned. Whether it is the first."""
        statement = "INSERT OR IGNORE INTO fork (origin, at, one, other) VALUES (?, ?, ?, ?)"
        values = (origin, fork.at, fork.one, fork.other)
        return self._connection.execute(statement, values).rowcount == 1


class WitnessMemory:
    """The file, open. Safe for use by several threads.

    Raises:
        SetUpError: it is missing, or no memory of a witness. A witness that has forgotten must not sign.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=rw",
                uri=True,
                timeout=LOCK_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            # A commit is on disk, and so is the name of the journal that it removed, before it returns.
            self._connection.execute("PRAGMA synchronous = EXTRA")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error:
            raise _unusable(path) from None
        if version != VERSION:
            self._connection.close()
            raise _unusable(path)

    @contextmanager
    def exclusive(self) -> Iterator[Heads]:
        """The only transaction under way; what it wrote is on disk when the block has ended.

        Raises:
            OSError: it may not be: the file cannot be written.
        """
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield Heads(self._connection)
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise OSError(f"the witness's memory cannot be written ({type(error).__name__})") from None

    def close(self) -> None:
        """Give back the file; who still asks, from another thread, gets an OSError."""
        with self._lock:
            self._connection.close()


def create_memory(path: Path) -> None:
    """An empty memory, on disk.

    Raises:
        SetUpError: there is one already, which is never replaced.
        OSError: it cannot be written.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise SetUpError(
            f"见证记录 {path} 已存在，不予覆盖。", f"The memory {path} exists and is not replaced."
        ) from None
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
    sync_folder(path.parent)


def _unusable(path: Path) -> SetUpError:
    return SetUpError(
        f"见证记录 {path} 缺失或损坏。失去记录的见证人不得再签名，切勿从备份恢复；请用 "
        "sharebroker witness init 新建见证人（新名称、新密钥），并通知日志主管部门停用旧公钥。",
        f"The witness's memory {path} is missing or corrupt. A witness that has forgotten must not sign; "
        "never restore it from a backup. Make a new witness with `sharebroker witness init` (new name, new "
        "key), and have the log's authority drop the old key.",
    )
