"""The log as it was signed: which leaves it has, whatever the database says of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from broker.errors import VerificationFailed
from broker.journal import Leaf
from broker.receipt.merkle import HASH_SIZE, leaf_entry, leaf_hash, verify_inclusion
from broker.receipt.note import Checkpoint
from broker.receipt.rebuild import Rebuilt, hash_at
from broker.receipt.tiles import TILE_WIDTH, TileCache, Tree
from broker.store.store import Store


@dataclass(slots=True)
class ProvedLog:
    """A log up to a signed head, to which everything here leads.

    Every method may raise Unavailable (``LOG_UNAVAILABLE``).
    """

    store: Store
    head: Checkpoint
    _tree: Tree = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tree = Tree(self.head.size, self.store.tile, TileCache())

    def has(self, leaf: Leaf) -> bool:
        """Whether the leaf's statement, as the database has it, is what the log recorded there."""
        if not leaf.entry.statement or leaf.index >= self.head.size:
            return False
        hashed = leaf_hash(leaf_entry(leaf.entry.statement))
        try:
            proof = self._tree.inclusion_proof(leaf.index)
            verify_inclusion(hashed, leaf.index, self.head.size, proof, self.head.root)
        except VerificationFailed:
            return False
        return True

    def find(self, hashes: Collection[bytes]) -> dict[bytes, int]:
        """Where the log has leaves with these hashes; what is not there is in no leaf of the log, for all of
        its leaves are read, and hashed up to the signed root.

        Raises:
            VerificationFailed: they do not lead there; nothing can be said of what the log lacks.
        """
        found: dict[bytes, int] = {}
        rebuilt = Rebuilt()
        for start, block in self._blocks():
            for _ in rebuilt.add(block):
                pass
            if wanted := {*hashes} & {*block}:
                found |= {hashed: start + block.index(hashed) for hashed in wanted}
        if rebuilt.root() != self.head.root:
            raise VerificationFailed("数据库与已签名的日志头不符 / log: the database is not what was signed")
        return found

    def bare(self, leaves: Iterable[Leaf]) -> Iterator[tuple[bytes, bytes]]:
        """Of each run of leaves whose statements are not among ``leaves``, all that the database has in the
        order of the log, the statements before and after it; empty at the ends of the log.

        Raises:
            VerificationFailed: as of :meth:`find`.
        """
        self.find(())
        hashes = [hashed for _, block in self._blocks() for hashed in block]
        expected, before = 0, b""
        for leaf in leaves:
            said = leaf.entry.statement
            if not isinstance(said, bytes) or not expected <= leaf.index < len(hashes):
                continue
            if leaf_hash(leaf_entry(said)) == hashes[leaf.index]:
                if leaf.index > expected:
                    yield before, said
                expected, before = leaf.index + 1, said
        if expected < len(hashes):
            yield before, b""

    def _blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        for start in range(0, self.head.size, TILE_WIDTH):
            stop = min(start + TILE_WIDTH, self.head.size)
            tile = self.store.tile(0, start // TILE_WIDTH)
            block = [hash_at(tile, place) for place in range(stop - start)]
            if len(block[-1]) != HASH_SIZE:
                raise VerificationFailed("日志瓦片缺失或损坏 / log: a tile is missing or damaged")
            yield start, block
