"""A disk on which the power fails: from the trace of what was written and flushed, the states it may leave.

The rules (as in CrashMonkey and ALICE, and as POSIX has them): what a completed flush of its file covered is
there. Of what was written later any part may be there, in any order, torn at any sector. Names appear, move
and vanish in the order in which they were changed; a flush of the folder makes that last. A flush that failed
promises nothing, and what was waiting for it is never promised by a later one (Linux drops it).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random

from soak.shim import Did, Record

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


class Fate(StrEnum):
    """What becomes of writes that were not flushed."""

    LOST = "all lost"
    KEPT = "all kept"
    PREFIX = "the first ones kept"
    ANY = "any of them kept"
    TORN = "any of them kept, torn at sectors"


@dataclass(slots=True)
class _Change:
    """A write to a file, or a new size of it."""

    number: int
    offset: int
    data: bytes | None
    """None: ``offset`` is the new size."""
    durable: bool = False
    doomed: bool = False
    """A flush that covered it has failed."""


@dataclass(slots=True)
class _File:
    changes: list[_Change] = field(default_factory=list)

    def flushed(self, begun: int, *, failed: bool) -> None:
        """By a flush that began at that record."""
        for change in reversed(self.changes):
            if change.number > begun:
                continue
            if change.durable:
                break
            if failed:
                change.doomed = True
            elif not change.doomed:
                change.durable = True


class Disk:
    """The files below ``folder`` after the records given so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._files: dict[int, _File] = {}
        self._names: list[tuple[str, str, _File | None]] = []
        """Changes of names: (from, to, file), of which the first :attr:`_names_kept` last."""
        self._names_kept = 0
        self._begun: dict[tuple[int, int], tuple[int, int]] = {}
        self._number = 0

    def add(self, record: Record) -> None:
        """What was done next."""
        self._number += 1
        key = (record.thread, record.inode)
        match record.did:
            case Did.WRITE:
                self._changed(record, record.data)
            case Did.TRUNCATE:
                self._changed(record, None)
            case Did.CREATE:
                self._files[record.inode] = file = _File()  # a number that was used before is another file
                self._names.append(("", record.path, file))
            case Did.RENAME:
                self._names.append((record.path, record.data.decode(), None))
            case Did.UNLINK:
                self._names.append((record.path, "", None))
            case Did.SYNC_BEGINS:
                self._begun[key] = (self._number, len(self._names))
            case Did.SYNC_ENDS | Did.SYNC_FAILS:
                self._flushed(record, *self._begun.pop(key))

    def _changed(self, record: Record, data: bytes | None) -> None:
        if file := self._files.get(record.inode):
            file.changes.append(_Change(self._number, record.offset, data))

    def _flushed(self, record: Record, begun: int, names: int) -> None:
        failed = record.did is Did.SYNC_FAILS
        if file := self._files.get(record.inode):
            file.flushed(begun, failed=failed)
        elif not failed and record.path == self._folder:
            self._names_kept = max(self._names_kept, names)

    def after_power_failure(self, fate: Fate, chance: Random) -> dict[str, bytes]:
        """Name below the folder → content, as one power failure now may leave them."""
        named: dict[str, _File] = {}
        for old, new, file in self._names[: self._surviving_names(fate, chance)]:
            there = file or named.pop(old, None)
            if new and there is not None:
                named[new] = there
        return {
            os.path.relpath(path, self._folder): _content(_surviving(file.changes, fate, chance))
            for path, file in named.items()
        }

    def _surviving_names(self, fate: Fate, chance: Random) -> int:
        if fate is Fate.LOST:
            return self._names_kept
        return len(self._names) if fate is Fate.KEPT else chance.randint(self._names_kept, len(self._names))


def _surviving(changes: Sequence[_Change], fate: Fate, chance: Random) -> Iterable[tuple[int, bytes | None]]:
    open_ones = [change for change in changes if not change.durable]
    kept = {Fate.LOST: 0, Fate.PREFIX: chance.randint(0, len(open_ones))}.get(fate, len(open_ones))
    first = {id(change) for change in open_ones[:kept]}
    for change in changes:
        if change.durable or fate is Fate.KEPT or (fate is Fate.PREFIX and id(change) in first):
            yield change.offset, change.data
        elif fate in (Fate.ANY, Fate.TORN) and chance.random() < 0.5:
            if fate is Fate.TORN and change.data is not None:
                yield from _torn(change.offset, change.data, chance)
            else:
                yield change.offset, change.data


def _torn(offset: int, data: bytes, chance: Random) -> Iterable[tuple[int, bytes]]:
    """Some of the sectors."""
    start = 0
    while start < len(data):
        stop = min(len(data), (offset + start) // SECTOR * SECTOR + SECTOR - offset)
        if chance.random() < 0.5:
            yield offset + start, data[start:stop]
        start = stop


def _content(changes: Iterable[tuple[int, bytes | None]]) -> bytes:
    content = bytearray()
    for offset, data in changes:
        if data is None:
            del content[offset:]
            content.extend(bytes(offset - len(content)))
        else:
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
    return bytes(content)
