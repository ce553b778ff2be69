"""What a consumer signs of a delivery: which leaf tells of it, what it received, and when (COSE_Sign1).

Profile of RFC 9052 as for signed applications; the members are listed in ``docs/acknowledgement.md``. The
client imports this module too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from broker.apply.identity import Credential, read_credential
from broker.errors import NotAuthenticated, VerificationFailed
from broker.keys import cose
from broker.keys.signers import check_issued, public_key, signer_certificate
from broker.receipt.acknowledgements import Signed

CONTENT_TYPE = "application/vnd.sharebroker.acknowledgement+cbor"
MAX_BYTES = 16 * 1024

_DIGEST_BYTES = 32
_MAX_SECONDS = 253_402_300_799
"""The last Unix second that ``datetime`` knows, in year 9999."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What is said of a delivery."""

    leaf: bytes
    """Hash of the leaf that tells of it (RFC 6962 §2.1), 32 bytes."""
    digest: bytes
    """SHA-256(nonce ‖ what was received), computed by who received it."""
    received_at: datetime
    """In whole seconds."""


def sign(said: Acknowledgement, key: cose.PrivateKey, certificate: x509.Certificate) -> bytes:
    """The COSE_Sign1 that says so; ``key`` is the certificate's."""
    payload: dict[int | str, cose.Cbor] = {
        "leaf": said.leaf,
        "digest": said.digest,
        "received": int(said.received_at.timestamp()),
    }
    der = certificate.public_bytes(serialization.Encoding.DER)
    return cose.sign1(cose.encode(payload), CONTENT_TYPE, key, [der])


@dataclass(frozen=True, slots=True)
class Read:
    """A message whose signature holds under the certificate in it. Whose that is, only the authority can
    say: see :meth:`check_issued`."""

    said: Acknowledgement
    message: bytes
    certificate: x509.Certificate

    @property
    def credential(self) -> Credential:
        """Whose certificate it is.

        Raises:
            VerificationFailed: no department's.
        """
        try:
            return read_credential(self.certificate)
        except NotAuthenticated:
            raise VerificationFailed(
                "签署者的证书不属于任何部门 / the signer's certificate is no department's"
            ) from None

    def check_issued(self, ca: x509.Certificate, at: datetime) -> None:
        """That the authority had issued the certificate, and ``at`` is within its dates.

        Raises:
            VerificationFailed: it had not, or it is not.
        """
        check_issued(self.certificate, ca, at)

    def signed(self, epoch: int) -> Signed:
        """For a statement; verified under the epoch of that sequence."""
        fingerprint = self.certificate.fingerprint(hashes.SHA256())
        uri = self.credential.identity.uri
        return Signed(self.message, self.said.digest, self.said.received_at, uri, fingerprint, epoch)


def read(message: bytes) -> Read:
    """What ``message`` says, once its form and its signature hold.

    Raises:
        VerificationFailed: one of them does not.
    """
    signed = cose.parse(message, MAX_BYTES)
    certificate = signer_certificate(signed, CONTENT_TYPE)
    signed.verify(public_key(certificate))
    return Read(_said(signed.payload), message, certificate)


def _said(payload: bytes) -> Acknowledgement:
    match cose.decode(payload):
        case {"leaf": bytes(leaf), "digest": bytes(digest), "received": int(seconds), **rest} if (
            not rest and len(leaf) == len(digest) == _DIGEST_BYTES and 0 <= seconds <= _MAX_SECONDS
        ):
            return Acknowledgement(leaf, digest, datetime.fromtimestamp(seconds, UTC))
    raise VerificationFailed("确认书内容格式不符 / the acknowledgement's content is malformed")
