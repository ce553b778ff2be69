"""The message by which a consumer commits itself (COSE_Sign1): the whole text, and what it is bound to.

Profile of RFC 9052 as for signed applications; the members are listed in ``docs/use-commitment.md``. The
client imports this module too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.signers import public_key, signer_certificate

CONTENT_TYPE = "application/vnd.sharebroker.use-commitment+cbor"
MAX_BYTES = 64 * 1024

_MAX_SECONDS = 253_402_300_799
"""The last Unix second that ``datetime`` knows, in year 9999."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is signed. Times are in whole seconds."""

    template: str
    version: int
    text: str
    consumer: str
    """Department."""
    dataset: str
    purpose: str
    case_no: str
    request_id: str
    """The call that it is for; empty: it stands for all of that dataset and purpose until it expires."""
    issued: datetime
    expires: datetime

    def payload(self) -> bytes:
        """Deterministic CBOR (RFC 8949 §4.2.1) of a map with a text key for each member."""
        return cose.encode(
            {
                "template": self.template,
                "version": self.version,
                "text": self.text,
                "consumer": self.consumer,
                "dataset": self.dataset,
                "purpose": self.purpose,
                "case_no": self.case_no,
                "request_id": self.request_id,
                "issued": int(self.issued.timestamp()),
                "expires": int(self.expires.timestamp()),
            }
        )


def sign(said: Commitment, key: cose.PrivateKey, chain: Sequence[x509.Certificate]) -> bytes:
    """The COSE_Sign1; ``key`` is that of the first certificate in ``chain``, the only one that is sent."""
    der = chain[0].public_bytes(serialization.Encoding.DER)
    return cose.sign1(said.payload(), CONTENT_TYPE, key, [der])


@dataclass(frozen=True, slots=True)
class Read:
    """A message whose signature holds under the certificate in it; whose that is, only the authority can
    say."""

    said: Commitment
    certificate: x509.Certificate


def read(message: bytes) -> Read:
    """What ``message`` says, once its form and its signature hold.

    Raises:
        VerificationFailed: one of them does not.
    """
    signed = cose.parse(message, MAX_BYTES)
    certificate = signer_certificate(signed, CONTENT_TYPE)
    signed.verify(public_key(certificate))
    return Read(said(signed.payload), certificate)


def text_of(message: bytes) -> str:
    """The text in a use commitment, which is not verified; empty for another message."""
    try:
        signed = cose.parse(message, MAX_BYTES)
        return said(signed.payload).text if signed.content_type == CONTENT_TYPE else ""
    except VerificationFailed:
        return ""


def said(payload: bytes) -> Commitment:
    """What a payload says.

    Raises:
        VerificationFailed: it is not of the documented form.
    """
    match cose.decode(payload):
        case {
            "template": str(template),
            "version": int(version),
            "text": str(text),
            "consumer": str(consumer),
            "dataset": str(dataset),
            "purpose": str(purpose),
            "case_no": str(case_no),
            "request_id": str(request_id),
            "issued": int(issued),
            "expires": int(expires),
            **rest,
        } if not rest and 0 <= issued <= expires <= _MAX_SECONDS:
            times = (datetime.fromtimestamp(seconds, UTC) for seconds in (issued, expires))
            return Commitment(
                template, version, text, consumer, dataset, purpose, case_no, request_id, *times
            )
    raise VerificationFailed("责任状内容格式不符 / the commitment's content is malformed")
