"""Whether an officer's approval is one for this request: by the right person, of this, and for now."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from broker.apply.identity import check_standing
from broker.detokenize.approval import LONGEST, Asked, SignedApproval, read
from broker.epoch import InForce
from broker.errors import MalformedRequest, NotApproved, NotAuthenticated, VerificationFailed, Violation
from broker.publication.signing import MAX_SKEW
from broker.reasons import Reason


def approved(
    message: bytes, asked: Asked, provider: str, epoch: InForce, ca: x509.Certificate, now: datetime
) -> SignedApproval:
    """The approval in ``message``, which is of ``asked`` by an officer of the provider (or of the department
    that approves for it), who is not the caller and whose certificate is in force.

    Raises:
        NotApproved: APPROVAL_MISSING, there is none.
        MalformedRequest: APPROVAL_INVALID, with what does not hold.
        Unavailable: REVOCATIONS_UNREADABLE.
    """
    if not message:
        raise NotApproved(Reason.APPROVAL_MISSING)
    try:
        approval = read(message, ca)
    except VerificationFailed as failure:
        zh, _, en = str(failure).partition(" / ")
        raise _invalid(zh, en or zh) from None
    _require_signer(approval, asked, provider, epoch, now)
    if not approval.at - MAX_SKEW <= now < approval.until <= approval.at + LONGEST:
        raise _invalid(
            "已过有效期，或有效期超过 24 小时", "it has expired, or was to hold for more than 24 hours"
        )
    if approval.asked != asked:
        raise _invalid("所批内容不是本次请求", "it approves another request")
    return approval


def _require_signer(
    approval: SignedApproval, asked: Asked, provider: str, epoch: InForce, now: datetime
) -> None:
    signer, catalog = approval.signer, epoch.bundle.catalog
    try:
        check_standing(signer, catalog.city, epoch.revocations, now)
    except NotAuthenticated as failure:
        zh, en = failure.sentence
        raise _invalid(f"审批人的证书不可用：{zh}", f"the officer's certificate: {en}") from None
    department = catalog.departments.get(provider)
    delegate = department.delegate if department else ""
    if signer.department not in {provider, delegate or provider}:
        raise _invalid("审批人不是提供部门的数据资源管理员", "the signer is no officer of the provider")
    if signer.uri == asked.caller:
        raise _invalid("审批人不得是调用者本人", "the signer is the caller")


def _invalid(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("signed_approval", zh, en),), Reason.APPROVAL_INVALID)
