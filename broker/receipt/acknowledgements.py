"""Statements about deliveries: acknowledged by their consumer, disputed by it, or not acknowledged in time.

They repeat of the delivery whose it was and of what, never for whom: what the consumer has signed names the
delivery's leaf, a digest and a time.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson

from broker.model import Entry, EntryKind
from broker.receipt.statement import FORMAT, SALT_BYTES, instant

_DELIVERING = frozenset({EntryKind.EXCHANGE, EntryKind.STREAM_OUTCOME, EntryKind.DETOKENIZATION})


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a receipt says of a delivery: an answer that went out whole, be it that there is no record."""

    leaf_index: int
    """Of this receipt."""
    first: int
    """Of the receipt that told of it first: a stream that came again says which one it repeats."""
    digest: bytes
    """SHA-256(nonce ‖ what was delivered)."""
    statement: Mapping[str, Any]

    @classmethod
    def of(cls, leaf_index: int, statement: Mapping[str, Any]) -> Self | None:
        """The delivery of a receipt's statement; None when it is of none, or of one that broke off."""
        outcome = statement.get("outcome")
        if statement["kind"] not in _DELIVERING or outcome is None or outcome.get("interrupted"):
            return None
        first = statement.get("of", leaf_index)
        return cls(leaf_index, first, bytes.fromhex(outcome["digest"]), statement)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a consumer signed about a delivery, once it has been verified."""

    message: bytes
    """The COSE_Sign1."""
    digest: bytes
    """Of what it received."""
    received_at: datetime
    signer: str
    """SPIFFE id."""
    certificate: bytes
    """SHA-256 of the signer's certificate."""
    epoch: int
    """Sequence of the epoch under whose revocations it was verified."""


def key_of(delivery: int) -> str:
    """What stands for a request id in the acknowledgement of a delivery: there is one for each."""
    return f"acknowledgement/{delivery}"


def acknowledgement(
    delivered: Delivered, signed: Signed, recorded_at: datetime, due_at: datetime | None
) -> bytes:
    """The statement that a delivery was acknowledged; ``due_at`` is its deadline, if it has one."""
    content = _signed(EntryKind.ACKNOWLEDGEMENT, delivered, signed, recorded_at)
    content["request_id"] = key_of(delivered.first)
    if due_at is not None:
        content |= {"due_at": instant(due_at), "late": recorded_at > due_at}
    return _dumped(content)


def dispute(delivered: Delivered, signed: Signed, recorded_at: datetime) -> bytes:
    """The statement that the consumer says it received something else than the log has of a delivery."""
    return _dumped(_signed(EntryKind.ACKNOWLEDGEMENT_DISPUTED, delivered, signed, recorded_at))


def missing(delivery: int, entry: Entry, due_at: datetime, recorded_at: datetime) -> bytes:
    """The statement that the delivery of a leaf listed as ``entry`` was not acknowledged by ``due_at``."""
    content = _about(EntryKind.ACKNOWLEDGEMENT_MISSING, recorded_at)
    content |= {
        "consumer": {"department": entry.consumer, "uri": entry.consumer_uri},
        **{name: getattr(entry, name) for name in ("provider", "dataset", "purpose")},
        "of": delivery,
        "due_at": instant(due_at),
    }
    return _dumped(content)


def delivery_of(content: Mapping[str, Any]) -> int:
    """The delivery that one of these statements is about, by its leaf."""
    delivery: int = content.get("delivery", content["of"])
    return delivery


def _signed(
    kind: EntryKind, delivered: Delivered, signed: Signed, recorded_at: datetime
) -> dict[str, object]:
    told = delivered.statement
    content = _about(kind, recorded_at)
    content |= {
        "consumer": {name: told["consumer"][name] for name in ("department", "uri")},
        **{name: told[name] for name in ("provider", "dataset", "purpose")},
        "of": delivered.leaf_index,
        "digest": signed.digest.hex(),
        "received_at": instant(signed.received_at),
        "signer": {"uri": signed.signer, "certificate": signed.certificate.hex()},
        "epoch": signed.epoch,
        "acknowledgement": base64.b64encode(signed.message).decode(),
    }
    if delivered.first != delivered.leaf_index:
        content["delivery"] = delivered.first
    return content


def _about(kind: EntryKind, recorded_at: datetime) -> dict[str, object]:
    return {
        "format": FORMAT,
        "kind": kind,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
    }


def _dumped(content: Mapping[str, object]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
