"""Corrections as a log and its table have them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from broker.model import (
    Correction,
    CorrectionOnRecord,
    DataError,
    Entry,
    EntryKind,
    Identity,
    Role,
    Settlement,
)
from broker.receipt.corrections import Answered, Reach, Reported, Told, answer, notice, overdue, report
from broker.receipt.log import append_alone
from broker.receipt.statement import instant
from broker.store.store import Store

DIGEST = bytes(range(32))
SYSTEM = "spiffe://xinghe/department/tax/system/counter-1"
NAMES = {"provider": "civil_affairs", "dataset": "civil_affairs.marriage", "purpose": "check"}


def entry(kind: EntryKind, statement: bytes, now: datetime) -> Entry:
    """Listed under the consumer and the dataset that all statements here have."""
    return Entry(kind, statement, now, consumer="tax", consumer_uri=SYSTEM, **NAMES)


def settled(store: Store, receipt: int) -> int:
    """A correction with all that can be said of one: overdue, then corrected, then told. Four leaves; gives
    the first."""
    now = datetime.now(UTC)
    caller = Identity("xinghe", "tax", Role.SYSTEM, "counter-1", 1, now, DIGEST)
    reported = Reported(receipt, DataError.WRONG_VALUE, ("status",), 0, True, False, "", DIGEST, b"", now)
    with store.append_transaction() as transaction:
        said = report(caller, NAMES, reported, now, 1)
        first = append_alone(transaction, store, entry(EntryKind.CORRECTION_REPORT, said, now))
        known = Correction(first, receipt, reported.error, reported.fields, now)
        transaction.corrections.put(known)
    found = CorrectionOnRecord(known, "tax", *NAMES.values(), SYSTEM, now)
    answered = Answered(Settlement.CORRECTED, "已更正", now, None, "", b"message", SYSTEM, DIGEST, 1)
    with store.append_transaction() as transaction:
        entries = [
            entry(EntryKind.CORRECTION_OVERDUE, overdue(found, now), now),
            entry(EntryKind.CORRECTION_ANSWER, answer(found, answered, now), now),
        ]
        leaf = append_alone(transaction, store, *entries)
        known = replace(known, overdue=leaf - 1, answered=leaf, settlement=Settlement.CORRECTED)
        transaction.corrections.settle(known)
    with store.append_transaction() as transaction:
        told = Told("tax", SYSTEM, NAMES["purpose"], (receipt,), ())
        said = notice(replace(found, correction=known), told, Reach.PERSON, {"right_from": instant(now)}, now)
        leaf = append_alone(transaction, store, entry(EntryKind.CORRECTION_NOTICE, said, now))
        transaction.corrections.settle(replace(known, told=leaf))
    return first


def waiting(store: Store, receipt: int, due_at: datetime) -> int:
    """A correction that waits for an answer until then; gives its leaf."""
    now = datetime.now(UTC)
    caller = Identity("xinghe", "tax", Role.SYSTEM, "counter-1", 1, now, DIGEST)
    reported = Reported(receipt, DataError.WRONG_VALUE, ("status",), 0, True, False, "", DIGEST, b"", due_at)
    with store.append_transaction() as transaction:
        said = report(caller, NAMES, reported, now, 1)
        leaf = append_alone(transaction, store, entry(EntryKind.CORRECTION_REPORT, said, now))
        transaction.corrections.put(Correction(leaf, receipt, reported.error, reported.fields, due_at))
    return leaf


def examples(caller: Identity) -> list[bytes]:
    """What is said of a correction, from its report to the last notice."""
    now = datetime(2026, 11, 23, 4, tzinfo=UTC)
    known = Correction(9, 7, DataError.OUT_OF_DATE, ("status",), now, answered=10)
    found = CorrectionOnRecord(known, "tax", *NAMES.values(), SYSTEM, now)
    reported = Reported(7, known.error, known.fields, 0, True, False, "甲", DIGEST, b"", now)
    answered = Answered(Settlement.CORRECTED, "已更正", now, now, "", b"message", SYSTEM, DIGEST, 3)
    referred = replace(
        answered, settlement=Settlement.REFERRED, right_from=None, wrong_from=None, referred_to="省公安厅"
    )
    told = Told("tax", SYSTEM, "check", (7, 8), (5,))
    times = {"right_from": instant(now), "wrong_from": instant(now)}
    return [
        report(caller, NAMES, reported, now, 3),
        report(caller, NAMES, replace(reported, place=None, evidence=DIGEST), now, 3),
        answer(found, answered, now),
        answer(found, referred, now),
        overdue(found, now),
        notice(found, told, Reach.PERSON, times, now),
    ]
