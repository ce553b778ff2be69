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

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from adapters.masking.contract import Operator
from broker.apply.admission import Request, admit
from broker.apply.committed import Verifier
from broker.apply.identity import check_standing
from broker.apply.signed import verify_signed_application
from broker.approve.evaluate import evaluate
from broker.desensitize.gate import gate_of
from broker.desensitize.plan import MaskPlan
from broker.desensitize.planner import Planner
from broker.desensitize.totals import totals_of
from broker.entries import Entries
from broker.epoch import Epochs, InForce
from broker.errors import Changed, DeadlinePassed, TooLarge, TooSmall
from broker.guard import End, Guard, unending
from broker.journal import QuotaExceeded
from broker.keys.keyring import Keyring
from broker.leases import Keeper
from broker.marks import NO_VAULT, Marks
from broker.matches import quota_why, with_matches
from broker.model import (
    Application,
    Charge,
    Decision,
    EntryKind,
    Identity,
    Need,
    Receipt,
    SignedApplication,
    Why,
)
from broker.needs import charge, need_of, recorded
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.receipt.statement import Outcome, key_version
from broker.standing import Decided, Settle, Standing, anything_goes, as_it_came, in_one_epoch
from broker.streaming import Closing, Handover, Opening, StillWanted
from broker.transmit.chunks import IpcChunks
from broker.transmit.digest import answer_digest, canonical_answer
from broker.transmit.group import GroupTooSmall
from broker.transmit.reading import Answer, OverRowLimit
from broker.transmit.watermark import watermark


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a unary exchange gives: the decision, its receipt, and for a permit the masked answer."""

    decision: Decision
    receipt: Receipt
    answer: Answer | None = None
    masks: Mapping[str, str] | None = None
    """Column → ``operator@version`` that masked it, or what it is the total of; empty for none."""
    nonce: bytes = b""
    digest: bytes = b""
    redelivered: bool = False
    watermark: Mapping[str, str] = field(default_factory=dict)
    """Marks that must stay with the data; empty where policy demands none."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The five steps, wired once at start; safe for use by many threads."""

    epochs: Epochs
    operators: Mapping[str, Operator]
    log: ReceiptLog
    keeper: Keeper
    ca: x509.Certificate
    clock: Callable[[], datetime]
    max_answer_bytes: int
    """Largest unary answer; a larger one is refused before it is receipted."""
    batch_rows: int
    """Rows read, masked and sent at a time in a stream."""
    chunk_bytes: int
    """Size of a stream's chunks."""
    marks: Marks = NO_VAULT
    may_release: Callable[[], None] = anything_goes
    """Raises Unavailable while nothing may be released at all, whatever policy permits."""
    guard: Guard = field(default_factory=Guard)
    """Ends streams whose thread waits for its caller; it makes its rounds once somebody has started it."""
    settle: Settle = as_it_came
    """Adds the use commitments that stand lodged, where one is missing."""
    entries: Entries = field(init=False, repr=False)
    _planner: Planner = field(init=False, repr=False)

    def __post_init__(self) -> None:
        authority = self.ca.public_bytes(serialization.Encoding.DER)
        object.__setattr__(self, "entries", Entries(self.clock, self.marks, authority))
        object.__setattr__(self, "_planner", Planner(self.operators))

    def unary(self, request: Request, consumer: Identity, still_wanted: StillWanted) -> Exchanged:
        """Decide and, for a permit, release the masked records: the on-the-spot case.

        Raises:
            BrokerError: nothing was released.
        """
        return in_one_epoch(self.epochs, lambda epoch: self._unary(epoch, request, consumer, still_wanted))

    def stream(
        self, request: Request, consumer: Identity, still_wanted: StillWanted, end: End = unending
    ) -> Generator[Opening | bytes | Closing, None, None]:
        """Decide, then release in chunks: an opening, the chunks, a closing.

        The decision has its leaf before the first chunk, the outcome its own after the last. A stream that
        breaks off, or may not go on, leaves an outcome that says so and what was handed over by then. Asked
        for again under its request id, it begins anew, uncharged, and an attempt under way ends.

        Raises:
            BrokerError: what was released so far stands in the outcome's receipt.
        """
        opened = in_one_epoch(self.epochs, lambda epoch: self._open(epoch, request, consumer, end))
        if isinstance(opened, Opening):
            yield opened
        else:
            yield from opened.parts(still_wanted)

    # ── the steps' joints ────────────────────────────────────────────────────────────────────────

    def _decide(self, epoch: InForce, request: Request, consumer: Identity) -> Decided:
        """Steps 1 and 2. The caller was identified under what may have been an earlier epoch."""
        now, catalog = self.clock(), epoch.bundle.catalog
        check_standing(consumer, catalog.city, epoch.revocations, now)

        def verify(message: bytes, application: Application) -> SignedApplication:
            return verify_signed_application(message, application, self.ca, epoch.revocations, now)

        committed = Verifier(catalog, self.ca, epoch.revocations, now)
        application = admit(request, consumer, catalog, verify, committed.of_call)

        grant = epoch.grants.by_name.get(application.grant) if application.grant else None

        def decide(asked: Application) -> Decision:
            return evaluate(asked, grant, epoch.bundle, now, epoch.suspensions)

        application, decision = self.settle(application, decide, epoch, now)
        return Decided(epoch, application, decision, now)

    def _unary(
        self, epoch: InForce, request: Request, consumer: Identity, still_wanted: StillWanted
    ) -> Exchanged:
        decided = self._decide(epoch, request, consumer)
        if not decided.permitted or decided.application.validate_only:
            return self._without_data(decided)

        decided = with_matches(decided)
        try:
            return self._answered(decided, still_wanted)
        except OverRowLimit:
            return self._without_data(decided.refused(Why(Reason.TOO_MANY_ROWS)))
        except TooSmall as held_back:
            return self._without_data(decided.refused(Why(held_back.reason)))
        except GroupTooSmall:
            return self._without_data(decided.refused(Why(Reason.GROUP_TOO_SMALL)))
        except QuotaExceeded as exceeded:
            return self._without_data(decided.refused(quota_why(exceeded)))

    def _answered(self, decided: Decided, still_wanted: StillWanted) -> Exchanged:
        """With data. A retry of what an earlier key masked is the same answer only under that key."""
        keyring = decided.epoch.keyring
        try:
            return self._with_data(decided, keyring, still_wanted)
        except Changed as changed:
            first = None if changed.first_leaf is None else self.log.entry(changed.first_leaf)
            version = 0 if first is None else key_version(first.statement)
            if version == keyring.version or version not in keyring.versions:
                raise
        return self._with_data(decided, keyring.using(version), still_wanted)

    def _with_data(self, decided: Decided, keyring: Keyring, still_wanted: StillWanted) -> Exchanged:
        """Steps 3 to 5 of a permitted application."""
        self.may_release()
        approved = decided.approved()
        mask_plan = self._planner.plan(approved, keyring)
        gate, totals = gate_of(approved, mask_plan), totals_of(approved, mask_plan)
        columns = mask_plan.column_masks if totals is None else totals.column_masks
        reader = decided.epoch.reader
        answer = reader.read(approved, decided.now, mask_plan.apply_to_values, gate, totals)
        return self._release(decided, mask_plan, columns, answer, still_wanted)

    def _without_data(self, decided: Decided) -> Exchanged:
        if need := need_of(decided):
            try:
                return self._with_need(recorded(decided), need)
            except QuotaExceeded as exceeded:
                decided = decided.refused(*decided.decision.reasons, quota_why(exceeded))
        kind = EntryKind.VALIDATION if decided.application.validate_only else EntryKind.EXCHANGE
        return Exchanged(decided.decision, self.log.append(self.entries.entry(kind, decided)).receipt)

    def _with_need(self, decided: Decided, need: Need) -> Exchanged:
        entry = self.entries.entry(EntryKind.EXCHANGE, decided)
        entry = replace(entry, need=need, charges=(charge(decided),))
        return Exchanged(decided.decision, self.log.append(entry).receipt)

    def _release(
        self,
        decided: Decided,
        mask_plan: MaskPlan,
        columns: Mapping[str, str],
        answer: Answer,
        still_wanted: StillWanted,
    ) -> Exchanged:
        application = decided.application
        keyring = decided.epoch.keyring
        nonce = keyring.nonce(application.consumer.uri, application.request_id)
        content = canonical_answer(
            answer.status, [s.status for s in answer.subjects], answer.records, answer.record_subjects
        )
        # As long as if every answer were "no": or what just fits would tell, uncharged, that a claim is true.
        if len(content) + content.count(b"true") > self.max_answer_bytes:
            raise TooLarge(Reason.ANSWER_TOO_LARGE)
        digest = answer_digest(nonce, content)
        outcome = Outcome(answer.status, answer.as_of, answer.counts, digest, answer.subjects)
        if not still_wanted():
            raise DeadlinePassed(Reason.DEADLINE_PASSED)
        request_mac = _request_mac(keyring, application)
        entry = self.entries.entry(EntryKind.EXCHANGE, decided, mask_plan, outcome, request_mac=request_mac)
        appended = self.log.append(entry, outcome.counts.released)
        return Exchanged(
            decided.decision,
            appended.receipt,
            answer,
            columns,
            nonce,
            digest,
            appended.redelivered,
            _marks(decided),
        )

    # ── streams ──────────────────────────────────────────────────────────────────────────────────

    def _open(self, epoch: InForce, request: Request, consumer: Identity, end: End) -> Handover | Opening:
        """Steps 1 to 3: a permitted stream, which has its first leaf, or the refusal with its only one."""
        decided = self._decide(epoch, request, consumer)
        if not decided.permitted:
            return self._refusal(decided)
        self.may_release()
        approved, application = decided.approved(), decided.application
        mask_plan = self._planner.plan(approved, epoch.keyring)
        gate, totals = gate_of(approved, mask_plan), totals_of(approved, mask_plan)
        schema = mask_plan.schema if totals is None else totals.schema
        nonce = epoch.keyring.nonce(consumer.uri, application.request_id)
        handover = Handover(
            self.entries,
            self.log,
            self.keeper,
            Standing(self.epochs, decided, self.clock, self.may_release, self.settle),
            mask_plan,
            epoch.reader.stream(approved, decided.now, self.batch_rows, gate, totals),
            IpcChunks(schema.with_metadata(_marks(decided)), self.chunk_bytes, nonce),
            nonce,
            self.guard,
            end,
        )
        try:
            handover.begin(_reserved(decided.decision), _request_mac(epoch.keyring, application))
        except QuotaExceeded as exceeded:
            return self._refusal(decided.refused(quota_why(exceeded)))
        return handover

    def _refusal(self, decided: Decided) -> Opening:
        refused = self._without_data(decided)
        return Opening(refused.decision, refused.receipt)


def _marks(decided: Decided) -> dict[str, str]:
    application = decided.application
    if not decided.decision.obligations.watermark:
        return {}
    return watermark(application.consumer.uri, application.purpose, application.request_id)


def _reserved(decision: Decision) -> tuple[Charge, ...]:
    """A stream's charges. Its rows are not known when it begins, so the most it may release is charged."""
    return tuple(
        c if c.amount is not None else replace(c, amount=decision.most_rows) for c in decision.charges
    )


def _request_mac(keyring: Keyring, application: Application) -> bytes:
    return keyring.request_mac(_canonical_request(application))


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
            *(["stream"] if application.streamed else []),
            *([{claim.field: claim.texts for claim in application.claims}] if application.claims else []),
        ]
    )
