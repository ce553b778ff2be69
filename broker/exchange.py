"""One exchange, five calls, in order. Open this file first.

1. **apply** – :func:`~broker.apply.admission.admit`: who calls, what is asked, is it well formed?
2. **approve** – :func:`~broker.approve.evaluate.evaluate`: permit with obligations, deny with reasons,
   review, or papers missing. A refusal is receipted and returned; it cannot reach the steps below.
3. **desensitize** – :func:`~broker.desensitize.plan.plan`: the obligations become one mask per field.
4. **transmit** – :class:`~broker.transmit.reading.Reader`: read, check quality, mask.
5. **receipt** – :class:`~broker.receipt.log.ReceiptLog`: the statement is durable in the log, and the log's
   head signed, *before* anything is returned. No receipt, no data.

All five happen under one epoch (:mod:`broker.epoch`): when policy, revocations or suspensions change before
the entry is recorded, it is not recorded, and the call is decided anew. ``docs/exchange-cycle.md`` says what
is durable after each step and what survives a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

import orjson
from cryptography import x509

from adapters.masking.contract import Operator
from broker.apply.admission import Request, admit
from broker.apply.identity import check_standing
from broker.apply.signed import verify_signed_application
from broker.approve.evaluate import evaluate
from broker.desensitize.plan import MaskPlan, plan
from broker.desensitize.planner import Planner
from broker.epoch import Epochs, InForce
from broker.errors import BrokerError, DeadlinePassed, TooLarge, Unavailable
from broker.journal import EpochMoved, QuotaExceeded
from broker.keys.keyring import Keyring
from broker.model import (
    Application,
    Charge,
    Decision,
    Entry,
    EntryKind,
    Identity,
    Receipt,
    Why,
)
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.receipt.statement import Outcome, statement
from broker.standing import Decided, Standing
from broker.transmit.chunks import IpcChunks
from broker.transmit.digest import answer_digest, canonical_answer
from broker.transmit.reading import Answer, OverRowLimit

NO_MASKS: Mapping[str, Mapping[str, object]] = MappingProxyType({})
MOST_EPOCHS = 8
"""How often one call is decided anew because the epoch moved under it; then the caller shall retry."""

T = TypeVar("T")
StillWanted = Callable[[], bool]
"""Whether the caller still waits; asked right before the release."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a unary exchange gives: the decision, its receipt, and for a permit the masked answer."""

    decision: Decision
    receipt: Receipt
    answer: Answer | None = None
    masks: Mapping[str, str] | None = None
    """Field → ``operator@version``, empty for a field released as it is."""
    nonce: bytes = b""
    digest: bytes = b""
    redelivered: bool = False


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


@dataclass(frozen=True, slots=True)
class _Opened:
    """A stream that has its first leaf; without ``mask_plan`` it was refused and ends here."""

    decided: Decided
    opening: Opening
    mask_plan: MaskPlan | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """The five steps, wired once at start; safe for use by many threads."""

    epochs: Epochs
    operators: Mapping[str, Operator]
    keyring: Keyring
    log: ReceiptLog
    ca: x509.Certificate
    clock: Callable[[], datetime]
    max_answer_bytes: int
    """Largest unary answer; a larger one is refused before it is receipted."""
    batch_rows: int
    """Rows read, masked and sent at a time in a stream."""
    chunk_bytes: int
    """Size of a stream's chunks."""
    _planner: Planner = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_planner", Planner(self.operators, self.keyring))

    def unary(self, request: Request, consumer: Identity, still_wanted: StillWanted) -> Exchanged:
        """Decide and, for a permit, release the masked records: the on-the-spot case.

        Raises:
            BrokerError: nothing was released.
        """
        return self._in_one_epoch(lambda epoch: self._unary(epoch, request, consumer, still_wanted))

    def stream(
        self, request: Request, consumer: Identity, still_wanted: StillWanted
    ) -> Generator[Opening | bytes | Closing, None, None]:
        """Decide, then release in chunks: an opening, the chunks, a closing.

        The decision has its leaf before the first chunk, the outcome its own after the last. A stream that
        breaks off, or may not go on, leaves an outcome that says so and what was handed over by then.

        Raises:
            BrokerError: what was released so far stands in the outcome's receipt.
        """
        opened = self._in_one_epoch(lambda epoch: self._open(epoch, request, consumer))
        yield opened.opening
        if opened.mask_plan is not None:
            yield from self._chunks(opened, opened.mask_plan, still_wanted)

    def _in_one_epoch(self, attempt: Callable[[InForce], T]) -> T:
        """What is decided under one epoch and recorded in it; when it moved in between, all is done anew."""
        for _ in range(MOST_EPOCHS):
            try:
                return attempt(self.epochs.current())
            except EpochMoved as moved:
                self.epochs.reach(moved.sequence)
        raise Unavailable(Reason.LOG_UNAVAILABLE)

    # ── the steps' joints ────────────────────────────────────────────────────────────────────────

    def _decide(self, epoch: InForce, request: Request, consumer: Identity) -> Decided:
        """Steps 1 and 2. The caller was identified under what may have been an earlier epoch."""
        now, catalog = self.clock(), epoch.bundle.catalog
        check_standing(consumer, catalog.city, epoch.revocations, now)

        def verify(message: bytes, application: Application) -> bytes:
            return verify_signed_application(message, application, self.ca, epoch.revocations, now)

        application = admit(request, consumer, catalog, verify)
        decision = evaluate(application, None, epoch.bundle, now, epoch.suspensions)
        return Decided(epoch, application, decision, now)

    def _unary(
        self, epoch: InForce, request: Request, consumer: Identity, still_wanted: StillWanted
    ) -> Exchanged:
        decided = self._decide(epoch, request, consumer)
        if not decided.permitted or decided.application.validate_only:
            return self._without_data(decided)

        approved = decided.approved()
        mask_plan = self._planner.plan(approved)
        try:
            answer = epoch.reader.read(approved, decided.now, mask_plan.apply_to_values)
            return self._release(decided, mask_plan, answer, still_wanted)
        except OverRowLimit:
            return self._without_data(decided.refused(Why(Reason.TOO_MANY_ROWS)))
        except QuotaExceeded as exceeded:
            return self._without_data(decided.refused(_quota(exceeded)))

    def _without_data(self, decided: Decided) -> Exchanged:
        kind = EntryKind.VALIDATION if decided.application.validate_only else EntryKind.EXCHANGE
        return Exchanged(decided.decision, self.log.append(self._entry(kind, decided)).receipt)

    def _release(
        self, decided: Decided, mask_plan: MaskPlan, answer: Answer, still_wanted: StillWanted
    ) -> Exchanged:
        application = decided.application
        nonce = self.keyring.nonce(application.consumer.uri, application.request_id)
        content = canonical_answer(
            answer.status, [s.status for s in answer.subjects], answer.records, answer.record_subjects
        )
        if len(content) > self.max_answer_bytes:
            raise TooLarge(Reason.ANSWER_TOO_LARGE)
        digest = answer_digest(nonce, content)
        outcome = Outcome(answer.status, answer.as_of, answer.counts, digest, answer.subjects)
        if not still_wanted():
            raise DeadlinePassed(Reason.DEADLINE_PASSED)
        request_mac = self.keyring.request_mac(_canonical_request(application))
        entry = self._entry(EntryKind.EXCHANGE, decided, mask_plan, outcome, request_mac=request_mac)
        appended = self.log.append(entry, outcome.counts.released)
        return Exchanged(
            decided.decision,
            appended.receipt,
            answer,
            mask_plan.column_masks,
            nonce,
            digest,
            appended.redelivered,
        )

    # ── streams ──────────────────────────────────────────────────────────────────────────────────

    def _open(self, epoch: InForce, request: Request, consumer: Identity) -> _Opened:
        decided = self._decide(epoch, request, consumer)
        if not decided.permitted:
            return self._closed_at_once(decided)
        mask_plan = plan(decided.approved(), self.operators, self.keyring)
        entry = self._entry(EntryKind.STREAM_DECISION, decided, mask_plan)
        try:
            receipt = self.log.append(replace(entry, charges=_reserved(decided.decision))).receipt
        except QuotaExceeded as exceeded:
            return self._closed_at_once(decided.refused(_quota(exceeded)))
        nonce = self.keyring.nonce(consumer.uri, decided.application.request_id)
        opening = Opening(decided.decision, receipt, mask_plan.column_masks, nonce)
        return _Opened(decided, opening, mask_plan)

    def _closed_at_once(self, decided: Decided) -> _Opened:
        return _Opened(decided, Opening(decided.decision, self._without_data(decided).receipt))

    def _chunks(
        self, opened: _Opened, mask_plan: MaskPlan, still_wanted: StillWanted
    ) -> Iterator[bytes | Closing]:
        standing = Standing(self.epochs, opened.decided, self.clock)
        approved = opened.decided.approved()
        reading = opened.decided.epoch.reader.stream(approved, opened.decided.now, self.batch_rows)
        chunks = IpcChunks(mask_plan.schema, self.chunk_bytes, opened.opening.nonce)
        leaf_index = opened.opening.receipt.leaf_index
        complete = False
        why: tuple[Why, ...] = ()
        try:
            for batch in reading:
                if not still_wanted():
                    raise DeadlinePassed(Reason.DEADLINE_PASSED)
                standing.check()
                for chunk in chunks.write(mask_plan.apply(batch)):
                    yield chunk
                    standing.check()
            yield from chunks.finish()
            complete = True
        except OverRowLimit:
            raise TooLarge(Reason.TOO_MANY_ROWS) from None
        except BrokerError as error:
            why = (Why(error.reason, error.about),)
            raise
        finally:
            outcome = Outcome(
                reading.status,
                reading.as_of,
                reading.counts,
                chunks.digest,
                reading.subjects,
                not complete,
                why,
            )
            if not complete:
                self._interrupted(standing.decided, mask_plan, outcome, leaf_index)
        yield self._closing(standing, mask_plan, outcome, leaf_index)

    def _interrupted(
        self, decided: Decided, mask_plan: MaskPlan, outcome: Outcome, decision_leaf: int
    ) -> None:
        entry = self._entry(EntryKind.STREAM_OUTCOME, decided, mask_plan, outcome, decision_leaf)
        self.log.append(replace(entry, epoch=None), outcome.counts.released)

    def _closing(
        self, standing: Standing, mask_plan: MaskPlan, outcome: Outcome, decision_leaf: int
    ) -> Closing:
        """The end of a stream whose permit holds to the last: complete under the epoch it is recorded in."""
        for _ in range(MOST_EPOCHS):
            entry = self._entry(EntryKind.STREAM_OUTCOME, standing.decided, mask_plan, outcome, decision_leaf)
            try:
                return Closing(outcome, self.log.append(entry, outcome.counts.released).receipt)
            except EpochMoved as moved:
                self._stand_on(standing, moved, mask_plan, outcome, decision_leaf)
        raise Unavailable(Reason.LOG_UNAVAILABLE)

    def _stand_on(
        self, standing: Standing, moved: EpochMoved, mask_plan: MaskPlan, outcome: Outcome, decision_leaf: int
    ) -> None:
        try:
            standing.check(moved.sequence)
        except BrokerError as error:
            broken = replace(outcome, interrupted=True, reasons=(Why(error.reason, error.about),))
            self._interrupted(standing.decided, mask_plan, broken, decision_leaf)
            raise

    # ── the entry ────────────────────────────────────────────────────────────────────────────────

    def _entry(
        self,
        kind: EntryKind,
        decided: Decided,
        mask_plan: MaskPlan | None = None,
        outcome: Outcome | None = None,
        decision_leaf: int | None = None,
        request_mac: bytes = b"",
    ) -> Entry:
        """With ``request_mac`` it claims the request id and settles the charges."""
        recorded_at, application = self.clock(), decided.application
        provider = decided.dataset.department
        tags = [self.keyring.subject_tag(s, application.request_id) for s in application.subjects]
        content = statement(
            kind,
            application,
            decided.decision,
            recorded_at,
            provider=provider,
            subject_tags=tags,
            masks=mask_plan.operator_versions if mask_plan else NO_MASKS,
            epoch=decided.epoch.sequence,
            outcome=outcome,
            decision_leaf=decision_leaf,
        )
        return Entry(
            kind=kind,
            statement=content,
            recorded_at=recorded_at,
            consumer=application.consumer.department,
            consumer_uri=application.consumer.uri,
            provider=provider,
            dataset=application.dataset,
            purpose=application.purpose,
            verdict=decided.decision.verdict,
            request_id=application.request_id if request_mac else "",
            request_mac=request_mac,
            answer_digest=outcome.digest if outcome and request_mac else b"",
            charges=decided.decision.charges if request_mac else (),
            epoch=decided.epoch.sequence,
        )


def _quota(exceeded: QuotaExceeded) -> Why:
    return Why(Reason.QUOTA_EXCEEDED, exceeded.charge.counter)


def _reserved(decision: Decision) -> tuple[Charge, ...]:
    """A stream's charges. Its rows are not known when it begins, so the most it may release is charged."""
    return tuple(
        c if c.amount is not None else replace(c, amount=min(decision.rows_per_call or c.limit, c.limit))
        for c in decision.charges
    )


def _canonical_request(application: Application) -> bytes:
    """Everything that makes two requests the same; it is only ever kept as a keyed digest."""
    return orjson.dumps(
        [
            application.consumer.uri,
            application.request_id,
            application.dataset,
            application.fields,
            application.subjects,
            application.purpose,
            application.service_item,
            application.case_no,
            application.legal_basis,
            application.operator,
            application.grant,
        ]
    )
