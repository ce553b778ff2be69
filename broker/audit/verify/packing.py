"""Ends in 42 bytes each, as they wait for their relations to be judged.

They wait on disk, in so many files that the ends of one fit into memory; ends of one key are in one file.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import IO, Any

import numpy as np

from broker.audit.verify.checks import RELATIONS
from broker.audit.verify.ties import End

_FORM = struct.Struct(">B16sqBqQ")
_TYPE = np.dtype(
    [
        ("relation", "u1"),
        ("key", ">u8", (2,)),
        ("leaf", ">i8"),
        ("role", "u1"),
        ("number", ">i8"),
        ("fact", ">u8"),
    ]
)
_NAMES = sorted(RELATIONS)
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}
_QUIET = np.array([[role in RELATIONS[name].quiet for role in range(256)] for name in _NAMES])
_FILES = 64


def pack(ends: Sequence[End]) -> bytes:
    """The ends, one after the other."""
    return b"".join(_FORM.pack(_NUMBERS[e.relation], e.key, e.leaf, e.role, e.number, e.fact) for e in ends)


def _temporary() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="verify-")


class Waiting:
    """Ends that wait on disk."""

    def __init__(self) -> None:
        self._closing = ExitStack()
        self._files: list[IO[bytes]] = [self._closing.enter_context(_temporary()) for _ in range(_FILES)]

    def close(self) -> None:
        """Forgets them."""
        self._closing.close()

    def add(self, packed: bytes) -> None:
        """Keeps ends that :func:`pack` gave."""
        ends = np.frombuffer(packed, _TYPE)
        place = ends["key"][:, 0] % _FILES
        for number in np.unique(place):
            self._files[number].write(ends[place == number].tobytes())

    def groups(self) -> Iterator[list[End]]:
        """Ends of one relation and key, in the order of their leaves; without those that need no partner and
        have none."""
        for file in self._files:
            file.seek(0)
            ends = np.frombuffer(file.read(), _TYPE)
            key = ends["key"]
            ends = ends[np.lexsort((ends["role"], ends["leaf"], key[:, 1], key[:, 0], ends["relation"]))]
            yield from _groups(ends[~_idle(ends)])


def _idle(ends: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which ends are alone under their key, and need no partner."""
    if not len(ends):
        return np.zeros(0, bool)
    same = (ends["relation"][1:] == ends["relation"][:-1]) & (ends["key"][1:] == ends["key"][:-1]).all(axis=1)
    alone = ~np.concatenate(([False], same)) & ~np.concatenate((same, [False]))
    found: np.ndarray[Any, Any] = alone & _QUIET[ends["relation"], ends["role"]]
    return found


def _groups(ends: np.ndarray[Any, Any]) -> Iterator[list[End]]:
    unpacked = (_FORM.unpack_from(row) for row in map(bytes, ends))
    for (relation, key), rows in groupby(unpacked, lambda row: (row[0], row[1])):
        yield [End(_NAMES[relation], key, *rest) for _, _, *rest in rows]
