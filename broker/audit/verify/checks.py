"""The registry: what is checked of a statement of each kind, and how related statements are judged.

A new kind of statement has a line in :data:`CHECKS`. Its check is told of one statement whose hash is the
leaf's; it yields remarks, and the ends that the statement has in relations (:mod:`broker.audit.verify.ties`).
It may raise what a statement of another form makes it raise, ``KeyError``, ``TypeError``, ``AttributeError``
and ``ValueError`` and nothing else: the statement then counts as malformed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from broker.audit.verify import (
    applications,
    certificates,
    commitments,
    corrections,
    delegations,
    deliveries,
    disposals,
    epochs,
    expiries,
    reads,
    requests,
)
from broker.audit.verify.remarks import Remark
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Relations
from broker.model import EntryKind

Check = Callable[[Said], Iterator[Remark | End]]

CHECKS: Mapping[EntryKind, tuple[Check, ...]] = {
    EntryKind.GENESIS: (epochs.genesis,),
    EntryKind.CERTIFICATE_CHAIN: (certificates.chain,),
    EntryKind.EPOCH: (epochs.act, certificates.caller, commitments.withdrawn),
    EntryKind.EXCHANGE: (
        requests.answer,
        epochs.decision,
        deliveries.delivered,
        disposals.delivered,
        certificates.consumer,
        commitments.used,
    ),
    EntryKind.VALIDATION: (epochs.decision, certificates.consumer, commitments.used),
    EntryKind.STREAM_DECISION: (requests.opening, epochs.decision, certificates.consumer, commitments.used),
    EntryKind.STREAM_OUTCOME: (requests.outcome, deliveries.delivered, disposals.delivered),
    EntryKind.REDELIVERED: (
        requests.redelivered,
        epochs.decision,
        disposals.delivered,
        certificates.consumer,
        commitments.used,
    ),
    EntryKind.DETOKENIZATION: (
        requests.answer,
        epochs.decision,
        deliveries.delivered,
        certificates.consumer,
    ),
    EntryKind.TRACE: (),
    EntryKind.LOG_KEY: (epochs.log_key,),
    EntryKind.RETENTION: (expiries.run,),
    EntryKind.COMMITMENT: (commitments.lodged, certificates.consumer),
    EntryKind.ACKNOWLEDGEMENT: (deliveries.acknowledgement, certificates.signer),
    EntryKind.ACKNOWLEDGEMENT_DISPUTED: (deliveries.dispute, certificates.signer),
    EntryKind.ACKNOWLEDGEMENT_MISSING: (deliveries.missing,),
    EntryKind.DISPOSAL_ORDER: (disposals.order, certificates.caller),
    EntryKind.DISPOSAL_CERTIFICATE: (disposals.certificate, certificates.signer),
    EntryKind.DISPOSAL_MISSING: (disposals.missing,),
    EntryKind.CORRECTION_REPORT: (corrections.report, certificates.consumer),
    EntryKind.CORRECTION_ANSWER: (corrections.answer, certificates.signer),
    EntryKind.CORRECTION_OVERDUE: (corrections.overdue,),
    EntryKind.CORRECTION_NOTICE: (corrections.notice,),
    EntryKind.DELEGATION: (delegations.act, certificates.caller),
    EntryKind.SUBJECT_ACCESS: (),
    EntryKind.SUBJECT_FORGOTTEN: (),
    EntryKind.AUDIT_READ: (reads.read,),
    EntryKind.APPLICATION: (applications.act, certificates.caller),
}

RELATIONS: Relations = {
    "certificate": certificates.CERTIFICATE,
    "request": requests.REQUEST,
    "epoch": epochs.EPOCH,
    "commitment": commitments.COMMITMENT,
    "delivery": deliveries.DELIVERY,
    "application": applications.APPLICATION,
    "holding": disposals.HOLDING,
    "disposal": disposals.DISPOSAL,
    "correction": corrections.CORRECTION,
}
