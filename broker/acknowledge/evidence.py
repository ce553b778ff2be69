"""What the statement of an acknowledgement or a dispute proves by itself: that its consumer signed it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509

from broker.acknowledge.signed import Read, read
from broker.errors import VerificationFailed
from broker.model import Role
from broker.receipt.statement import instant


def verified(content: Mapping[str, Any], ca: x509.Certificate | None = None) -> Read:
    """What was signed, once its signature holds and the statement says of it what it says itself.

    Args:
        content: of the statement.
        ca: the authority's certificate: then the signer's must be by it, and in force when it was recorded.
            Whether it was revoked by then, the statement cannot tell.

    Raises:
        VerificationFailed: something does not hold.
        KeyError, TypeError, ValueError: the statement is not of the documented form.
    """
    signed = read(_message(content["acknowledgement"]))
    signer, consumer = signed.credential.identity, content["consumer"]
    if (content["digest"], content["received_at"]) != (
        signed.said.digest.hex(),
        instant(signed.said.received_at),
    ):
        raise VerificationFailed("存证所述与所签内容不符 / the statement says something else than was signed")
    told = {"uri": signer.uri, "certificate": signer.fingerprint.hex()}
    if content["signer"] != told:
        raise VerificationFailed("存证所述的签署者并非签署者 / the statement names another signer")
    is_its_system = signer.department == consumer["department"] and signer.role is Role.SYSTEM
    if not is_its_system and signer.uri != consumer["uri"]:
        raise VerificationFailed("签署者不是需求部门的系统 / the signer is no system of the consumer")
    if ca is not None:
        signed.check_issued(ca, datetime.fromisoformat(content["recorded_at"]))
    return signed


def _message(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise VerificationFailed("确认书不是 base64 / the acknowledgement is no base64") from None
