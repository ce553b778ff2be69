"""Signed heads as evidence: who must have signed and cosigned them."""

from __future__ import annotations

from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.said import Anchors
from broker.errors import VerificationFailed
from broker.receipt.finding import Finding
from broker.receipt.note import Checkpoint
from broker.receipt.verify import verify_checkpoint
from broker.receipt.witnesses import cosignatures

Head = tuple[Checkpoint, list[Remark]]


def open_head(note: str, anchors: Anchors) -> Head:
    """A log head that the log's key has signed, and what is wrong with its cosignatures.

    Raises:
        VerificationFailed: it is not signed by a key that the auditor's leads to: nothing holds then.
    """
    checkpoint = verify_checkpoint(note, anchors.keys)
    policy = anchors.witnesses
    if policy is None:
        return checkpoint, []
    try:
        found = cosignatures(note, policy.witnesses)
    except VerificationFailed as error:
        return checkpoint, [_of_head(Nature.FORGED, *_languages(error))]
    if not policy.met_by(one.witness for one in found):
        zh = f"见证不足：只有 {len(found)} 家见证人签名"
        en = f"has been cosigned by {len(found)} of the witnesses only, which is not enough"
        return checkpoint, [_of_head(Nature.INCOMPLETE, zh, en)]
    return checkpoint, []


def _languages(error: VerificationFailed) -> tuple[str, str]:
    zh, _, en = str(error).partition(" / ")
    return zh, en or zh


def _of_head(nature: Nature, zh: str, en: str) -> Remark:
    return Remark(nature, Finding("checkpoint", "", "signature", zh, en))
