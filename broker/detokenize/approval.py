"""What an officer of the provider signs before tokens are turned back (COSE_Sign1).

Profile of RFC 9052 as for standing approvals; the members are listed in ``docs/detokenize.md``. Drawn up by
who will call, signed by the officer, compared by the broker with its own spelling of the request that came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from adapters.masking.keys import unambiguous
from broker.errors import VerificationFailed
from broker.keys import cose
from broker.model import Identity
from broker.publication.signing import Payload, instant, officer_of, parsed, seconds, signed_by

CONTENT_TYPE = "application/vnd.sharebroker.detokenization+cbor"
LONGEST = timedelta(hours=24)
"""How long an approval stands at most: it is for one request and its retries."""
MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """Which tokens are to be turned back, for whom and why."""

    request_id: str
    receipt: int
    """Leaf index of the receipt under which the tokens were released."""
    dataset: str
    field: str
    consumer: str
    """Department that they were released to."""
    purpose: str
    """For which they were released."""
    tokens: bytes
    """:func:`tokens_digest`."""
    count: int
    reason: str
    legal_basis: str
    caller: str
    """SPIFFE id of who gets what they stand for."""


@dataclass(frozen=True, slots=True)
class SignedApproval:
    """One that verified, with who signed it."""

    asked: Asked
    at: datetime
    until: datetime
    """First instant at which it has expired."""
    signer: Identity
    digest: bytes
    """SHA-256 of the message."""


def tokens_digest(tokens: Sequence[str]) -> bytes:
    """SHA-256 of the tokens in their order, each in UTF-8 after its length in bytes (4, big-endian)."""
    return hashlib.sha256(unambiguous(tuple(tokens))).digest()


def sign(
    asked: Asked, at: datetime, until: datetime, key: cose.PrivateKey, certificate: x509.Certificate
) -> bytes:
    """The message that approves it from ``at`` until before ``until``, in whole seconds."""
    payload: Payload = {name: getattr(asked, name) for name in _MEMBERS}
    payload |= {"approved": seconds(at), "expires": seconds(until)}
    return signed_by(key, certificate, payload, CONTENT_TYPE)


def read(message: bytes, ca: x509.Certificate) -> SignedApproval:
    """What an officer signed with a certificate in force at the time that it names.

    Raises:
        VerificationFailed: it is malformed, not an officer's, or its signature or certificate does not hold.
    """
    if len(message) > MAX_BYTES:
        raise VerificationFailed("审批签名过长 / approval: too long")
    signed, payload = parsed(message, CONTENT_TYPE)
    match payload:
        case {"approved": int(approved), "expires": int(expires), **rest} if _is_asked(rest):
            asked: Any = rest
        case _:
            raise VerificationFailed("审批签名内容格式不符 / approval: malformed")
    at, until = instant(approved), instant(expires)
    signer = officer_of(signed, CONTENT_TYPE, ca, at)
    return SignedApproval(Asked(**asked), at, until, signer, hashlib.sha256(message).digest())


_MEMBERS = {field.name: {"str": str, "int": int, "bytes": bytes}[str(field.type)] for field in fields(Asked)}


def _is_asked(payload: dict[Any, Any]) -> bool:
    return payload.keys() == _MEMBERS.keys() and all(
        isinstance(payload[name], kind) for name, kind in _MEMBERS.items()
    )
