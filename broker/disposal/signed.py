"""What a consumer signs when it has disposed of data: which order, how, when, who answers for it, and what it
had to keep (COSE_Sign1).

Profile of RFC 9052 as for signed applications; the members are listed in ``docs/disposal.md``. The client
imports this module too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from broker.apply.identity import Credential, read_credential
from broker.errors import NotAuthenticated, VerificationFailed
from broker.keys import cose
from broker.keys.signers import check_issued, public_key, signer_certificate
from broker.model import DisposalMethod
from broker.receipt.disposals import Certified, Kept

CONTENT_TYPE = "application/vnd.sharebroker.disposal+cbor"
MAX_BYTES = 16 * 1024

MAX_OPERATOR = 100
"""Longest name of who is responsible, in characters."""
MAX_BASIS = 200
"""Longest legal basis."""
MAX_KEPT = 1000
"""Most deliveries kept, over all exceptions."""

_DIGEST_BYTES = 32
_MAX_SECONDS = 253_402_300_799
"""The last Unix second that ``datetime`` knows, in year 9999."""
_MAX_LEAF = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is said of an order."""

    order: bytes
    """Hash of the order's leaf (RFC 6962 §2.1), 32 bytes."""
    digest: bytes
    """The order's, of the deliveries that it names, 32 bytes."""
    method: DisposalMethod
    disposed_at: datetime
    """When it was done, in whole seconds."""
    operator: str
    """经办人: who is responsible, as the department names its people."""
    exceptions: tuple[Kept, ...] = ()


def sign(said: Certificate, key: cose.PrivateKey, certificate: x509.Certificate) -> bytes:
    """The COSE_Sign1 that says so; ``key`` is the certificate's."""
    payload: dict[int | str, cose.Cbor] = {
        "order": said.order,
        "digest": said.digest,
        "method": said.method.value,
        "disposed": int(said.disposed_at.timestamp()),
        "operator": said.operator,
        "exceptions": [{"deliveries": list(one.deliveries), "basis": one.basis} for one in said.exceptions],
    }
    der = certificate.public_bytes(serialization.Encoding.DER)
    return cose.sign1(cose.encode(payload), CONTENT_TYPE, key, [der])


@dataclass(frozen=True, slots=True)
class Read:
    """A message whose signature holds under the certificate in it. Whose that is, only the authority can
    say: see :meth:`check_issued`."""

    said: Certificate
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

    def certified(self, epoch: int) -> Certified:
        """For a statement; verified under the epoch of that sequence."""
        said = self.said
        return Certified(
            message=self.message,
            digest=said.digest,
            method=said.method,
            disposed_at=said.disposed_at,
            operator=said.operator,
            exceptions=said.exceptions,
            signer=self.credential.identity.uri,
            certificate=self.certificate.fingerprint(hashes.SHA256()),
            epoch=epoch,
        )


def read(message: bytes) -> Read:
    """What ``message`` says, once its form and its signature hold.

    Raises:
        VerificationFailed: one of them does not.
    """
    signed = cose.parse(message, MAX_BYTES)
    certificate = signer_certificate(signed, CONTENT_TYPE)
    signed.verify(public_key(certificate))
    return Read(_said(signed.payload), message, certificate)


def _said(payload: bytes) -> Certificate:
    match cose.decode(payload):
        case {
            "order": bytes(order),
            "digest": bytes(digest),
            "method": str(method),
            "disposed": int(seconds),
            "operator": str(operator),
            "exceptions": list(exceptions),
            **rest,
        } if (
            not rest
            and len(order) == len(digest) == _DIGEST_BYTES
            and method in list(DisposalMethod)
            and 0 <= seconds <= _MAX_SECONDS
            and _is_text(operator, MAX_OPERATOR)
        ):
            kept = _kept(exceptions)
            at = datetime.fromtimestamp(seconds, UTC)
            return Certificate(order, digest, DisposalMethod(method), at, operator, kept)
    raise VerificationFailed("销毁证明内容格式不符 / the certificate's content is malformed")


def _kept(exceptions: Sequence[Any]) -> tuple[Kept, ...]:
    kept = tuple(map(_exception, exceptions))
    leaves = [leaf for one in kept for leaf in one.deliveries]
    if len(leaves) > MAX_KEPT or len(set(leaves)) != len(leaves):
        raise VerificationFailed(
            f"例外所列交付重复或超过 {MAX_KEPT} 次 / an exception names a delivery twice, or more than "
            f"{MAX_KEPT} are kept"
        )
    return kept


def _exception(told: Any) -> Kept:
    match told:
        case {"deliveries": list(leaves), "basis": str(basis), **rest} if (
            not rest
            and leaves
            and all(type(leaf) is int and 0 <= leaf <= _MAX_LEAF for leaf in leaves)
            and leaves == sorted(leaves)
            and _is_text(basis, MAX_BASIS)
        ):
            return Kept(tuple(leaves), basis)
    raise VerificationFailed(
        "例外须写明交付（升序）与依据 / an exception names deliveries, ascending, and a basis"
    )


def _is_text(text: str, most: int) -> bool:
    return bool(text.strip()) and len(text) <= most and text.isprintable()
