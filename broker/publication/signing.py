"""What officers sign about a bundle: that they propose it, and that they approve files of it (COSE_Sign1).

Profile of RFC 9052 as for signed applications, with a worked example: ``docs/standing-approval.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.identity import read_credential
from broker.errors import NotAuthenticated, VerificationFailed
from broker.keys import cose
from broker.keys.signers import check_issued, public_key, signer_certificate
from broker.model import Identity, Role

PROPOSAL = "application/vnd.sharebroker.proposal+cbor"
APPROVAL = "application/vnd.sharebroker.approval+cbor"
"""Content types: one signature can never pass as the other."""

MAX_BYTES = 256 * 1024
MAX_REASON = 500
"""Characters."""
MAX_SKEW = timedelta(minutes=5)
"""How far the time in what is signed may be from the broker's when it is handed in."""

_MAX_SECONDS = 253_402_300_799
"""The last Unix second that ``datetime`` knows, in year 9999."""
_DIGEST_BYTES = 32

Payload = dict[int | str, cose.Cbor]


@dataclass(frozen=True, slots=True)
class Covered:
    """A file as it is approved."""

    digest: bytes
    """SHA-256 of its content; empty: that it is removed."""
    basis: Mapping[str, bytes] = field(default_factory=dict)
    """Catalog files that its rules are about → SHA-256: another catalog gives a rule another meaning."""


@dataclass(frozen=True, slots=True)
class Proposing:
    """An officer proposes a bundle."""

    bundle: str
    """Its hash."""
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Approving:
    """An officer approves files of a bundle until a time: a standing approval (Article 20)."""

    bundle: str
    at: datetime
    until: datetime
    """First instant at which it has expired."""
    files: Mapping[str, Covered]


@dataclass(frozen=True, slots=True)
class SignedProposal:
    """One that verified, with who signed it."""

    said: Proposing
    signer: Identity
    digest: bytes
    """SHA-256 of the message."""


@dataclass(frozen=True, slots=True)
class SignedApproval:
    """One that verified, with who signed it."""

    said: Approving
    signer: Identity
    digest: bytes
    """SHA-256 of the message."""


def sign_proposal(said: Proposing, key: cose.PrivateKey, certificate: x509.Certificate) -> bytes:
    """The message that says so; ``at`` counts in whole seconds."""
    payload: Payload = {"bundle": said.bundle, "proposed": seconds(said.at), "reason": said.reason}
    return signed_by(key, certificate, payload, PROPOSAL)


def sign_approval(said: Approving, key: cose.PrivateKey, certificate: x509.Certificate) -> bytes:
    """The message that says so; times count in whole seconds."""
    files: Payload = {file: _payload(covered) for file, covered in said.files.items()}
    payload: Payload = {
        "bundle": said.bundle,
        "approved": seconds(said.at),
        "expires": seconds(said.until),
        "files": files,
    }
    return signed_by(key, certificate, payload, APPROVAL)


def read_proposal(message: bytes, ca: x509.Certificate) -> SignedProposal:
    """What an officer signed with a certificate in force at the time that it names.

    Raises:
        VerificationFailed: it is malformed, not an officer's, or its signature or certificate does not hold.
    """
    signed, payload = parsed(message, PROPOSAL)
    match payload:
        case {"bundle": str(bundle), "proposed": int(at), "reason": str(reason), **rest} if not rest:
            said = Proposing(bundle, instant(at), reason)
        case _:
            raise VerificationFailed("草案签名内容格式不符 / proposal: malformed")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise VerificationFailed("草案原因过长或含不可见字符 / proposal: reason too long or not printable")
    return SignedProposal(said, officer_of(signed, PROPOSAL, ca, said.at), hashlib.sha256(message).digest())


def read_approval(message: bytes, ca: x509.Certificate) -> SignedApproval:
    """As :func:`read_proposal`, of an approval."""
    signed, payload = parsed(message, APPROVAL)
    match payload:
        case {
            "bundle": str(bundle),
            "approved": int(at),
            "expires": int(until),
            "files": dict(files),
            **rest,
        } if not rest and files:
            covered = {_path(file): _covered(entry) for file, entry in files.items()}
            said = Approving(bundle, instant(at), instant(until), covered)
        case _:
            raise VerificationFailed("审批签名内容格式不符 / approval: malformed")
    return SignedApproval(said, officer_of(signed, APPROVAL, ca, said.at), hashlib.sha256(message).digest())


def _payload(covered: Covered) -> Payload:
    basis: Payload = {}
    basis.update(covered.basis)
    return {"digest": covered.digest, "basis": basis}


def signed_by(
    key: cose.PrivateKey, certificate: x509.Certificate, payload: Payload, content_type: str
) -> bytes:
    """The COSE_Sign1 of ``payload`` by an officer."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    return cose.sign1(cose.encode(payload), content_type, key, [der])


def parsed(message: bytes, content_type: str) -> tuple[cose.Sign1, cose.Cbor]:
    """A message and its payload; the signature is not verified yet.

    Raises:
        VerificationFailed: it is malformed or of another content type.
    """
    signed = cose.parse(message, MAX_BYTES)
    signer_certificate(signed, content_type)
    return signed, cose.decode(signed.payload)


def officer_of(signed: cose.Sign1, content_type: str, ca: x509.Certificate, at: datetime) -> Identity:
    """The officer whose signature, with a certificate in force ``at`` that time, is on the message.

    Raises:
        VerificationFailed: it is nobody's, no officer's, or does not hold.
    """
    certificate = signer_certificate(signed, content_type)
    check_issued(certificate, ca, at)  # first: until this holds, it is only what a stranger wrote
    try:
        identity = read_credential(certificate).identity
    except NotAuthenticated:
        raise VerificationFailed(
            "签署者的证书不是部门证书 / the signer's certificate is no department's"
        ) from None
    if identity.role is not Role.OFFICER:
        raise VerificationFailed("签署者不是数据资源管理员 / the signer is no officer")
    signed.verify(public_key(certificate))
    return identity


def _covered(entry: cose.Cbor) -> Covered:
    match entry:
        case {"digest": bytes(digest), "basis": dict(basis), **rest} if not rest:
            known = {_path(file): value for file, value in basis.items() if isinstance(value, bytes)}
            if len(digest) in (0, _DIGEST_BYTES) and len(known) == len(basis):
                return Covered(digest, known)
    raise VerificationFailed("审批签名内容格式不符 / approval: malformed")


def _path(file: int | str) -> str:
    if not isinstance(file, str):
        raise VerificationFailed("审批签名内容格式不符 / approval: malformed")
    return file


def seconds(at: datetime) -> int:
    """Whole Unix seconds."""
    return int(at.timestamp())


def instant(seconds: int) -> datetime:
    """The inverse of :func:`seconds`.

    Raises:
        VerificationFailed: it is out of bounds.
    """
    if not 0 <= seconds <= _MAX_SECONDS:
        raise VerificationFailed("签名中的时间超出范围 / signed: a time out of bounds")
    return datetime.fromtimestamp(seconds, UTC)
