"""What the statement of a certificate of disposal proves by itself: that its consumer signed it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509

from broker.disposal.signed import Read, read
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
    signed = read(_message(content["certificate"]))
    signer, said = signed.credential.identity, signed.said
    told = {
        "digest": said.digest.hex(),
        "method": said.method.value,
        "disposed_at": instant(said.disposed_at),
        "operator": said.operator,
        "exceptions": [{"deliveries": list(one.deliveries), "basis": one.basis} for one in said.exceptions],
    }
    if {name: content[name] for name in told} != told:
        raise VerificationFailed("存证所述与所签内容不符 / the statement says something else than was signed")
    if content["signer"] != {"uri": signer.uri, "certificate": signer.fingerprint.hex()}:
        raise VerificationFailed("存证所述的签署者并非签署者 / the statement names another signer")
    if signer.department != content["consumer"]["department"] or signer.role is Role.AUDITOR:
        raise VerificationFailed("签署者不是需求部门的 / the signer is not of the consumer")
    if ca is not None:
        signed.check_issued(ca, datetime.fromisoformat(content["recorded_at"]))
    return signed


def _message(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise VerificationFailed("销毁证明不是 base64 / the certificate is no base64") from None
