"""Statements that are not there: because their time was over, as a leaf says, or nobody says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from broker.audit.verify.remarks import Nature, Remark, of_leaf
from broker.audit.verify.spans import Checked
from broker.receipt.retention import Expiry


@dataclass(slots=True)
class Absent:
    """Leaves that are there without a statement, and what explains it."""

    runs: list[tuple[int, int]] = field(default_factory=list)
    """(first, stop)."""
    expiries: list[Expiry] = field(default_factory=list)

    def add(self, checked: Checked) -> None:
        """Takes in what was found of a span or chunk."""
        self.runs += checked.emptied
        self.expiries += checked.expiries

    def expired(self) -> int:
        """How many of the leaves an act tells of: no more than it counts."""
        covered = sum(stop - first for first, stop in self._runs(covered=True))
        return min(covered, sum(one.count for one in self.expiries))

    def remarks(self) -> Iterator[Remark]:
        """What no act explains."""
        for first, stop in self._runs(covered=False):
            count = stop - first
            yield of_leaf(
                Nature.ERASED,
                first,
                f"等 {count} 条存证无原文，且没有到期删除的存证，请要求说明",
                f"and following, {count} in all, have no statement, and no act of retention tells of it: ask",
            )
        covered = sum(stop - first for first, stop in self._runs(covered=True))
        if covered > self.expired():
            leaf = max(one.leaf_index for one in self.expiries)
            yield of_leaf(
                Nature.ERASED,
                leaf,
                f"至此到期删除的存证共称 {self.expired()} 条，实缺 {covered} 条，请要求说明",
                f"and earlier acts of retention tell of {self.expired()} statements, but {covered} are not "
                "there: ask",
            )

    def _runs(self, *, covered: bool) -> Iterator[tuple[int, int]]:
        """The parts of the runs inside the acts' ranges, or outside."""
        ranges = _merged([(one.first, one.last + 1) for one in self.expiries])
        for first, stop in self.runs:
            at = first
            for begin, end in ranges:
                inside = (max(at, begin), min(stop, end))
                if inside[0] >= inside[1]:
                    continue
                if not covered and at < inside[0]:
                    yield at, inside[0]
                if covered:
                    yield inside
                at = inside[1]
            if not covered and at < stop:
                yield at, stop


def _merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, stop in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((first, stop))
    return merged
