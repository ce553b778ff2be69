"""``fsck`` of leaves, statements and tiles, from the first leaf to the last, one tile of leaves at a time.

Each leaf has three witnesses: the hash of its statement, its log entry, and its place in a tile. Where one
disagrees with two, it is the one that is named. An erased statement leaves two, of which a full tile is
believed if the tile above it agrees; otherwise both are named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any

from broker.model import EntryKind
from broker.particulars import particulars_of
from broker.receipt.finding import Finding, leaf_name, row_name, tile_name
from broker.receipt.indexed import Indexed, indexed
from broker.receipt.merkle import HASH_SIZE, leaf_entry, leaf_hash
from broker.receipt.rebuild import Rebuilt, hash_at
from broker.receipt.tiles import TILE_BYTES, TILE_WIDTH, TileKey
from broker.store.rows import columns, microseconds
from broker.store.snapshot import Progress, Row, Snapshot

ORDER_TOLERANCE = timedelta(minutes=10) // timedelta(microseconds=1)
"""Microseconds. A statement is dated before it waits for its transaction; others overtake it there, but not
for long."""

NO_HASH = bytes(HASH_SIZE)
"""Stands for a leaf of which no witness is left."""

STATEMENT, ENTRY, TILE = "statement", "leaf", "tile"
"""The witnesses, by the table they stand in."""

Witnesses = Mapping[str, bytes | None]
OnStatement = Callable[[int, Indexed], Iterator[Finding]]
"""Told of every sound statement, with its leaf index; tells what is wrong with what belongs to it."""

MAC_SIZE = 32
"""HMAC-SHA256."""

_CLAIMED = ("request_id", "consumer_uri", "verdict", "answer_digest")
_KINDS = frozenset(kind.value for kind in EntryKind)
_COLUMNS = ("kind", "consumer", "consumer_uri", "provider", "dataset", "purpose", "verdict")


class LeafCheck:
    """The leaves below ``size``. Iterate over :meth:`findings` once; the rest is known afterwards."""

    def __init__(
        self,
        snapshot: Snapshot,
        size: int,
        roots: Collection[int],
        on_statement: OnStatement,
        progress: Progress,
    ) -> None:
        self._snapshot = snapshot
        self._size = size
        self._on_statement = on_statement
        self._progress = progress
        self.rebuilt = Rebuilt(roots)
        self.erased = 0
        """Leaves without statement, which is allowed."""
        self.erased_kinds: set[object] = set()
        """What these are, as far as their rows tell."""
        self.claims = 0
        """Rows of ``request`` that are as the statements have them."""
        self._newest = 0
        """Largest time in a sound statement, in microseconds since 1970-01-01 UTC."""
        self._undated = (0, 0)
        """Largest time of an erased leaf since the last statement, and whose it is."""

    @property
    def newest(self) -> int:
        """Time of the newest leaf, in microseconds since 1970-01-01 UTC; 0 without any."""
        return max(self._newest, self._undated[0])

    def findings(self) -> Iterator[Finding]:
        """What is wrong, in the order of the leaves."""
        for start in range(0, self._size, TILE_WIDTH):
            stop = min(start + TILE_WIDTH, self._size)
            yield from self._block(start, stop)
            self._progress("leaf", stop, self._size)
        for key, content in self.rebuilt.edge():
            yield from self._inner_tile(key, content)

    def _block(self, start: int, stop: int) -> Iterator[Finding]:
        place = start // TILE_WIDTH
        stored = self._snapshot.tile(0, place)
        rows = {row["leaf_index"]: row for row in self._snapshot.leaves(start, stop)}
        yield from missing_leaves(range(start, stop), rows)
        hashes, doubted = [], len(stored) != (stop - start) * HASH_SIZE
        claims: dict[int, Indexed] = {}
        for index in range(start, stop):
            in_tile = hash_at(stored, index - start)
            witnesses = _witnesses(rows.get(index), in_tile if len(in_tile) == HASH_SIZE else None)
            value, wrong = judge(witnesses, lambda: self._believed(place, stored))
            hashes.append(value)
            doubted |= TILE in wrong
            if index in rows:
                yield from self._leaf(rows[index], wrong, claims)
        if doubted:
            yield wrong_tile(0, place)
        yield from self._claims(claims)
        for key, content in self.rebuilt.add(hashes):
            yield from self._inner_tile(key, content)

    def _leaf(self, row: Row, wrong: Collection[str], claims: dict[int, Indexed]) -> Iterator[Finding]:
        index, content = row["leaf_index"], row["content"]
        if ENTRY in wrong:
            yield wrong_entry(index)
        if STATEMENT in wrong:
            yield wrong_statement(index)
        elif content is None:
            self.erased += 1
            yield from self._erased(row)
        elif (said := indexed(content)) is None:
            zh, en = "不是本程序所知的陈述", "is no statement that this program knows"
            yield Finding("statement", leaf_name(index), "content", zh, en)
        else:
            yield from self._compare(row, said)
            yield from self._dated(index, microseconds(said.recorded_at))
            if said.claims:
                claims[index] = said
            yield from self._on_statement(index, said)

    def _compare(self, row: Row, said: Indexed) -> Iterator[Finding]:
        for name in _COLUMNS:
            if row[name] != getattr(said, name):
                yield _contradicts(row, name)
        for name, value in columns(particulars_of(said.content)).items():
            if row[name] != value:
                yield _contradicts(row, name)
        # Of a retry the column has when it was recorded, the statement when it was decided.
        tolerance = ORDER_TOLERANCE if said.kind is EntryKind.REDELIVERED else 0
        if not _within(row["recorded_at"], microseconds(said.recorded_at), tolerance):
            yield _contradicts(row, "recorded_at")

    # ── order in time: what statements say is certain, what erased leaves say is held against it ──

    def _dated(self, index: int, time: int) -> Iterator[Finding]:
        undated, whose = self._undated
        if undated > time + ORDER_TOLERANCE:
            yield out_of_order(whose)
        self._undated = (0, 0)
        if time < self._newest - ORDER_TOLERANCE:
            yield out_of_order(index)
        self._newest = max(self._newest, time)

    def _erased(self, row: Row) -> Iterator[Finding]:
        index, time = row["leaf_index"], row["recorded_at"]
        self.erased_kinds.add(row["kind"])
        if row["kind"] not in _KINDS:
            yield Finding("leaf", leaf_name(index), "kind", "没有这一类别", "there is no such kind")
        if not isinstance(time, int) or time < self._newest - ORDER_TOLERANCE:
            yield out_of_order(index)
        else:
            self._undated = max(self._undated, (time, index))

    # ── tiles and used request ids ──

    def _inner_tile(self, key: TileKey, content: bytes) -> Iterator[Finding]:
        if key[0] > 0 and self._snapshot.tile(*key) != content:
            yield wrong_tile(*key)

    def _believed(self, place: int, stored: bytes) -> bool:
        """Whether the tile above has the root of this one."""
        if len(stored) != TILE_BYTES:
            return False
        alone = Rebuilt()
        for _ in alone.add([hash_at(stored, i) for i in range(TILE_WIDTH)]):
            pass
        above, slot = divmod(place, TILE_WIDTH)
        return hash_at(self._snapshot.tile(1, above), slot) == alone.root()

    def _claims(self, claims: Mapping[int, Indexed]) -> Iterator[Finding]:
        """Every request id that an answer used up is on record, as the statement has it."""
        keys = {(said.consumer_uri, said.request_id) for said in claims.values()}
        rows = self._snapshot.claims(keys) if keys else []
        found = {(row["request_id"], row["consumer_uri"]): row for row in rows}
        for index, said in claims.items():
            row = found.get((said.request_id, said.consumer_uri))
            if row is None or not _points(row["leaf_index"], index, said):
                name = row_name({"request_id": said.request_id, "consumer_uri": said.consumer_uri})
                zh = f"第 {index} 条存证用过此请求号，却没有记录"
                en = f"does not tell that leaf {index} used this request id"
                yield Finding("request", name, "", zh, en)
            elif row["leaf_index"] == index and not any(wrong_in_claim(row, said)):
                self.claims += 1


def wrong_in_claim(row: Row, said: Indexed) -> Iterator[str]:
    """Columns of a row of ``request`` that are not what its leaf's statement says, or cannot be."""
    yield from (name for name in _CLAIMED if row[name] != getattr(said, name))
    if not isinstance(row["request_mac"], bytes) or len(row["request_mac"]) != MAC_SIZE:
        yield "request_mac"


def _points(value: Any, index: int, said: Indexed) -> bool:
    """Whether a request id points to a leaf that used it, or from a stream's decision on to its outcome."""
    later = said.kind is EntryKind.STREAM_DECISION and isinstance(value, int) and value > index
    return later or bool(value == index)


def judge(witnesses: Witnesses, tile_believed: Callable[[], bool]) -> tuple[bytes, set[str]]:
    """The leaf's hash as most witnesses have it, and those who have another. None is a witness that is not
    there, and empty one that is damaged. Undecided, all of them are wrong, unless the tile is believed."""
    own = witnesses[ENTRY]
    if own and own == witnesses[TILE] and witnesses[STATEMENT] in (own, None):
        return own, set()
    present = {name: value for name, value in witnesses.items() if value is not None}
    values = [value for value in present.values() if value]
    agreed = next((value for value in values if values.count(value) > 1), b"")
    if not agreed and witnesses[TILE] and (len(values) == 1 or tile_believed()):
        agreed = witnesses[TILE] or b""
    if not agreed and len(values) == 1:
        agreed = values[0]
    wrong = {name for name, value in present.items() if value != agreed}
    return agreed or witnesses[ENTRY] or NO_HASH, wrong


def _witnesses(row: Row | None, in_tile: bytes | None) -> dict[str, bytes | None]:
    if row is None:
        return {STATEMENT: None, ENTRY: None, TILE: in_tile}
    return {STATEMENT: _told(row["content"]), ENTRY: _own(row["log_entry"]), TILE: in_tile}


def _told(content: Any) -> bytes | None:
    if content is None:
        return None
    return leaf_hash(leaf_entry(content)) if isinstance(content, bytes) else b""


def _own(entry: Any) -> bytes:
    return leaf_hash(entry) if isinstance(entry, bytes) else b""


def missing_leaves(wanted: range, found: Container[int]) -> Iterator[Finding]:
    """One finding for each run of leaves that are not there."""
    gaps = [index for index in wanted if index not in found]
    for _, run in groupby(enumerate(gaps), lambda numbered: numbered[1] - numbered[0]):
        first, *rest = [index for _, index in run]
        name = leaf_name(f"{first}…{rest[-1]}" if rest else first)
        yield Finding("leaf", name, "", "缺失", "is missing")


def _within(value: Any, expected: int, tolerance: int) -> bool:
    return isinstance(value, int) and abs(value - expected) <= tolerance


def _contradicts(row: Row, column: str) -> Finding:
    return Finding(
        "leaf", leaf_name(row["leaf_index"]), column, "与其陈述不一致", "contradicts the leaf's statement"
    )


def wrong_entry(index: int) -> Finding:
    """Of a leaf whose log entry is not what its other witnesses say."""
    zh, en = "与其陈述和瓦片的哈希不符", "is not what statement and tile have hashed"
    return Finding("leaf", leaf_name(index), "log_entry", zh, en)


def wrong_statement(index: int) -> Finding:
    """Of a statement that is not the one that was logged."""
    zh, en = "哈希与存证日志不符，内容已被改动或损坏", "hash is not the leaf's: altered or damaged"
    return Finding("statement", leaf_name(index), "content", zh, en)


def wrong_tile(level: int, index: int) -> Finding:
    """Of a tile that is not made of the hashes below it."""
    zh, en = "与其下的哈希不符或缺失", "misses or contradicts what is below"
    return Finding("tile", tile_name(level, index), "hashes", zh, en)


def out_of_order(index: int) -> Finding:
    """Of a leaf whose time is too far from its neighbours'."""
    zh, en = "时间与前后存证的次序不符", "is out of order with its neighbours"
    return Finding("leaf", leaf_name(index), "recorded_at", zh, en)
