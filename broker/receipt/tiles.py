"""The log's tree as tiles (C2SP tlog-tiles): what is stored of it, how it grows, how it proves.

A tile of level L holds up to 256 consecutive hashes of 32 bytes: at level 0 leaf hashes, above it the
roots of full tiles of the level below, so a tile stands for a subtree of height 8. Only these rows are
stored; the seven levels of nodes between are hashed again when a tile is read, once, and then kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from hashlib import sha256
from threading import Lock

from broker.errors import VerificationFailed
from broker.receipt.merkle import EMPTY_ROOT, HASH_SIZE, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_SIZE
CACHED_TILES = 1024
"""With the nodes above it, a full tile takes 16 KiB."""

TileKey = tuple[int, int]
"""(level, index)."""

ReadTile = Callable[[int, int], bytes]
"""Gives the stored tile (level, index), empty when there is none. Only what is committed may be given, for
full tiles are kept in a cache that outlives the transaction."""

Rows = tuple[bytes, ...]
"""A tile with the nodes above it: row h has the roots of its complete subtrees of height h, 32 bytes each."""

_NO_ROWS: Rows = (b"",) * (TILE_HEIGHT + 1)


class CorruptLog(VerificationFailed):
    """A stored tile is missing, too short for the tree's size, or no whole number of hashes."""


class TileCache:
    """Full tiles, least recently used out first; shared by the trees of one log, and by threads.

    A full tile never changes, so nothing here can become stale.
    """

    def __init__(self, capacity: int = CACHED_TILES) -> None:
        self._capacity = capacity
        self._tiles: OrderedDict[TileKey, Rows] = OrderedDict()
        self._lock = Lock()

    def get(self, key: TileKey) -> Rows | None:
        """The tile, if it is kept."""
        with self._lock:
            rows = self._tiles.get(key)
            if rows is not None:
                self._tiles.move_to_end(key)
            return rows

    def put(self, key: TileKey, rows: Rows) -> None:
        """Keeps a full, committed tile."""
        with self._lock:
            self._tiles[key] = rows
            self._tiles.move_to_end(key)
            if len(self._tiles) > self._capacity:
                self._tiles.popitem(last=False)


class Tree:
    """The tree over the first ``size`` leaves of the log: a value, of which :meth:`append` gives the next.

    ``read_tile`` may give a tile that has since grown wider; what this tree does not need is ignored.

    Raises (every method that reads):
        CorruptLog: a stored tile cannot be what this size needs.
    """

    def __init__(self, size: int, read_tile: ReadTile, cache: TileCache | None = None) -> None:
        if size < 0:
            raise ValueError("a tree has no negative size")
        self.size = size
        self._read_tile = read_tile
        self._cache = cache if cache is not None else TileCache()
        self._own: dict[TileKey, Rows] = {}
        """Partial tiles read, and tiles appended that may not be stored yet."""
        self._earlier: dict[TileKey, Rows] = {}
        """Partial tiles of a smaller tree of the same log: what was hashed for it need not be again."""
        self._suffixes: dict[int, bytes] = {}

    def root(self) -> bytes:
        """MTH(D[0:size]), RFC 6962 §2.1."""
        return self._hash(0, self.size) if self.size else EMPTY_ROOT

    def leaf_hash(self, index: int) -> bytes:
        """The stored hash of one leaf.

        Raises:
            ValueError: the tree has no such leaf.
        """
        if not 0 <= index < self.size:
            raise ValueError("leaf index outside the tree")
        return self._node(0, index)

    def inclusion_proof(self, leaf_index: int) -> tuple[bytes, ...]:
        """PATH(leaf_index, D[0:size]) of RFC 6962 §2.1.1, from the leaf upwards.

        Raises:
            ValueError: the tree has no such leaf.
        """
        return self.inclusion_proofs([leaf_index])[leaf_index]

    def inclusion_proofs(self, leaf_indices: Collection[int]) -> dict[int, tuple[bytes, ...]]:
        """:meth:`inclusion_proof` of several leaves, by index: those that stand side by side share most of
        their paths, which are walked once.

        Raises:
            ValueError: the tree lacks one of them.
        """
        wanted = sorted(set(leaf_indices))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < self.size:
            raise ValueError("leaf index outside the tree")
        return dict(self._paths(wanted, 0, self.size, ()))

    def _paths(
        self, wanted: Sequence[int], start: int, stop: int, above: tuple[bytes, ...]
    ) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """The paths of leaves of the subtree D[start:stop], whose own path to the root is ``above``."""
        if stop - start == 1:
            yield from ((index, above) for index in wanted)
        elif wanted:
            split = start + _split(stop - start)
            left = bisect_left(wanted, split)
            if left:
                yield from self._paths(wanted[:left], start, split, (self._hash(split, stop), *above))
            if left < len(wanted):
                yield from self._paths(wanted[left:], split, stop, (self._hash(start, split), *above))

    def consistency_proof(self, first_size: int) -> tuple[bytes, ...]:
        """PROOF(first_size, D[0:size]) of RFC 6962 §2.1.2; empty when the sizes are equal.

        Raises:
            ValueError: unless 0 < first_size ≤ size.
        """
        if not 0 < first_size <= self.size:
            raise ValueError("first size outside the tree")
        path = []
        start, stop = 0, self.size
        while stop != first_size:
            split = start + _split(stop - start)
            if first_size <= split:
                path.append(self._hash(split, stop))
                stop = split
            else:
                path.append(self._hash(start, split))
                start = split
        if start > 0:
            path.append(self._hash(start, stop))
        return tuple(reversed(path))

    def append(self, leaf_hashes: Sequence[bytes]) -> tuple[Tree, dict[TileKey, bytes]]:
        """The tree with these leaves after its own, and the whole new content of every tile that changed.

        The new tree reads the changed tiles from memory, so it proves before they are stored; once they
        are, go on with :meth:`stored`.

        Raises:
            ValueError: a hash is not 32 bytes long.
        """
        if any(len(leaf) != HASH_SIZE for leaf in leaf_hashes):
            raise ValueError("a leaf hash is 32 bytes long")
        changed: dict[TileKey, Rows] = {}
        level, hashes = 0, b"".join(leaf_hashes)
        while hashes:
            hashes = self._extend_level(level, hashes, changed)
            level += 1
        tree = Tree(self.size + len(leaf_hashes), self._read_tile, self._cache)
        tree._own = {**self._own, **changed}
        return tree, {key: rows[0] for key, rows in changed.items()}

    def stored(self) -> Tree:
        """This tree, after the tiles that :meth:`append` gave were committed where ``read_tile`` reads.

        Full tiles move to the shared cache; only the right edge stays with the tree. A long-lived log
        calls it after every commit, or its trees keep all they ever appended.
        """
        tree = Tree(self.size, self._read_tile, self._cache)
        for key, rows in list(self._own.items()):  # a copy: other threads may be proving
            if len(rows[0]) == TILE_BYTES:
                self._cache.put(key, rows)
            else:
                tree._own[key] = rows
        return tree

    def grown(self, size: int, read_tile: ReadTile) -> Tree:
        """The tree of a larger size that the log has reached meanwhile, through other writers.

        Its right edge is read at once by ``read_tile``, which may belong to a transaction that ends soon.

        Raises:
            ValueError: the size is smaller than this tree's.
        """
        if size < self.size:
            raise ValueError("a tree does not shrink")
        tree = Tree(size, read_tile, self._cache)
        tree._earlier = self._own
        tree._read_edge()
        tree._read_tile, tree._earlier = self._read_tile, {}
        return tree

    def _read_edge(self) -> None:
        """Loads the partial tile of every level that has one."""
        level, hashes = 0, self.size
        while hashes:
            if hashes % TILE_WIDTH:
                self._tile(level, hashes // TILE_WIDTH)
            level, hashes = level + 1, hashes // TILE_WIDTH

    def _extend_level(self, level: int, hashes: bytes, changed: dict[TileKey, Rows]) -> bytes:
        """Puts ``hashes`` at the end of a level; gives the roots of the tiles this filled."""
        roots = []
        index, width = divmod(self.size >> (TILE_HEIGHT * level), TILE_WIDTH)
        rows = _cut(self._tile(level, index), width) if width else _NO_ROWS
        start = 0
        while start < len(hashes):
            stop = start + TILE_BYTES - len(rows[0])
            rows = changed[level, index] = _grow(rows, hashes[start:stop])
            roots.append(rows[TILE_HEIGHT])
            index, rows, start = index + 1, _NO_ROWS, stop
        return b"".join(roots)

    def _hash(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop]) of a subtree that RFC 6962's splits lead to: complete, or at the right edge."""
        width = stop - start
        if width & (width - 1) == 0:
            return self._node(width.bit_length() - 1, start // width)
        if start not in self._suffixes:
            split = start + _split(width)
            self._suffixes[start] = node_hash(self._hash(start, split), self._hash(split, stop))
        return self._suffixes[start]

    def _node(self, height: int, index: int) -> bytes:
        """The root of the ``index``-th complete subtree of ``2**height`` leaves."""
        level, row = divmod(height, TILE_HEIGHT)
        tile, place = divmod(index, TILE_WIDTH >> row)
        return self._tile(level, tile)[row][place * HASH_SIZE : (place + 1) * HASH_SIZE]

    def _tile(self, level: int, index: int) -> Rows:
        """A tile as wide as this tree needs it, or wider."""
        key = (level, index)
        rows = self._own.get(key) or self._cache.get(key)
        if rows is None:
            rows = self._load(key)
        return rows

    def _load(self, key: TileKey) -> Rows:
        level, index = key
        content = self._read_tile(level, index)
        needed = min(TILE_WIDTH, (self.size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
        if len(content) % HASH_SIZE or not needed * HASH_SIZE <= len(content) <= TILE_BYTES:
            raise CorruptLog(
                f"日志瓦片 {level}/{index} 缺失或损坏 / log tile {level}/{index} is missing or corrupt"
            )
        earlier = self._earlier.get(key, _NO_ROWS)
        if not content.startswith(earlier[0]):
            raise CorruptLog(f"日志瓦片 {level}/{index} 被改写 / log tile {level}/{index} was rewritten")
        if len(content) == TILE_BYTES:
            rows = _grow(earlier, content[len(earlier[0]) :])
            self._cache.put(key, rows)
        else:
            rows = self._own[key] = _grow(earlier, content[len(earlier[0]) : needed * HASH_SIZE])
        return rows


def _split(width: int) -> int:
    """The largest power of two smaller than ``width`` (k of RFC 6962 §2.1)."""
    return 1 << ((width - 1).bit_length() - 1)


def _grow(rows: Rows, hashes: bytes) -> Rows:
    """The tile with more hashes at its end; hashes only the nodes that this completes."""
    row = rows[0] + hashes
    grown = [row]
    pair = 2 * HASH_SIZE
    for known in rows[1:]:
        whole = len(row) - len(row) % pair
        new = [sha256(b"\x01" + row[i : i + pair]).digest() for i in range(2 * len(known), whole, pair)]
        row = known + b"".join(new)
        grown.append(row)
    return tuple(grown)


def _cut(rows: Rows, width: int) -> Rows:
    """The tile as it was when it held ``width`` hashes."""
    return tuple(row[: (width >> height) * HASH_SIZE] for height, row in enumerate(rows))
