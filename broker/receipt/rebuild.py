"""The log's tree built anew, from its leaf entries up, and compared with what is stored and signed.

Used by backup and restore, which refuse a log that contradicts itself, and by :mod:`broker.receipt.fsck`,
which names every row that does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from broker.errors import VerificationFailed
from broker.receipt.merkle import EMPTY_ROOT, HASH_SIZE, leaf_hash
from broker.receipt.note import Checkpoint
from broker.receipt.tiles import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, TileCache, TileKey, Tree
from broker.store.snapshot import Progress, Snapshot, no_progress


class Rebuilt:
    """A tree that grows from leaf hashes alone. ``sizes`` are those at which its root is wanted, too."""

    def __init__(self, sizes: Collection[int] = ()) -> None:
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        """Size → root, of the sizes wanted that were reached and of the last one asked for."""
        self._wanted = sorted(sizes, reverse=True)
        self._tree = Tree(0, _nothing_stored, TileCache(capacity=1))  # growing looks at the right edge only
        self._edge: dict[TileKey, bytes] = {}

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._tree.size

    def root(self) -> bytes:
        """MTH(D[0:size]), RFC 6962 §2.1."""
        return self._tree.root()

    def root_with(self, *hashes: bytes) -> bytes:
        """The root of a tree with these leaves after its own."""
        return self._tree.append(hashes)[0].root()

    def add(self, hashes: Sequence[bytes]) -> Iterator[tuple[TileKey, bytes]]:
        """Grows by these leaves; gives the tiles that this fills."""
        while hashes:
            while self._wanted and self._wanted[-1] <= self.size:
                self._wanted.pop()
            split = self._wanted[-1] - self.size if self._wanted else len(hashes)
            yield from self._grow(hashes[:split])
            hashes = hashes[split:]
            if self._wanted and self._wanted[-1] == self.size:
                self.roots[self.size] = self.root()

    def edge(self) -> Iterator[tuple[TileKey, bytes]]:
        """The tiles that are not full: at most one a level."""
        yield from self._edge.items()

    def _grow(self, hashes: Sequence[bytes]) -> Iterator[tuple[TileKey, bytes]]:
        tree, changed = self._tree.append(hashes)
        self._tree = tree.stored()
        for key, content in changed.items():
            if len(content) == TILE_BYTES:
                self._edge.pop(key, None)
                yield key, content
            else:
                self._edge[key] = content


def require_sound(
    snapshot: Snapshot, checkpoints: Collection[Checkpoint] = (), progress: Progress = no_progress
) -> tuple[int, bytes]:
    """Size and root of the log, once its leaves, tiles and head were found to agree with each other and with
    those of the checkpoints that are no larger than it.

    Raises:
        VerificationFailed: they do not.
        SetUpError: the database cannot be read.
    """
    size = _head_size(snapshot)
    rebuilt = Rebuilt([checkpoint.size for checkpoint in checkpoints])
    for start in range(0, size, TILE_WIDTH):
        entries = snapshot.entries(start, min(start + TILE_WIDTH, size))
        _require([index for index, _ in entries] == [*range(start, min(start + TILE_WIDTH, size))], "leaf")
        _require(all(isinstance(entry, bytes) for _, entry in entries), "leaf")
        for (level, index), content in rebuilt.add([leaf_hash(entry) for _, entry in entries]):
            _require(snapshot.tile(level, index) == content, "tile")
        progress("leaf", rebuilt.size, size)
    for (level, index), content in rebuilt.edge():
        _require(snapshot.tile(level, index) == content, "tile")
    _require(snapshot.leaf_count() == size, "leaf")
    for checkpoint in checkpoints:
        if 0 < checkpoint.size <= size and rebuilt.roots[checkpoint.size] != checkpoint.root:
            raise VerificationFailed("数据库与已签名的日志头不符 / log: the database is not what was signed")
    return size, rebuilt.root()


def tile_count(size: int, level: int) -> int:
    """Number of tiles of a level in a log of that size; 0 beyond the highest."""
    return -(-(size >> (TILE_HEIGHT * level)) // TILE_WIDTH)


def hash_at(tile: bytes, place: int) -> bytes:
    """The hash at a place of a tile; empty when it does not reach so far."""
    return tile[place * HASH_SIZE : (place + 1) * HASH_SIZE]


def _head_size(snapshot: Snapshot) -> int:
    heads = list(snapshot.rows("head"))
    _require(len(heads) == 1 and isinstance(heads[0]["size"], int), "head")
    return int(heads[0]["size"])


def _require(holds: bool, table: str) -> None:
    if not holds:
        raise VerificationFailed(
            f"日志自相矛盾（表 {table}），请运行 sharebroker fsck / "
            f"log: table {table} contradicts the rest; run `sharebroker fsck`"
        )


def _nothing_stored(_level: int, _index: int) -> bytes:
    return b""
