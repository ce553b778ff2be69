"""The one writer thread of a worker: gathers entries, commits a batch, has the head signed, then answers.

The order is what makes a receipt worth something: commit durably, sign, answer. Whatever fails on the way,
the callers of the whole batch learn :class:`~broker.errors.Unavailable` and a retry by request id finds what
was committed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from broker import failpoints
from broker.errors import BrokerError, NotFound, Unavailable, VerificationFailed
from broker.journal import (
    AppendTransaction,
    DeliverySettled,
    EpochMoved,
    Journal,
    LeaseLost,
    QuotaExceeded,
)
from broker.model import Entry
from broker.reasons import Reason
from broker.receipt.attempts import Leases
from broker.receipt.batch import Admitted, Batch, request_key
from broker.receipt.chains import Chains
from broker.receipt.head import SignedHead
from broker.receipt.inbox import MAX_BATCH, Appended, Inbox, Submission
from broker.receipt.merkle import leaf_hash
from broker.receipt.tiles import Tree

log = structlog.get_logger("sharebroker.log")

JOIN_SECONDS = 30.0
"""Longest wait at the end for a database that does not answer."""


class Writer:
    """Appends, from its own thread, what any thread submits."""

    def __init__(
        self, journal: Journal, head: SignedHead, clock: Callable[[], datetime], tolerance: timedelta
    ) -> None:
        self._journal = journal
        self._head = head
        self._clock = clock
        self._tolerance = tolerance
        self._signed = head.refresh()
        self._tree = self._signed.tree
        self._inbox = Inbox()
        self._log_key = 0
        """The leaf that names the key for the tree, as the database says."""
        self._logged: set[bytes] = set()
        """Fingerprints of certificates whose chains are known to be in the log."""
        self._thread = threading.Thread(target=self._run, name="receipt-log", daemon=True)
        self._thread.start()

    def submit(self, entry: Entry, rows: int) -> Submission:
        """The receipt to come.

        Raises:
            Unavailable: the log is closed.
        """
        submission = Submission(entry, rows)
        self._inbox.put(submission)
        return submission

    def close(self) -> None:
        """Append what was submitted, then stop."""
        self._inbox.close()
        self._thread.join(JOIN_SECONDS)

    # ── in the thread ────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        expected = 1
        while batch := self._inbox.gather(expected):
            self._settle(batch)
            expected = len(batch)

    def _settle(self, wanted: list[Submission]) -> None:
        """Answers every caller, all of them after everything: a verdict that hangs on a leaf of this batch is
        no truth before the batch is."""
        try:
            outcomes = self._append(wanted)
            answers = self._answers(wanted, outcomes)
        except Unavailable as error:
            answers = [Unavailable(error.reason) for _ in wanted]
        except VerificationFailed as error:
            log.critical("log_inconsistent", error=str(error))
            answers = [Unavailable(Reason.LOG_UNAVAILABLE) for _ in wanted]
        except Exception as error:  # noqa: BLE001 - a defect; its callers report it, the thread goes on
            answers = [error for _ in wanted]
        for submission, answer in zip(wanted, answers, strict=True):
            submission.answer(answer)

    def _append(self, wanted: list[Submission]) -> list[Admitted | Exception]:
        """What became of each. Adds those to ``wanted`` that came while it waited for the lock."""
        if self._signed.tree.size < self._tree.size:
            # The signature failed last time: no leaf without hope of one.
            self._signed = self._head.sign(self._tree, self._log_key)
        with self._journal.append_transaction() as transaction:
            wanted += self._inbox.take(MAX_BATCH - len(wanted))
            batch = self._open_batch(transaction, wanted)
            outcomes = [_judge(batch, submission) for submission in wanted]
            if not batch.leaves:
                return outcomes
            tree, tiles = self._base(transaction).append([leaf_hash(x.log_entry) for x in batch.leaves])
            transaction.put(batch.leaves, tiles, batch.used, batch.now)
            batch.leases.settle(transaction.leases)
            batch.chains.settle(transaction)
            if batch.needs:
                transaction.needs.record(batch.leaves)
            if batch.settled:
                transaction.deliveries.settle(batch.settled)
            failpoints.hit("before_commit")
        failpoints.hit("after_commit")
        self._tree, self._log_key = tree.stored(), transaction.head.log_key
        failpoints.hit("before_signature")
        self._signed = self._head.sign(self._tree, self._log_key)
        failpoints.hit("after_signature")
        self._logged |= {chain.fingerprint for s in wanted for chain in s.entry.chains} - batch.chains.missing
        return outcomes

    def _open_batch(self, transaction: AppendTransaction, wanted: Sequence[Submission]) -> Batch:
        head, now = transaction.head, self._clock()
        if now < head.recorded_at - self._tolerance:
            raise Unavailable(Reason.CLOCK_BEHIND_LOG)
        keys = {key for submission in wanted if (key := request_key(submission.entry))}
        counters = {charge.counter for submission in wanted for charge in submission.entry.charges}
        at = max(now, head.recorded_at)
        batch = Batch(head.size, head.epoch, at, transaction.claims(keys), transaction.used(counters))
        if any(submission.entry.lease for submission in wanted):
            batch.leases = Leases.of(transaction.leases.live())
        if needs := {need.key for submission in wanted if (need := submission.entry.need)}:
            batch.needs = transaction.needs.known(needs)
        if about := {delivery for x in wanted if (delivery := x.entry.delivery) is not None}:
            batch.deliveries = transaction.deliveries.among(about)
        if acting := {chain.fingerprint for s in wanted for chain in s.entry.chains} - self._logged:
            batch.chains = Chains.of(transaction, acting)
        return batch

    def _base(self, transaction: AppendTransaction) -> Tree:
        """The tree to append to: our last one, and what other workers have appended since."""
        size = transaction.head.size
        if size < self._signed.tree.size:
            raise VerificationFailed(
                "数据库回退到已签名的日志头之前 / log: the database went back behind its head"
            )
        if size < self._tree.size:  # a commit of ours that was never signed is gone, and nobody relied on it
            return self._head.tree(size)
        return self._tree if size == self._tree.size else self._tree.grown(size, transaction.tile)

    def _answers(
        self, wanted: Sequence[Submission], outcomes: Sequence[Admitted | Exception]
    ) -> list[Appended | Exception]:
        statements = {
            outcome.leaf_index: self._statement(submission.entry, outcome)
            for submission, outcome in zip(wanted, outcomes, strict=True)
            if isinstance(outcome, Admitted)
        }
        receipts = self._signed.receipts({index: content for index, content in statements.items() if content})

        def answer(outcome: Admitted | Exception) -> Appended | Exception:
            if isinstance(outcome, Exception):
                return outcome
            receipt = receipts.get(outcome.leaf_index)  # none: erased since the first attempt
            return Appended(receipt, outcome.redelivered) if receipt else NotFound(Reason.RESOURCE_NOT_FOUND)

        return [answer(outcome) for outcome in outcomes]

    def _statement(self, entry: Entry, outcome: Admitted) -> bytes:
        return self._original(outcome.leaf_index) if outcome.redelivered else entry.statement

    def _original(self, leaf_index: int) -> bytes:
        leaf = self._journal.leaf(leaf_index)
        return leaf.entry.statement if leaf else b""


def _judge(batch: Batch, submission: Submission) -> Admitted | Exception:
    try:
        return batch.admit(submission.entry, submission.rows)
    except (BrokerError, DeliverySettled, EpochMoved, LeaseLost, QuotaExceeded) as refused:
        return refused
