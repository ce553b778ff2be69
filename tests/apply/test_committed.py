"""Use commitments that came with a request: signed for exactly this, or named as what they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from broker.apply.committed import Verifier
from broker.apply.identity import read_credential
from broker.demo.setup import load_shipped, shipped_policies
from broker.errors import MalformedRequest, Unavailable
from broker.keys import cose
from broker.keys.authority import Authority, Issued
from broker.keys.revocation import read_revocations
from broker.model import Application, Catalog, CommitmentTemplate, Identity, Role, Signer
from broker.reasons import Reason
from broker.use_commitment.signed import CONTENT_TYPE, Commitment, read, sign
from broker.use_commitment.text import blanks_of, days_of, document, fill

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""Within the dates of certificates that are issued when tests have come to it, however late that is."""
CATALOG = load_shipped(shipped_policies()).catalog
TEMPLATE = CATALOG.commitments["tax-income-use"]
STANDING = CommitmentTemplate(
    "standing", 3, "tax", "责任状", "{consumer} 使用 {dataset}，至 {until}。", ("不作他用。",), valid_days=30
)


class Consumer:
    """A department with a system and an officer, their keys, and a verifier that believes its authority."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.revocations = read_revocations(
            (authority.folder / "crl.pem").read_bytes(), authority.certificate
        )
        self.system = self.holder("civil_affairs", Role.SYSTEM, "desk")
        self.officer = self.holder("civil_affairs", Role.OFFICER, "li")

    def holder(self, department: str, role: Role, name: str) -> Holder:
        return Holder(self.authority.issue(department, role, name))

    @property
    def asked(self) -> Application:
        return Application(
            consumer=self.system.identity,
            request_id="6f1c2f0e-8f5e-4c0a-9b53-3c1f5c2a7d10",
            dataset="tax.income",
            fields=("tax_year", "taxable_income"),
            subjects=("990101189901010015",),
            purpose="low_income_check",
            service_item="990100-MZ-0021",
            case_no="MZ-1",
            legal_basis="社会救助暂行办法 第五十八条",
            operator="000127",
        )

    def verifier(self, *templates: CommitmentTemplate) -> Verifier:
        every = {one.id: one for one in (TEMPLATE, STANDING, *templates)}
        catalog: Catalog = replace(CATALOG, commitments=every)
        return Verifier(catalog, self.authority.certificate, self.revocations, NOW)

    def said(self, of: CommitmentTemplate = TEMPLATE, **changes: Any) -> Commitment:
        """What the consumer signs for what it asks; the text is that of the template, filled for it."""
        asked, call = self.asked, of.valid_days is None
        issued, expires = NOW - timedelta(minutes=1), NOW + timedelta(minutes=9)
        expires = changes.get("expires", expires)
        blanks = blanks_of(of, asked, CATALOG) | days_of(changes.get("issued", issued), expires, CATALOG.zone)
        said = Commitment(
            of.id,
            of.version,
            fill(document(of), blanks),
            "civil_affairs",
            "tax.income",
            "low_income_check",
            asked.case_no if call else "",
            asked.request_id if call else "",
            issued,
            expires,
        )
        return replace(said, **changes)


class Holder:
    """Who holds a certificate and its key."""

    def __init__(self, issued: Issued) -> None:
        self.key: Any = serialization.load_pem_private_key(issued.key_pem, None)
        self.certificate = x509.load_pem_x509_certificate(issued.cert_pem)

    @property
    def identity(self) -> Identity:
        return read_credential(self.certificate).identity

    def sign(self, said: Commitment) -> bytes:
        return sign(said, self.key, [self.certificate])


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Consumer:
    return Consumer(Authority.create(tmp_path_factory.mktemp("ca"), "xinghe"))


def refusal(consumer: Consumer, *messages: bytes, templates: tuple[CommitmentTemplate, ...] = ()) -> str:
    """The one violation for which commitments of a request are refused."""
    with pytest.raises(MalformedRequest) as refused:
        consumer.verifier(*templates).of_call(messages, consumer.asked)
    assert refused.value.reason is Reason.COMMITMENT_INVALID
    (violation,) = refused.value.violations
    assert violation.zh
    return f"{violation.field}: {violation.en}"


def test_what_was_signed_for_the_request_is_taken(consumer: Consumer) -> None:
    """By any system of the department; it is held word for word, and names who signed."""
    signer = consumer.holder("civil_affairs", Role.SYSTEM, "counter-2")
    message = signer.sign(consumer.said())
    (found,) = consumer.verifier().of_call([message], consumer.asked)
    assert (found.template, found.version, found.lodged) == ("tax-income-use", 1, None)
    assert (found.message, found.digest, found.signer) == (message, sha256(message).digest(), signer.identity)
    assert read(found.message).said == consumer.said()


def test_the_text_is_the_template_filled(consumer: Consumer) -> None:
    """Titles of the catalog, papers of the request, days of the city; no blank is left."""
    text = consumer.said().text
    for part in (
        "民政局",
        "税务局",
        "个人所得税申报信息",
        "MZ-1",
        "000127",
        "应纳税所得额",
        "最多保存 10 日",
    ):
        assert part in text
    assert "{" not in text


def test_what_fills_a_blank_is_no_blank(consumer: Consumer) -> None:
    """A case number in braces stays what it is: nobody writes into the text through the request."""
    asked = replace(consumer.asked, case_no="{operator}")
    blanks = blanks_of(TEMPLATE, asked, CATALOG) | days_of(NOW, NOW, CATALOG.zone)
    assert "办件 {operator}，" in fill(document(TEMPLATE), blanks)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"template": "no-such"}, "there is no such commitment template"),
        ({"version": 2}, "another version of the template was signed; version 1 is in force"),
        ({"consumer": "housing_fund"}, "another consumer (consumer)"),
        ({"dataset": "tax.contribution"}, "another dataset (dataset)"),
        ({"purpose": "grid_service"}, "another purpose (purpose)"),
        ({"case_no": "MZ-2"}, "another case number (case_no)"),
        ({"request_id": "6f1c2f0e-8f5e-4c0a-9b53-3c1f5c2a7d11"}, "another request id (request_id)"),
        ({"request_id": ""}, "stands for a period: lodge it first"),
        ({"issued": NOW + HOUR, "expires": NOW + 2 * HOUR}, "signed later than now"),
        ({"issued": NOW - 2 * HOUR, "expires": NOW - HOUR}, "has expired"),
        ({"issued": NOW - 2 * HOUR, "expires": NOW + 23 * HOUR}, "hold for too long: at most 24 hours"),
        ({"text": "我不承诺任何事。"}, "the text signed is not the template's"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_thing_it_is_bound_to_is_looked_at(
    changes: dict[str, Any], why: str, consumer: Consumer
) -> None:
    """Another template, version, dataset, purpose, case, request, time or text is told by its name."""
    found = refusal(consumer, consumer.system.sign(consumer.said(**changes)))
    assert found.startswith("signed_commitments[0]: ")
    assert why in found


def test_a_period_is_not_taken_in_a_call_nor_a_call_lodged(consumer: Consumer) -> None:
    """What stands for a period is lodged; a template without one is signed for each call."""
    verifier = consumer.verifier()
    month = consumer.said(STANDING, expires=NOW + timedelta(days=29))
    found = verifier.lodged(consumer.system.sign(month), consumer.system.identity)
    assert (found.request_id, found.dataset) == ("", "tax.income")
    for said, why in (
        (consumer.said(STANDING, expires=NOW + timedelta(days=31)), "too long: at most 720 hours"),
        (consumer.said(request_id="", case_no=""), "one is signed for each call"),
        (consumer.said(), "another case number"),
        (replace(month, dataset="tax.nothing"), "no such dataset"),
        (replace(month, purpose="nothing"), "no such purpose"),
    ):
        with pytest.raises(MalformedRequest) as refused:
            verifier.lodged(consumer.system.sign(said), consumer.system.identity)
        assert why in refused.value.violations[0].en


def test_only_the_consumers_own_key_signs(consumer: Consumer) -> None:
    """Neither another department's nor an auditor's; an officer's where the template says so."""
    said = consumer.said()
    for department, role in (
        ("tax", Role.SYSTEM),
        ("civil_affairs", Role.OFFICER),
        ("civil_affairs", Role.AUDITOR),
    ):
        signer = consumer.holder(department, role, "other")
        assert "must be signed by a system of the consumer's department" in refusal(
            consumer, signer.sign(said)
        )
    for_officers = replace(TEMPLATE, signer=Signer.OFFICER)
    verifier = consumer.verifier(for_officers)
    assert verifier.of_call([consumer.officer.sign(said)], consumer.asked)
    system = consumer.system.sign(said)
    assert "signed by an officer" in refusal(consumer, system, templates=(for_officers,))


def test_a_strangers_or_a_revoked_certificate_proves_nothing(
    consumer: Consumer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of another authority, or revoked; and without a current list nothing is taken."""
    other = Authority.create(tmp_path_factory.mktemp("other"), "xinghe")
    stranger = Holder(other.issue("civil_affairs", Role.SYSTEM, "desk"))
    assert "not by this city's authority" in refusal(consumer, stranger.sign(consumer.said()))
    message = consumer.system.sign(consumer.said())
    revoked = replace(consumer.revocations, serials=frozenset({consumer.system.identity.serial}))
    verifier = replace(consumer.verifier(), revocations=revoked)
    with pytest.raises(MalformedRequest) as refused:
        verifier.of_call([message], consumer.asked)
    assert "certificate" in refused.value.violations[0].en
    with pytest.raises(Unavailable):
        replace(verifier, revocations=replace(revoked, next_update=0.0)).of_call([message], consumer.asked)


def test_one_of_each_template(consumer: Consumer) -> None:
    """Two of one are one too many, be they the same."""
    message = consumer.system.sign(consumer.said())
    assert refusal(consumer, message, message) == "signed_commitments: one of each template"


def test_members_are_those_and_no_others(consumer: Consumer) -> None:
    """A member more, one fewer or of another kind is malformed, though the signature holds."""
    members = cbor2.loads(consumer.said().payload())
    der = consumer.system.identity.certificate
    for changed in (
        {**members, "more": 1},
        {name: value for name, value in members.items() if name != "case_no"},
        {**members, "version": "1"},
        {**members, "expires": -1},
    ):
        message = cose.sign1(cose.encode(changed), CONTENT_TYPE, consumer.system.key, [der])
        assert "the commitment's content is malformed" in refusal(consumer, message)


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_changed_byte_is_refused(where: float, flip: int, consumer: Consumer) -> None:
    """Of the message, wherever it is: header, certificate, text or signature."""
    message = bytearray(consumer.system.sign(consumer.said()))
    message[int(where * len(message))] ^= flip
    refusal(consumer, bytes(message))


@given(where=st.floats(0, 1), typed=st.text(max_size=3), length=st.integers(0, 3))
def test_any_other_text_is_refused(where: float, typed: str, length: int, consumer: Consumer) -> None:
    """Though the consumer itself has signed it."""
    text = consumer.said().text
    at = int(where * len(text))
    other = text[:at] + typed + text[at + length :]
    if other == text or any(0xD800 <= ord(character) < 0xE000 for character in typed):
        return
    assert "the text signed" in refusal(consumer, consumer.system.sign(consumer.said(text=other)))
