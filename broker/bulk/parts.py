"""Masked rows on their way to a file: Arrow IPC files, one for each part, written durably."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from broker.durable import sync_folder


class HashedFile:
    """A file that is written from its beginning to its end; knows the SHA-256 of what was written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: memoryview) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.closed = True


@contextmanager
def durable_file(path: Path) -> Iterator[HashedFile]:
    """A file that has its name once it is whole and on disk; what goes wrong before leaves none.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            file = HashedFile(stream)
            yield file
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_part(path: Path, schema: pa.Schema, rows: Iterable[pa.RecordBatch]) -> str:
    """Write masked rows; gives the file's SHA-256.

    Raises:
        OSError: it cannot be written.
    """
    with durable_file(path) as file:
        with pa.PythonFile(file, "w") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in rows:
                writer.write_batch(batch)
        return file.sha256


def read_part(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a part, one batch in memory at a time."""
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
