"""The Merkle tree of RFC 6962 §2.1: its hashes, and the verification of its proofs.

SHA-256 throughout. A leaf and an inner node are hashed under different first bytes, so that neither can
pass for the other. Verification follows RFC 9162 §2.1.3.2 and §2.1.4.2, which write down as algorithms
what RFC 6962 leaves to the reader. Every verifier here trusts none of its arguments but the roots, and
raises :class:`broker.errors.VerificationFailed` and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from broker.errors import VerificationFailed
from broker.reasons import Sentence

HASH_SIZE = 32

EMPTY_ROOT = sha256().digest()
"""MTH({}), the root of the empty tree (RFC 6962 §2.1)."""

LEAF_VERSION = b"\x01"
"""First byte of every log entry; another layout of entries would take another."""

INCLUSION = Sentence("包含证明", "inclusion proof")
CONSISTENCY = Sentence("一致性证明", "consistency proof")


def leaf_entry(statement: bytes) -> bytes:
    """The log entry of a statement, 33 bytes: version ‖ SHA-256(statement).

    The log holds no statement, so it reveals nothing and a statement can be erased without breaking it.
    """
    return LEAF_VERSION + sha256(statement).digest()


def leaf_hash(entry: bytes) -> bytes:
    """MTH({entry}) = SHA-256(0x00 ‖ entry), RFC 6962 §2.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH of the leaves with these hashes, RFC 6962 §2.1; of one level after the other, in which a node
    without sibling moves up unhashed: that is where its splits leave it."""
    row = list(leaf_hashes)
    while len(row) > 1:
        alone = row[len(row) & ~1 :]
        row = [node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=False)] + alone
    return row[0] if row else EMPTY_ROOT


def root_from_inclusion(leaf_hash: bytes, leaf_index: int, tree_size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to (RFC 9162 §2.1.3.2).

    Args:
        leaf_hash: 32 bytes, from :func:`leaf_hash`.
        leaf_index: place of the leaf, from 0.
        tree_size: number of leaves of the tree.
        proof: RFC 6962 §2.1.1 audit path, from the leaf upwards.

    Raises:
        VerificationFailed: the leaf is outside the tree, or the path is not of the length its place asks for.
    """
    _require_sizes(INCLUSION, leaf_index, tree_size)
    _require(leaf_index < tree_size, INCLUSION, "叶序号超出树", "leaf index outside the tree")
    _require_hashes(INCLUSION, [leaf_hash], proof)
    index, last, root = leaf_index, tree_size - 1, leaf_hash
    for sibling in proof:
        _require(last > 0, INCLUSION, "过长", "too long")
        if index & 1 or index == last:
            root = node_hash(sibling, root)
            index, last = _skip_missing_siblings(index, last)
        else:
            root = node_hash(root, sibling)
        index, last = index >> 1, last >> 1
    _require(last == 0, INCLUSION, "过短", "too short")
    return root


def verify_inclusion(
    leaf_hash: bytes, leaf_index: int, tree_size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Checks that the leaf stands at ``leaf_index`` in the tree of ``tree_size`` leaves under ``root``.

    Raises:
        VerificationFailed: it does not, or an argument is malformed.
    """
    _require_hashes(INCLUSION, [root], ())
    reached = root_from_inclusion(leaf_hash, leaf_index, tree_size, proof)
    _require(reached == root, INCLUSION, "不通向树根", "does not lead to the root")


def verify_consistency(
    first_size: int, second_size: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Checks that the first tree is a prefix of the second (RFC 9162 §2.1.4.2).

    Equal sizes ask for equal roots and an empty proof. Nothing is proved from an empty tree, so a size of
    zero fails.

    Raises:
        VerificationFailed: it is not a prefix, or an argument is malformed.
    """
    _require_sizes(CONSISTENCY, first_size, second_size)
    _require(0 < first_size <= second_size, CONSISTENCY, "树大小不符", "sizes out of order")
    _require_hashes(CONSISTENCY, [first_root, second_root], proof)
    if first_size == second_size:
        _require(not proof, CONSISTENCY, "过长", "too long")
        _require(first_root == second_root, CONSISTENCY, "大小相同而树根不同", "same size, other root")
        return
    first, second = _roots_from_consistency(first_size, second_size, first_root, proof)
    _require(first == first_root, CONSISTENCY, "不通向先前的树根", "misses the first root")
    _require(second == second_root, CONSISTENCY, "不通向后来的树根", "misses the second root")


def _roots_from_consistency(
    first_size: int, second_size: int, first_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Both roots as the proof rebuilds them from the largest subtree the two trees share."""
    # A first tree that is one complete subtree is that subtree, and the proof leaves it out.
    complete = first_size & (first_size - 1) == 0
    path = [first_root, *proof] if complete else list(proof)
    _require(len(path) > (1 if complete else 0), CONSISTENCY, "过短", "too short")
    index, last = first_size - 1, second_size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        _require(last > 0, CONSISTENCY, "过长", "too long")
        if index & 1 or index == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            index, last = _skip_missing_siblings(index, last)
        else:
            second = node_hash(second, sibling)
        index, last = index >> 1, last >> 1
    _require(last == 0, CONSISTENCY, "过短", "too short")
    return first, second


def _skip_missing_siblings(index: int, last: int) -> tuple[int, int]:
    """Climbs past the levels at which the rightmost node has no sibling and so moves up unhashed."""
    while index and not index & 1:
        index, last = index >> 1, last >> 1
    return index, last


def _require(holds: bool, what: Sentence, zh: str, en: str) -> None:
    if not holds:
        raise VerificationFailed(f"{what.zh}：{zh} / {what.en}: {en}")


def _require_sizes(what: Sentence, *sizes: object) -> None:
    for size in sizes:
        _require(
            type(size) is int and size >= 0, what, "大小或序号不是自然数", "size or index no natural number"
        )


def _require_hashes(what: Sentence, hashes: Sequence[object], proof: object) -> None:
    if not isinstance(proof, tuple | list):
        raise VerificationFailed(f"{what.zh}：不是哈希序列 / {what.en}: not a sequence of hashes")
    for value in (*hashes, *proof):
        _require(
            isinstance(value, bytes) and len(value) == HASH_SIZE, what, "哈希长度不符", "bad hash length"
        )
