"""Where evidence is read from. Nothing that is read is believed; what cannot be read is not there.

A database has leaves, statements and tiles; a published folder (C2SP tlog-tiles) has entries and tiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from broker.receipt.export import Folder
from broker.receipt.merkle import HASH_SIZE
from broker.receipt.public import ENTRIES, Part
from broker.receipt.tiles import TILE_WIDTH
from broker.store.snapshot import Snapshot, open_snapshot


@dataclass(frozen=True, slots=True)
class Block:
    """What there is of the leaves that one tile of level 0 has, or would have."""

    index: int
    """Of the tile."""
    width: int
    """Leaves that the log has here: 256, or fewer at its end."""
    tile: bytes
    """Empty when it is not there."""
    entries: Mapping[int, bytes]
    """Leaf index → entry."""
    statements: Mapping[int, bytes | None] = field(default_factory=dict)
    """Leaf index → statement, None where it was erased; empty where the evidence is without statements."""
    kinds: Mapping[int, str] = field(default_factory=dict)
    """Leaf index → of which kind an erased statement is said to have been."""
    narrower: Mapping[str, bytes] = field(default_factory=dict)
    """Path → the same tile or bundle as earlier, smaller logs had it."""

    @property
    def leaves(self) -> range:
        """The leaf indices."""
        start = self.index * TILE_WIDTH
        return range(start, start + self.width)


class Reader(Protocol):
    """Opened evidence."""

    def block(self, index: int, width: int) -> Block:
        """The leaves of a tile of level 0."""
        ...

    def tile(self, level: int, index: int, width: int) -> bytes:
        """So many hashes of a tile of level 1 or higher, or all that are there."""
        ...


class Place(Protocol):
    """Evidence that every process opens for itself."""

    @property
    def has_statements(self) -> bool:
        """Whether statements are part of it."""
        ...

    def opened(self) -> AbstractContextManager[Reader]:
        """
        Raises:
            SetUpError: it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """A broker's database, which may be in use."""

    url: str

    @property
    def has_statements(self) -> bool:
        return True

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        with open_snapshot(self.url, older=True) as snapshot:
            yield _Database(snapshot)


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """A folder that ``log export`` wrote, or a copy of what anybody publishes as tlog-tiles."""

    folder: Path

    @property
    def has_statements(self) -> bool:
        return False

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        yield _Published(self.folder)


class _Database:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def block(self, index: int, width: int) -> Block:
        start = index * TILE_WIDTH
        rows = self._snapshot.told(start, start + width)
        return Block(
            index,
            width,
            self._snapshot.tile(0, index)[: width * HASH_SIZE],
            {leaf: _bytes(entry) for leaf, entry, _, _ in rows},
            {leaf: None if said is None else _bytes(said) for leaf, _, _, said in rows},
            {leaf: str(kind) for leaf, _, kind, said in rows if said is None},
        )

    def tile(self, level: int, index: int, width: int) -> bytes:
        return self._snapshot.tile(level, index)[: width * HASH_SIZE]


class _Published:
    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._files = Folder(folder)

    def block(self, index: int, width: int) -> Block:
        bundle = self._files.tile(Part(ENTRIES, index, width))
        narrower = {**self._narrower(0, index, width), **self._narrower(ENTRIES, index, width)}
        tile = self._files.tile(Part(0, index, width))
        return Block(index, width, tile, _unbundled(bundle, index * TILE_WIDTH), narrower=narrower)

    def tile(self, level: int, index: int, width: int) -> bytes:
        return self._files.tile(Part(level, index, width))

    def _narrower(self, level: int, index: int, width: int) -> dict[str, bytes]:
        """Partial tiles that earlier exports left beside a fuller one; strangers still read them."""
        folder = self._root / Part(level, index, 1).path
        widths = sorted(
            int(file.name)
            for file in (folder.parent.iterdir() if folder.parent.is_dir() else ())
            if re.fullmatch("[1-9][0-9]{0,2}", file.name, re.ASCII) and int(file.name) < width
        )
        parts = [Part(level, index, narrow) for narrow in widths]
        return {part.path: self._files.tile(part) for part in parts}


def _unbundled(bundle: bytes, start: int) -> dict[int, bytes]:
    """Entries, each after its length in 16 bits, big-endian (tlog-tiles). What is cut off, or too much, makes
    an entry that no tile has."""
    entries: dict[int, bytes] = {}
    at = 0
    while at < len(bundle):
        stop = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        entries[start + len(entries)] = bundle[at + 2 : stop]
        at = stop
    return entries


def _bytes(value: Any) -> bytes:
    """What is no bytes was damaged: an entry or statement that is nobody's."""
    return value if isinstance(value, bytes) else b""
