"""What officers sign about an application: that they consent to it, or approve it (COSE_Sign1, RFC 9052).

The profile is that of standing approvals; the members are listed in ``docs/applications.md``. A signature is
over the application's number and the digest of all its terms, so it stands for no other terms.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from broker.errors import VerificationFailed
from broker.keys import cose
from broker.model import Act, FiledApplication, Identity, Terms
from broker.publication.signing import Payload, instant, officer_of, parsed, seconds, signed_by

CONTENT_TYPES = {
    Act.CONSENT: "application/vnd.sharebroker.application-consent+cbor",
    Act.APPROVE: "application/vnd.sharebroker.application-approval+cbor",
}
"""One signature can never pass as the other."""

MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Signed:
    """A message that verified, with who signed it."""

    number: int
    """Of the application."""
    terms: bytes
    """:func:`terms_digest`."""
    at: datetime
    signer: Identity
    digest: bytes
    """SHA-256 of the message."""
    message: bytes


def terms_digest(number: int, terms: Terms) -> bytes:
    """SHA-256 of number and terms in deterministic CBOR (RFC 8949 §4.2.1)."""
    scope: Payload = {
        "whole": int(terms.scope.whole),
        "rows": [{"field": row.field, "values": list(row.values)} for row in terms.scope.rows],
    }
    content: Payload = {
        "application": number,
        "consumer": terms.consumer,
        "dataset": terms.dataset,
        "fields": list(terms.fields),
        "purpose": terms.purpose,
        "legal_basis": terms.legal_basis,
        "scenario": terms.scenario,
        "scope": scope,
        "mode": terms.mode or "",
        "rows_per_call": terms.rows_per_call or 0,
        "rows_total": terms.rows_total or 0,
        "valid_from": _time(terms.valid_from),
        "valid_until": _time(terms.valid_until),
        "operator": terms.operator,
        "papers": [{"kind": one.kind, "name": one.name, "digest": one.digest} for one in terms.papers],
    }
    return hashlib.sha256(cose.encode(content)).digest()


def sign(
    act: Act,
    number: int,
    terms: Terms,
    at: datetime,
    key: cose.PrivateKey,
    certificate: x509.Certificate,
) -> bytes:
    """The message by which an officer consents to an application or approves it; ``at`` in whole seconds."""
    payload: Payload = {"application": number, "terms": terms_digest(number, terms), "signed": seconds(at)}
    return signed_by(key, certificate, payload, CONTENT_TYPES[act])


def read(act: Act, message: bytes, ca: x509.Certificate) -> Signed:
    """What an officer signed with a certificate in force at the time that it names.

    Raises:
        VerificationFailed: it is malformed, not an officer's, or its signature or certificate does not hold.
    """
    if len(message) > MAX_BYTES:
        raise VerificationFailed("签名过长 / signature: too long")
    signed, payload = parsed(message, CONTENT_TYPES[act])
    match payload:
        case {"application": int(number), "terms": bytes(terms), "signed": int(at), **rest} if not rest:
            signer = officer_of(signed, CONTENT_TYPES[act], ca, instant(at))
        case _:
            raise VerificationFailed("签名内容格式不符 / signature: malformed content")
    return Signed(number, terms, instant(at), signer, hashlib.sha256(message).digest(), message)


def require_of(signed: Signed, filed: FiledApplication) -> None:
    """That it was signed about this application as it is.

    Raises:
        VerificationFailed: it was signed about another, or about other terms.
    """
    if (signed.number, signed.terms) != (filed.number, terms_digest(filed.number, filed.terms)):
        raise VerificationFailed(
            "所签不是此申请现有的内容 / signature: of another application or other terms"
        )


def _time(at: datetime | None) -> int:
    return 0 if at is None else seconds(at)
