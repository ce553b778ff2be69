"""Use commitments that came with a request: signed by the consumer's own key, for exactly this.

Each is judged by itself; the template, its text filled for this request, and every thing that it is bound to
must be those of the request, to the character. What was signed is then the text in force, which nobody can
put into the consumer's mouth or take out of it. See ``docs/use-commitment.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography import x509

from broker.apply.identity import check_in_force, read_credential
from broker.errors import MalformedRequest, NotAuthenticated, VerificationFailed, Violation
from broker.keys.revocation import Revocations
from broker.keys.signers import check_issued
from broker.model import Application, Catalog, CommitmentTemplate, Identity, Signer, UseCommitment
from broker.reasons import Reason
from broker.use_commitment.signed import Commitment, Read, read
from broker.use_commitment.text import blanks_of, days_of, document, fill

MAX_AHEAD = timedelta(hours=24)
"""One for a call is for that call and its retries."""
MAX_SKEW = timedelta(minutes=5)
"""How far a consumer's clock may be from ours."""

_ROLES = {Signer.SYSTEM: ("系统", "a system"), Signer.OFFICER: ("管理员", "an officer")}


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies commitments under one epoch, at one time."""

    catalog: Catalog
    ca: x509.Certificate
    revocations: Revocations
    now: datetime

    def of_call(self, messages: Sequence[bytes], application: Application) -> tuple[UseCommitment, ...]:
        """Those that came with ``application``, each bound to it.

        Raises:
            MalformedRequest: COMMITMENT_INVALID, with a violation that names the message and the check.
            Unavailable: REVOCATIONS_UNREADABLE.
        """
        found = tuple(
            self._one(f"signed_commitments[{place}]", message, application)
            for place, message in enumerate(messages)
        )
        if len({commitment.template for commitment in found}) != len(found):
            raise _invalid("signed_commitments", "同一模板只附一份", "one of each template")
        return found

    def lodged(self, message: bytes, consumer: Identity) -> UseCommitment:
        """One that is to stand for all calls of its dataset and purpose until it expires.

        Raises:
            MalformedRequest: COMMITMENT_INVALID, with a violation that names the check.
            Unavailable: REVOCATIONS_UNREADABLE.
        """
        path = "signed_commitment"
        signed = _read(path, message)
        asked = Application(consumer, "", signed.said.dataset, (), (), signed.said.purpose)
        if signed.said.dataset not in self.catalog.datasets:
            raise _invalid(path, "目录中没有所签的数据资源", "the catalog has no such dataset as was signed")
        if signed.said.purpose not in self.catalog.purposes:
            raise _invalid(path, "目录中没有所签的使用场景", "the catalog has no such purpose as was signed")
        return self._verified(path, message, signed, asked)

    def _one(self, path: str, message: bytes, application: Application) -> UseCommitment:
        signed = _read(path, message)
        if not signed.said.request_id:
            raise _invalid(
                path,
                "这是一段时期的责任状，请先登记（LodgeCommitment），不随请求附上",
                "this one stands for a period: lodge it first (LodgeCommitment), and send none",
            )
        return self._verified(path, message, signed, application)

    def _verified(self, path: str, message: bytes, signed: Read, asked: Application) -> UseCommitment:
        said = signed.said
        template = self.catalog.commitments.get(said.template)
        if template is None:
            raise _invalid(path, "没有这一责任状模板", "there is no such commitment template")
        signer = self._signer(path, signed, template, asked.consumer)
        if said.version != template.version:
            raise _invalid(
                path,
                f"所签的是模板的另一版本，生效的是第 {template.version} 版，请取新文本重新签署",
                f"another version of the template was signed; version {template.version} is in force",
            )
        _check_bound(path, said, asked)
        self._check_times(path, said, template)
        blanks = blanks_of(template, asked, self.catalog)
        blanks |= days_of(said.issued, said.expires, self.catalog.zone)
        if said.text != fill(document(template), blanks):
            raise _invalid(
                path,
                "所签文字不是按本次请求填写的模板原文，请取新文本重新签署",
                "the text signed is not the template's, filled for this request; get it anew and sign again",
            )
        return UseCommitment(
            template=said.template,
            version=said.version,
            text=said.text,
            consumer=said.consumer,
            dataset=said.dataset,
            purpose=said.purpose,
            case_no=said.case_no,
            request_id=said.request_id,
            issued=said.issued,
            expires=said.expires,
            message=message,
            digest=sha256(message).digest(),
            signer=signer,
        )

    def _signer(self, path: str, signed: Read, template: CommitmentTemplate, consumer: Identity) -> Identity:
        """Who signed, by a certificate in force: a system or an officer of the consumer's department."""
        try:
            # First: until this holds, the certificate is only what a stranger wrote.
            check_issued(signed.certificate, self.ca, self.now)
            credential = read_credential(signed.certificate)
            check_in_force(credential, self.catalog.city, self.revocations, self.now)
        except VerificationFailed as failure:
            raise _invalid(path, f"未通过验证：{failure}", f"does not verify: {failure}") from None
        except NotAuthenticated as failure:
            zh, en = failure.sentence
            raise _invalid(path, f"签署者的证书不可用：{zh}", f"the signer's certificate: {en}") from None
        signer = credential.identity
        if (signer.department, signer.role.value) != (consumer.department, template.signer.value):
            zh, en = _ROLES[template.signer]
            raise _invalid(
                path,
                f"须由需求部门的{zh}签署",
                f"must be signed by {en} of the consumer's department",
            )
        return signer

    def _check_times(self, path: str, said: Commitment, template: CommitmentTemplate) -> None:
        longest = MAX_AHEAD
        if not said.request_id:
            if template.valid_days is None:
                raise _invalid(
                    path, "此模板须逐次签署", "of this template one is signed for each call (request_id)"
                )
            longest = timedelta(days=template.valid_days)
        if said.issued > self.now + MAX_SKEW:
            raise _invalid(path, "签署时间晚于现在，请校准时钟", "signed later than now; set the clock right")
        if said.expires <= self.now:
            raise _invalid(path, "责任状已过期，请重新签署", "the commitment has expired; sign a new one")
        if said.expires - said.issued > longest:
            hours = int(longest.total_seconds()) // 3600
            raise _invalid(
                path,
                f"有效期过长，自签署起最多 {hours} 小时",
                f"it would hold for too long: at most {hours} hours from when it was issued",
            )


def _read(path: str, message: bytes) -> Read:
    try:
        return read(message)
    except VerificationFailed as failure:
        zh, _, en = str(failure).partition(" / ")
        raise _invalid(path, f"未通过验证：{zh}", f"does not verify: {en or zh}") from None


def _check_bound(path: str, said: Commitment, asked: Application) -> None:
    """That what it is bound to is what is asked."""
    for name, signed, wanted, zh, en in (
        ("consumer", said.consumer, asked.consumer.department, "需求部门", "consumer"),
        ("dataset", said.dataset, asked.dataset, "数据资源", "dataset"),
        ("purpose", said.purpose, asked.purpose, "使用场景", "purpose"),
        ("case_no", said.case_no, asked.case_no, "办件编号", "case number"),
        ("request_id", said.request_id, asked.request_id, "请求号", "request id"),
    ):
        if signed != wanted:
            raise _invalid(
                path,
                f"所签的{zh}（{name}）与本次请求不同",
                f"it was signed for another {en} ({name}) than is asked",
            )


def _invalid(path: str, zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation(path, zh, en),), Reason.COMMITMENT_INVALID)
