"""The signed head of the log as this process knows it, beside the tree it stands for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from broker.errors import SetUpError, VerificationFailed
from broker.journal import Journal, Leaf
from broker.model import Receipt
from broker.receipt.log_keys import LogKeys, SuccessionLeaf
from broker.receipt.note import Checkpoint, claimed_checkpoint
from broker.receipt.signer import CheckpointSigner, SignedCheckpoint
from broker.receipt.tiles import TileCache, Tree


@dataclass(frozen=True, slots=True)
class SignedTree:
    """A tree and the checkpoint that signs it."""

    tree: Tree
    note: str
    successions: tuple[str, ...] = ()
    """Of the log's key, as in :class:`~broker.model.Receipt`."""

    def receipt(self, leaf_index: int, statement: bytes) -> Receipt:
        """The receipt of a leaf of this tree.

        Raises:
            ValueError: the tree has no such leaf.
            CorruptLog: a stored tile cannot be what the tree needs.
        """
        return self.receipts({leaf_index: statement})[leaf_index]

    def receipts(self, statements: Mapping[int, bytes]) -> dict[int, Receipt]:
        """The receipts of several leaves, given by their indices; raises as :meth:`receipt` does."""
        proofs = self.tree.inclusion_proofs(statements)
        return {
            index: Receipt(statement, index, self.tree.size, proofs[index], self.note, self.successions)
            for index, statement in statements.items()
        }


class SignedHead:
    """Follows the newest signed head; several workers move it, each through the one signer.

    Every method may raise :class:`~broker.errors.Unavailable` (signer or database cannot be reached) and
    :class:`~broker.errors.VerificationFailed` (database and signer contradict each other).
    """

    def __init__(self, journal: Journal, signer: CheckpointSigner) -> None:
        self._journal = journal
        self._signer = signer
        self._cache = TileCache()
        self._lock = threading.Lock()
        self._newest = SignedTree(self.tree(0), "")

    def tree(self, size: int) -> Tree:
        """The tree over the first ``size`` leaves, as the database has them."""
        return Tree(size, self._journal.tile, self._cache)

    @property
    def keys(self) -> LogKeys:
        """The log's keys, as far as the signer was told."""
        return self._signer.keys

    def sign(self, tree: Tree, log_key: int = 0) -> SignedTree:
        """A signed tree at least as large as ``tree``, whose leaves must be committed. ``log_key`` is the
        leaf, of those, that names the key to sign it with (:class:`broker.journal.Head`)."""
        told = log_key <= self.keys.last_leaf
        history = () if told else [_proof_of(leaf, tree) for leaf in self.successions(log_key)]
        return self._adopt(self._signer.sign(tree, history), tree)

    def successions(self, log_key: int) -> list[Leaf]:
        """The leaves of all successions up to that at ``log_key``, oldest first; none for 0.

        Raises:
            VerificationFailed: the database misses one of them.
        """
        found: list[Leaf] = []
        while log_key:
            leaf = self._journal.leaf(log_key)
            if leaf is None or (previous := _previous(leaf)) is None:
                raise VerificationFailed(
                    f"数据库缺少第 {log_key} 条密钥更替的存证 / log key: the database misses the "
                    f"succession at leaf {log_key}"
                )
            found.append(leaf)
            log_key = previous
        return found[::-1]

    def refresh(self) -> SignedTree:
        """The newest signed tree, whichever worker had it signed."""
        newest = self._newest  # before the signer's word, which then is no older
        signed = self._signer.latest()
        if signed is None or signed.note == newest.note:
            return newest
        return self._adopt(signed, newest.tree)

    def at(self, note: str) -> SignedTree:
        """The tree of a checkpoint, to which the database must lead. Who signed it is not looked at: what is
        to be believed must also be under :meth:`refresh`."""
        checkpoint = claimed_checkpoint(note)
        tree = self.tree(checkpoint.size)
        _require_same(tree, checkpoint)
        return SignedTree(tree, note, self.keys.notes)

    def cose(self) -> tuple[SignedTree, bytes]:
        """The newest signed tree, and the signature over its root that COSE receipts bear."""
        newest = self._newest
        signed, signature = self._signer.cose()
        tree = newest if signed.note == newest.note else self._adopt(signed, newest.tree)
        return tree, signature

    def _adopt(self, signed: SignedCheckpoint, known: Tree) -> SignedTree:
        """``known`` is a tree that the signed one has grown from, or is."""
        checkpoint = signed.checkpoint
        grew = checkpoint.size > known.size
        tree = known.grown(checkpoint.size, self._journal.tile) if grew else known
        _require_same(tree, checkpoint)
        adopted = SignedTree(tree, signed.note, self.keys.notes)
        with self._lock:
            if tree.size > self._newest.tree.size:
                self._newest = adopted
        return adopted

    def require_unforgotten(self) -> None:
        """Checks at start that the database still holds all that was ever signed.

        Raises:
            SetUpError: it does not (a restored backup, another database), or the signer lost its memory.
        """
        signed = self._signer.latest()
        size = self._journal.head().size  # after the signer's word: other workers append meanwhile
        if signed is None:
            # A log is signed at its genesis leaf, before anything else is appended.
            if size > 1 and self._signer.latest() is None:
                raise _forgetful()
        elif signed.checkpoint.size > size:
            raise _rolled_back(signed.checkpoint.size, size)
        else:
            _require_same(self.tree(signed.checkpoint.size), signed.checkpoint)


def _previous(leaf: Leaf) -> int | None:
    """Where the statement says that the succession before is; None where it says nothing that can be."""
    try:
        previous = orjson.loads(leaf.entry.statement)["previous"]
    except (ValueError, TypeError, KeyError):
        return None
    return previous if isinstance(previous, int) and 0 <= previous < leaf.index else None


def _proof_of(leaf: Leaf, tree: Tree) -> SuccessionLeaf:
    return SuccessionLeaf(leaf.entry.statement, leaf.index, tree.inclusion_proof(leaf.index))


def _require_same(tree: Tree, checkpoint: Checkpoint) -> None:
    if tree.size != checkpoint.size or tree.root() != checkpoint.root:
        raise VerificationFailed("数据库与已签名的日志头不符 / log: the database is not what was signed")


def _rolled_back(signed: int, size: int) -> SetUpError:
    return SetUpError(
        f"数据库只有 {size} 条存证，而已签名 {signed} 条：数据库可能是从备份恢复的。请恢复完整的数据库，"
        "切勿删除签名状态文件。",
        f"The database has {size} leaves, but {signed} were signed: it may be a restored backup. Restore the "
        "complete database; do not delete the signer's state.",
    )


def _forgetful() -> SetUpError:
    return SetUpError(
        "日志已有存证，而签名状态文件缺失或为空。请把最近公布的日志头放入 [keys] signer_state 所指的文件。",
        "The log has leaves, but the signer's state is missing or empty. Put the newest published checkpoint "
        "into the file that [keys] signer_state names.",
    )
