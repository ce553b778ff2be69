"""A report taken: an error in what a department received, against the receipt of it.

1. the receipt is one of the caller's department, and of an answer that gave something out;
2. the fields are that receipt's; the person, if one is named, is one of its subjects, which the person's tag
   proves where tags can be made;
3. what is said of the person is sealed and held apart, its digest goes into the statement;
4. recorded once, with the deadline for the provider's answer. Sent again, it gives the first receipt.

All under one epoch, as an exchange is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.identity import check_standing
from broker.correction.held import Content, seal
from broker.epoch import Epochs, InForce
from broker.errors import Exhausted, MalformedRequest, NotFound, NotPossible, Violation
from broker.journal import EpochMoved
from broker.limits.days import due
from broker.marks import Marks
from broker.model import Correction, DataError, Entry, EntryKind, Identity, Receipt
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.corrections import Reported, report, touched
from broker.receipt.log import ReceiptLog, append_alone
from broker.receipt.statement import key_version
from broker.standing import in_one_epoch
from broker.store.store import Store

log = structlog.get_logger("sharebroker.corrections")

MOST_WAITING = 500
"""Corrections of one department without answer."""
MAX_VALUE = 500
"""Characters of a value that would be right."""
MAX_GROUNDS = 2000
MAX_NAME = 100
"""Characters of an identifier or the name of an operator."""
DIGEST_BYTES = 32

_ANSWERS = frozenset({EntryKind.EXCHANGE, EntryKind.STREAM_OUTCOME})


@dataclass(frozen=True, slots=True)
class Report:
    """What a consumer reports."""

    receipt: int
    """Leaf of the exchange, or of a stream's outcome."""
    error: DataError
    fields: tuple[str, ...]
    content: Content = field(repr=False)
    evidence: bytes = b""
    """SHA-256 of a document that the consumer keeps; empty for none."""
    operator: str = ""
    """经办人."""
    for_citizen: bool = False
    """The citizen asked for it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The receipt of a report, and whether an earlier one had got it."""

    receipt: Receipt
    due_at: datetime
    repeated: bool


@dataclass(frozen=True, slots=True)
class Reporter:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    store: Store
    log: ReceiptLog
    marks: Marks
    ca: x509.Certificate
    clock: Callable[[], datetime]

    def report(self, asked: Report, caller: Identity) -> Taken:
        """Record a report, and by when the provider must answer.

        Raises:
            NotFound: no such receipt concerns a consumer of the caller's department.
            NotPossible: NOTHING_TO_CORRECT.
            MalformedRequest: everything that is wrong with the report.
            Exhausted: TOO_MANY_CORRECTIONS.
            Unavailable: it may be recorded; a retry is safe.
        """
        taken = in_one_epoch(self.epochs, lambda epoch: self._attempt(epoch, asked, caller))
        self.log.sign()
        return replace(taken, receipt=self.log.receipt(taken.receipt.leaf_index))

    def _attempt(self, epoch: InForce, asked: Report, caller: Identity) -> Taken:
        now = self.clock()
        check_standing(caller, epoch.bundle.catalog.city, epoch.revocations, now)
        statement = self._statement(asked.receipt, caller)
        of = orjson.loads(statement)
        _require_given_out(of, asked.error)
        place = self._place(of, statement, asked.content.subject, epoch)
        if wrong := [*_violations(asked, of), *_wrong_subject(asked, of, place)]:
            raise MalformedRequest(tuple(wrong))
        mac = epoch.keyring.request_mac(_canonical(asked, caller))
        held, digest = seal(asked.content, epoch.keyring, self.marks)
        tags = of.get("subject_tags", ())
        reported = Reported(
            receipt=asked.receipt,
            error=asked.error,
            fields=tuple(sorted(set(asked.fields))),
            place=0 if place is None and len(tags) == 1 else place,
            proved=place is not None,
            for_citizen=asked.for_citizen,
            operator=asked.operator,
            held=digest,
            evidence=asked.evidence,
            due_at=_answer_by(now, of["provider"], epoch),
        )
        return self._record(epoch, caller, of, reported, (held, mac), now)

    def _statement(self, leaf_index: int, caller: Identity) -> bytes:
        """Of the receipt, as the log has hashed it."""
        entry = self.log.entry(leaf_index)
        if entry is None or not entry.statement or entry.consumer != caller.department:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return self.log.receipt(leaf_index).statement

    def _place(self, of: Mapping[str, Any], statement: bytes, subject: str, epoch: InForce) -> int | None:
        """Which of the receipt's subjects the person is; None for nobody, or one who cannot be proved."""
        if not subject or not of.get("subject_tags"):
            return None
        recogniser = self.marks.recogniser([subject], epoch.keyring)
        return recogniser.place(of, subject, key_version(statement) or None)

    def _record(
        self,
        epoch: InForce,
        caller: Identity,
        of: Mapping[str, Any],
        reported: Reported,
        kept: tuple[bytes, bytes],
        now: datetime,
    ) -> Taken:
        held, mac = kept
        with self.store.append_transaction() as transaction:
            if transaction.head.epoch != epoch.sequence:
                raise EpochMoved(transaction.head.epoch)
            for known in transaction.corrections.about(reported.receipt):
                if known.request_mac == mac:
                    return Taken(_unproved(known.leaf_index), known.due_at, repeated=True)
            if transaction.corrections.waiting(caller.department) >= MOST_WAITING:
                raise Exhausted(Reason.TOO_MANY_CORRECTIONS, str(MOST_WAITING))
            at = max(now, transaction.head.recorded_at)
            entry = Entry(
                kind=EntryKind.CORRECTION_REPORT,
                statement=report(caller, of, reported, at, epoch.sequence),
                recorded_at=at,
                consumer=caller.department,
                consumer_uri=caller.uri,
                provider=of["provider"],
                dataset=of["dataset"],
                purpose=of["purpose"],
                chains=(chain_of(caller, self.ca.public_bytes(serialization.Encoding.DER)),),
            )
            leaf = append_alone(transaction, self.store, entry)
            transaction.corrections.put(
                Correction(
                    leaf_index=leaf,
                    receipt=reported.receipt,
                    error=reported.error,
                    fields=reported.fields,
                    due_at=reported.due_at,
                    held=held,
                    request_mac=mac,
                )
            )
        log.info("correction_reported", correction=leaf, about=reported.receipt, error=reported.error)
        return Taken(_unproved(leaf), reported.due_at, repeated=False)


def _answer_by(now: datetime, provider: str, epoch: InForce) -> datetime:
    """Article 26: within ten working days unless the provider's jurisdiction says otherwise. Where the
    calendar does not reach so far, it is the earliest time that this can be."""
    catalog = epoch.bundle.catalog
    days = catalog.limits_of(provider).correction
    return due(now, days, catalog.calendar, epoch.bundle.zone).at


def _unproved(leaf_index: int) -> Receipt:
    """Stands for the receipt until the head over it is signed."""
    return Receipt(b"", leaf_index, 0, (), "")


def _require_given_out(of: Mapping[str, Any], error: DataError) -> None:
    outcome = of.get("outcome")
    if of["kind"] not in _ANSWERS or outcome is None:
        raise NotPossible(Reason.NOTHING_TO_CORRECT)
    if error is not DataError.MISSING_RECORD and not outcome["rows"]["released"]:
        raise NotPossible(Reason.NOTHING_TO_CORRECT)


def _violations(asked: Report, of: Mapping[str, Any]) -> Iterator[Violation]:
    known = set(touched(of))
    for number, name in enumerate(asked.fields):
        if name not in known:
            yield _violation(f"fields[{number}]", "不是该回执的数据项", "is no field of that receipt")
    if not asked.fields and asked.error is not DataError.MISSING_RECORD:
        yield _violation("fields", "须写明哪些数据项有误", "must name the fields that are wrong")
    for name, value in asked.content.claimed.items():
        if name not in asked.fields or name not in known:
            zh, en = "所主张的值不属于所报告的数据项", "has a value for a field that is not reported"
            yield _violation("claimed_values", zh, en)
        elif len(value) > MAX_VALUE or not value.isprintable():
            yield _violation(f"claimed_values[{name}]", "过长或含不可见字符", "is too long or not printable")
    grounds = asked.content.grounds
    if not grounds.strip() or len(grounds) > MAX_GROUNDS:
        yield _violation(
            "grounds", f"须写明理由，至多 {MAX_GROUNDS} 字", f"must be 1 to {MAX_GROUNDS} characters"
        )
    if len(asked.evidence) not in (0, DIGEST_BYTES):
        yield _violation("evidence_digest", "须为 SHA-256", "must be a SHA-256 digest")
    if len(asked.operator) > MAX_NAME or not asked.operator.isprintable():
        yield _violation("operator", "过长或含不可见字符", "is too long or not printable")


def _wrong_subject(asked: Report, of: Mapping[str, Any], place: int | None) -> Iterator[Violation]:
    tags, subject = of.get("subject_tags", ()), asked.content.subject
    if len(subject) > MAX_NAME or not subject.isprintable():
        yield _violation("subject", "过长或含不可见字符", "is too long or not printable")
    elif subject and tags and place is None:
        yield _violation("subject", "不是该回执的查询对象", "is no subject of that receipt")
    elif not subject and len(tags) > 1:
        zh, en = "该回执有多名查询对象，须写明是谁", "must name one of the receipt's several subjects"
        yield _violation("subject", zh, en)


def _violation(name: str, zh: str, en: str) -> Violation:
    return Violation(name, zh, en)


def _canonical(asked: Report, caller: Identity) -> bytes:
    """The same for a retry, and for nothing else."""
    content = asked.content
    said = [
        *("correction", caller.department, asked.receipt, asked.error, sorted(set(asked.fields))),
        *(content.subject, dict(content.claimed), content.grounds, asked.evidence.hex()),
        *(asked.operator, asked.for_citizen),
    ]
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
