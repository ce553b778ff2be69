"""One exchange, five calls, in order. Open this file first.

1. **apply** – :func:`~broker.apply.admission.admit`: who calls, what is asked, is it well formed?
2. **approve** – :func:`~broker.approve.evaluate.evaluate`: permit with obligations, deny with reasons,
   review, or papers missing. A refusal is receipted and returned; it cannot reach the steps below.
3. **desensitize** – :func:`~broker.desensitize.plan.plan`: the obligations become one mask per field.
4. **transmit** – :class:`~broker.transmit.reading.Reader`: read, check quality, mask.
5. **receipt** – :class:`~broker.receipt.log.ReceiptLog`: the statement is durable in the log, and the log's
   head signed, *before* anything is returned. No receipt, no data.

``docs/exchange-cycle.md`` says what is durable after each step and what survives a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

import orjson

from adapters.masking.contract import Operator
from broker.apply.admission import Request, VerifySignature, admit
from broker.approve.bundle import Bundle
from broker.approve.evaluate import evaluate
from broker.desensitize.plan import MaskPlan, plan
from broker.errors import DeadlinePassed, TooLarge
from broker.journal import QuotaExceeded
from broker.keys.keyring import Keyring
from broker.model import (
    Application,
    Approved,
    Charge,
    Dataset,
    Decision,
    Entry,
    EntryKind,
    Identity,
    Receipt,
    Verdict,
    Why,
)
from broker.reasons import Reason
from broker.receipt.log import Appended, ReceiptLog
from broker.receipt.statement import Outcome, statement
from broker.transmit.chunks import IpcChunks
from broker.transmit.digest import answer_digest, canonical_answer
from broker.transmit.reading import Answer, OverRowLimit, Reader

NO_MASKS: Mapping[str, Mapping[str, object]] = MappingProxyType({})
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
class Exchange:
    """The five steps, wired once at start; safe for use by many threads."""

    bundle: Bundle
    operators: Mapping[str, Operator]
    keyring: Keyring
    reader: Reader
    log: ReceiptLog
    verify_signature: VerifySignature
    clock: Callable[[], datetime]
    max_answer_bytes: int
    """Largest unary answer; a larger one is refused before it is receipted."""
    batch_rows: int
    """Rows read, masked and sent at a time in a stream."""
    chunk_bytes: int
    """Size of a stream's chunks."""

    def unary(self, request: Request, consumer: Identity, still_wanted: StillWanted) -> Exchanged:
        """Decide and, for a permit, release the masked records: the on-the-spot case.

        Raises:
            BrokerError: nothing was released.
        """
        now = self.clock()
        application = admit(request, consumer, self.bundle.catalog, self.verify_signature)
        decision = evaluate(application, None, self.bundle, now)
        if decision.verdict is not Verdict.PERMIT or application.validate_only:
            return self._without_data(application, decision)

        approved = Approved(application, decision, self._dataset(application))
        mask_plan = plan(approved, self.operators, self.keyring)
        try:
            answer = self.reader.read(approved, now, mask_plan.apply)
            return self._release(approved, mask_plan, answer, still_wanted)
        except OverRowLimit:
            return self._without_data(application, _refused(decision, Why(Reason.TOO_MANY_ROWS)))
        except QuotaExceeded as exceeded:
            return self._without_data(application, _refused(decision, _quota(exceeded)))

    def stream(
        self, request: Request, consumer: Identity, still_wanted: StillWanted
    ) -> Iterator[Opening | bytes | Closing]:
        """Decide, then release in chunks: an opening, the chunks, a closing.

        The decision has its leaf before the first chunk, the outcome its own after the last. A stream that
        breaks off leaves an outcome that says so and what was handed over by then.

        Raises:
            BrokerError: what was released so far stands in the outcome's receipt.
        """
        now = self.clock()
        application = admit(request, consumer, self.bundle.catalog, self.verify_signature)
        decision = evaluate(application, None, self.bundle, now)
        if decision.verdict is not Verdict.PERMIT:
            refused = self._without_data(application, decision)
            yield Opening(refused.decision, refused.receipt)
            return

        approved = Approved(application, decision, self._dataset(application))
        mask_plan = plan(approved, self.operators, self.keyring)
        try:
            opened = self._append(EntryKind.STREAM_DECISION, approved, mask_plan, charges=_reserved(decision))
        except QuotaExceeded as exceeded:
            refused = self._without_data(application, _refused(decision, _quota(exceeded)))
            yield Opening(refused.decision, refused.receipt)
            return
        nonce = self.keyring.nonce(consumer.uri, application.request_id)
        yield Opening(decision, opened.receipt, mask_plan.column_masks, nonce)
        yield from self._chunks(approved, mask_plan, nonce, opened.receipt.leaf_index, now, still_wanted)

    # ── the steps' joints ────────────────────────────────────────────────────────────────────────

    def _dataset(self, application: Application) -> Dataset:
        return self.bundle.catalog.datasets[application.dataset]

    def _without_data(self, application: Application, decision: Decision) -> Exchanged:
        kind = EntryKind.VALIDATION if application.validate_only else EntryKind.EXCHANGE
        entry = self._entry(kind, application, decision)
        return Exchanged(decision, self.log.append(entry).receipt)

    def _release(
        self, approved: Approved, mask_plan: MaskPlan, answer: Answer, still_wanted: StillWanted
    ) -> Exchanged:
        application = approved.application
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
        charges = approved.decision.charges
        appended = self._append(EntryKind.EXCHANGE, approved, mask_plan, outcome, charges=charges, claim=True)
        return Exchanged(
            approved.decision,
            appended.receipt,
            answer,
            mask_plan.column_masks,
            nonce,
            digest,
            appended.redelivered,
        )

    def _chunks(
        self,
        approved: Approved,
        mask_plan: MaskPlan,
        nonce: bytes,
        decision_leaf: int,
        now: datetime,
        still_wanted: StillWanted,
    ) -> Iterator[bytes | Closing]:
        reading = self.reader.stream(approved, now, self.batch_rows)
        chunks = IpcChunks(mask_plan.schema, self.chunk_bytes, nonce)
        complete = False
        try:
            for batch in reading:
                if not still_wanted():
                    raise DeadlinePassed(Reason.DEADLINE_PASSED)
                yield from chunks.write(mask_plan.apply(batch))
            yield from chunks.finish()
            complete = True
        except OverRowLimit:
            raise TooLarge(Reason.TOO_MANY_ROWS) from None
        finally:
            outcome = Outcome(
                reading.status,
                reading.as_of,
                reading.counts,
                chunks.digest,
                reading.subjects,
                interrupted=not complete,
            )
            closed = self._append(
                EntryKind.STREAM_OUTCOME, approved, mask_plan, outcome, decision_leaf=decision_leaf
            )
        yield Closing(outcome, closed.receipt)

    def _append(
        self,
        kind: EntryKind,
        approved: Approved,
        mask_plan: MaskPlan,
        outcome: Outcome | None = None,
        *,
        charges: tuple[Charge, ...] = (),
        claim: bool = False,
        decision_leaf: int | None = None,
    ) -> Appended:
        entry = self._entry(
            kind, approved.application, approved.decision, mask_plan.operator_versions, outcome, decision_leaf
        )
        if claim and outcome is not None:
            application = approved.application
            entry = replace(
                entry,
                request_id=application.request_id,
                request_mac=self.keyring.request_mac(_canonical_request(application)),
                answer_digest=outcome.digest,
            )
        rows = outcome.counts.released if outcome else 0
        return self.log.append(replace(entry, charges=charges), rows)

    def _entry(
        self,
        kind: EntryKind,
        application: Application,
        decision: Decision,
        masks: Mapping[str, Mapping[str, object]] = NO_MASKS,
        outcome: Outcome | None = None,
        decision_leaf: int | None = None,
    ) -> Entry:
        recorded_at = self.clock()
        provider = self._dataset(application).department
        tags = [self.keyring.subject_tag(s, application.request_id) for s in application.subjects]
        content = statement(
            kind,
            application,
            decision,
            recorded_at,
            provider=provider,
            subject_tags=tags,
            masks=masks,
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
            verdict=decision.verdict,
        )


def _refused(permit: Decision, why: Why) -> Decision:
    """The refusal that ``permit`` became when its limits met the facts."""
    return Decision(Verdict.DENY, permit.bundle_hash, permit.rules, reasons=(why,))


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
