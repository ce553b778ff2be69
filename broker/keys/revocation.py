"""Which certificates are revoked: a list that the authority signed; without a current one, nothing goes.

Source: RFC 5280 §5 (profile) and §6.3 (validation), for complete lists issued by the root itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from broker.errors import Unavailable, VerificationFailed
from broker.keys.certificates import UNREADABLE
from broker.reasons import Reason

_KNOWN_EXTENSIONS = frozenset({x509.CRLNumber.oid, x509.AuthorityKeyIdentifier.oid})


@dataclass(frozen=True, slots=True)
class Revocations:
    """A verified revocation list; made by :func:`read_revocations`. A question costs under a microsecond."""

    number: int
    """Grows from list to list (RFC 5280 §5.2.3)."""
    this_update: float
    next_update: float
    """Unix seconds; the list says nothing outside the two."""
    serials: frozenset[int]
    clock: Callable[[], float] = time.time
    compromised: frozenset[int] = frozenset()
    """Those of ``serials`` whose key somebody else may have: what it signed earlier proves nothing either."""

    @property
    def is_current(self) -> bool:
        """Whether now is within its dates."""
        return self.this_update <= self.clock() < self.next_update

    def is_revoked(self, serial: int) -> bool:
        """Whether the authority revoked the certificate of this serial.

        Raises:
            Unavailable: REVOCATIONS_UNREADABLE; the list is outside its dates.
        """
        if not self.is_current:
            raise Unavailable(Reason.REVOCATIONS_UNREADABLE)
        return serial in self.serials


def read_revocations(pem: bytes, ca: x509.Certificate, clock: Callable[[], float] = time.time) -> Revocations:
    """The list in ``pem``, which may be outside its dates.

    Raises:
        VerificationFailed: it is unreadable, not signed by the authority ``ca``, or may be partial (it has an
            extension that is not understood).
    """
    try:
        return _verified(x509.load_pem_x509_crl(pem), ca, clock)
    except UNREADABLE as error:
        raise VerificationFailed(f"吊销列表 / revocation list: {error}") from None


def _verified(
    crl: x509.CertificateRevocationList, ca: x509.Certificate, clock: Callable[[], float]
) -> Revocations:
    key = ca.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not crl.is_signature_valid(key):
        raise ValueError("并非主管机构签发 / not signed by the authority")
    if crl.issuer != ca.subject:
        raise ValueError("由他人签发 / issued by another")
    if any(extension.oid not in _KNOWN_EXTENSIONS for extension in crl.extensions):
        raise ValueError("可能不完整 / may be partial")
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    if crl.next_update_utc is None:
        raise ValueError("没有截止时间 / never expires")
    serials = frozenset(revoked.serial_number for revoked in crl)
    return Revocations(
        number,
        crl.last_update_utc.timestamp(),
        crl.next_update_utc.timestamp(),
        serials,
        clock,
        frozenset(revoked.serial_number for revoked in crl if _is_compromised(revoked)),
    )


def _is_compromised(revoked: x509.RevokedCertificate) -> bool:
    """RFC 5280 §5.3.1."""
    try:
        reason = revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return False
    return reason is x509.ReasonFlags.key_compromise
