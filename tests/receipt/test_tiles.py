"""Tiles against a naive tree: the same roots and proofs, from exactly the stored rows the format asks for."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.receipt.merkle import EMPTY_ROOT, leaf_hash, node_hash, verify_consistency, verify_inclusion
from broker.receipt.tiles import TILE_WIDTH, CorruptLog, TileCache, Tree

LEAVES = [leaf_hash(i.to_bytes(4)) for i in range(70_100)]


@cache
def mth(start: int, stop: int) -> bytes:
    """MTH(LEAVES[start:stop]), RFC 6962 §2.1, word for word but remembered."""
    n = stop - start
    if n == 0:
        return EMPTY_ROOT
    return LEAVES[start] if n == 1 else node_hash(mth(start, start + split(n)), mth(start + split(n), stop))


def path(m: int, start: int, stop: int) -> list[bytes]:
    """PATH(m, LEAVES[start:stop]), RFC 6962 §2.1.1."""
    if stop - start == 1:
        return []
    k = split(stop - start)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, stop)]
    return [*path(m - k, start + k, stop), mth(start, start + k)]


def split(n: int) -> int:
    return 1 << ((n - 1).bit_length() - 1)


class Store:
    """Tiles as a log keeps them: each under its level and index, only ever replaced by a wider one."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads = 0

    def read(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.tiles.get((level, index), b"")


def built(sizes: list[int], then: Callable[[Tree], Tree] = lambda tree: tree) -> tuple[Tree, Store]:
    """A log of ``sum(sizes)`` leaves appended in batches of these sizes; ``then`` runs after each."""
    store = Store()
    tree = Tree(0, store.read)
    for size in sizes:
        tree, changed = tree.append(LEAVES[tree.size : tree.size + size])
        store.tiles.update(changed)
        tree = then(tree)
    return tree, store


@pytest.fixture(scope="module")
def large() -> Store:
    """70,000 leaves: the example of the tlog-tiles specification."""
    return built([70_000])[1]


def test_root_and_proofs_at_every_small_size() -> None:
    """Appending one leaf at a time gives the naive root at every size to 1,100, over two levels of tiles."""
    tree = Tree(0, Store().read)
    assert tree.root() == EMPTY_ROOT
    for size in range(1, 1101):
        tree, _ = tree.append([LEAVES[size - 1]])
        assert tree.root() == mth(0, size)
        assert tree.leaf_hash(size - 1) == LEAVES[size - 1]
        m = (size * 7919) % size if size % 3 else size - 1
        assert list(tree.inclusion_proof(m)) == path(m, 0, size)


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 513, 700])
def test_every_inclusion_proof_of_a_size(size: int) -> None:
    """Every leaf's proof is the naive one and verifies."""
    tree, _ = built([size])
    for m in range(size):
        proof = tree.inclusion_proof(m)
        assert list(proof) == path(m, 0, size)
        verify_inclusion(LEAVES[m], m, size, proof, tree.root())


@settings(max_examples=60)
@given(st.data())
def test_inclusion_proofs_of_several_leaves(large: Store, data: st.DataObject) -> None:
    """Any set of leaves, in any order, gets the proofs that each would get alone."""
    size = data.draw(st.integers(1, 70_000))
    wanted = data.draw(st.lists(st.integers(0, size - 1) | st.integers(max(0, size - 300), size - 1)))
    proofs = Tree(size, large.read).inclusion_proofs(wanted)
    assert {m: list(proof) for m, proof in proofs.items()} == {m: path(m, 0, size) for m in wanted}


@pytest.mark.parametrize("wanted", [[-1, 0], [0, 10], [10]])
def test_inclusion_proofs_of_leaves_that_are_not_there(wanted: list[int]) -> None:
    """One leaf outside the tree is a mistake, whatever stands beside it."""
    with pytest.raises(ValueError, match="outside"):
        built([10])[0].inclusion_proofs(wanted)


def test_consistency_between_any_two_small_sizes() -> None:
    """Any two sizes to 80, and across tile edges, are provably consistent, from the tiles of the largest."""
    _, store = built([1100])
    sizes = [*range(1, 81), 255, 256, 257, 512, 767, 1024, 1100]
    for second in sizes:
        tree = Tree(second, store.read)
        for first in (size for size in sizes if size <= second):
            verify_consistency(first, second, mth(0, first), tree.root(), tree.consistency_proof(first))


@settings(max_examples=60)
@given(st.data())
def test_random_sizes_to_70000(large: Store, data: st.DataObject) -> None:
    """Trees of any two sizes, read from one store of wider tiles, prove inclusion and consistency."""
    second = data.draw(st.integers(1, 70_000))
    first = data.draw(st.integers(1, second))
    m = data.draw(st.integers(0, second - 1))
    tree = Tree(second, large.read)
    assert tree.root() == mth(0, second)
    verify_inclusion(LEAVES[m], m, second, tree.inclusion_proof(m), mth(0, second))
    verify_consistency(first, second, mth(0, first), mth(0, second), tree.consistency_proof(first))


@settings(max_examples=60)
@given(st.lists(st.integers(0, 700), max_size=6), st.booleans())
def test_batches_do_not_show(sizes: list[int], settle: bool) -> None:
    """However leaves are batched, stored or held back, tiles and root are those of one append."""
    tree, store = built(sizes, Tree.stored if settle else lambda tree: tree)
    at_once, expected = built([sum(sizes)])
    assert store.tiles == expected.tiles
    assert tree.root() == at_once.root() == Tree(sum(sizes), store.read).root()


@settings(max_examples=40)
@given(st.integers(0, 70_000), st.integers(0, 600))
def test_appending_to_stored_tiles(large: Store, size: int, more: int) -> None:
    """A tree opened on a store that has since grown appends as if it had not."""
    more = min(more, len(LEAVES) - size)
    tree, changed = Tree(size, large.read).append(LEAVES[size : size + more])
    assert tree.root() == mth(0, size + more)
    for (level, index), content in changed.items():
        assert content == expected_tile(level, index, size + more)


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_tree_grows_to_what_others_appended(large: Store, size: int, more: int) -> None:
    """Without hashing again what it knew: root and proofs are those of a tree read anew."""
    tree = Tree(size, large.read)
    tree.root()
    reads: list[tuple[int, int]] = []

    def in_transaction(level: int, index: int) -> bytes:
        reads.append((level, index))
        return large.read(level, index)

    grown = tree.grown(size + more, in_transaction)
    edge = len(reads)
    fresh = Tree(size + more, large.read)
    assert (grown.size, grown.root()) == (fresh.size, fresh.root())
    if size:
        assert grown.consistency_proof(size) == fresh.consistency_proof(size)
        assert grown.inclusion_proof(size - 1) == fresh.inclusion_proof(size - 1)
    assert len(reads) == edge  # the transaction may be over by now
    with pytest.raises(ValueError, match="does not shrink"):
        grown.grown(grown.size - 1, large.read)


def test_a_rewritten_tile_shows_when_a_tree_grows() -> None:
    """What this process has seen cannot be replaced under it, not even before it was signed."""
    tree, store = built([10])
    tree.root()
    tree = tree.stored()
    other, changed = Tree(0, Store().read).append([b"x" * 32, *LEAVES[1:20]])
    store.tiles.update(changed)
    with pytest.raises(CorruptLog, match="was rewritten"):
        tree.grown(other.size, store.read)


def expected_tile(level: int, index: int, size: int) -> bytes:
    """The tile of the tlog-tiles formula: MTH(D[(n·256+i)·256^l : (n·256+i+1)·256^l]), cut at the size."""
    span = TILE_WIDTH**level
    width = min(TILE_WIDTH, size // span - index * TILE_WIDTH)
    places = (index * TILE_WIDTH + i for i in range(width))
    return b"".join(mth(place * span, (place + 1) * span) for place in places)


def test_the_specification_s_example(large: Store) -> None:
    """70,000 leaves are 273 full tiles and one of 112; one full and one of 17; one of 1."""
    widths: dict[int, list[int]] = {}
    for (level, _), content in sorted(large.tiles.items()):
        widths.setdefault(level, []).append(len(content) // 32)
    assert widths == {0: [256] * 273 + [112], 1: [256, 17], 2: [1]}
    assert all(content == expected_tile(*key, 70_000) for key, content in large.tiles.items())


def test_only_changed_tiles_are_given() -> None:
    """An append names the tiles it touched and no other, so that a batch writes little."""
    tree, _ = built([700])
    assert set(tree.append(LEAVES[700:701])[1]) == {(0, 2)}
    assert set(tree.append(LEAVES[700:768])[1]) == {(0, 2), (1, 0)}
    assert set(tree.append(LEAVES[700:800])[1]) == {(0, 2), (0, 3), (1, 0)}
    assert tree.append([])[1] == {}


def test_append_leaves_the_old_tree_alone() -> None:
    """A batch that fails to commit is forgotten by dropping the new tree."""
    tree, store = built([500])
    forged, _ = tree.append([leaf_hash(b"never committed")] * 300)
    assert tree.root() == mth(0, 500)
    again, changed = tree.append(LEAVES[500:800])
    assert again.root() == mth(0, 800) != forged.root()
    store.tiles.update(changed)
    assert Tree(800, store.read).root() == mth(0, 800)


def test_uncommitted_tiles_never_reach_the_shared_cache() -> None:
    """A cache shared with a dropped tree must not remember the leaves that were never committed."""
    store, shared = Store(), TileCache()
    _, changed = Tree(0, store.read, shared).append(LEAVES[:250])
    store.tiles.update(changed)
    dropped, _ = Tree(250, store.read, shared).append([leaf_hash(b"never committed")] * 300)
    dropped.inclusion_proof(0)
    _, changed = Tree(250, store.read, shared).append(LEAVES[250:600])
    store.tiles.update(changed)
    assert Tree(600, store.read, shared).root() == mth(0, 600)
    assert list(Tree(600, store.read, shared).inclusion_proof(3)) == path(3, 0, 600)


def test_a_tree_not_yet_stored_prefers_its_own_tiles() -> None:
    """What another replica has committed meanwhile does not mix with the leaves of a batch that lost."""
    shared = TileCache()
    tree, _ = Tree(0, Store().read, shared).append(LEAVES[:250])
    lost, _ = tree.append([leaf_hash(b"never committed")] * 300)
    expected = lost.inclusion_proof(260)
    tree.append(LEAVES[250:600])[0].stored()
    assert lost.inclusion_proof(260) == expected


def test_only_full_tiles_are_shared() -> None:
    """A partial tile grows in other processes, so it is read again and never taken from the cache."""
    store, shared = Store(), TileCache()
    tree, changed = Tree(0, store.read, shared).append(LEAVES[:300])
    store.tiles.update(changed)
    tree.stored()
    store.tiles.update(Tree(300, store.read).append(LEAVES[300:600])[1])
    assert Tree(600, store.read, shared).root() == mth(0, 600)


def test_stored_trees_keep_only_their_edge() -> None:
    """A log that lives for long holds one partial tile a level and a bounded cache, whatever it appended."""
    few = TileCache(capacity=4)
    store = Store()
    tree = Tree(0, store.read, few)
    for start in range(0, 20_000, 100):
        tree, changed = tree.append(LEAVES[start : start + 100])
        store.tiles.update(changed)
        tree = tree.stored()
        assert len(tree._own) <= 2
        assert len(few._tiles) <= 4
    assert tree.root() == mth(0, 20_000)


def test_full_tiles_are_read_once() -> None:
    """Trees that share a cache do not read or hash a full tile again."""
    _, store = built([5000])
    shared = TileCache()
    Tree(5000, store.read, shared).inclusion_proof(1234)
    before = store.reads
    Tree(4999, store.read, shared).inclusion_proof(1235)
    assert store.reads - before == 2  # the right edge alone: one partial tile a level


def test_threads_may_share_tree_and_cache(large: Store) -> None:
    """Proofs asked by many threads at once are the same as by one."""
    tree = Tree(70_000, large.read, TileCache(capacity=8))
    places = random.Random(1).sample(range(70_000), 400)
    with ThreadPoolExecutor(8) as pool:
        proofs = list(pool.map(tree.inclusion_proof, places))
    assert [list(proof) for proof in proofs] == [path(m, 0, 70_000) for m in places]


@pytest.mark.parametrize(
    "damage",
    [
        lambda tile: b"",
        lambda tile: tile[:-32],
        lambda tile: tile[:-1],
        lambda tile: tile + b"x",
        lambda tile: tile + bytes(32 * 256),
    ],
)
@pytest.mark.parametrize("key", [(0, 0), (0, 2), (1, 0)])
def test_missing_or_cut_tiles_are_corrupt(key: tuple[int, int], damage: Callable[[bytes], bytes]) -> None:
    """A tile that is missing, too short or ragged is reported, and never padded or guessed."""
    _, store = built([700])
    store.tiles[key] = damage(store.tiles[key])
    with pytest.raises(CorruptLog):
        read_all(Tree(700, store.read))


def read_all(tree: Tree) -> None:
    for m in range(0, tree.size, 50):
        tree.inclusion_proof(m)
    tree.append(LEAVES[:1])


@settings(max_examples=50)
@given(st.integers(0, 699), st.integers(0, 255))
def test_any_altered_stored_hash_shows_in_leaf_and_proofs(m: int, bit: int) -> None:
    """No stored bit can change unseen: the leaf and its neighbour's path are no longer what was signed."""
    _, store = built([700])
    key, place = (0, m // 256), (m % 256) * 32
    tile = store.tiles[key]
    altered = (int.from_bytes(tile[place : place + 32]) ^ (1 << bit)).to_bytes(32)
    store.tiles[key] = tile[:place] + altered + tile[place + 32 :]
    found = Tree(700, store.read).leaf_hash(m)
    assert found != LEAVES[m]
    neighbour = m ^ 1 if m ^ 1 < 700 else m - 1
    assert list(Tree(700, store.read).inclusion_proof(neighbour)) != path(neighbour, 0, 700)


@pytest.mark.parametrize("index", [-1, 10, 11])
def test_leaves_outside_the_tree_are_refused(index: int) -> None:
    """Asking for a leaf that is not there is the caller's mistake, not a corrupt log."""
    tree, _ = built([10])
    with pytest.raises(ValueError, match="outside the tree"):
        tree.inclusion_proof(index)
    with pytest.raises(ValueError, match="outside the tree"):
        tree.leaf_hash(index)


@pytest.mark.parametrize("first", [-1, 0, 11])
def test_sizes_outside_the_tree_are_refused(first: int) -> None:
    """Consistency is asked from 1 to the tree's own size."""
    with pytest.raises(ValueError, match="outside the tree"):
        built([10])[0].consistency_proof(first)


def test_only_hashes_are_appended() -> None:
    """An entry passed where its hash belongs would shift every later leaf."""
    with pytest.raises(ValueError, match="32 bytes"):
        built([10])[0].append([b"an entry"])
    with pytest.raises(ValueError, match="negative"):
        Tree(-1, Store().read)
