"""The shapes of the certificates and revocation lists that an authority signs; pure, no files.

Source: RFC 5280 §4.2 and §5, SPIFFE X.509-SVID standard §2–4 (one URI SAN, key usages, leaves are no CA).
All keys are EC P-256, all signatures ECDSA with SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.keys.journal import IssuedRecord, RevocationReason
from broker.keys.spiffe import BrokerId, SpiffeId

UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
"""All that ``cryptography`` raises for a certificate or list that is malformed or lacks a part."""

BACKDATE = timedelta(minutes=5)
"""Clocks of departments run apart; what is new must not be "not yet valid" at its first use."""

_MAX_COMMON_NAME = 64
"""Characters (RFC 5280 appendix A.1, ub-common-name)."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8, not encrypted: the file's mode protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def cert_pem(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def only_uri(certificate: x509.Certificate) -> str:
    """The one URI among the subject alternative names.

    Raises:
        UNREADABLE: there is none, or more than one, or the extension is missing or malformed.
    """
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    return uri


def root_certificate(
    city: str, organisation: str, key: ec.EllipticCurvePrivateKey, now: datetime, years: int
) -> x509.Certificate:
    """The authority's own certificate. It signs leaves and revocation lists only (path length 0)."""
    common_name = f"{city} certificate authority"[:_MAX_COMMON_NAME]
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    trust_domain = x509.UniformResourceIdentifier(f"spiffe://{city}")
    return (
        _builder(name, name, key.public_key(), now, now + timedelta(days=365 * years))
        .add_extension(x509.SubjectAlternativeName([trust_domain]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def leaf_certificate(
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    public_key: ec.EllipticCurvePublicKey,
    spiffe_id: SpiffeId,
    hosts: Sequence[x509.GeneralName],
    now: datetime,
    not_after: datetime,
) -> x509.Certificate:
    """A holder's certificate: for a client of a department, or (with ``hosts``) for a broker's server.

    The common name is for people to read; nothing is ever decided by it.
    """
    is_server = isinstance(spiffe_id, BrokerId)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
    common_name = str(spiffe_id).removeprefix(f"spiffe://{spiffe_id.city}/")[:_MAX_COMMON_NAME]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    names = [x509.UniformResourceIdentifier(str(spiffe_id)), *hosts]
    return (
        _builder(subject, root.subject, public_key, now, not_after)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(_authority_key_id(root_key), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def revocation_list(
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    issued: Iterable[IssuedRecord],
    number: int,
    now: datetime,
    days: int,
) -> bytes:
    """A complete revocation list, PEM, of those of ``issued`` that are revoked."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(now - BACKDATE)
        .next_update(now + timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key_id(root_key), critical=False)
    )
    for record in issued:
        if record.revoked_at is not None:
            builder = builder.add_revoked_certificate(
                _revoked(record.serial, record.reason, record.revoked_at)
            )
    return builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _revoked(serial: int, reason: RevocationReason, at: datetime) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
    if reason is not RevocationReason.UNSPECIFIED:  # to be left out rather than said (RFC 5280 §5.3.1)
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(reason.value)), critical=False)
    return builder.build()


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
