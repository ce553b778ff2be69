"""The memory, threads and files of processes, as the kernel counts them, and whether they stay flat."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from broker.receipt.tiles import CACHED_TILES, TILE_WIDTH

WARM_UP = 0.2
"""Share of a run after which growth counts, at the earliest: thread pools and allocators have their size."""
CACHES_FULL = CACHED_TILES * TILE_WIDTH
"""Exchanges after which each worker's cache of tiles is full, if each of them appends or reads all leaves."""
SHORTEST = 20_000
"""Exchanges after the warm-up below which a run says nothing about growth."""
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment."""

    done: int
    """Exchanges made by then, by the whole broker."""
    pss: int
    """Proportional set size, bytes: its own memory, and its share of what it shares."""
    rss: int
    threads: int
    files: int
    """Open file descriptors."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much something may grow: by ``per_million`` exchanges, or in a whole run by less than ``noise``."""

    per_million: float
    noise: float


MEMORY = Bound(32 * MIB, 6 * MIB)
"""A worker that grew so would have doubled after some three million exchanges; what an allocator gains and
gives back, without any leak, is seen to be a few MiB."""
COUNTS = Bound(8, 64)
"""Threads and files: their pools fill as the crowd happens to come, up to their size and not beyond it."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A straight line through the samples after the warm-up."""

    per_million: float
    """Its slope, extrapolated to a million exchanges."""
    in_run: float
    """By how much it rises from the end of the warm-up to the end of the run."""

    def within(self, bound: Bound) -> bool:
        return self.per_million <= bound.per_million or self.in_run <= bound.noise


def sample(pid: int, done: int) -> Sample:
    """The process now.

    Raises:
        OSError: it has ended, or belongs to somebody else.
    """
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in rollup.splitlines()[1:]}
    threads, files = (len(os.listdir(f"/proc/{pid}/{what}")) for what in ("task", "fd"))
    return Sample(done, sizes["Pss:"], sizes["Rss:"], threads, files)


def settled(samples: Sequence[Sample], total: int) -> list[Sample]:
    """Those after the warm-up of a run of ``total`` exchanges; none when too little of the run is left."""
    warm = max(CACHES_FULL, WARM_UP * total)
    return [one for one in samples if one.done >= warm] if total - warm >= SHORTEST else []


def growth(done: Sequence[int], values: Sequence[int]) -> Growth:
    """By least squares, over at least two samples."""
    slope = float(np.polyfit(np.asarray(done, float), np.asarray(values, float), 1)[0])
    return Growth(slope * 1e6, slope * (done[-1] - done[0]))
