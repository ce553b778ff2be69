"""The signed application: a consumer's own signature over exactly what it asks (COSE_Sign1).

Both sides spell an application in the same bytes (:func:`canonical_application`); the consumer signs them,
and the broker compares them with its own spelling of the request that came. Subjects and claims are not in
them, but commitments to them (:mod:`broker.apply.commitments`). Profile of RFC 9052, with a
worked example: ``docs/signed-application.md``. The client imports this module too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NotRequired, TypedDict, Unpack

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.commitments import Salts
from broker.apply.identity import check_in_force, read_credential
from broker.errors import MalformedRequest, NotAuthenticated, VerificationFailed, Violation
from broker.keys import cose
from broker.keys.revocation import Revocations
from broker.keys.signers import check_issued, public_key, signer_certificate
from broker.model import Application, Identity, Role, SignedApplication
from broker.reasons import Reason

CONTENT_TYPE = "application/vnd.sharebroker.application+cbor"
MAX_BYTES = 128 * 1024
MAX_AHEAD = timedelta(hours=24)
"""A signature is for one exchange and its retries; it is no standing permission."""

DEFAULT_LIFETIME = timedelta(minutes=10)

_MAX_SECONDS = 253_402_300_799
"""The last Unix second that ``datetime`` knows, in year 9999."""


class Asked(TypedDict):
    """What is asked, with the values of :class:`~broker.model.Application` (``""`` when not given)."""

    request_id: str
    dataset: str
    fields: Sequence[str]
    subjects: Sequence[str]
    purpose: str
    service_item: str
    case_no: str
    legal_basis: str
    operator: str
    grant: str
    consumer: str
    """SPIFFE id of the caller."""
    claims: NotRequired[Mapping[str, Sequence[str]]]
    """Field → what is claimed of each subject; left out of what is signed where nothing is claimed."""


def asked(application: Application) -> Asked:
    """What ``application`` asks."""
    return Asked(
        request_id=application.request_id,
        dataset=application.dataset,
        fields=application.fields,
        subjects=application.subjects,
        purpose=application.purpose,
        service_item=application.service_item,
        case_no=application.case_no,
        legal_basis=application.legal_basis,
        operator=application.operator,
        grant=application.grant,
        consumer=application.consumer.uri,
        claims={claim.field: claim.texts for claim in application.claims},
    )


def canonical_application(what: Asked, expires: datetime, salts: Salts) -> bytes:
    """The bytes that are signed: deterministic CBOR (RFC 8949 §4.2.1) of ``what`` as a map with text keys,
    and ``expires`` in whole Unix seconds. ``fields`` and ``subjects`` stay in the order asked; there is no
    ``claims`` where nothing is claimed. In the place of subjects and claims stand commitments to them.

    Raises:
        VerificationFailed: the salts are not one for each.
    """
    claims = salts.claim_commitments(what.get("claims", {}))
    said = {key: value for key, value in what.items() if key != "claims"}
    said |= {
        "subjects": salts.subject_commitments(what["subjects"]),
        **({"claims": claims} if claims else {}),
    }
    return cose.encode({**said, "expires": int(expires.timestamp())})  # type: ignore[dict-item]  # text keys only


def sign_application(
    *,
    key: cose.PrivateKey,
    chain: Sequence[x509.Certificate],
    expires: datetime | None = None,
    **what: Unpack[Asked],
) -> bytes:
    """The COSE_Sign1 to send as ``signed_application``.

    Args:
        key: P-256 or Ed25519, of the first certificate in ``chain``, the only one that is sent.
        expires: at most 24 hours ahead, by default in 10 minutes; a retry may carry the same bytes.
    """
    salts = Salts.fresh(what["subjects"], what.get("claims", {}))
    payload = canonical_application(what, expires or datetime.now(UTC) + DEFAULT_LIFETIME, salts)
    der = chain[0].public_bytes(serialization.Encoding.DER)
    return cose.sign1(payload, CONTENT_TYPE, key, [der], salts.header)


def verify_signed_application(
    message: bytes,
    application: Application,
    ca_cert: x509.Certificate,
    revocations: Revocations,
    now: datetime,
) -> SignedApplication:
    """Check that the consumer's department signed exactly ``application``; gives what is held of it.

    Raises:
        MalformedRequest: SIGNED_APPLICATION_INVALID, with a violation that names the check that failed.
        Unavailable: REVOCATIONS_UNREADABLE.
    """
    try:
        came = cose.parse(message, MAX_BYTES)
        salts, signed = Salts.of(came.unprotected_header), came.bare
        certificate = signer_certificate(signed, CONTENT_TYPE)
        signer = _check_signer(certificate, application.consumer, ca_cert, revocations, now)
        signed.verify(public_key(certificate))
        expires = _expires(signed.payload)
        expected = canonical_application(asked(application), expires, salts)
    except VerificationFailed as failure:
        raise _invalid(f"未通过验证：{failure}", f"does not verify: {failure}") from None
    if not now < expires <= now + MAX_AHEAD:
        raise _invalid(
            "expires 已过或超过 24 小时，请重新签署", "expires is past or over 24 hours ahead; sign it again"
        )
    if signed.payload != expected:
        raise _invalid("所签内容与本次请求不一致", "what was signed is not this request")
    return SignedApplication(signed.encoded(), signer)


def _check_signer(
    certificate: x509.Certificate,
    consumer: Identity,
    ca_cert: x509.Certificate,
    revocations: Revocations,
    now: datetime,
) -> Identity:
    """The signer: the certificate is in force and belongs to a system of the consumer's department."""
    try:
        # First: until this holds, the certificate is only what a stranger wrote.
        check_issued(certificate, ca_cert, now)
        credential = read_credential(certificate)
        check_in_force(credential, consumer.city, revocations, now)
    except NotAuthenticated as failure:
        raise _invalid(
            f"签署者的证书不可用：{failure.sentence.zh}", f"the signer's certificate: {failure.sentence.en}"
        ) from None
    signer = credential.identity
    if (signer.department, signer.role) != (consumer.department, Role.SYSTEM):
        raise VerificationFailed("the signer is not a system of the calling department")
    return signer


def _expires(payload: bytes) -> datetime:
    match cose.decode(payload):
        case {"expires": int(seconds)} if 0 <= seconds <= _MAX_SECONDS:
            return datetime.fromtimestamp(seconds, UTC)
    raise VerificationFailed("the payload has no expires")


def _invalid(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("signed_application", zh, en),), Reason.SIGNED_APPLICATION_INVALID)
