"""A stream, from its opening leaf to its outcome.

The opening has its leaf, and the stream its lease, before the first chunk; the outcome has its leaf after the
last, and ends the lease. A stream that breaks off, or may not go on, leaves an outcome that says so; for one
whose process dies, whoever serves streams records it (:mod:`broker.leases`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import structlog

from broker.desensitize.plan import MaskPlan
from broker.entries import Entries
from broker.errors import BrokerError, DeadlinePassed, TooLarge, TooSmall, Unavailable
from broker.guard import End, Guard, unending
from broker.journal import EpochMoved, LeaseLost
from broker.leases import Held, Keeper, elapsed
from broker.model import Charge, Decision, Entry, EntryKind, LeaseBegin, LeaseEnd, Receipt, SubjectMark, Why
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.receipt.statement import HandedOver, Outcome
from broker.standing import MOST_EPOCHS, Standing
from broker.transmit.chunks import IpcChunks
from broker.transmit.group import GroupTooSmall
from broker.transmit.reading import OverRowLimit, Reading

log = structlog.get_logger("sharebroker.streaming")

StillWanted = Callable[[], bool]
"""Whether the caller still waits; asked right before the release."""


@dataclass(frozen=True, slots=True)
class Opening:
    """First part of a stream: the decision and its receipt; for a permit the columns that follow."""

    decision: Decision
    receipt: Receipt
    masks: Mapping[str, str] | None = None
    nonce: bytes = b""


@dataclass(frozen=True, slots=True)
class Closing:
    """Last part of a stream: what was released, and the receipt for it."""

    outcome: Outcome
    receipt: Receipt
    redelivered: bool = False
    """An earlier attempt had brought the same."""


@dataclass(slots=True)
class Handover:
    """One permitted stream. :meth:`begin`, then iterate over :meth:`parts` once."""

    entries: Entries
    log: ReceiptLog
    keeper: Keeper
    standing: Standing
    mask_plan: MaskPlan
    reading: Reading
    chunks: IpcChunks
    nonce: bytes
    guard: Guard
    end: End = unending
    opening: Opening = field(init=False)
    _held: Held = field(init=False)
    _marks: tuple[SubjectMark, ...] | None = field(init=False, default=None)
    """Of the subjects: a stream's opening and its outcome are one look at them."""
    _noted: Outcome = field(init=False)
    """What was handed over when a chunk last was; other threads read it."""

    def begin(self, charges: tuple[Charge, ...], request_mac: bytes) -> None:
        """Record the opening, settle its charges, and hold the lease.

        Raises:
            EpochMoved: it was decided under another epoch than is in force.
            QuotaExceeded: a charge does not fit.
            BrokerError: see :meth:`broker.receipt.log.ReceiptLog.append`.
        """
        since, decided = elapsed(), self.standing.decided
        self._noted = self._outcome()
        opening = self._entry(EntryKind.STREAM_DECISION)
        self._marks = opening.marks
        entry = replace(
            opening,
            charges=charges,
            request_id=decided.application.request_id,
            request_mac=request_mac,
            lease=LeaseBegin(round(self.keeper.seconds * 1000), self._unfinished()),
        )
        receipt = self.log.append(entry).receipt
        self.opening = Opening(decided.decision, receipt, self._column_masks, self.nonce)
        self._held = self.keeper.hold(receipt.leaf_index, self._unfinished, since)

    def parts(self, still_wanted: StillWanted) -> Iterator[Opening | bytes | Closing]:
        """The opening, the chunks, the closing.

        Raises:
            BrokerError: what was handed over so far stands in the outcome's receipt.
        """
        try:
            with self.guard.over(self.standing, self.end):
                yield from self._delivered(still_wanted)
            yield self._closing()
        finally:
            self.keeper.release(self._held)

    def _delivered(self, still_wanted: StillWanted) -> Iterator[Opening | bytes]:
        complete = False
        why: tuple[Why, ...] = ()
        try:
            yield self.opening
            yield from self._chunks(still_wanted)
            complete = True
        except BrokerError as error:
            why = (Why(error.reason, error.about),)
            raise
        finally:
            if not complete:
                self._interrupt(self._outcome(interrupted=True, reasons=why))

    def _chunks(self, still_wanted: StillWanted) -> Iterator[bytes]:
        try:
            for _ in self.reading.counting():
                self._check(still_wanted)
            for batch in self.reading:
                self._check(still_wanted)
                if self.reading.totals is None:
                    yield from self._hand_over(self.chunks.write(self.mask_plan.apply(batch)))
                else:
                    self.reading.totals.add(batch)
        except OverRowLimit:
            raise TooLarge(Reason.TOO_MANY_ROWS) from None
        except GroupTooSmall:
            raise TooSmall(Reason.GROUP_TOO_SMALL) from None
        if self.reading.totals is not None:
            yield from self._hand_over(self.chunks.write(self.reading.totals.result()))
        yield from self._hand_over(self.chunks.finish())

    def _check(self, still_wanted: StillWanted) -> None:
        """Whether to go on reading."""
        if not still_wanted():
            raise DeadlinePassed(Reason.DEADLINE_PASSED)
        self.standing.check()

    @property
    def _column_masks(self) -> Mapping[str, str]:
        totals = self.reading.totals
        return self.mask_plan.column_masks if totals is None else totals.column_masks

    def _hand_over(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            self.standing.check()
            self._held.check()
            chunk = next(chunks, None)  # checked before: the digest covers each chunk that was taken
            if chunk is None:
                return
            yield chunk
            self._noted = self._outcome()

    # ── the outcome ──────────────────────────────────────────────────────────────────────────────

    def _closing(self) -> Closing:
        """The end of a stream whose permit holds to the last: complete under the epoch it is recorded in."""
        outcome = self._outcome()
        for _ in range(MOST_EPOCHS):
            entry = replace(
                self._outcome_entry(outcome),
                request_id=self.standing.decided.application.request_id,
                answer_digest=outcome.digest,
            )
            try:
                appended = self.log.append(entry)
                return Closing(outcome, appended.receipt, appended.redelivered)
            except EpochMoved as moved:
                self._stand_on(moved)
            except LeaseLost:
                raise self._held.lost() from None
        raise Unavailable(Reason.LOG_UNAVAILABLE)

    def _stand_on(self, moved: EpochMoved) -> None:
        try:
            self.standing.check(moved.sequence)
        except BrokerError as error:
            why = (Why(error.reason, error.about),)
            self._interrupt(self._outcome(interrupted=True, reasons=why))
            raise

    def _interrupt(self, outcome: Outcome) -> None:
        """Record that the stream broke off: a fact, true in whichever epoch."""
        try:
            self.log.append(replace(self._outcome_entry(outcome), epoch=None))
        except LeaseLost:
            return  # it has an outcome that says so
        except Unavailable as error:  # the lease, renewed no more, runs out: then others record it
            log.warning("stream_left", opening=self.opening.receipt.leaf_index, reason=error.reason)

    def _outcome(self, *, interrupted: bool = False, reasons: tuple[Why, ...] = ()) -> Outcome:
        reading, chunks = self.reading, self.chunks
        return Outcome(
            reading.status,
            reading.as_of,
            reading.counts,
            chunks.digest,
            reading.subjects,
            interrupted,
            reasons,
            HandedOver(chunks.count, chunks.bytes),
        )

    def _outcome_entry(self, outcome: Outcome) -> Entry:
        opening = self.opening.receipt.leaf_index
        entry = self._entry(EntryKind.STREAM_OUTCOME, outcome, opening)
        return replace(entry, lease=LeaseEnd(opening))

    def _unfinished(self) -> bytes:
        """See :class:`broker.journal.Lease`."""
        return self._entry(EntryKind.STREAM_OUTCOME, replace(self._noted, interrupted=True)).statement

    def _entry(
        self, kind: EntryKind, outcome: Outcome | None = None, decision_leaf: int | None = None
    ) -> Entry:
        return self.entries.entry(
            kind,
            self.standing.decided,
            self.mask_plan,
            outcome,
            decision_leaf=decision_leaf,
            lease_seconds=self.keeper.seconds,
            marks=self._marks,
        )
