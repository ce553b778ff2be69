"""What the statement of an answer proves by itself: that an officer of the provider signed it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509

from broker.correction.signed import Read, read, read_unissued
from broker.errors import VerificationFailed
from broker.model import Role
from broker.receipt.statement import instant


def message_in(content: Mapping[str, Any]) -> bytes:
    """The COSE_Sign1 in the statement of an answer.

    Raises:
        VerificationFailed: there is none.
    """
    try:
        return base64.b64decode(content["answer"], validate=True)
    except binascii.Error:
        raise VerificationFailed("答复不是 base64 / the answer is no base64") from None


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
    message = message_in(content)
    at = datetime.fromisoformat(content["recorded_at"])
    signed = read_unissued(message) if ca is None else read(message, ca, at)
    said = signed.said
    told = {
        "settlement": said.settlement,
        "grounds": said.grounds,
        "right_from": said.right_from and instant(said.right_from),
        "wrong_from": said.wrong_from and instant(said.wrong_from),
        "referred_to": said.referred_to or None,
    }
    if any(content.get(name) != value for name, value in told.items()):
        raise VerificationFailed("存证所述与所签内容不符 / the statement says something else than was signed")
    signer = {"uri": signed.signer.uri, "certificate": signed.signer.fingerprint.hex()}
    if content["signer"] != signer:
        raise VerificationFailed("存证所述的签署者并非签署者 / the statement names another signer")
    if signed.signer.department != content["provider"] or signed.signer.role is not Role.OFFICER:
        raise VerificationFailed(
            "签署者不是提供部门的数据资源管理员 / the signer is no officer of the provider"
        )
    return signed
