"""The work under way in ``OUT.partial``: locked, and with a journal of what is finished, so that a run that
was killed goes on where it was.

::

    OUT.partial/            locked while a run is under way (flock of the folder itself)
      journal               one JSON line for the run, and one for each part and each file finished
      parts/00000017.arrow  masked rows of a part; a name beginning with . is not finished
      out/                  becomes OUT by one rename, at the very end

A line is written after what it speaks of is on disk under its final name. A last line that is torn was never
written. Parts are checked by their digest before they are used again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from broker.durable import sync_folder
from broker.errors import SetUpError

SUFFIX = ".partial"


class Work:
    """The folder of one run; made by :func:`opened`."""

    def __init__(self, folder: Path, done: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder = folder
        self.parts, self.out = folder / "parts", folder / "out"
        self._done = dict(done)
        self._journal = (folder / "journal").open("ab")

    @property
    def resumed(self) -> int:
        """How many parts an earlier run has left finished."""
        return sum(key.startswith("part ") for key in self._done)

    def part(self, number: int) -> Path:
        """Where part ``number`` (from 0, over all files) is once it is masked."""
        return self.parts / f"{number:08}.arrow"

    def finished(self, key: str, file: Path) -> Mapping[str, Any] | None:
        """What :meth:`record` was told under ``key``, if ``file`` still is what was written then."""
        told = self._done.get(key)
        if told is None or not file.is_file():
            return None
        with file.open("rb") as stream:
            return told if hashlib.file_digest(stream, "sha256").hexdigest() == told["sha256"] else None

    def record(self, key: str, told: Mapping[str, Any]) -> None:
        """``told`` has the ``sha256`` of a file that is on disk for good."""
        self._write({"done": key, **told})

    def begin(self, identity: str) -> None:
        """The first line: what the run is of."""
        self._write({"run": identity})

    def close(self) -> None:
        self._journal.close()

    def _write(self, line: Mapping[str, object]) -> None:
        self._journal.write(orjson.dumps(line) + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())


@contextmanager
def locked(out: Path) -> Iterator[Path]:
    """The folder for the work towards ``out``, for nobody else meanwhile; gone once ``out`` is published, and
    if nothing was begun.

    Raises:
        SetUpError: ``out`` exists, or another run is under way.
        OSError: the folder is a link, or belongs to somebody else.
    """
    check_absent(out)
    folder = out.with_name(out.name + SUFFIX)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _lock(handle, folder)
        os.fchmod(handle, 0o700)  # it may have been there: rows lie in it that a gate has still to hold back
        check_absent(out)
        yield folder
        if out.exists():
            shutil.rmtree(folder)
    finally:
        with suppress(OSError):
            folder.rmdir()
        os.close(handle)


@contextmanager
def opened(folder: Path, identity: str) -> Iterator[Work]:
    """The work in a locked folder: begun, or taken up again if it is of the same ``identity``.

    Raises:
        SetUpError: the work that is there is of something else.
    """
    work = _work(folder, identity)
    try:
        yield work
    finally:
        work.close()


def check_absent(out: Path) -> None:
    """
    Raises:
        SetUpError: ``out`` exists.
    """
    if out.exists():
        raise SetUpError(
            f"{out} 已存在，未作改动；请换一个输出目录或先移走它。",
            f"{out} exists; nothing changed. Name another folder or move it away.",
        )


def publish(work: Work, out: Path) -> None:
    """``out`` appears, whole."""
    for path in (*(path for path in work.out.rglob("*") if path.is_dir()), work.out):
        sync_folder(path)
    os.rename(work.out, out)
    sync_folder(out.parent)


def discard(work: Work) -> None:
    """Nothing is left of the work."""
    shutil.rmtree(work.folder, ignore_errors=True)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, there = os.fstat(handle), folder.stat()
    except (BlockingIOError, FileNotFoundError):
        pass
    else:
        if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            return
    raise SetUpError(
        f"另一个运行正在写入 {folder}，请等它结束。",
        f"Another run is writing to {folder}; wait until it has ended.",
    )


def _work(folder: Path, identity: str) -> Work:
    lines = _lines(folder / "journal")
    if lines and lines[0] != {"run": identity}:
        raise SetUpError(
            f"{folder} 是另一次运行的残留：计划、输入文件、密钥、算子或软件版本已变，不能接着做。"
            f"请删除该目录后重新运行。",
            f"{folder} is left from another run: the plan, input, keys, operators or version have changed "
            "since, so it cannot be taken up. Delete the folder and run again.",
        )
    if not lines:  # nothing that was begun counts
        for name in ("journal", "parts", "out"):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    work = Work(folder, {line.pop("done"): line for line in lines[1:]})
    work.parts.mkdir(exist_ok=True)
    work.out.mkdir(exist_ok=True)
    for unfinished in work.out.rglob(".*"):
        unfinished.unlink()
    if not lines:
        work.begin(identity)
        sync_folder(folder)
    return work


def _lines(journal: Path) -> list[dict[str, Any]]:
    if not journal.is_file():
        return []
    content = journal.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(journal, len(whole))
    return [orjson.loads(line) for line in whole.splitlines()]
