"""What statements say of use commitments: each by its digest, held beside the leaf, or at another."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

import orjson

from broker.model import EntryKind, Identity, UseCommitment
from broker.receipt.statement import FORMAT, SALT_BYTES, committed, instant


def lodged_statement(
    commitment: UseCommitment, caller: Identity, provider: str, recorded_at: datetime, epoch: int
) -> bytes:
    """The statement that a commitment is lodged, by ``caller`` for its department, from here on; verified
    under the epoch of that sequence."""
    commitments: Sequence[UseCommitment] = (commitment,)
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.COMMITMENT,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "consumer": {
            "department": caller.department,
            "uri": caller.uri,
            "certificate": caller.fingerprint.hex(),
        },
        "provider": provider,
        "dataset": commitment.dataset,
        "purpose": commitment.purpose,
        "epoch": epoch,
        **committed(commitments),
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
