"""What a provider's officer signs about a correction (COSE_Sign1): which report, and what came of it.

Profile of RFC 9052 as for signed applications; the members are listed in ``docs/corrections.md``. The client
imports this module too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from broker.apply.identity import read_credential
from broker.errors import NotAuthenticated, VerificationFailed
from broker.keys import cose
from broker.keys.signers import public_key, signer_certificate
from broker.model import Identity, Settlement
from broker.publication.signing import Payload, instant, officer_of, parsed, seconds, signed_by

CONTENT_TYPE = "application/vnd.sharebroker.correction-answer+cbor"
MAX_WORDS = 500
"""Characters of the grounds, or of the name of who must decide."""
MOST_DIGITS = 8
"""In a row, in the grounds: a date has that many, an identifier or a telephone number more."""

_DIGEST_BYTES = 32
_SETTLEMENTS = frozenset(each.value for each in Settlement)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a report."""

    report: bytes
    """Hash of its leaf (RFC 6962 §2.1), 32 bytes."""
    settlement: Settlement
    at: datetime
    """When it was signed, in whole seconds, as all times here."""
    grounds: str
    """In the officer's words, without personal data."""
    right_from: datetime | None = None
    """Corrected: since when the source is right."""
    wrong_from: datetime | None = None
    """Corrected: since when it was wrong, if that is known."""
    referred_to: str = ""
    """Referred: who holds the master data and must decide."""


@dataclass(frozen=True, slots=True)
class Read:
    """An answer whose signature holds."""

    said: Answer
    message: bytes
    signer: Identity


def sign(said: Answer, key: cose.PrivateKey, certificate: x509.Certificate) -> bytes:
    """The COSE_Sign1 that says so; ``key`` is the certificate's."""
    payload: Payload = {
        "report": said.report,
        "settlement": said.settlement.value,
        "answered": seconds(said.at),
        "grounds": said.grounds,
    }
    if said.right_from is not None:  # the next whole second: what went out in this one may be wrong
        payload["right_from"] = math.ceil(said.right_from.timestamp())
    if said.wrong_from is not None:
        payload["wrong_from"] = seconds(said.wrong_from)
    if said.referred_to:
        payload["referred_to"] = said.referred_to
    return signed_by(key, certificate, payload, CONTENT_TYPE)


def read(message: bytes, ca: x509.Certificate, at: datetime | None = None) -> Read:
    """What ``message`` says, signed by an officer with a certificate of the authority ``ca`` in force ``at``
    that time, by default when it says that it was signed.

    Raises:
        VerificationFailed: it is malformed, not an officer's, or its signature or certificate does not hold.
    """
    signed, payload = parsed(message, CONTENT_TYPE)
    said = _said(payload)
    return Read(said, message, officer_of(signed, CONTENT_TYPE, ca, at or said.at))


def read_unissued(message: bytes) -> Read:
    """As :func:`read`, for who cannot ask whether the authority issued the certificate."""
    signed, payload = parsed(message, CONTENT_TYPE)
    certificate = signer_certificate(signed, CONTENT_TYPE)
    signed.verify(public_key(certificate))
    try:
        return Read(_said(payload), message, read_credential(certificate).identity)
    except NotAuthenticated:
        raise VerificationFailed(
            "签署者的证书不是部门证书 / the signer's certificate is no department's"
        ) from None


def _said(payload: cose.Cbor) -> Answer:
    match payload:
        case {
            "report": bytes(report),
            "settlement": str(settlement),
            "answered": int(at),
            "grounds": str(grounds),
            **rest,
        } if len(report) == _DIGEST_BYTES and settlement in _SETTLEMENTS:
            said = Answer(
                report,
                Settlement(settlement),
                instant(at),
                grounds,
                right_from=_time(rest.pop("right_from", None)),
                wrong_from=_time(rest.pop("wrong_from", None)),
                referred_to=_words(rest.pop("referred_to", "")),
            )
            if not rest:
                _require_sense(said)
                return said
    raise _malformed()


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, int):
        raise _malformed()
    return instant(value)


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise _malformed()
    return value


def _require_sense(said: Answer) -> None:
    """That it says what its settlement needs, and nothing else."""
    corrected, referred = (said.settlement is each for each in (Settlement.CORRECTED, Settlement.REFERRED))
    dated = (said.right_from is not None) == corrected and (corrected or said.wrong_from is None)
    if not dated or bool(said.referred_to) != referred:
        raise VerificationFailed(
            "更正须写明何时起正确，转办须写明转给谁，其他答复不写 / correction answer: corrected says "
            "since when the source is right, referred says to whom, and no other does"
        )
    if said.wrong_from is not None and said.right_from is not None and said.wrong_from >= said.right_from:
        raise VerificationFailed(
            "有误的起始时间须早于更正的时间 / correction answer: wrong from before it was right"
        )
    for words in (said.grounds, said.referred_to):
        if len(words) > MAX_WORDS or not words.isprintable() or _identifies(words):
            raise VerificationFailed(
                "说明过长、含不可见字符或较长的数字串（勿写个人信息） / correction answer: words too long, "
                "not printable, or with a long row of digits; write no personal data"
            )
    if not said.grounds.strip():
        raise VerificationFailed("须写明答复的依据 / correction answer: grounds are missing")


def _identifies(words: str) -> bool:
    row = 0
    for character in words:
        row = row + 1 if character.isdecimal() else 0
        if row > MOST_DIGITS:
            return True
    return False


def _malformed() -> VerificationFailed:
    return VerificationFailed("校核答复内容格式不符 / correction answer: malformed")
