"""A disk that fails or loses its power, in small: shim, model of a disk, and both runs of ``make soak``."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from soak import powerloss
from soak.__main__ import main
from soak.disk import SECTOR, Disk, Fate
from soak.facts import Wrong
from soak.powerloss import Told
from soak.shim import Calls, Did, Failure, Record, Shim, compiler

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler on this machine")
DISK = Path("/disk")


def record(did: Did, name: str = "a", data: bytes = b"", offset: int = 0, inode: int = 1) -> Record:
    return Record(did, 0, inode, offset, str(DISK / name), data)


def flush(name: str = "a", inode: int = 1, *, ends: Did = Did.SYNC_ENDS) -> list[Record]:
    return [record(Did.SYNC_BEGINS, name, inode=inode), record(ends, name, inode=inode)]


FOLDER = [Record(did, 0, 9, 0, str(DISK), b"") for did in (Did.SYNC_BEGINS, Did.SYNC_ENDS)]
MADE = [record(Did.CREATE), *FOLDER]


def left(records: list[Record], fate: Fate, seed: int = 0) -> dict[str, bytes]:
    disk = Disk(DISK)
    for one in records:
        disk.add(one)
    return disk.after_power_failure(fate, Random(seed))


def test_what_was_flushed_stays_and_the_rest_may_go() -> None:
    """A flush covers what was written before it began, and nothing after."""
    records = [*MADE, record(Did.WRITE, data=b"one"), *flush(), record(Did.WRITE, data=b"two", offset=3)]
    assert left(records, Fate.LOST) == {"a": b"one"}
    assert left(records, Fate.KEPT) == {"a": b"onetwo"}
    assert {left(records, Fate.ANY, seed)["a"] for seed in range(20)} == {b"one", b"onetwo"}


def test_a_later_write_may_stay_without_an_earlier_one() -> None:
    """Disks reorder; what is missing before it reads as zeros."""
    records = [*MADE, record(Did.WRITE, data=b"one"), record(Did.WRITE, data=b"two", offset=3)]
    found = {left(records, Fate.ANY, seed)["a"] for seed in range(40)}
    assert found == {b"", b"one", b"\0\0\0two", b"onetwo"}
    assert b"\0\0\0two" not in {left(records, Fate.PREFIX, seed)["a"] for seed in range(40)}


def test_a_write_may_be_torn_at_sectors() -> None:
    """Each sector is old or new, whole."""
    new = b"n" * 2 * SECTOR
    records = [*MADE, record(Did.WRITE, data=b"o" * 2 * SECTOR), *flush(), record(Did.WRITE, data=new)]
    found = {left(records, Fate.TORN, seed)["a"] for seed in range(60)}
    assert found == {x * SECTOR + y * SECTOR for x in (b"o", b"n") for y in (b"o", b"n")}


def test_what_a_failed_flush_dropped_is_not_promised_by_the_next() -> None:
    """Linux drops it; only who writes it again can have it flushed."""
    failed = [*MADE, record(Did.WRITE, data=b"one"), *flush(ends=Did.SYNC_FAILS)]
    assert left([*failed, *flush()], Fate.LOST) == {"a": b""}
    assert left([*failed, record(Did.WRITE, data=b"one"), *flush()], Fate.LOST) == {"a": b"one"}


def test_names_last_once_their_folder_was_flushed() -> None:
    """A file that nobody can find is lost, however well its content was flushed."""
    written = [record(Did.CREATE), record(Did.WRITE, data=b"one"), *flush()]
    renamed = Record(Did.RENAME, 0, 0, 0, str(DISK / "a"), str(DISK / "b").encode())
    assert left(written, Fate.LOST) == {}
    assert left([*written, *FOLDER, renamed], Fate.LOST) == {"a": b"one"}
    assert left([*written, *FOLDER, renamed, *FOLDER], Fate.LOST) == {"b": b"one"}
    assert left([*written, record(Did.UNLINK), *FOLDER], Fate.LOST) == {}


WRITER = """
import os, sys
folder = sys.argv[1]
file = os.open(f"{folder}/a", os.O_RDWR | os.O_CREAT, 0o600)
other = os.open(f"{folder}/a", os.O_RDWR)
os.pwrite(file, b"one", 5)
for act, one in ((os.fdatasync, file), (os.fsync, other), (os.fsync, other), (os.fsync, file)):
    try:
        act(one)
    except OSError as error:
        print(error.errno)
    else:
        print("done")
os.rename(f"{folder}/a", f"{folder}/b")
os.fsync(os.open(folder, os.O_RDONLY))
"""


@needs_compiler
def test_shim_fails_and_tells(tmp_path: Path) -> None:
    """A failed flush is told once to each who has the file open, and the trace has everything in order."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with closing(Shim(disk, tmp_path / "work", traced=True)) as shim:
        shim.arm(Failure(Calls.SYNC, "/a$", errno.EIO))
        done = subprocess.run(
            [sys.executable, "-c", WRITER, str(disk)],
            env=os.environ | shim.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout.split() == ["5", "5", "done", "done"]
        assert shim.injected == 1
        told = [(one.did, one.path.removeprefix(str(disk)), one.data) for one in shim.records()]
    flushes = [Did.SYNC_FAILS, Did.SYNC_FAILS, Did.SYNC_ENDS, Did.SYNC_ENDS]
    assert told == [
        (Did.CREATE, "/a", b""),
        (Did.WRITE, "/a", b"one"),
        *[(did, "/a", b"") for ends in flushes for did in (Did.SYNC_BEGINS, ends)],
        (Did.RENAME, "/a", str(disk / "b").encode()),
        (Did.SYNC_BEGINS, "", b""),
        (Did.SYNC_ENDS, "", b""),
    ]


@needs_compiler
def test_power_fails_after_a_failed_flush(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A flush of SQLite's log fails, the log is started again on the same machine, then the power fails: all
    that was acknowledged is there. Where the trace is told to forget that anything was flushed, it is not."""
    plan = powerloss.Plan(tmp_path, seed=3, runs=1, states=6, processes=1, callers=2, appends=12)
    bad = Failure(Calls.SYNC, "broker.db-wal$", errno.EIO, after=6)
    records = powerloss.traced(plan, tmp_path, bad)
    assert Did.SYNC_FAILS in {one.did for one in records}
    told, unflushed = Told(), Told()
    powerloss.cut(records, tmp_path, 6, Random(3), told)
    assert told.faults == []
    assert told.receipts
    flushes = (Did.SYNC_BEGINS, Did.SYNC_ENDS, Did.SYNC_FAILS)
    never = [one for one in records if not (one.did in flushes and one.path.endswith("-wal"))]
    powerloss.cut(never, tmp_path, 6, Random(3), unflushed)
    assert unflushed.faults
    capfd.readouterr()


@needs_compiler
def test_faults(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two illnesses of the disk under load, and two backups that lack leaves."""
    assert (
        main(["faults", "--rounds", "2", "--states", "0", "--seed", "7", "--keep", str(tmp_path / "s")]) == 0
    )
    said = capfd.readouterr().out
    assert "2 illnesses of the disk" in said
    assert said.count("leaves: refused") == 2
    assert Wrong.LOST in said
