"""The statement of an act upon an application (共享申请): what was done, by whom, and what it left.

It names departments, dataset and purpose, and holds of the application itself digests only: of its terms, as
signatures have it, and of the whole record that the act left, which the database keeps beside the log.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

import orjson

from broker.filings import digest, dumped
from broker.model import EntryKind, FiledApplication, Identity, Why
from broker.receipt.statement import FORMAT, SALT_BYTES, instant


def key_of(request_id: str) -> str:
    """What stands for the request id of an act: apart from those of exchanges."""
    return f"application/{request_id}"


def filing(
    filed: FiledApplication,
    terms_digest: bytes,
    recorded_at: datetime,
    *,
    caller: Identity | None,
    request_id: str = "",
    signed: Sequence[bytes] = (),
) -> bytes:
    """The statement of the last step of ``filed``, which is as that step left it.

    Args:
        terms_digest: what signatures of its terms name.
        caller: None where the broker itself acts.
        signed: SHA-256 of the messages that make the act.
    """
    step = filed.steps[-1]
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.APPLICATION,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "application": filed.number,
        "version": filed.version,
        "act": step.act,
        "before": step.before,
        "after": step.after,
        "consumer": {"department": filed.terms.consumer, "uri": filed.created_by},
        "provider": listed_provider(filed),
        "dataset": filed.terms.dataset,
        "purpose": filed.terms.purpose,
        "concerned": filed.concerned,
        "terms": terms_digest.hex(),
        "record": digest(dumped(filed)).hex(),
    }
    if caller is not None:
        content["caller"] = {
            "department": caller.department,
            "uri": caller.uri,
            "certificate": caller.fingerprint.hex(),
        }
    stated = {"request_id": request_id, "reason": step.reason, "legal_basis": step.legal_basis}
    content |= {name: value for name, value in stated.items() if value}
    if signed:
        content["signed"] = [one.hex() for one in signed]
    if filed.stage is not None:
        content["stage"] = filed.stage
    if filed.due_at is not None:
        content |= {"due_at": instant(filed.due_at), "overdue": filed.overdue}
    if filed.missing:
        content["missing"] = _reasons(filed.missing)
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def listed_provider(filed: FiledApplication) -> str:
    """Whom its leaves are listed under as provider: nobody, while it was not filed."""
    return filed.provider if filed.filed_at is not None else ""


def _reasons(missing: Sequence[Why]) -> list[dict[str, str]]:
    return [{"code": why.reason, "about": why.about} for why in missing]
