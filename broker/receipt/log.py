"""The receipt log: appends statements to an RFC 6962 Merkle tree, gives receipts and proofs.

A receipt is a statement, its inclusion proof, and a checkpoint signed by the signer process. An entry is
durable in the database before its head is signed, and signed before :meth:`ReceiptLog.append` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
import structlog

from broker.errors import (
    MalformedRequest,
    NotFound,
    SetUpError,
    Unavailable,
    VerificationFailed,
    Violation,
)
from broker.journal import (
    AppendTransaction,
    DeliveryFilter,
    DeliveryOnRecord,
    Journal,
    Leaf,
    NeedOnRecord,
)
from broker.model import Entry, EntryKind, Receipt, ReceiptFilter
from broker.reasons import Reason, Sentence
from broker.receipt import cose_receipt
from broker.receipt.chains import Chains
from broker.receipt.head import SignedHead, SignedTree
from broker.receipt.inbox import Appended
from broker.receipt.key_ring import KeyMissing
from broker.receipt.log_keys import LogKeys, succession_of
from broker.receipt.merkle import leaf_entry, leaf_hash, verify_inclusion
from broker.receipt.named_acts import approvals_of, certificates_of, require_named
from broker.receipt.note import VerifierKey
from broker.receipt.signer import CheckpointSigner
from broker.receipt.statement import fits, genesis
from broker.receipt.tiles import TileCache, Tree
from broker.receipt.writer import Writer

__all__ = ["Appended", "ReceiptLog", "append_alone"]

log = structlog.get_logger("sharebroker.log")

_TOO_LONG = Sentence(
    "所申请内容过多，存证超过长度上限，请分次申请", "asks for too much in one statement; split it"
)

APPEND_SECONDS = 30.0
"""Longest wait for a receipt. The entry may still be recorded; a retry by request id finds it."""


class ReceiptLog:
    """The log as one worker sees it; others may append to it too. Safe for use by many threads.

    Creates the genesis leaf of a new log. Unless a method says otherwise it may raise
    :class:`~broker.errors.Unavailable` (``LOG_UNAVAILABLE``): database or signer cannot be reached, or
    they contradict each other.

    Raises:
        SetUpError: the database misses leaves that were signed, was begun under another name or key, or
            database or signer cannot be reached.
    """

    def __init__(
        self,
        journal: Journal,
        signer: CheckpointSigner,
        origin: str,
        clock: Callable[[], datetime],
        *,
        tolerance_seconds: float = 1.0,
    ) -> None:
        self._journal = journal
        self._head = SignedHead(journal, signer)
        with _set_up():
            self._head.require_unforgotten()
            self._begin(origin, clock())
            self._sign_durable()
            self._writer = Writer(journal, self._head, clock, timedelta(seconds=tolerance_seconds))

    @property
    def keys(self) -> LogKeys:
        """The keys that the log has signed under."""
        return self._head.keys

    @property
    def verifier_key(self) -> VerifierKey:
        """The key that signs now."""
        return self.keys.newest

    def append(self, entry: Entry, rows: int = 0) -> Appended:
        """Record ``entry`` and settle its charges, or find that it is a retry: all or nothing.

        A retry (same consumer, request id, request and answer) gets the receipt of the first attempt, and a
        leaf that says so; it is not charged. ``rows`` is what charges that count rows amount to.

        Raises:
            Conflict: the request id belongs to another request.
            Changed: the same request was answered otherwise before; of a stream, the outcome that says so was
                recorded.
            EpochMoved: it was decided under another epoch than is in force; nothing was recorded.
            LeaseLost: it is the outcome of a stream that has one already; nothing was recorded.
            DeliverySettled: it says that a delivery lacks an acknowledgement, which it does not, or was said;
                nothing was recorded.
            QuotaExceeded: a charge does not fit; nothing was recorded.
            MalformedRequest: what it asks makes too long a statement; nothing was recorded.
            NotFound: a retry whose first statement has been erased.
            Unavailable: not known to be recorded (``LOG_UNAVAILABLE``, ``CLOCK_BEHIND_LOG``,
                ``SHUTTING_DOWN``); a retry is safe.
        """
        if rows < 0:
            raise ValueError("a number of rows is not negative")
        if not fits(entry.kind, entry.statement):
            raise MalformedRequest((Violation("application", *_TOO_LONG),))
        submission = self._writer.submit(entry, rows)
        try:
            return submission.result(APPEND_SECONDS)
        except TimeoutError:
            raise Unavailable(Reason.LOG_UNAVAILABLE) from None

    def receipt(self, leaf_index: int) -> Receipt:
        """The receipt of a recorded leaf, against the current checkpoint, to which it leads: neither the
        database's statement nor its tiles are believed. Once witnesses have cosigned a checkpoint that covers
        it, against the newest of those.

        Raises:
            NotFound: there is no such leaf, or its statement has been erased.
            Unavailable: LOG_UNAVAILABLE; the database has another statement than was recorded.
        """
        entry = self.entry(leaf_index)
        with _consistent():
            receipt = _proved(self._head.refresh(), leaf_index, entry)
            cosigned = self._covering(leaf_index)
            return receipt if cosigned is None else _proved(cosigned, leaf_index, entry)

    def with_acts(self, receipt: Receipt) -> Receipt:
        """The receipt with the signed messages that its statement names, and with the receipts of the chains
        of the certificates that acted; without both where the log has had no chains yet.

        Raises:
            Unavailable: LOG_UNAVAILABLE; the database has other messages than the statement names.
        """
        content = orjson.loads(receipt.statement)
        with _consistent():
            acts = tuple(self._journal.acts(receipt.leaf_index, approvals_of(content)))
            certificates = certificates_of(content, acts)
            known = self._journal.chain_leaves(list(map(bytes.fromhex, certificates)))
            leaves = sorted(leaf for leaf in known.values() if leaf < receipt.leaf_index)
            if not certificates or len(leaves) < len(certificates):
                return receipt
            require_named(content, acts)
        return replace(receipt, acts=acts, chains=tuple(map(self.receipt, leaves)))

    def _covering(self, leaf_index: int) -> SignedTree | None:
        """The newest cosigned head, if the leaf is under it, and it is one that the log's keys are believed
        about: not one of a key that was given up since."""
        cosigned = self._journal.cosigned()
        if cosigned is None:
            return None
        try:
            head = self.keys.checkpoint(cosigned.note)
        except VerificationFailed:
            return None
        return self._head.at(cosigned.note) if leaf_index < head.size else None

    def cosigned(self) -> str:
        """The newest checkpoint that enough witnesses have cosigned; empty before the first."""
        found = self._journal.cosigned()
        return "" if found is None else found.note

    def cose_receipt(self, leaf_index: int) -> tuple[Receipt, bytes]:
        """The receipt of a recorded leaf as of :meth:`receipt`, and the same as a COSE Receipt (RFC 9942).

        Raises:
            NotFound: there is no such leaf, it is the only one, or its statement has been erased.
            Unavailable: as of :meth:`receipt`.
        """
        entry = self.entry(leaf_index)
        with _consistent():
            signed, signature = self._head.cose()
            receipt = _proved(signed, leaf_index, entry)
            if not receipt.proof:
                raise NotFound(Reason.RESOURCE_NOT_FOUND)
            key = self.keys.at(receipt.tree_size) or self.verifier_key
            return receipt, cose_receipt.export(receipt, signature, key.id)

    def key_history(self) -> tuple[Receipt, ...]:
        """The receipts of all successions of the log's key, oldest first, under the current checkpoint."""
        with _consistent():
            signed = self._head.refresh()
            leaves = [one.leaf_index for one in self.keys.successions if one.since <= signed.tree.size]
            return tuple(_proved(signed, index, self.entry(index)) for index in leaves)

    def entry(self, leaf_index: int) -> Entry | None:
        """What is recorded of a leaf, without request id and charges; an erased statement is empty."""
        leaf = self._journal.leaf(leaf_index)
        return None if leaf is None else leaf.entry

    def entries(self, wanted: ReceiptFilter, before: int | None, limit: int) -> list[tuple[int, Entry]]:
        """At most ``limit`` matching (leaf index, entry) with an index below ``before``, newest first."""
        return [(leaf.index, leaf.entry) for leaf in self._journal.leaves(wanted, before, limit)]

    def proving_head(self) -> tuple[int, str, tuple[str, ...]]:
        """The head that a list is proved against: number of leaves, signed note, and the successions of the
        log's key. The newest, or the newest cosigned one where witnesses have cosigned any."""
        with _consistent():
            newest = self._head.refresh()
            proving = self._covering(0) or newest
            return proving.tree.size, proving.note, newest.successions

    def inclusion_proofs(
        self, statements: Mapping[int, bytes], tree_size: int
    ) -> dict[int, tuple[bytes, ...]]:
        """As :meth:`inclusion_proof`, of several leaves, whose statements are not believed: each is under the
        root of that tree, which :meth:`proving_head` gave, or gives nothing.

        Raises:
            ValueError: a leaf is outside the tree, or the tree larger than what is signed.
        """
        with _consistent():
            self._require_signed(tree_size)
            tree = self._head.tree(tree_size)
            proofs, root = tree.inclusion_proofs(statements), tree.root()
            for index, statement in statements.items():
                leaf = leaf_hash(leaf_entry(statement))
                verify_inclusion(leaf, index, tree_size, proofs[index], root)
            return proofs

    def needs(self, consumer: str, before: int | None, limit: int) -> list[NeedOnRecord]:
        """See :meth:`broker.journal.Journal.needs`."""
        return self._journal.needs(consumer, before, limit)

    def deliveries(self, wanted: DeliveryFilter, after: int, limit: int) -> list[DeliveryOnRecord]:
        """See :meth:`broker.journal.Journal.deliveries`."""
        return self._journal.deliveries(wanted, after, limit)

    def checkpoint(self) -> str:
        """The current signed head, a C2SP signed note."""
        with _consistent():
            return self._head.refresh().note

    def sign(self) -> None:
        """Have the head over all committed leaves signed; appending does so by itself."""
        with _consistent():
            self._sign_durable()

    def size(self) -> int:
        """Number of leaves under the current checkpoint."""
        with _consistent():
            return self._head.refresh().tree.size

    def leaf_hash(self, leaf_index: int) -> bytes:
        """The leaf's hash (RFC 6962 §2.1), 32 bytes.

        Raises:
            ValueError: the signed log has no such leaf.
        """
        with _consistent():
            return self._head.refresh().tree.leaf_hash(leaf_index)

    def inclusion_proof(self, leaf_index: int, tree_size: int) -> tuple[bytes, ...]:
        """RFC 6962 §2.1.1 audit path of a leaf in the tree of that size, from the leaf upwards.

        Raises:
            ValueError: the leaf is outside the tree, or the tree larger than what is signed.
        """
        with _consistent():
            self._require_signed(tree_size)
            return self._head.tree(tree_size).inclusion_proof(leaf_index)

    def consistency_proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """RFC 6962 §2.1.2 proof that the tree of size ``first`` is a prefix of that of size ``second``.

        Raises:
            ValueError: unless 0 < first ≤ second ≤ size of the signed log.
        """
        with _consistent():
            self._require_signed(second)
            return self._head.tree(second).consistency_proof(first)

    def close(self) -> None:
        """Append what was submitted, then stop. Journal and signer stay open."""
        self._writer.close()

    def _sign_durable(self) -> None:
        """Has the head over all leaves signed that are on disk: a commit of others can be seen before it is,
        but a transaction of one's own ends only when all before it are."""
        with self._journal.append_transaction() as transaction:
            head = transaction.head
        self._head.sign(self._head.tree(head.size), head.log_key)

    def _require_signed(self, size: int) -> None:
        if not 0 < size <= self._head.refresh().tree.size:
            raise ValueError("the signed log has no tree of that size")

    def _begin(self, origin: str, now: datetime) -> None:
        """Write the genesis leaf, or check that this log's was written."""
        statement = genesis(origin, str(self.keys.first), now)
        with self._journal.append_transaction() as transaction:
            head = transaction.head
            if head.size == 0:
                append_alone(transaction, self._journal, Entry(EntryKind.GENESIS, statement, now))
                return
        first, successions = self.entry(0), self._head.successions(head.log_key)
        # Of a log that has changed its key the signer may not have heard; it asks for proof when it is to
        # sign.
        keys = self.keys.extended(succession_of(leaf.entry.statement) for leaf in successions)
        if first is None or _beginning(first.statement) != (origin, str(keys.first)):
            raise SetUpError(
                "数据库中的日志以另一名称或密钥开始，请核对 [store] url、[log] origin 与 [keys] log_key。",
                "The database's log began under another name or key; check [store] url, [log] origin and "
                "[keys] log_key.",
            )


def append_alone(transaction: AppendTransaction, journal: Journal, *entries: Entry) -> int:
    """Appends entries, at least one, within a transaction that is about more than the log; gives the leaf
    index of the last. The chains of certificates that act in one and never did come before it.

    The head over them is signed with the next batch: such an act must not wait for a signer.

    Raises:
        SetUpError: a statement is too long.
    """
    if not all(fits(entry.kind, entry.statement) for entry in entries):
        raise SetUpError(
            "存证内容过长，未予记录，请缩小范围。",
            "The statement would be too long, so nothing was recorded; ask for less.",
        )
    size = transaction.head.size
    chains = Chains.of(transaction, {chain.fingerprint for entry in entries for chain in entry.chains})
    leaves: list[Leaf] = []
    for entry in entries:
        for one in (*chains.before(entry, size + len(leaves)), entry):
            leaves.append(Leaf(size + len(leaves), leaf_entry(one.statement), one))
    _, tiles = Tree(size, journal.tile, TileCache()).append([leaf_hash(leaf.log_entry) for leaf in leaves])
    latest = max(entry.recorded_at for entry in entries)
    transaction.put(leaves, tiles, {}, max(latest, transaction.head.recorded_at))
    chains.settle(transaction)
    return leaves[-1].index


def _proved(signed: SignedTree, leaf_index: int, entry: Entry | None) -> Receipt:
    """The receipt of what the database has of a leaf, if that is what was recorded."""
    if entry is None or not entry.statement or leaf_index >= signed.tree.size:
        raise NotFound(Reason.RESOURCE_NOT_FOUND)
    receipt = signed.receipt(leaf_index, entry.statement)
    leaf, root = leaf_hash(leaf_entry(entry.statement)), signed.tree.root()
    verify_inclusion(leaf, leaf_index, receipt.tree_size, receipt.proof, root)
    return receipt


def _beginning(statement: bytes) -> tuple[str, str]:
    content = orjson.loads(statement or b"{}")
    return content.get("origin"), content.get("verifier_key")


@contextmanager
def _consistent() -> Iterator[None]:
    """For callers, a log that contradicts itself is a log that cannot be had."""
    try:
        yield
    except VerificationFailed as error:
        log.critical("log_inconsistent", error=str(error))
        raise Unavailable(Reason.LOG_UNAVAILABLE) from None


@contextmanager
def _set_up() -> Iterator[None]:
    """At start, whatever keeps the log from running must be put right by a person."""
    try:
        yield
    except Unavailable:
        raise SetUpError(
            "存证日志无法启动：数据库或签名进程没有应答。",
            "The receipt log cannot start: the database or the signer does not answer.",
        ) from None
    except KeyMissing as error:
        zh, _, en = str(error).partition(" / ")
        raise SetUpError(f"存证日志无法启动：{zh}。", f"The receipt log cannot start: {en}.") from None
    except VerificationFailed as error:
        raise SetUpError(
            f"存证日志无法启动：数据库与已签名的日志头不符（{error}）。请恢复完整的数据库，切勿删除签名状态文件。",
            f"The receipt log cannot start: the database is not what was signed ({error}). Restore the "
            "complete database; do not delete the signer's state.",
        ) from None
