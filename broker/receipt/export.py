"""The log as static files (C2SP tlog-tiles) that any web server can serve.

An export goes on where the last one ended. What it writes is derived from the entries, not copied from
the stored tiles, and compared with them; the checkpoint is written last, once the tree that lies in the
folder has the root that was signed. So an export also proves that the log only ever grew.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from broker.durable import sync_folder
from broker.errors import SetUpError, VerificationFailed
from broker.receipt.key_history import LOG_KEYS
from broker.receipt.merkle import HASH_SIZE, leaf_hash
from broker.receipt.note import Checkpoint
from broker.receipt.public import CHECKPOINT, ENTRIES, Part, PublicLog
from broker.receipt.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    CorruptLog,
    ReadTile,
    TileCache,
    TileKey,
    Tree,
)

MAX_NOTE_BYTES = 64 * 1024
"""Of a signed checkpoint."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A folder that holds the log up to ``checkpoint``; of which ``before`` leaves were there already."""

    checkpoint: Checkpoint
    before: int
    files: int
    """Written by this export, the checkpoint not counted."""


def export(log: PublicLog, folder: Path) -> Exported:
    """Brings the folder up to the log's newest signed head. Made if it is missing; an interrupted export is
    gone on with.

    Raises:
        SetUpError: nothing was signed yet, or another export is writing there.
        VerificationFailed: the folder holds another log or another history of this one, or the database is
            not what was signed. The folder's checkpoint stays what it was.
        Unavailable: the database cannot be reached.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        signed = log.checkpoint()
        if signed is None:
            raise SetUpError(
                "日志尚无已签名的日志头，请先启动一次服务。",
                "The log has no signed head yet; start the broker once.",
            )
        note, checkpoint = signed
        known = _known(folder, log, checkpoint)
        files = Folder(folder)
        if known.size < checkpoint.size:
            _grow(log, files, known, checkpoint)
            if (history := log.key_history()) is not None:
                files.write(LOG_KEYS, history)
            files.sync()
        parts = files.written
        if exported_note(folder) != note:  # of the same tree it may have got other signatures
            files.write(CHECKPOINT, note.encode())
            files.sync()
        return Exported(checkpoint, known.size, parts)


class Folder:
    """The published folder. A file has its name once it is whole and on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = {folder}
        self.written = 0

    def write(self, path: str, content: bytes) -> None:
        """Puts a file in its place, or in the place of an older one."""
        file = self._folder / path
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True)
            self._changed.update(file.parent.parents[: len(file.relative_to(self._folder).parts) - 1])
        unfinished = file.with_name(f".{file.name}.new")
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
        self._changed.add(file.parent)
        self.written += 1

    def tile(self, part: Part) -> bytes:
        """A tile's content; empty when there is none."""
        try:
            return (self._folder / part.path).read_bytes()
        except FileNotFoundError:
            return b""

    def sync(self) -> None:
        """The names of all files written are on disk once this returns."""
        while self._changed:
            sync_folder(self._changed.pop())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two exports at once could put an older checkpoint in the place of a newer."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SetUpError(
            f"另一导出进程正在写入 {folder}，请等它结束。",
            f"Another export is writing to {folder}; wait until it has ended.",
        ) from None
    finally:
        os.close(handle)


def _known(folder: Path, log: PublicLog, newest: Checkpoint) -> Checkpoint:
    """The head that the folder shows; that of an empty log when it shows none."""
    note = exported_note(folder)
    if not note:
        return Checkpoint(log.keys.name, 0, Tree(0, _nothing).root())
    known = log.keys.checkpoint(note)
    if known.size > newest.size or (known.size == newest.size and known.root != newest.root):
        raise VerificationFailed(
            "目录中的日志头比已签名的新，或历史不同 / log: the folder's head is newer than what was "
            "signed here, or of another history"
        )
    return known


def exported_note(folder: Path) -> str:
    """The signed checkpoint of an exported folder; empty without one."""
    try:
        with (folder / CHECKPOINT).open("rb") as stream:
            return stream.read(MAX_NOTE_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _grow(log: PublicLog, files: Folder, known: Checkpoint, signed: Checkpoint) -> None:
    tree = Tree(known.size, published(files, known.size), TileCache(capacity=8))
    if tree.root() != known.root:
        raise CorruptLog("目录中的瓦片缺失或损坏 / log: tiles in the folder are missing or corrupt")
    edge: dict[TileKey, bytes] = {}
    for index in range(known.size // TILE_WIDTH, -(-signed.size // TILE_WIDTH)):
        part = Part(ENTRIES, index, min(TILE_WIDTH, signed.size - index * TILE_WIDTH))
        bundle = _read(log, part)
        files.write(part.path, bundle)
        fresh = _entries(bundle)[tree.size - index * TILE_WIDTH :]
        grown, changed = tree.append([leaf_hash(entry) for entry in fresh])
        tree = grown.stored()
        edge.update(changed)
        for level, at in [key for key in edge if len(edge[key]) == TILE_WIDTH * HASH_SIZE]:
            _write(log, files, Part(level, at), edge.pop((level, at)))
    for (level, at), content in edge.items():
        _write(log, files, Part(level, at, len(content) // HASH_SIZE), content)
    if tree.root() != signed.root:
        raise VerificationFailed(
            "目录中的日志与已签名的日志头不符 / log: the folder does not lead to the signed root"
        )


def published(files: Folder, size: int) -> ReadTile:
    """Reads tiles of a folder that holds the log up to ``size``, as wide as that tree has them."""

    def read(level: int, index: int) -> bytes:
        width = min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
        return files.tile(Part(level, index, width))

    return read


def _write(log: PublicLog, files: Folder, part: Part, content: bytes) -> None:
    if _read(log, part) != content:
        raise CorruptLog(f"日志 {part.path} 缺失或损坏 / log: {part.path} is missing or corrupt")
    files.write(part.path, content)


def _read(log: PublicLog, part: Part) -> bytes:
    content = log.read(part)
    if content is None:
        raise CorruptLog(f"日志 {part.path} 缺失或损坏 / log: {part.path} is missing or corrupt")
    return content


def _entries(bundle: bytes) -> list[bytes]:
    """The entries of a bundle that :class:`PublicLog` made."""
    entries, at = [], 0
    while at < len(bundle):
        stop = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        entries.append(bundle[at + 2 : stop])
        at = stop
    return entries


def _nothing(_level: int, _index: int) -> bytes:
    return b""
