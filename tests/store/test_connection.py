"""The connection to SQLite: when a commit is on disk, and what happens when it cannot be."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.store.connection import SqliteDatabase, connect


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    database = connect(f"sqlite:///{tmp_path}/log.db")
    assert isinstance(database, SqliteDatabase)
    with database.exclusive() as connection:
        connection.execute(text("CREATE TABLE word (said TEXT)"))
    yield database
    database.close()


class Flushes:
    """Watches the flushes of files, and lets them happen or fail."""

    def __init__(self, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[int, int, bool]] = []
        """Inode and size of what was flushed, and whether the log's lock was free."""
        self.broken = False
        self._lock = lock
        self._flush = os.fdatasync
        monkeypatch.setattr("os.fdatasync", self)

    def __call__(self, file: int) -> None:
        if self.broken:
            raise OSError(errno.EIO, "cannot be written")
        status = os.fstat(file)
        self.seen.append((status.st_ino, status.st_size, self._is_free()))
        self._flush(file)

    def _is_free(self) -> bool:
        with self._lock.open() as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True


@pytest.fixture
def flushes(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> Flushes:
    return Flushes(Path(f"{database.path}.lock"), monkeypatch)


def say(database: SqliteDatabase, word: str) -> None:
    with database.exclusive() as connection:
        connection.execute(text("INSERT INTO word VALUES (:word)"), {"word": word})


def test_a_commit_is_flushed_before_it_is_believed_and_outside_the_lock(
    database: SqliteDatabase, flushes: Flushes
) -> None:
    """The log as long as the commit made it, while the next process may already append."""
    wal = Path(f"{database.path}-wal")
    for word in ("one", "two"):
        flushes.seen.clear()
        say(database, word)
        assert flushes.seen == [(wal.stat().st_ino, wal.stat().st_size, True)]


def test_a_transaction_that_fails_needs_no_flush(database: SqliteDatabase, flushes: Flushes) -> None:
    """Nothing was committed."""
    with pytest.raises(LookupError), database.exclusive():
        raise LookupError
    assert flushes.seen == []


def test_after_a_failed_flush_nothing_is_committed_any_more(
    database: SqliteDatabase, flushes: Flushes
) -> None:
    """The system reports lost pages once; the next flush would succeed and the commit still be lost."""
    flushes.broken = True
    with pytest.raises(OSError, match="cannot be written"):
        say(database, "lost")
    flushes.broken = False
    with pytest.raises(OSError, match="earlier flush failed"):
        say(database, "never said")
    other = connect(f"sqlite:///{database.path}")
    with other.exclusive() as connection:
        said = connection.execute(text("SELECT said FROM word")).scalars().all()
    other.close()
    assert said == ["lost"]


def test_what_others_left_in_the_log_is_written_again(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their flush may have failed, and then no flush reaches it; once is enough for a process."""
    say(database, "one")
    wal = Path(f"{database.path}-wal")
    found, written, pwrite = wal.read_bytes(), [], os.pwrite

    def watched(file: int, data: bytes, offset: int) -> int:
        if os.path.samestat(os.fstat(file), wal.stat()):
            written.append((offset, data))
        return pwrite(file, data, offset)

    monkeypatch.setattr("os.pwrite", watched)
    other = connect(f"sqlite:///{database.path}")
    assert isinstance(other, SqliteDatabase)
    for word in ("two", "three"):
        say(other, word)
    other.close()
    assert written == [(0, found)]


def test_a_log_that_cannot_be_taken_over_is_not_used(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither now nor at the next attempt, which has to take it over first."""
    other = connect(f"sqlite:///{database.path}")
    assert isinstance(other, SqliteDatabase)

    def broken(*_: object) -> int:
        raise OSError(errno.ENOSPC, "disk full")

    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", broken)
        for _ in range(2):
            with pytest.raises(OSError, match="disk full"):
                say(other, "never said")
    say(other, "said")
    with other.exclusive() as connection:
        assert connection.execute(text("SELECT said FROM word")).scalars().all() == ["said"]
    other.close()


def test_who_waits_for_the_lock_while_a_flush_fails_is_not_told_of_success(
    database: SqliteDatabase, flushes: Flushes
) -> None:
    """The failure is told to one of them; the other would hear of a success."""
    began, failed = threading.Event(), []

    def first() -> None:
        with database.exclusive() as connection:
            connection.execute(text("INSERT INTO word VALUES ('first')"))
            began.set()

    def second() -> None:
        began.wait()
        say(database, "second")

    def fails(act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            failed.append(error)

    flushes.broken = True
    threads = [threading.Thread(target=fails, args=[act]) for act in (first, second)]
    for thread in threads:
        thread.start()
    threads[0].join()
    flushes.broken = False
    threads[1].join()
    assert len(failed) == 2


def test_a_log_made_anew_is_the_one_that_is_flushed(tmp_path: Path, flushes: Flushes) -> None:
    """SQLite removes its log with the last connection, and the next begins another under the same name."""
    database = connect(f"sqlite:///{tmp_path}/log.db")
    assert isinstance(database, SqliteDatabase)
    say(database, "one")
    database.engine.dispose()
    wal = Path(f"{database.path}-wal")
    if wal.exists():  # the fixture's connection may still be open
        wal.rename(tmp_path / "earlier")
        wal.write_bytes((tmp_path / "earlier").read_bytes())
    say(database, "two")
    assert flushes.seen[-1][0] == wal.stat().st_ino
    database.close()


def test_one_writer_at_a_time_over_connections(database: SqliteDatabase) -> None:
    """Each sees what the one before has written."""
    others = [connect(f"sqlite:///{database.path}") for _ in range(4)]

    def count_up(own: SqliteDatabase) -> None:
        for _ in range(10):
            with own.exclusive() as connection:
                number = connection.execute(text("SELECT count(*) FROM word")).scalar_one()
                connection.execute(text("INSERT INTO word VALUES (:n)"), {"n": str(number)})

    threads = [threading.Thread(target=count_up, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.exclusive() as connection:
        said = connection.execute(text("SELECT said FROM word ORDER BY rowid")).scalars().all()
    for other in others:
        other.close()
    assert said == [str(number) for number in range(40)]
