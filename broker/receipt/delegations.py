"""The statement that an officer lets another review in their place, or has taken that back."""

from __future__ import annotations

import secrets
from datetime import datetime

import orjson

from broker.model import Delegation, EntryKind, Identity
from broker.receipt.statement import FORMAT, SALT_BYTES, instant

DELEGATE, REVOKE = "delegate", "revoke"
"""The acts."""


def key_of(request_id: str) -> str:
    """What stands for the request id of an act: apart from those of exchanges."""
    return f"delegation/{request_id}"


def delegation(one: Delegation, recorded_at: datetime, caller: Identity, key: str = "") -> bytes:
    """The statement of the last act about a delegation, which is as the act left it; ``key`` stands for the
    request id of one that was given."""
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.DELEGATION,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "act": DELEGATE if one.revoked_at is None else REVOKE,
        "delegation": one.number,
        "officer": {"department": one.by_department, "uri": one.by},
        "delegate": {"department": one.to_department, "uri": one.to},
        "serial": f"{one.serial:x}",
        "valid_from": instant(one.valid_from),
        "valid_until": instant(one.valid_until),
        "caller": {"uri": caller.uri, "certificate": caller.fingerprint.hex()},
    }
    if key:
        content["request_id"] = key
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
