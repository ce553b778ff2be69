"""Who calls: proved by the client certificate, on every call, and never by its common name.

TLS has proved possession of the key and the chain to the authority when the connection opened. All that can
change while it stays open, or that TLS does not look at, is checked here. Source: SPIFFE X.509-SVID
standard §5 (validation), RFC 5280 §4.2.1.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from broker.errors import NotAuthenticated, NotAuthorised
from broker.keys.certificates import UNREADABLE, only_uri
from broker.keys.revocation import Revocations
from broker.keys.spiffe import DepartmentId, parse
from broker.model import Identity
from broker.reasons import Reason

_CACHED_CERTIFICATES = 4096


@dataclass(frozen=True, slots=True)
class Credential:
    """What a well-formed client certificate says of its holder, whenever it is looked at."""

    identity: Identity
    uri: bytes
    """The SPIFFE id as TLS reports it."""
    not_before: datetime


def identify(
    peer_spiffe_ids: Sequence[bytes],
    peer_cert_pem: bytes,
    trust_domain: str,
    revocations: Revocations,
    now: datetime,
    departments: Container[str],
) -> Identity:
    """The caller's identity. To be asked on every call; a certificate seen before costs a few microseconds.

    Args:
        peer_spiffe_ids: ``peer_spiffe_id`` of gRPC's authentication context (never ``peer_identities()``,
            which falls back to the common name).
        peer_cert_pem: the certificate TLS has accepted; empty when there was none.
        trust_domain: the city.
        departments: ids of the registered departments.

    Raises:
        NotAuthenticated: CERTIFICATE_MISSING, _INVALID, _EXPIRED (also on an open connection) or _REVOKED.
        NotAuthorised: DEPARTMENT_UNKNOWN.
        Unavailable: REVOCATIONS_UNREADABLE.
    """
    if not peer_cert_pem:
        raise NotAuthenticated(Reason.CERTIFICATE_MISSING)
    credential = _credential_of_pem(peer_cert_pem)
    if len(peer_spiffe_ids) != 1 or peer_spiffe_ids[0] != credential.uri:
        raise NotAuthenticated(Reason.CERTIFICATE_INVALID)
    check_in_force(credential, trust_domain, revocations, now)
    if credential.identity.department not in departments:
        raise NotAuthorised(Reason.DEPARTMENT_UNKNOWN)
    return credential.identity


def check_in_force(
    credential: Credential, trust_domain: str, revocations: Revocations, now: datetime
) -> None:
    """That the certificate is of this city, within its dates, and not revoked.

    Raises:
        NotAuthenticated: CERTIFICATE_INVALID (another city, not yet valid), _EXPIRED or _REVOKED.
        Unavailable: REVOCATIONS_UNREADABLE.
    """
    if now < credential.not_before:
        raise NotAuthenticated(Reason.CERTIFICATE_INVALID)
    check_standing(credential.identity, trust_domain, revocations, now)


def check_standing(identity: Identity, trust_domain: str, revocations: Revocations, now: datetime) -> None:
    """That a caller identified before still is who may call; raises as :func:`check_in_force`."""
    if identity.city != trust_domain:
        raise NotAuthenticated(Reason.CERTIFICATE_INVALID)
    if now > identity.not_after:
        raise NotAuthenticated(Reason.CERTIFICATE_EXPIRED)
    if revocations.is_revoked(identity.serial):
        raise NotAuthenticated(Reason.CERTIFICATE_REVOKED)


def read_credential(certificate: x509.Certificate) -> Credential:
    """What ``certificate`` says of its holder; neither its chain nor its dates are checked.

    Raises:
        NotAuthenticated: CERTIFICATE_INVALID; it is not a department's client certificate: its only URI SAN
            is no SPIFFE id of a department and known role, or it may not authenticate clients or sign.
    """
    try:
        spiffe_id = parse(only_uri(certificate))
        may_act = _may_act_as_client(certificate)
    except UNREADABLE:
        raise NotAuthenticated(Reason.CERTIFICATE_INVALID) from None
    if not may_act or not isinstance(spiffe_id, DepartmentId):
        raise NotAuthenticated(Reason.CERTIFICATE_INVALID)
    identity = Identity(
        city=spiffe_id.city,
        department=spiffe_id.department,
        role=spiffe_id.role,
        name=spiffe_id.name,
        serial=certificate.serial_number,
        not_after=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()),
        certificate=certificate.public_bytes(serialization.Encoding.DER),
    )
    return Credential(identity, str(spiffe_id).encode(), certificate.not_valid_before_utc)


@lru_cache(maxsize=_CACHED_CERTIFICATES)
def _credential_of_pem(pem: bytes) -> Credential:
    """Reading takes some 50 µs and a certificate never changes, so by its bytes it is read once."""
    try:
        return read_credential(x509.load_pem_x509_certificate(pem))
    except UNREADABLE:
        raise NotAuthenticated(Reason.CERTIFICATE_INVALID) from None


def _may_act_as_client(certificate: x509.Certificate) -> bool:
    extensions = certificate.extensions
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return (
        ExtendedKeyUsageOID.CLIENT_AUTH in usages
        and extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
        and not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    )
