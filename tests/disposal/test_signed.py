"""The signed certificate of disposal: what is said is read, whatever of its form is changed is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.disposal.evidence import verified
from broker.disposal.signed import CONTENT_TYPE, MAX_BYTES, MAX_KEPT, Certificate, read, sign
from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.authority import Authority
from broker.model import DisposalMethod, Role
from broker.receipt.disposals import Kept, certificate, ordered_of
from tests.receipt.test_statement_schema import disposals

SAID = Certificate(
    order=bytes(32),
    digest=bytes(range(32)),
    method=DisposalMethod.PURGE,
    disposed_at=datetime(2026, 11, 24, 4, 0, 1, tzinfo=UTC),
    operator="GJJ-0088",
    exceptions=(Kept((3, 5), "会计档案管理办法 第十四条"), Kept((4,), "a court's order")),
)


class Holder:
    """A system with its certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.create(folder / "pki", "xinghe")
        self.act_as(Role.SYSTEM, "tax")

    def act_as(self, role: Role, department: str) -> None:
        issued = self.authority.issue(department, role, "one")
        key = serialization.load_pem_private_key(issued.key_pem, None)
        assert isinstance(key, cose.PrivateKey)
        self.key = key
        self.certificate = x509.load_pem_x509_certificate(issued.cert_pem)

    def signed(self, payload: bytes, content_type: str = CONTENT_TYPE) -> bytes:
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return cose.sign1(payload, content_type, self.key, [der])


@pytest.fixture
def holder(tmp_path: Path) -> Holder:
    return Holder(tmp_path)


def test_what_was_signed_is_read(holder: Holder) -> None:
    """Order, digest, method, whole seconds, who is responsible, and each exception."""
    message = sign(SAID, holder.key, holder.certificate)
    found = read(message)
    assert (found.said, found.message) == (SAID, message)
    assert found.credential.identity.department == "tax"
    found.check_issued(holder.authority.certificate, datetime.now(UTC))


def test_as_many_exceptions_as_may_be_fit(holder: Holder) -> None:
    """A thousand deliveries kept are within the bound of a message, one more is refused by number."""
    kept = (Kept(tuple(range(1 << 40, (1 << 40) + MAX_KEPT)), "a" * 200),)
    assert len(sign(replace(SAID, exceptions=kept), holder.key, holder.certificate)) < MAX_BYTES
    more = (*kept, Kept((1,), "b"))
    with pytest.raises(VerificationFailed, match="more than 1000"):
        read(sign(replace(SAID, exceptions=more), holder.key, holder.certificate))


PAYLOAD: dict[str, Any] = {
    "order": bytes(32),
    "digest": bytes(32),
    "method": "clear",
    "disposed": 1,
    "operator": "li",
    "exceptions": [],
}


@pytest.mark.parametrize(
    "changed",
    [
        {"more": 1},
        {"order": bytes(31)},
        {"digest": "no bytes"},
        {"method": "burn"},
        {"disposed": -1},
        {"disposed": 1 << 60},
        {"operator": ""},
        {"operator": "x" * 101},
        {"operator": "a\nb"},
        {"exceptions": {}},
        {"exceptions": [{"deliveries": [], "basis": "law"}]},
        {"exceptions": [{"deliveries": [2, 1], "basis": "law"}]},
        {"exceptions": [{"deliveries": [-1], "basis": "law"}]},
        {"exceptions": [{"deliveries": ["1"], "basis": "law"}]},
        {"exceptions": [{"deliveries": [1], "basis": " "}]},
        {"exceptions": [{"deliveries": [1], "basis": "law", "more": 1}]},
        {"exceptions": [{"deliveries": [1], "basis": "law"}, {"deliveries": [1], "basis": "other"}]},
    ],
)
def test_another_form_is_refused(holder: Holder, changed: dict[str, Any]) -> None:
    """However well it is signed."""
    assert read(holder.signed(cose.encode(PAYLOAD)))  # type: ignore[arg-type]
    with pytest.raises(VerificationFailed):
        read(holder.signed(cose.encode(PAYLOAD | changed)))


def test_another_type_or_signature_is_refused(holder: Holder) -> None:
    """What was signed for something else is no certificate."""
    message = sign(SAID, holder.key, holder.certificate)
    with pytest.raises(VerificationFailed):
        read(holder.signed(cose.encode(PAYLOAD), "application/vnd.sharebroker.acknowledgement+cbor"))  # type: ignore[arg-type]
    with pytest.raises(VerificationFailed):
        read(message[:-1] + bytes([message[-1] ^ 1]))


def statement(holder: Holder) -> dict[str, Any]:
    """Of the certificate that the holder signs."""
    disposal = ordered_of(orjson.loads(disposals()[0]), 7)
    signed = read(sign(SAID, holder.key, holder.certificate))
    said: dict[str, Any] = orjson.loads(certificate(disposal, signed.certified(3), datetime.now(UTC)))
    return said


def test_a_statement_proves_who_signed_it(holder: Holder) -> None:
    """It says what was signed; the authority had issued the signer's certificate."""
    content = statement(holder)
    assert verified(content, holder.authority.certificate).said == SAID


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("digest", "00" * 32),
        ("method", "destroy"),
        ("operator", "somebody else"),
        ("exceptions", []),
        ("disposed_at", "2026-11-24T04:00:02.000000Z"),
        ("signer", {"uri": "spiffe://xinghe/department/tax/system/other", "certificate": "00" * 32}),
        ("consumer", {"department": "housing_fund"}),
        ("certificate", "!"),
    ],
)
def test_a_statement_that_says_something_else_does_not(holder: Holder, member: str, value: object) -> None:
    """Each member is held against what was signed."""
    with pytest.raises(VerificationFailed):
        verified(statement(holder) | {member: value}, holder.authority.certificate)


def test_an_auditor_certifies_nothing(holder: Holder) -> None:
    """A system or an officer of the consumer does."""
    holder.act_as(Role.AUDITOR, "tax")
    with pytest.raises(VerificationFailed):
        verified(statement(holder))
    holder.act_as(Role.OFFICER, "tax")
    assert verified(statement(holder))
