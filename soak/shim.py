"""The library between a program and its C library (``shim.c``): built, set up for a process, told what is to
fail; and what it wrote down, read back."""

from __future__ import annotations

import errno
import mmap
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from pathlib import Path

_CONTROL = struct.Struct("=qqqiii68s1024s")
_INJECTED = struct.Struct("=q")
_INJECTED_AT = 16
_RECORD = struct.Struct("=iiQqII")


class Calls(IntFlag):
    """System calls that may be made to fail."""

    WRITE = 1
    SYNC = 2
    RENAME = 4
    TRUNCATE = 8


class Did(IntEnum):
    """What a record of the trace tells."""

    WRITE = 1
    TRUNCATE = 2
    CREATE = 3
    RENAME = 4
    UNLINK = 5
    SYNC_BEGINS = 6
    SYNC_ENDS = 7
    SYNC_FAILS = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """What is to fail: after ``after`` more of these calls on files whose path contains ``file`` (it ends in
    a ``$``), the next ``times`` of them."""

    calls: Calls
    file: str
    error: int
    after: int = 0
    times: int = 1
    half: bool = False
    """A write that fails writes half of it instead, and says so, as on a disk that becomes full."""

    def __str__(self) -> str:
        name = f"{errno.errorcode[self.error]} on {'/'.join(str(call.name).lower() for call in self.calls)}"
        return f"{name} of {self.file}{', by half' if self.half else ''}"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was done, in the order in which all were done."""

    did: Did
    thread: int
    inode: int
    offset: int
    """Where it was written; for ``TRUNCATE`` the new size. In bytes."""
    path: str
    data: bytes
    """What was written; for ``RENAME`` the new path."""


class Shim:
    """Looks after the files below ``folder``, for every process that has :attr:`environment`.

    ``work`` is a folder for its own files, which lies elsewhere.

    Raises:
        RuntimeError: there is no C compiler, or it refuses.
    """

    def __init__(self, folder: Path, work: Path, *, traced: bool = False) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._trace = work / "trace" if traced else None
        library, block = build(work), work / "control"
        block.write_bytes(bytes(_CONTROL.size))
        block.chmod(0o666)  # a database's server runs as somebody else
        with block.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), _CONTROL.size)
        self.environment = {
            "LD_PRELOAD": str(library),
            "SOAK_CONTROL": str(block),
            "SOAK_FOLDER": str(folder),
        }
        if self._trace is not None:
            self._trace.write_bytes(b"")
            self.environment["SOAK_TRACE"] = str(self._trace)

    def arm(self, failure: Failure) -> None:
        """From now on; takes the place of the one before."""
        self.disarm()
        struct.pack_into("=qqq", self._control, 0, failure.after, failure.times, 0)
        values = (failure.error, 0, failure.half, failure.file.encode())
        struct.pack_into("=iii68s", self._control, 24, *values)
        struct.pack_into("=i", self._control, 28, failure.calls)  # last: with it the rest holds

    def disarm(self) -> None:
        """Nothing fails any more; but who has a file open of which a flush has failed may yet hear of it."""
        struct.pack_into("=i", self._control, 28, 0)

    @property
    def injected(self) -> int:
        """How many calls have failed since :meth:`arm`."""
        return int(_INJECTED.unpack_from(self._control, _INJECTED_AT)[0])

    def records(self) -> Iterator[Record]:
        """The trace."""
        if self._trace is None:
            raise ValueError("nothing was traced")
        content, at = self._trace.read_bytes(), 0
        while at < len(content):
            did, thread, inode, offset, path_length, data_length = _RECORD.unpack_from(content, at)
            path_end = at + _RECORD.size + path_length
            path = content[at + _RECORD.size : path_end].decode()
            at = path_end + data_length
            yield Record(Did(did), thread, inode, offset, path, content[path_end:at])

    def close(self) -> None:
        """Give back the block of memory."""
        self._control.close()


def compiler() -> str | None:
    """The C compiler of this machine, if it has one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(folder: Path) -> Path:
    """The library, compiled into the folder.

    Raises:
        RuntimeError: there is no C compiler, or it refuses.
    """
    program, library = compiler(), folder / "shim.so"
    if program is None:
        raise RuntimeError("failures of a disk need a C compiler (cc): apt-get install gcc libc6-dev")
    source = Path(__file__).with_name("shim.c")
    command = [program, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return library
