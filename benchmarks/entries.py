"""Entries for the receipt log, as an exchange would hand them to it."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime

import orjson

from broker.model import Entry, EntryKind, Verdict
from broker.receipt.statement import FORMAT, instant

PADDING = 700
"""Bytes, to the length of a real statement."""


def exchange() -> Entry:
    """A permitted exchange under a new request id, with a statement of the usual length, of which only the
    members are true that the log keeps beside it."""
    now, request_id, digest = datetime.now(UTC), str(uuid.uuid4()), os.urandom(32)
    consumer, provider, dataset, purpose = "housing_fund", "civil_affairs", "civil_affairs.marriage", "audit"
    uri = "spiffe://xinghe/department/housing_fund/system/counter"
    content = {
        "format": FORMAT,
        "kind": EntryKind.EXCHANGE,
        "recorded_at": instant(now),
        "salt": os.urandom(32).hex(),
        "request_id": request_id,
        "consumer": {"department": consumer, "uri": uri},
        "provider": provider,
        "dataset": dataset,
        "purpose": purpose,
        "decision": {"verdict": Verdict.PERMIT},
        "outcome": {"digest": digest.hex()},
        "obligations": {"padding": "x" * PADDING},
    }
    return Entry(
        kind=EntryKind.EXCHANGE,
        statement=orjson.dumps(content, option=orjson.OPT_SORT_KEYS),
        recorded_at=now,
        consumer=consumer,
        consumer_uri=uri,
        provider=provider,
        dataset=dataset,
        purpose=purpose,
        verdict=Verdict.PERMIT,
        request_id=request_id,
        request_mac=os.urandom(32),
        answer_digest=digest,
    )
