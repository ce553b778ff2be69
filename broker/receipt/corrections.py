"""Statements about corrections (校核纠错): reported, answered, not answered in time, and who was told.

They say of which receipt and which fields, never what the value was or should be, nor of whom: what is said
of the person is held apart, and the report has its salted digest (``docs/corrections.md``).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from broker.model import Correction, CorrectionOnRecord, DataError, EntryKind, Identity, Settlement
from broker.receipt.statement import FORMAT, SALT_BYTES, instant


class Reach(StrEnum):
    """Whom a notice could be sent to."""

    PERSON = "person"
    """All who received something of the person: the receipts were found by the person's tags."""
    RECEIPT = "receipt"
    """Nobody could be found by the person: the report names none, or the person is forgotten."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report says, as far as it is not personal."""

    receipt: int
    error: DataError
    fields: tuple[str, ...]
    place: int | None
    """Which of the receipt's subjects, from 0 on; None where the receipt names none."""
    proved: bool
    """The identifier was given, and its tag is the receipt's."""
    for_citizen: bool
    operator: str
    held: bytes
    """SHA-256 of what is held apart, which has a salt of its own."""
    evidence: bytes
    """SHA-256 of a document that the consumer keeps; empty for none."""
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """What a provider's officer signed of a report, once it has been verified."""

    settlement: Settlement
    grounds: str
    right_from: datetime | None
    """Corrected: since when the source is right."""
    wrong_from: datetime | None
    """Corrected: since when it was wrong, if that is known."""
    referred_to: str
    """Referred: to whom."""
    message: bytes
    """The COSE_Sign1."""
    signer: str
    """SPIFFE id."""
    certificate: bytes
    """SHA-256 of the signer's certificate."""
    epoch: int


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told by one notice, and of which deliveries."""

    consumer: str
    consumer_uri: str
    purpose: str
    receipts: tuple[int, ...]
    """Leaves of deliveries of this person's data."""
    streams: tuple[int, ...]
    """Leaves of streams of all in scope, which may have held it."""


def report(
    caller: Identity, of: Mapping[str, Any], reported: Reported, recorded_at: datetime, epoch: int
) -> bytes:
    """The statement that ``caller`` reports an error against the receipt whose statement is ``of``."""
    place = {} if reported.place is None else {"place": reported.place}
    content = _about(EntryKind.CORRECTION_REPORT, recorded_at) | {
        "consumer": {
            "department": caller.department,
            "uri": caller.uri,
            "certificate": caller.fingerprint.hex(),
        },
        **{name: of[name] for name in ("provider", "dataset", "purpose")},
        "of": reported.receipt,
        "error": reported.error,
        "fields": reported.fields,
        "subject": {**place, "proved": reported.proved},
        "for_citizen": reported.for_citizen,
        "operator": reported.operator,
        "held": reported.held.hex(),
        "due_at": instant(reported.due_at),
        "epoch": epoch,
    }
    if reported.evidence:
        content["evidence"] = reported.evidence.hex()
    return _dumped(content)


def answer(of: CorrectionOnRecord, answered: Answered, recorded_at: datetime) -> bytes:
    """The statement that a provider's officer answered."""
    due_at = of.correction.due_at
    content = _said_of(EntryKind.CORRECTION_ANSWER, of, recorded_at) | {
        "settlement": answered.settlement,
        "grounds": answered.grounds,
        "due_at": instant(due_at),
        "late": recorded_at > due_at,
        "signer": {"uri": answered.signer, "certificate": answered.certificate.hex()},
        "epoch": answered.epoch,
        "answer": base64.b64encode(answered.message).decode(),
    }
    for name in ("right_from", "wrong_from"):
        if (at := getattr(answered, name)) is not None:
            content[name] = instant(at)
    if answered.referred_to:
        content["referred_to"] = answered.referred_to
    return _dumped(content)


def overdue(of: CorrectionOnRecord, recorded_at: datetime) -> bytes:
    """The statement that no answer came in time."""
    due_at = instant(of.correction.due_at)
    return _dumped(_said_of(EntryKind.CORRECTION_OVERDUE, of, recorded_at) | {"due_at": due_at})


def notice(
    of: CorrectionOnRecord, told: Told, reach: Reach, said: Mapping[str, Any], recorded_at: datetime
) -> bytes:
    """The statement that a consumer is told; ``said`` is that of the answer."""
    content = _said_of(EntryKind.CORRECTION_NOTICE, of, recorded_at) | {
        "consumer": {"department": told.consumer, "uri": told.consumer_uri},
        "purpose": told.purpose,
        "error": of.correction.error,
        "answered": of.correction.answered,
        "reach": reach,
        "receipts": told.receipts,
        "streams": told.streams,
    }
    del content["of"]  # the reporter's receipt is not the reader's business
    for name in ("right_from", "wrong_from"):
        if name in said:
            content[name] = said[name]
    return _dumped(content)


def correction_in(leaf_index: int, content: Mapping[str, Any]) -> Correction:
    """What the statement of a report says, for the table."""
    return Correction(
        leaf_index=leaf_index,
        receipt=content["of"],
        error=DataError(content["error"]),
        fields=tuple(content["fields"]),
        due_at=datetime.fromisoformat(content["due_at"]),
    )


def touched(content: Mapping[str, Any]) -> Sequence[str]:
    """The fields that a receipt's statement says were given out, or compared with what the consumer knew."""
    return [*content.get("fields", ()), *content.get("claims", ())]


def _said_of(kind: EntryKind, of: CorrectionOnRecord, recorded_at: datetime) -> dict[str, Any]:
    return _about(kind, recorded_at) | {
        "consumer": {"department": of.consumer, "uri": of.reporter},
        **{name: getattr(of, name) for name in ("provider", "dataset", "purpose")},
        "correction": of.correction.leaf_index,
        "of": of.correction.receipt,
        "fields": of.correction.fields,
    }


def _about(kind: EntryKind, recorded_at: datetime) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": kind,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
    }


def _dumped(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
