"""Connections to the two databases, set up so that a commit is on disk and appending is one at a time.

SQLite keeps to one machine, PostgreSQL serves replicas. In both, ``exclusive()`` is the sequencer
of the log: whoever is inside it is the only writer, over all threads, processes and hosts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from broker.durable import sync_folder, write_again
from broker.errors import SetUpError

LOCK_SECONDS = 10
"""Longest wait for a lock of the database before the batch fails."""

ADVISORY_LOCK = 0x73686172_6C6F6773
"""Key of PostgreSQL's advisory lock: "sharlogs"."""


def connect(url: str) -> Database:
    """The database at ``url``; connects at the first use.

    Raises:
        SetUpError: the URL is no ``sqlite:///path`` and no ``postgresql+psycopg://…``.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _bad_url() from None
    if parsed.drivername == "postgresql+psycopg":
        return PostgresDatabase(parsed)
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return SqliteDatabase(parsed)
    raise _bad_url()


class SqliteDatabase:
    """One file, in WAL mode. Writers queue at a ``flock`` on a file beside it, because SQLite's own waiting
    polls and is unfair.

    A commit is on disk when :meth:`exclusive` ends, as with ``synchronous=FULL``; but the flush waits outside
    the lock, so one flush serves the commits of many processes (docs/adr/0007-flush-outside-the-lock.md).
    """

    def __init__(self, url: URL) -> None:
        self.path = Path(str(url.database))
        self.engine = create_engine(url, hide_parameters=True, connect_args={"timeout": LOCK_SECONDS})
        event.listen(self.engine, "connect", _set_up)
        event.listen(self.engine, "begin", _begin)
        self._appending = self.engine.execution_options(appending=True)
        self._mutex = threading.Lock()
        self._lock_file: int | None = None
        self._wal = WriteAheadLog(Path(f"{self.path}-wal"))

    def exists(self) -> bool:
        """Whether there is a file to open; opening would create one."""
        return self.path.exists()

    @property
    def driver_error(self) -> type[Exception]:
        """What the driver raises where it is used without SQLAlchemy."""
        return sqlite3.Error

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """The only writing transaction; commits at the end, rolls back on an exception."""
        with self._mutex:
            lock = self._lock()
            # The connection first: while somebody waits for one he must not hold the lock.
            with self._appending.connect() as connection, _locked(lock):
                self._wal.require_sound()
                with connection.begin():
                    self._wal.take_over()
                    yield connection
        self._wal.flush()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that only reads and sees what was committed at its first look, until it ends."""
        with self.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - narrows what SQLAlchemy leaves open
            # Damaged text must not keep the rest of its row from being read.
            driver.text_factory = _any_text
            yield connection

    def _lock(self) -> int:
        """The file to lock; makes it and the database, if they are not there."""
        if self._lock_file is None:
            self._create()
            self._lock_file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        return self._lock_file

    def _create(self) -> None:
        """SQLite alone would ask the umask. Never opened when it is there: closing any descriptor of a file
        drops the locks that this process holds on it, and another's last connection would delete the WAL."""
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def close(self) -> None:
        """Give back connections and files."""
        self.engine.dispose()
        self._wal.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


class WriteAheadLog:
    """SQLite's log of commits, flushed by us: with ``synchronous=NORMAL`` SQLite does so only before it moves
    commits into the database itself. Safe for use by several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._lock = threading.Lock()
        self._lost = False

    def take_over(self) -> None:
        """To be called while nobody else can write to the log. When this process sees it for the first time,
        it is :func:`~broker.durable.write_again`, for the next flush must be one of all of it.

        Raises:
            OSError: it cannot be read or written.
        """
        with self._lock:
            if self._file is not None and os.path.samestat(os.fstat(self._file), os.stat(self._path)):
                return
            if self._file is not None:  # another file, once all connections have been closed in between
                os.close(self._file)
                self._file = None
            # SQLite holds no locks on it that closing a descriptor of ours could drop.
            file = os.open(self._path, os.O_RDWR)
            try:
                sync_folder(self._path.parent)
                write_again(file)
            except BaseException:
                os.close(file)
                raise
            self._file = file

    def flush(self) -> None:
        """What this process has committed is on disk once this returns.

        Raises:
            OSError: it may not be, now or ever.
        """
        with self._lock:  # over the flush, too: of an error only one of two at once would be told
            self.require_sound()
            assert self._file is not None  # noqa: S101 - take_over has opened it
            try:
                os.fdatasync(self._file)
            except OSError:
                self._lost = True
                raise

    def require_sound(self) -> None:
        """Raises:
        OSError: a flush has failed before. The system may have dropped what could not be written, and would
            call the next flush a success.
        """
        if self._lost:
            raise OSError(errno.EIO, "an earlier flush failed")

    def close(self) -> None:
        """Give back the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


@contextmanager
def _locked(file: int) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _set_up(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # _begin says which kind of transaction, not the driver
    _log_ahead(connection)
    connection.execute("PRAGMA synchronous = NORMAL")  # see WriteAheadLog


def _log_ahead(connection: sqlite3.Connection) -> None:
    """WAL mode. Of a new database SQLite changes it without waiting for another who is about the same."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


def _any_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _begin(connection: Connection) -> None:
    appending = connection.get_execution_options().get("appending", False)
    # Deferred, two writers would both read and then fail at their first write.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if appending else "BEGIN")


class PostgresDatabase:
    """A server; its replicas must follow synchronously, for a failover that loses commits is a fork."""

    # In the transaction, not in the session: a pooler between us and the server may change sessions. Durable
    # commits whatever the server's default, and no endless wait for a lock.
    _LOCK = text(
        "SELECT set_config('synchronous_commit', 'on', true),"
        f" set_config('lock_timeout', '{LOCK_SECONDS}s', true), pg_advisory_xact_lock({ADVISORY_LOCK})"
    )

    def __init__(self, url: URL) -> None:
        self.engine = create_engine(
            url,
            hide_parameters=True,
            # Each statement must see what the last holder of the lock committed.
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": LOCK_SECONDS, "application_name": "sharebroker"},
        )

    def exists(self) -> bool:
        """Always, as far as can be known without connecting."""
        return True

    @property
    def driver_error(self) -> type[Exception]:
        """What the driver raises where it is used without SQLAlchemy."""
        import psycopg  # loaded where the database is PostgreSQL

        return psycopg.Error

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """The only writing transaction; commits at the end, rolls back on an exception."""
        with self.engine.begin() as connection:
            connection.execute(self._LOCK)
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that only reads and sees what was committed at its first look, until it ends."""
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def close(self) -> None:
        """Give back connections."""
        self.engine.dispose()


Database = SqliteDatabase | PostgresDatabase


def _bad_url() -> SetUpError:
    # The URL itself may hold a password, so it is not repeated.
    return SetUpError(
        "数据库地址须为 sqlite:///路径 或 postgresql+psycopg://…，请修改 [store] url。",
        "The database URL must be sqlite:///path or postgresql+psycopg://…; correct [store] url.",
    )
