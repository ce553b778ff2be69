"""The backup file: every table of a snapshot, the same whichever database they come from or go to.

A ZIP file (stored, not deflated; ZIP64 when large) with one Arrow IPC stream a table, compressed by zstd, and
``manifest.json``, which says what belongs in it. It gets its name once it is complete and on disk, so a file
of that name is a whole backup.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import pyarrow as pa
from pyarrow import ipc
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from broker.durable import sync_folder
from broker.errors import SetUpError, VerificationFailed
from broker.store.snapshot import Progress, Snapshot, no_progress

FORMAT: Final = "sharebroker-backup/v1"
MANIFEST = "manifest.json"
MAX_MANIFEST = 1 << 20

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """One table: its rows, and size and SHA-256 of the member of the ZIP file that holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Count
    bytes: Count
    sha256: Hash

    @staticmethod
    def member(table: str) -> str:
        return f"{table}.arrows"


class LogHead(BaseModel):
    """The log as archived: leaves, root over them, newest signed checkpoint among them ("" without one), and
    the signed successions of its key, by which that verifies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Count
    root: Hash
    checkpoint: str
    successions: tuple[str, ...] = ()


class Manifest(BaseModel):
    """What a backup holds. ``schema_revision`` is that of the tables, Alembic's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["sharebroker-backup/v1"] = FORMAT
    created_at: AwareDatetime
    schema_revision: str
    log: LogHead
    tables: dict[str, Part]


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup file whose parts are those of its manifest, bit for bit."""

    file: Path
    manifest: Manifest

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """The rows of a table.

        Raises:
            VerificationFailed: the part is no Arrow stream.
            SetUpError: the file cannot be read.
        """
        with self._stream(table) as stream:
            for batch in stream:
                batch.validate(full=True)
                yield batch

    def schema(self, table: str) -> pa.Schema:
        """The columns of a table; raises as :meth:`batches`."""
        with self._stream(table) as stream:
            return stream.schema

    @contextmanager
    def _stream(self, table: str) -> Iterator[ipc.RecordBatchStreamReader]:
        with (
            _readable(self.file),
            zipfile.ZipFile(self.file) as container,
            container.open(Part.member(table)) as part,
            ipc.open_stream(part) as stream,
        ):
            yield stream


def write_archive(
    file: Path, snapshot: Snapshot, log: LogHead, now: AwareDatetime, progress: Progress = no_progress
) -> Manifest:
    """Writes a backup, readable by its owner only; durable on return.

    Raises:
        SetUpError: there is a file of that name, it cannot be written, or the database cannot be read.
        VerificationFailed: a value in the database is not of its column's type.
    """
    with _new_file(file) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as container:
        parts = {name: _write_part(container, name, snapshot, progress) for name in snapshot.tables}
        manifest = Manifest(created_at=now, schema_revision=snapshot.revision, log=log, tables=parts)
        container.writestr(MANIFEST, manifest.model_dump_json(indent=2))
    return manifest


def open_archive(file: Path) -> Archive:
    """A backup, once every byte of its parts was found to be what its manifest says.

    Raises:
        SetUpError: the file is missing or cannot be read, or a newer program has written it.
        VerificationFailed: it is no backup, truncated or altered.
    """
    with _readable(file), zipfile.ZipFile(file) as container:
        manifest = _read_manifest(container)
        members = [MANIFEST, *map(Part.member, manifest.tables)]
        if sorted(container.namelist()) != sorted(members):
            raise _altered("成员缺失或多余", "members missing or unknown")
        if any(member.compress_type != zipfile.ZIP_STORED for member in container.infolist()):
            raise _damaged()
        for table, part in manifest.tables.items():
            with container.open(Part.member(table)) as stored:
                if _digest(stored) != (part.bytes, part.sha256):
                    raise _altered(f"{table} 的校验和不符", f"checksum of {table} does not match")
    return Archive(file, manifest)


class _HashingSink:
    """A file object for Arrow that also counts and hashes what passes."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self.hash = sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        self.hash.update(view)
        self.bytes += view.nbytes
        return self._target.write(view)

    def flush(self) -> None:
        """The container is flushed at its end."""

    def close(self) -> None:
        self.closed = True


def _write_part(container: zipfile.ZipFile, name: str, snapshot: Snapshot, progress: Progress) -> Part:
    rows, total = 0, snapshot.count(name)
    options = ipc.IpcWriteOptions(compression="zstd")
    with container.open(Part.member(name), "w", force_zip64=True) as member:
        sink = _HashingSink(member)
        with ipc.new_stream(pa.PythonFile(sink, "w"), snapshot.tables[name], options=options) as stream:
            for batch in snapshot.batches(name):
                stream.write_batch(batch)
                rows += batch.num_rows
                progress(name, rows, total)
    return Part(rows=rows, bytes=sink.bytes, sha256=sink.hash.hexdigest())


@contextmanager
def _new_file(file: Path) -> Iterator[IO[bytes]]:
    """A private file that appears under its name when it is complete and on disk."""
    if file.exists():
        raise SetUpError(f"备份文件 {file} 已存在，不予覆盖。", f"Backup {file} exists and is not replaced.")
    try:
        # Mode 0600 whatever the umask.
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as target:
                yield target
                target.flush()
                os.fsync(target.fileno())
            os.rename(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise
        sync_folder(file.parent)
    except OSError as error:
        raise SetUpError(
            f"无法写入备份文件 {file}（{error.strerror}），没有生成备份。",
            f"Backup {file} cannot be written ({error.strerror}); there is no backup.",
        ) from None


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is None:  # Arrow's, of a stream that breaks off
            raise _damaged() from None
        raise SetUpError(
            f"无法读取备份文件 {file}（{error.strerror}）。",
            f"Backup {file} cannot be read ({error.strerror}).",
        ) from None
    except (zipfile.BadZipFile, struct.error, pa.ArrowException, ValueError, EOFError, KeyError):
        raise _damaged() from None
    except (NotImplementedError, RuntimeError):  # what zipfile says of members it cannot unpack
        raise _damaged() from None


def _read_manifest(container: zipfile.ZipFile) -> Manifest:
    if container.getinfo(MANIFEST).file_size > MAX_MANIFEST:
        raise _altered("清单过长", "manifest too long")
    try:
        return Manifest.model_validate_json(container.read(MANIFEST), strict=True)
    except ValidationError as error:
        if any(e["loc"] == ("format",) for e in error.errors()):
            raise SetUpError(
                "备份文件的格式不为本程序所知，请用生成它的或更新的 sharebroker。",
                "The backup has a format that this program does not know; use the sharebroker that wrote it, "
                "or a newer one.",
            ) from None
        raise _altered("清单格式不符", "manifest malformed") from None


def _digest(stored: IO[bytes]) -> tuple[int, str]:
    size, digest = 0, sha256()
    while data := stored.read(1 << 20):
        size += len(data)
        digest.update(data)
    return size, digest.hexdigest()


def _damaged() -> VerificationFailed:
    return _altered("不完整或已损坏", "truncated or damaged")


def _altered(zh: str, en: str) -> VerificationFailed:
    return VerificationFailed(f"备份文件{zh} / backup: {en}")
