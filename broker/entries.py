"""From what was decided and done to an entry for the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from broker.desensitize.plan import MaskPlan
from broker.errors import NotAuthenticated
from broker.marks import Marks
from broker.model import (
    Application,
    CertificateChain,
    Decision,
    Entry,
    EntryKind,
    Particulars,
    Retained,
    SubjectMark,
    dispose_by,
)
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.statement import Outcome, statement
from broker.standing import Decided

MOST_HOURS = 100 * 366 * 24
"""To acknowledge in: what a policy says beyond that is no deadline, and the end might be beyond all dates."""

NO_MASKS: Mapping[str, Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entries:
    """Writes entries, dated when they are written."""

    clock: Callable[[], datetime]
    marks: Marks
    authority: bytes
    """Certificate of the authority that closes each chain, DER."""

    def entry(
        self,
        kind: EntryKind,
        decided: Decided,
        mask_plan: MaskPlan | None = None,
        outcome: Outcome | None = None,
        *,
        decision_leaf: int | None = None,
        lease_seconds: float | None = None,
        request_mac: bytes = b"",
        marks: Sequence[SubjectMark] | None = None,
    ) -> Entry:
        """An entry with its :func:`~broker.receipt.statement.statement`. With ``request_mac`` it claims the
        request id and settles the charges. ``marks`` are those of a stream that has them already.

        Raises:
            Unavailable: VAULT_UNAVAILABLE.
            NotAuthenticated: CERTIFICATE_EXPIRED, since it was decided.
        """
        recorded_at, application = self.clock(), decided.application
        if kind is not EntryKind.STREAM_OUTCOME and recorded_at > application.consumer.not_after:
            raise NotAuthenticated(Reason.CERTIFICATE_EXPIRED)  # or nobody could verify it later
        provider = decided.provider
        acknowledge_by = _acknowledge_by(decided.decision, recorded_at, outcome)
        retained = _retained(decided, recorded_at, outcome)

        def write(marks: Sequence[SubjectMark]) -> bytes:
            return statement(
                kind,
                application,
                decided.decision,
                recorded_at,
                provider=provider,
                subject_tags=[mark.tag for mark in marks],
                subject_numbers=[mark.number for mark in marks if mark.number],
                masks=mask_plan.operator_versions if mask_plan else NO_MASKS,
                epoch=decided.epoch.sequence,
                outcome=outcome,
                decision_leaf=decision_leaf,
                lease_seconds=lease_seconds,
                acknowledge_by=acknowledge_by,
                dispose_by=None if retained is None else retained.dispose_by,
            )

        if marks is None:
            marks, content = self.marks.made(
                application.subjects, application.request_id, recorded_at, decided.epoch.keyring, write
            )
        else:
            content = write(marks)
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
            epoch=decided.epoch.sequence,
            particulars=_particulars(application, decided.decision, marks, outcome),
            request_id=application.request_id if request_mac else "",
            request_mac=request_mac,
            answer_digest=outcome.digest if outcome and request_mac else b"",
            charges=decided.decision.charges if request_mac else (),
            marks=tuple(marks),
            acknowledge_by=acknowledge_by,
            retained=retained,
            chains=self._chains(kind, application),
            acts=_acts(kind, application),
        )

    def _chains(self, kind: EntryKind, application: Application) -> tuple[CertificateChain, ...]:
        """Of those by whose certificates it is asked; what came of a stream is the broker's own word."""
        if kind is EntryKind.STREAM_OUTCOME:
            return ()
        signers = [application.signed.signer] if application.signed else []
        signers += [commitment.signer for commitment in application.commitments if commitment.lodged is None]
        return tuple(chain_of(one, self.authority) for one in (application.consumer, *signers))


def _acts(kind: EntryKind, application: Application) -> tuple[bytes, ...]:
    """What the consumer signed, held once: beside the leaf of what was decided about it."""
    if kind is EntryKind.STREAM_OUTCOME:
        return ()
    applied = (application.signed.message,) if application.signed else ()
    committed = [commitment.message for commitment in application.commitments if commitment.lodged is None]
    return (*applied, *committed)


def _acknowledge_by(decision: Decision, at: datetime, outcome: Outcome | None) -> datetime | None:
    """By when the consumer must acknowledge what it got; what it did not get whole it cannot."""
    hours = decision.obligations.acknowledge_hours
    if outcome is None or outcome.interrupted or not hours:
        return None
    return at + timedelta(hours=min(hours, MOST_HOURS))


def _retained(decided: Decided, at: datetime, outcome: Outcome | None) -> Retained | None:
    """How long the consumer may keep the records that it got, be they all it asked for or not."""
    days = decided.decision.obligations.retain_days
    if outcome is None or not outcome.counts.released or not days:
        return None
    return Retained(dispose_by(at, days, decided.epoch.bundle.zone), decided.application.grant)


def _particulars(
    application: Application, decision: Decision, marks: Sequence[SubjectMark], outcome: Outcome | None
) -> Particulars:
    """As :func:`broker.particulars.particulars_of` has them, without reading the statement again."""
    reasons = (*decision.reasons, *decision.missing, *(outcome.reasons if outcome else ()))
    return Particulars(
        application.operator,
        application.case_no,
        application.service_item,
        tuple(decision.rules),
        tuple(dict.fromkeys(str(why.reason) for why in reasons)),
        tuple(dict.fromkeys(mark.tag for mark in marks)),
    )
