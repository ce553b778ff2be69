"""Whether people have approved what an application says, from what they signed alone.

For whoever takes a grant into force: the record in the database is only a claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cryptography import x509

from broker.applications import reviewers
from broker.applications.steps import authorities
from broker.errors import VerificationFailed
from broker.filing_signatures import read, require_of
from broker.model import Catalog, FiledApplication, SignedAct, Stage


def require_approved(
    filed: FiledApplication, messages: Mapping[bytes, bytes], catalog: Catalog, ca: x509.Certificate
) -> None:
    """That the consumer's officer has consented to these very terms, and in each stage that the review had
    enough officers have approved them, each with a certificate in force at the time.

    Args:
        messages: SHA-256 → what was signed (:meth:`broker.journal.Journal.acts` of the leaves of its steps).

    Raises:
        VerificationFailed: says which does not hold.
    """
    consent = filed.consent
    if consent is None or consent.department != filed.terms.consumer:
        raise VerificationFailed("没有需求部门的同意 / application: nobody of the consumer has consented")
    for one in filed.signed:
        _require_signed(one, filed, messages, ca)
    for stage in {Stage.ANSWER} | {one.stage for one in filed.approvals if one.stage is not None}:
        if reviewers.lacking(replace(filed, stage=stage), authorities(catalog)):
            raise VerificationFailed("审核同意的人数不足 / application: not enough officers have approved it")


def _require_signed(
    one: SignedAct, filed: FiledApplication, messages: Mapping[bytes, bytes], ca: x509.Certificate
) -> None:
    message = messages.get(one.digest)
    if message is None:
        raise VerificationFailed("缺少签署原文 / application: a signed message is missing")
    signed = read(one.act, message, ca)
    require_of(signed, filed)
    said = (signed.digest, signed.signer.uri, signed.signer.department, signed.at)
    if said != (one.digest, one.officer, one.department, one.signed_at):
        raise VerificationFailed("所记签署与原文不符 / application: the record says another signature")
