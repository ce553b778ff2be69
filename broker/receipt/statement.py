"""Step 5, receipt: the statement of what happened, whose hash becomes a leaf of the log.

A statement is UTF-8 JSON with sorted keys and a 32-byte random salt, so that its hash reveals nothing. It
names parties, papers, decision, obligations and outcome, and holds neither subject identifiers nor any
released value: subjects appear as tags under a key of their own, data as a digest salted with a nonce that
only the consumer knows. The members are explained in ``docs/receipt-statement.md``.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import orjson

from broker.model import (
    NO_KEY,
    AnswerStatus,
    Application,
    Decision,
    EntryKind,
    Epoch,
    Identity,
    Obligations,
    ReviewBy,
    RowCounts,
    SubjectAnswer,
    Suspension,
    UseCommitment,
    Why,
    Withdrawal,
)

FORMAT = "share-statement/v1"
SALT_BYTES = 32

MAX_BYTES = 256 * 1024
"""Longest statement, ``docs/receipt-statement.schema.json``; an exported receipt holds four times as much."""
_TO_COME = 64 * 1024
"""What an outcome, or the word that something came again, may add to what was recorded before the release."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What a stream handed to transport, which its digest covers."""

    chunks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was released: status, time the data describe, row counts, digest of the released bytes."""

    status: AnswerStatus
    as_of: datetime | None
    counts: RowCounts
    digest: bytes
    subjects: Sequence[SubjectAnswer] = ()
    interrupted: bool = False
    """A stream that ended before its last chunk; the digest covers what was handed to transport."""
    reasons: Sequence[Why] = ()
    """Why it was interrupted, as far as the broker knows."""
    handed_over: HandedOver | None = None
    """Of a stream: how much of it there was."""


def statement(
    kind: EntryKind,
    application: Application,
    decision: Decision,
    recorded_at: datetime,
    *,
    provider: str,
    subject_tags: Sequence[bytes],
    subject_numbers: Sequence[bytes] = (),
    masks: Mapping[str, Mapping[str, object]],
    epoch: int,
    outcome: Outcome | None = None,
    decision_leaf: int | None = None,
    lease_seconds: float | None = None,
    acknowledge_by: datetime | None = None,
    dispose_by: datetime | None = None,
) -> bytes:
    """The statement of one decision, with its outcome when data were released.

    ``subject_numbers`` are sealed, one for each tag where there is a subject vault.
    ``masks`` says per masked field which operator, version and parameter digest applied, ``epoch`` the
    sequence of the epoch it was decided under. ``decision_leaf`` links a stream's outcome to the leaf
    that opened it; ``lease_seconds`` is how long a stream is believed alive without a sign of life;
    ``acknowledge_by`` stands in that of a delivery which the consumer must acknowledge, ``dispose_by`` in
    that of one whose records it may keep until then.
    """
    consumer = application.consumer
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": kind,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "request_id": application.request_id,
        "consumer": {
            "department": consumer.department,
            "uri": consumer.uri,
            "certificate": consumer.fingerprint.hex(),
        },
        "operator": application.operator,
        "case_no": application.case_no,
        "service_item": application.service_item,
        "purpose": application.purpose,
        "legal_basis": application.legal_basis,
        "grant": application.grant,
        "signed_application": application.signed_digest.hex(),
        "provider": provider,
        "dataset": application.dataset,
        "fields": application.fields,
        **({"claims": [claim.field for claim in application.claims]} if application.claims else {}),
        **committed(application.commitments),
        **marked(subject_tags, subject_numbers),
        "decision": {
            "verdict": decision.verdict,
            "bundle": decision.bundle_hash,
            "epoch": epoch,
            "rules": decision.rules,
            "reasons": _reasons(decision.reasons),
            "missing": _reasons(decision.missing),
            **({"reviews": [_review(review) for review in decision.reviews]} if decision.reviews else {}),
        },
        "obligations": {
            "masks": dict(masks),
            "retain_days": decision.obligations.retain_days,
            **_duties(decision.obligations),
        },
    }
    if lease_seconds is not None:
        content["lease_seconds"] = lease_seconds
    if decision_leaf is not None:
        content["decision_leaf"] = decision_leaf
    if outcome is not None:
        content["outcome"] = _outcome(outcome)
    if acknowledge_by is not None:
        content["acknowledge_by"] = instant(acknowledge_by)
    if dispose_by is not None:
        content["dispose_by"] = instant(dispose_by)
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def committed(commitments: Sequence[UseCommitment]) -> dict[str, object]:
    """The member that names the use commitments that the consumer is bound by; one that was lodged is held at
    another leaf."""
    if not commitments:
        return {}
    return {
        "commitments": [
            {
                "template": one.template,
                "version": one.version,
                "digest": one.digest.hex(),
                "signer": one.signer.uri,
                "expires": instant(one.expires),
                **({} if one.lodged is None else {"lodged": one.lodged}),
            }
            for one in commitments
        ]
    }


def fits(kind: EntryKind, content: bytes) -> bool:
    """Whether a statement is short enough, and so will be what is said of it after the release: that must not
    fail any more, and nothing is ever cut short."""
    return len(content) <= (MAX_BYTES if kind is EntryKind.STREAM_OUTCOME else MAX_BYTES - _TO_COME)


def marked(tags: Sequence[bytes], numbers: Sequence[bytes]) -> dict[str, object]:
    """The members that stand in the subjects' place."""
    sealed = {"subject_numbers": [number.hex() for number in numbers]} if numbers else {}
    return {"subject_tags": [tag.hex() for tag in tags], **sealed}


def key_version(content: bytes) -> int:
    """The version of the key that masked the answer of a :func:`statement`; 0: none, or it was erased."""
    masks = orjson.loads(content or b"{}").get("obligations", {}).get("masks", {})
    return max((mask["key_version"] or 0 for mask in masks.values()), default=0)


def genesis(origin: str, verifier_key: str, recorded_at: datetime) -> bytes:
    """The statement of leaf 0: which log this is, and under which key it began."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "kind": EntryKind.GENESIS,
            "origin": origin,
            "recorded_at": instant(recorded_at),
            "salt": secrets.token_hex(SALT_BYTES),
            "verifier_key": verifier_key,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def log_key(
    succession: str, verifier_key: str, previous: int, recorded_at: datetime, *, actor: str, reason: str
) -> bytes:
    """The statement that another key signs the log from here on: the signed ``succession``, the new key that
    it names, and the leaf of the succession before, 0 (the genesis leaf) for the first."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "kind": EntryKind.LOG_KEY,
            "recorded_at": instant(recorded_at),
            "salt": secrets.token_hex(SALT_BYTES),
            "verifier_key": verifier_key,
            "succession": succession,
            "previous": previous,
            "actor": actor,
            "reason": reason,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def retention(
    due: tuple[int, int, int],
    recorded_at: datetime,
    *,
    years: int,
    before: datetime,
    periods: Mapping[str, Mapping[str, int]],
    hold: Collection[str],
    hold_cases: Collection[str],
    actor: str,
    reason: str,
) -> bytes:
    """The statement that statements are erased: ``due`` has the first and last leaf and how many they are, of
    those recorded ``before`` that time, or so many years ago as ``periods`` (``datasets``, ``purposes``)
    has of theirs.

    It is kept for good, and case numbers on hold lead to people: only their salted digest stands here.
    """
    first, last, count = due
    salt = secrets.token_bytes(SALT_BYTES)
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.RETENTION,
        "recorded_at": instant(recorded_at),
        "salt": salt.hex(),
        "years": years,
        "before": instant(before),
        "hold": sorted(hold),
        "erased": {"first": first, "last": last, "count": count},
        "actor": actor,
        "reason": reason,
    }
    content |= {name: dict(own) for name, own in periods.items() if own}
    if hold_cases:
        digest = sha256(salt + "\n".join(sorted(hold_cases)).encode()).hexdigest()
        content["hold_cases"] = {"count": len(hold_cases), "digest": digest}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def epoch_act(
    act: str,
    epoch: Epoch,
    *,
    crl_digest: bytes,
    actor: str,
    reason: str,
    caller: Identity | None = None,
    suspension: Suspension | None = None,
    publication: Mapping[str, object] | None = None,
    withdrawal: Withdrawal | None = None,
    grant: Mapping[str, object] | None = None,
) -> bytes:
    """The statement of an act that moved the epoch: what is in force from here on, who did it, and why.
    ``caller`` is who ordered it over a connection.

    ``act`` is ``begin``, ``policy``, ``revocations``, ``keys``, ``suspend``, ``lift``, ``withdraw`` or
    ``grant``; the last four name what it is about, and ``policy`` says what it follows and who approved it.
    """
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.EPOCH,
        "recorded_at": instant(epoch.since),
        "salt": secrets.token_hex(SALT_BYTES),
        "act": act,
        "epoch": epoch.sequence,
        "bundle": epoch.bundle_hash,
        "crl": {"number": str(epoch.crl_number), "digest": crl_digest.hex()},
        "actor": actor,
        "reason": reason,
    }
    if epoch.key != NO_KEY:
        content["key"] = {"version": epoch.key.version, "fingerprint": epoch.key.fingerprint}
    if caller is not None:
        content["caller"] = {
            "department": caller.department,
            "uri": caller.uri,
            "certificate": caller.fingerprint.hex(),
        }
    if suspension is not None:
        content["suspension"] = {
            "number": suspension.number,
            "target": suspension.target,
            "name": suspension.name,
            **({"provider": suspension.provider} if suspension.provider else {}),
            **({"mend_by": instant(suspension.mend_by)} if suspension.mend_by else {}),
        }
    if withdrawal is not None:
        content["commitment"] = {
            "leaf": withdrawal.leaf,
            "template": withdrawal.template,
            "consumer": withdrawal.consumer,
            "provider": withdrawal.provider,
            "dataset": withdrawal.dataset,
            "purpose": withdrawal.purpose,
        }
    if publication is not None:
        content["publication"] = dict(publication)
    if grant is not None:
        content["grant"] = dict(grant)
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def instant(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, e.g. ``2026-11-23T04:00:00.000000Z``."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


DUTIES = ("acknowledge_hours", "no_onward_sharing", "watermark", "notify_subject", "countersignature")
"""Members of ``obligations`` that stand there only where the policy demands them."""


def _duties(obligations: Obligations) -> dict[str, object]:
    duties = {name: value for name in DUTIES if (value := getattr(obligations, name))}
    if obligations.commitments:
        duties["commitments"] = obligations.commitments
    if (gate := obligations.k_anonymity) is not None:
        names = list(gate.quasi_identifiers)
        duties["k_anonymity"] = {"quasi_identifiers": names, "k": gate.k, "below": gate.below}
    if (totals := obligations.aggregate) is not None:
        duties["aggregate"] = {
            "by": totals.by,
            "measures": dict(totals.measures),
            "smallest_group": totals.smallest_group,
            "largest_share": totals.largest_share,
            "named_subjects": totals.named_subjects,
        }
    return duties


def _review(review: ReviewBy) -> dict[str, object]:
    return {
        "departments": sorted(review.departments),
        "count": review.count,
        "within_working_days": review.within_working_days,
        "never_own": review.never_own,
    }


def _reasons(reasons: Sequence[Why]) -> list[dict[str, str]]:
    return [{"code": why.reason, "about": why.about} for why in reasons]


def _outcome(outcome: Outcome) -> dict[str, object]:
    counts, handed = outcome.counts, outcome.handed_over
    return {
        "status": outcome.status,
        "as_of": instant(outcome.as_of) if outcome.as_of else None,
        "rows": {
            "read": counts.read,
            "bad": counts.bad,
            "released": counts.released,
            **({"suppressed": counts.suppressed} if counts.suppressed else {}),
        },
        "subjects": [{"status": answer.status, "rows": answer.rows} for answer in outcome.subjects],
        "digest": outcome.digest.hex(),
        "interrupted": outcome.interrupted,
        "reasons": _reasons(outcome.reasons),
        **({"chunks": handed.chunks, "bytes": handed.bytes} if handed else {}),
    }
