"""Statements of acts by which somebody learns whom masked values stand for, or what is known of a person: a
detokenization, a trace, a person's own view; and of the act by which a person is forgotten.

They name who, what for and by whose approval; never a value, a token or a name in a file.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson

from broker.model import EntryKind, Identity, SubjectMark, Verdict, Why
from broker.receipt.statement import FORMAT, SALT_BYTES, instant, marked


@dataclass(frozen=True, slots=True)
class TurnedBack:
    """What came of a detokenization that was permitted."""

    known: int
    """Tokens that were turned back; the others are none of the field's."""
    digest: bytes
    """SHA-256(nonce ‖ canonical JSON of the values)."""
    subjects: Sequence[SubjectMark] = ()
    """Where the field says who the subjects are."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """On what grounds somebody may learn it, as the caller and the officer have signed."""

    reason: str
    legal_basis: str
    officer: str
    """SPIFFE id of who approved."""
    approval: bytes
    """SHA-256 of what was signed."""
    until: datetime


def detokenization(
    caller: Identity,
    request_id: str,
    released: Mapping[str, object],
    grounds: Grounds,
    recorded_at: datetime,
    *,
    tokens: int,
    bundle: str,
    epoch: int,
    refused: Sequence[Why] = (),
    turned_back: TurnedBack | None = None,
) -> bytes:
    """The statement of tokens turned back, or of why they were not.

    ``released`` tells under which receipt they were released: ``receipt``, ``consumer``, ``provider``,
    ``dataset``, ``field``, ``purpose`` and the mask.
    """
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.DETOKENIZATION,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "request_id": request_id,
        "consumer": {
            "department": caller.department,
            "uri": caller.uri,
            "certificate": caller.fingerprint.hex(),
        },
        "provider": released["provider"],
        "dataset": released["dataset"],
        "purpose": released["purpose"],
        "fields": [released["field"]],
        "released": {name: released[name] for name in ("receipt", "consumer", "mask")},
        "tokens": tokens,
        "reason": grounds.reason,
        "legal_basis": grounds.legal_basis,
        "approval": {
            "officer": grounds.officer,
            "digest": grounds.approval.hex(),
            "expires": instant(grounds.until),
        },
        "decision": {
            "verdict": Verdict.DENY if refused else Verdict.PERMIT,
            "bundle": bundle,
            "epoch": epoch,
            "reasons": [{"code": why.reason, "about": why.about} for why in refused],
        },
    }
    if turned_back is not None:
        content["outcome"] = {"known": turned_back.known, "digest": turned_back.digest.hex()}
        marks = turned_back.subjects
        content |= marked([one.tag for one in marks], [one.number for one in marks if one.number])
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Named:
    """What a trace found of one consumer and purpose."""

    consumer: str
    purpose: str
    provider: str
    fields: Sequence[str]
    """``dataset/field``."""
    hits: int
    chance: float
    """At most that of as many, if it were not so."""
    receipts: Sequence[int]
    """Leaf indices, as many as were told."""


def trace(
    actor: str,
    reason: str,
    recorded_at: datetime,
    *,
    sha256: str,
    size: int,
    words: int,
    keys: int,
    found: Sequence[Named],
) -> bytes:
    """The statement that ``actor`` looked to whom the words of a leaked file were released, and what it gave.

    The file is named by SHA-256 and size; ``words`` and ``keys`` count what was tried.
    """
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.TRACE,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "actor": actor,
        "reason": reason,
        "file": {"sha256": sha256, "bytes": size},
        "words": words,
        "keys": keys,
        "found": [
            {
                "consumer": one.consumer,
                "purpose": one.purpose,
                "provider": one.provider,
                "fields": one.fields,
                "hits": one.hits,
                "chance": one.chance,
                "receipts": one.receipts,
            }
            for one in found
        ],
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def subject_access(
    actor: str,
    reason: str,
    recorded_at: datetime,
    request_id: str,
    subjects: Sequence[SubjectMark],
    *,
    receipts: int,
    missing: int,
) -> bytes:
    """The statement that ``actor`` was told what the log has of a person.

    Nobody is in ``subjects`` where the vault knows nothing of them. How many receipts were told, and how many
    are missing, stands here, but not which: that would link them.
    """
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.SUBJECT_ACCESS,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "request_id": request_id,
        "actor": actor,
        "reason": reason,
        "receipts": receipts,
        "missing": missing,
        **marked([one.tag for one in subjects], [one.number for one in subjects if one.number]),
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def subject_forgotten(actor: str, reason: str, recorded_at: datetime, row: str) -> bytes:
    """The statement that a person's key is to be destroyed. ``row`` is the random name of its row in the
    vault: with the key nothing is left that says whose it was."""
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.SUBJECT_FORGOTTEN,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "actor": actor,
        "reason": reason,
        "forgotten": row,
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def audit_read(
    reader: Identity,
    recorded_at: datetime,
    filters: Mapping[str, object],
    subject_tags: Collection[bytes],
    found: Collection[int],
    *,
    proofs: bool,
) -> bytes:
    """The statement that an auditor is given the receipts of the leaves ``found``, by these filters.

    Tags of subjects would link this to their receipts, so only their salted digest stands here.
    """
    salt = secrets.token_bytes(SALT_BYTES)
    told: dict[str, object] = {"count": len(found)}
    if found:
        told |= {"first": min(found), "last": max(found)}
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.AUDIT_READ,
        "recorded_at": instant(recorded_at),
        "salt": salt.hex(),
        "reader": {
            "department": reader.department,
            "uri": reader.uri,
            "certificate": reader.fingerprint.hex(),
        },
        "filters": {**filters, **({"subject_tags": _tags(salt, subject_tags)} if subject_tags else {})},
        "given": told,
        "proofs": proofs,
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _tags(salt: bytes, tags: Collection[bytes]) -> dict[str, object]:
    digest = sha256(salt + b"".join(sorted(tags))).hexdigest()
    return {"count": len(tags), "digest": digest}
