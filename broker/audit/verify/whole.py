"""The whole from its spans: the tree over them, the heads that others kept, and how spans hang together.

Told of the spans in their order; holds the tree's right edge, where statements lack, and ends on disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from broker.audit.verify.checks import RELATIONS
from broker.audit.verify.evidence import Reader
from broker.audit.verify.packing import Waiting
from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.spans import Checked, Span
from broker.receipt.finding import Finding
from broker.receipt.leaves import ORDER_TOLERANCE, out_of_order, wrong_tile
from broker.receipt.merkle import EMPTY_ROOT, HASH_SIZE
from broker.receipt.note import Checkpoint
from broker.receipt.rebuild import Rebuilt
from broker.receipt.tiles import TILE_WIDTH


@dataclass(frozen=True, slots=True)
class Earlier:
    """A head of the same log that somebody else kept, whose signature was verified."""

    name: str
    """Of the file that it is from."""
    checkpoint: Checkpoint


@dataclass(slots=True)
class Facts:
    """What is known of the evidence as a whole (:class:`broker.audit.verify.ties.Known`)."""

    as_of: int = 0
    last_erased: dict[str, int] = field(default_factory=dict)
    """Kind that they are said to have been of → the last leaf without statement; "": of any."""
    firsts: array[int] = field(default_factory=lambda: array("q"))
    """Where runs of leaves without statement begin, ascending."""
    stops: array[int] = field(default_factory=lambda: array("q"))
    """Where they end."""

    @property
    def absent(self) -> int:
        """Leaves without statement."""
        return sum(self.stops) - sum(self.firsts)

    def hidden(self, leaf: int) -> bool:
        place = bisect_right(self.firsts, leaf) - 1
        return place >= 0 and leaf < self.stops[place]

    def hides(self, leaf: int, *kinds: str) -> bool:
        return any(self.last_erased.get(kind, -1) > leaf for kind in (*kinds, ""))

    def add(self, checked: Checked) -> None:
        """Takes in what a span lacks."""
        for first, stop in checked.erased:
            self.without(first, stop)
        self.last_erased |= checked.last_erased

    def without(self, first: int, stop: int) -> None:
        """Takes in a run of leaves without statement, after those before."""
        if self.stops and self.stops[-1] == first:
            self.stops[-1] = stop
        else:
            self.firsts.append(first)
            self.stops.append(stop)


class Whole:
    """What all spans say together; see :meth:`add` and :meth:`conclude`."""

    def __init__(self, head: Checkpoint, earlier: Sequence[Earlier], reader: Reader) -> None:
        self._head = head
        self._earlier = earlier
        self._reader = reader
        self._above = Rebuilt()
        """Over the roots of full tiles: its level 0 is the log's level 1."""
        self._full = head.size // TILE_WIDTH
        self._wanted = {head.size, *(one.checkpoint.size for one in earlier)}
        self._roots: dict[int, bytes] = {0: EMPTY_ROOT}
        """Size → root."""
        self._waiting = Waiting()
        self._newest = 0
        self.facts = Facts()
        self.kinds: Counter[str] = Counter()
        self.root = EMPTY_ROOT

    def close(self) -> None:
        """Gives back what waits on disk."""
        self._waiting.close()

    def add(self, span: Span, checked: Checked) -> Iterator[Remark]:
        """Takes in the next span; gives what is wrong between it and those before."""
        self.kinds += checked.kinds
        self.facts.add(checked)
        self._waiting.add(checked.ends)
        yield from self._dated(checked)
        yield from self._grown(span, checked)

    def conclude(self, as_of: int | None) -> Iterator[Remark]:
        """Judges tree, earlier heads and relations, when all spans were added. ``as_of``: the time up to
        which what was due is overdue; by default that of the newest statement."""
        yield from self._upper(list(self._above.edge()))
        yield from self._heads()
        self.facts.as_of = self._newest if as_of is None else as_of
        for ends in self._waiting.groups():
            yield from RELATIONS[ends[0].relation].judge(ends, self.facts)

    def _dated(self, checked: Checked) -> Iterator[Remark]:
        time, leaf = checked.oldest
        if time and time < self._newest - ORDER_TOLERANCE:
            yield Remark(Nature.CONTRADICTORY, out_of_order(leaf))
        self._newest = max(self._newest, checked.newest)

    def _grown(self, span: Span, checked: Checked) -> Iterator[Remark]:
        """The tree grows by the span's tiles; one that is not full is its right edge, and hashed last."""
        for tile, root in enumerate(checked.roots, span.first):
            for size, edge in checked.edges.items():
                if size // TILE_WIDTH == tile:
                    self._roots[size] = self._above.root_with(edge)
            if tile < self._full:
                yield from self._upper(list(self._above.add([root])))
                size = (tile + 1) * TILE_WIDTH
                if size in self._wanted:
                    self._roots[size] = self._above.root()
            else:
                self._roots[self._head.size] = self._above.root_with(root)

    def _upper(self, tiles: Sequence[tuple[tuple[int, int], bytes]]) -> Iterator[Remark]:
        for (level, index), content in tiles:
            found = self._reader.tile(level + 1, index, len(content) // HASH_SIZE)
            if found != content:
                nature = Nature.INCOMPLETE if content.startswith(found) else Nature.FORGED
                yield Remark(nature, wrong_tile(level + 1, index))

    def _heads(self) -> Iterator[Remark]:
        self.root = self._roots.get(self._head.size, b"")
        if self.root != self._head.root:
            yield _of_head(
                "", "日志的树根与已签名的日志头不符", "the tree's root is not the one that was signed"
            )
        for one in self._earlier:
            checkpoint = one.checkpoint
            if checkpoint.size > self._head.size:
                zh, en = "比出示的日志更长：出示的日志缺少存证", "is of a longer log: leaves are missing here"
                yield Remark(Nature.INCOMPLETE, Finding("checkpoint", one.name, "size", zh, en))
            elif self._roots.get(checkpoint.size) != checkpoint.root:
                zh = "不是此日志的开头：日志在其后被改写，或有两份不同的日志"
                en = "is not of a beginning of this log: it was rewritten, or there are two"
                yield _of_head(one.name, zh, en)


def _of_head(name: str, zh: str, en: str) -> Remark:
    return Remark(Nature.FORGED, Finding("checkpoint", name, "root", zh, en))
