"""A span: some tiles of leaves that one process verifies in one go. What it finds is small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from broker.audit.verify.blocks import hashes_of, judged, statements_in
from broker.audit.verify.checks import RELATIONS
from broker.audit.verify.evidence import Block, Reader
from broker.audit.verify.packing import pack
from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.said import Anchors
from broker.audit.verify.ties import End
from broker.model import EntryKind
from broker.receipt.leaves import ORDER_TOLERANCE, out_of_order
from broker.receipt.merkle import root_of
from broker.receipt.retention import Expiry
from broker.receipt.tiles import TILE_WIDTH
from broker.store.rows import microseconds

MOST_REMARKS = 200
"""Kept of one span; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Span:
    """Tiles of level 0, from ``first`` to before ``stop``, of a log of ``size`` leaves."""

    first: int
    stop: int
    size: int
    sizes: tuple[int, ...] = ()
    """Sizes of earlier logs that end within these tiles, and not at the end of one."""

    @property
    def name(self) -> str:
        """Of the tiles, the same for each run."""
        return f"tiles {self.first}-{self.stop}"

    def width(self, tile: int) -> int:
        """Leaves that the log has in a tile."""
        return min(TILE_WIDTH, self.size - tile * TILE_WIDTH)

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return min(self.stop * TILE_WIDTH, self.size) - self.first * TILE_WIDTH


@dataclass(slots=True)
class Checked:
    """What was found of a span."""

    digest: bytes = b""
    """SHA-256 of all that was read."""
    roots: list[bytes] = field(default_factory=list)
    """MTH of each tile's leaves."""
    edges: dict[int, bytes] = field(default_factory=dict)
    """Size of an earlier log → MTH of the leaves that it has in its last tile."""
    remarks: list[Remark] = field(default_factory=list)
    counted: Counter[Nature] = field(default_factory=Counter)
    """Remarks, those not kept included."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Statements by kind."""
    erased: list[tuple[int, int]] = field(default_factory=list)
    """Runs of leaves (first, stop) whose statement is not there."""
    last_erased: dict[str, int] = field(default_factory=dict)
    """Kind that erased statements are said to have been of → the last such leaf."""
    emptied: list[tuple[int, int]] = field(default_factory=list)
    """Runs of leaves (first, stop) among them that are there, and have no statement at all."""
    expiries: list[Expiry] = field(default_factory=list)
    """Acts of erasure because of age."""
    ends: bytes = b""
    """Packed (:mod:`broker.audit.verify.packing`)."""
    oldest: tuple[int, int] = (0, 0)
    """Smallest time in a statement, microseconds since 1970-01-01 UTC, and its leaf; (0, 0) without any."""
    newest: int = 0


def digest_of(span: Span, reader: Reader) -> bytes:
    """SHA-256 of all that there is to read of a span: what was found of the same bytes stays true."""
    digest = sha256()
    for tile in range(span.first, span.stop):
        for part in _parts(reader.block(tile, span.width(tile))):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def check_span(span: Span, reader: Reader, anchors: Anchors, *, statements: bool) -> Checked:
    """Verifies a span; ``statements`` says whether the evidence has any."""
    checked, digest, ends = Checked(), sha256(), Ends()
    for tile in range(span.first, span.stop):
        block = reader.block(tile, span.width(tile))
        for part in _parts(block):
            digest.update(len(part).to_bytes(8, "big") + part)
        remarks: list[Remark] = []
        hashes = hashes_of(block, span.size, reader, remarks)
        checked.roots.append(root_of(hashes))
        for size in span.sizes:
            if size // TILE_WIDTH == tile:
                checked.edges[size] = root_of(hashes[: size % TILE_WIDTH])
        if statements:
            for leaf, statement in statements_in(block):
                remarks += take_statement(leaf, statement, anchors, checked, ends)
            _erased(block, checked)
        keep(checked, remarks)
    checked.digest, checked.ends = digest.digest(), pack(ends.kept)
    return checked


class Ends:
    """The ends of a span, without those that say nothing new."""

    def __init__(self) -> None:
        self._kept: list[End] = []
        self._bounds: dict[tuple[str, bytes, int, int], tuple[End, End]] = {}
        """Relation, key, role and fact → the end of the first leaf, and that of the largest number."""
        self._last: dict[str, tuple[bytes, int, int, int]] = {}

    def add(self, end: End) -> None:
        """Keeps an end, unless it says what the one before it said."""
        said = (end.key, end.role, end.number, end.fact)
        relation = RELATIONS[end.relation]
        if relation.bounds:
            same = (end.relation, end.key, end.role, end.fact)
            first, largest = self._bounds.get(same, (end, end))
            self._bounds[same] = (
                end if end.leaf < first.leaf else first,
                end if end.number > largest.number else largest,
            )
            return
        if relation.runs:
            if self._last.get(end.relation) == said:
                return
            self._last[end.relation] = said
        self._kept.append(end)

    @property
    def kept(self) -> list[End]:
        """Those that say something."""
        bounds = [end for both in self._bounds.values() for end in dict.fromkeys(both)]
        return self._kept + bounds


def take_statement(
    leaf: int, statement: bytes, anchors: Anchors, checked: Checked, ends: Ends
) -> Iterator[Remark]:
    """Takes in the next statement; gives what is wrong with it."""
    told, remarks, own = judged(leaf, statement, anchors)
    yield from remarks
    if told is None:
        return
    checked.kinds[told.kind] += 1
    if told.kind is EntryKind.RETENTION and not remarks:
        checked.expiries.append(Expiry.of(leaf, told.content))
    for end in own:
        ends.add(end)
    time = microseconds(told.recorded_at)
    if time < checked.newest - ORDER_TOLERANCE:
        yield Remark(Nature.CONTRADICTORY, out_of_order(leaf))
    checked.newest = max(checked.newest, time)
    checked.oldest = min(checked.oldest, (time, leaf)) if checked.oldest[0] else (time, leaf)


def _erased(block: Block, checked: Checked) -> None:
    """Leaves whose statement is not there; of one that was altered nothing is known either."""
    there = {leaf for leaf, _ in statements_in(block)} if len(block.statements) else set()
    for leaf in block.leaves:
        if leaf in there:
            continue
        lengthen(checked.erased, leaf)
        if block.statements.get(leaf, b"") is None:
            lengthen(checked.emptied, leaf)
        checked.last_erased[block.kinds.get(leaf, "")] = leaf


def lengthen(runs: list[tuple[int, int]], leaf: int) -> None:
    """Takes the next leaf into runs (first, stop)."""
    if runs and runs[-1][1] == leaf:
        runs[-1] = (runs[-1][0], leaf + 1)
    else:
        runs.append((leaf, leaf + 1))


def keep(checked: Checked, remarks: list[Remark]) -> None:
    """Keeps remarks, or counts them."""
    checked.counted.update(remark.nature for remark in remarks)
    checked.remarks += remarks[: max(0, MOST_REMARKS - len(checked.remarks))]


def _parts(block: Block) -> Iterator[bytes]:
    """All of a block, in an order of its own."""
    yield block.tile
    for leaf in sorted(block.entries.keys() | block.statements.keys()):
        said = block.statements.get(leaf)
        yield leaf.to_bytes(8, "big") + block.entries.get(leaf, b"")
        yield block.kinds.get(leaf, "").encode("utf-8", "surrogatepass") if said is None else said
    for path, content in block.narrower.items():
        yield path.encode()
        yield content
