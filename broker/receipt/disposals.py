"""Statements about the disposal of what was delivered: ordered, certified by the consumer, or not in time.

They name deliveries by their leaves, nobody by name but who ordered and who answers for it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from broker.model import (
    DeliverySet,
    Disposal,
    DisposalCause,
    DisposalMethod,
    EntryKind,
    Holding,
    Identity,
    Retained,
)
from broker.receipt.statement import FORMAT, SALT_BYTES, instant

_INDEX_BYTES = 8


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order to be recorded."""

    of: Holding
    cause: DisposalCause
    method: DisposalMethod
    sets: tuple[DeliverySet, ...]
    due_at: datetime
    actor: Identity | None = None
    """The officer who orders it; None: the time is over."""
    reason: str = ""

    @property
    def count(self) -> int:
        """Number of deliveries."""
        return sum(one.count for one in self.sets)


@dataclass(frozen=True, slots=True)
class Kept:
    """An exception: deliveries that were kept, and why they had to be."""

    deliveries: tuple[int, ...]
    """Their leaves, ascending."""
    basis: str
    """The law, with article."""


@dataclass(frozen=True, slots=True)
class Certified:
    """What a consumer signed about an order, once it has been verified."""

    message: bytes
    """The COSE_Sign1."""
    digest: bytes
    method: DisposalMethod
    disposed_at: datetime
    operator: str
    """经办人: who is responsible for it."""
    exceptions: tuple[Kept, ...]
    signer: str
    """SPIFFE id."""
    certificate: bytes
    """SHA-256 of the signer's certificate."""
    epoch: int
    """Sequence of the epoch under whose revocations it was verified."""

    @property
    def kept(self) -> int:
        """How many deliveries were kept."""
        return sum(len(one.deliveries) for one in self.exceptions)


def retained_of(content: Mapping[str, Any]) -> Retained | None:
    """What the statement of a leaf says about disposal; None where no records were handed over that must be
    disposed of."""
    told = content.get("dispose_by")
    return None if told is None else Retained(datetime.fromisoformat(told), content.get("grant", ""))


def digest_of(deliveries: Iterable[int]) -> bytes:
    """The digest of a set: SHA-256 over the leaf indices, 8 bytes each, big-endian; they come ascending."""
    digest = sha256()
    for index in deliveries:
        digest.update(index.to_bytes(_INDEX_BYTES, "big"))
    return digest.digest()


def digest_of_sets(digests: Iterable[bytes]) -> bytes:
    """The digest of an order: SHA-256 over those of its sets, in the order that they have there."""
    return sha256(b"".join(digests)).digest()


def sets_of(content: Mapping[str, Any]) -> tuple[DeliverySet, ...]:
    """The sets of an order's statement."""
    return tuple(
        DeliverySet(
            datetime.fromisoformat(one["dispose_by"]),
            one["first"],
            one["last"],
            one["count"],
            bytes.fromhex(one["digest"]),
        )
        for one in content["sets"]
    )


def order(ordered: Ordered, recorded_at: datetime) -> bytes:
    """The statement that deliveries must be disposed of."""
    content = _about(EntryKind.DISPOSAL_ORDER, ordered.of, recorded_at) | {
        "cause": ordered.cause,
        "method": ordered.method,
        "sets": [_set(one) for one in ordered.sets],
        "count": ordered.count,
        "digest": digest_of_sets(one.digest for one in ordered.sets).hex(),
        "due_at": instant(ordered.due_at),
    }
    if (actor := ordered.actor) is not None:
        content |= {
            "caller": {"uri": actor.uri, "certificate": actor.fingerprint.hex()},
            "reason": ordered.reason,
        }
    return _dumped(content)


def certificate(disposal: Disposal, certified: Certified, recorded_at: datetime) -> bytes:
    """The statement that the consumer has signed for it."""
    content = _about(EntryKind.DISPOSAL_CERTIFICATE, disposal.of, recorded_at) | {
        "of": disposal.order,
        "digest": certified.digest.hex(),
        "method": certified.method,
        "disposed_at": instant(certified.disposed_at),
        "operator": certified.operator,
        "exceptions": [
            {"deliveries": list(one.deliveries), "basis": one.basis} for one in certified.exceptions
        ],
        "due_at": instant(disposal.due_at),
        "late": recorded_at > disposal.due_at,
        "signer": {"uri": certified.signer, "certificate": certified.certificate.hex()},
        "epoch": certified.epoch,
        "certificate": base64.b64encode(certified.message).decode(),
    }
    return _dumped(content)


def missing(disposal: Disposal, recorded_at: datetime) -> bytes:
    """The statement that nobody has signed for it by the deadline."""
    content = _about(EntryKind.DISPOSAL_MISSING, disposal.of, recorded_at)
    return _dumped(content | {"of": disposal.order, "due_at": instant(disposal.due_at)})


def ordered_of(content: Mapping[str, Any], leaf_index: int) -> Disposal:
    """The order that a statement is, with its sets; what came of it is not known from that."""
    return Disposal(
        order=leaf_index,
        of=holding_of(content),
        cause=DisposalCause(content["cause"]),
        method=DisposalMethod(content["method"]),
        count=content["count"],
        ordered_at=datetime.fromisoformat(content["recorded_at"]),
        due_at=datetime.fromisoformat(content["due_at"]),
        sets=sets_of(content),
    )


def holding_of(content: Mapping[str, Any]) -> Holding:
    """Of whose deliveries, of what, a statement tells: that of a delivery, or one about an order."""
    return Holding(
        content["consumer"]["department"],
        content["provider"],
        content["dataset"],
        content["purpose"],
        content.get("grant", ""),
    )


def set_of(dispose_by: datetime, deliveries: Sequence[int]) -> DeliverySet:
    """The set of these leaves, which come ascending."""
    first, last = deliveries[0], deliveries[-1]
    return DeliverySet(dispose_by, first, last, len(deliveries), digest_of(deliveries))


def _set(one: DeliverySet) -> dict[str, object]:
    return {
        "dispose_by": instant(one.dispose_by),
        "first": one.first,
        "last": one.last,
        "count": one.count,
        "digest": one.digest.hex(),
    }


def _about(kind: EntryKind, of: Holding, recorded_at: datetime) -> dict[str, object]:
    return {
        "format": FORMAT,
        "kind": kind,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "consumer": {"department": of.consumer},
        "provider": of.provider,
        "dataset": of.dataset,
        "purpose": of.purpose,
        **({"grant": of.grant} if of.grant else {}),
    }


def _dumped(content: Mapping[str, object]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
