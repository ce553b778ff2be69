"""Who signed a COSE_Sign1 of our profile: the certificate that it carries, and whether to believe it."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.certificates import UNREADABLE

_HEADERS = frozenset({cose.ALG, cose.CONTENT_TYPE, cose.X5CHAIN})


def signer_certificate(signed: cose.Sign1, content_type: str) -> x509.Certificate:
    """The certificate that a message of our profile carries; neither it nor the signature is checked.

    Raises:
        VerificationFailed: other headers, another content type, or not exactly one certificate.
    """
    if signed.unprotected_header or signed.protected_header.keys() != _HEADERS:
        raise VerificationFailed("the headers must be alg, content type and x5chain, all protected")
    if signed.protected_header[cose.CONTENT_TYPE] != content_type:
        raise VerificationFailed("the content type is another")
    if len(signed.chain) != 1:
        raise VerificationFailed("x5chain must hold the signer's certificate and no other")
    try:
        return x509.load_der_x509_certificate(signed.chain[0])
    except UNREADABLE:
        raise VerificationFailed("x5chain holds no certificate") from None


def check_issued(certificate: x509.Certificate, ca_cert: x509.Certificate, at: datetime) -> None:
    """That the authority issued the certificate, and ``at`` is within its dates.

    Raises:
        VerificationFailed: it did not, or it is not.
    """
    policy = PolicyBuilder().store(Store([ca_cert])).time(at).max_chain_depth(0)
    try:
        policy.build_client_verifier().verify(certificate, [])
    except (VerificationError, *UNREADABLE):
        why = "the signer's certificate has expired or is not by this city's authority"
        raise VerificationFailed(why) from None


def public_key(certificate: x509.Certificate) -> cose.PublicKey:
    """The key of a certificate.

    Raises:
        VerificationFailed: it is of a kind that nothing is signed with here.
    """
    try:
        key = certificate.public_key()
    except UNREADABLE:
        raise VerificationFailed("the signer's key cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise VerificationFailed("the signer's key is neither P-256 nor Ed25519")
    return key
