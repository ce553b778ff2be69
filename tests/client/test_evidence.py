"""What a receipt must say before its answer is believed, tried on statements as the broker writes them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from broker.client.evidence import require_about, require_digest, require_marked
from broker.errors import VerificationFailed
from broker.model import (
    AnswerStatus,
    Application,
    Decision,
    EntryKind,
    Identity,
    Receipt,
    Role,
    RowCounts,
    Verdict,
)
from broker.receipt.statement import Outcome, statement
from broker.v1 import exchange_pb2

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
DIGEST = bytes(range(32))
CONSUMER = Identity("xinghe", "tax", Role.SYSTEM, "counter", 1, NOW, bytes(32))
APPLICATION = Application(
    consumer=CONSUMER,
    request_id="11111111-2222-4333-8444-555555555555",
    dataset="civil_affairs.marriage",
    fields=("status", "registered_on"),
    subjects=(),
    purpose="low_income_check",
    service_item="990100-MZ-0021",
    case_no="MZ-1",
    legal_basis="条例",
    operator="MZ-0001",
    grant="one",
)
REQUEST = exchange_pb2.ExchangeRequest(
    request_id=APPLICATION.request_id,
    application=exchange_pb2.Application(
        dataset="datasets/civil_affairs.marriage",
        fields=["status", "registered_on"],
        purpose="low_income_check",
        service_item="990100-MZ-0021",
        case_no="MZ-1",
        legal_basis="条例",
        operator="MZ-0001",
    ),
    grant="grants/one",
)


def receipt_of(application, verdict=Verdict.PERMIT, digest=DIGEST):
    """A receipt of an exchange; its proof is another matter."""
    outcome = Outcome(AnswerStatus.FOUND, NOW, RowCounts(1, 0, 1), digest)
    content = statement(
        EntryKind.EXCHANGE,
        application,
        Decision(verdict, "00"),
        NOW,
        epoch=1,
        provider="civil_affairs",
        subject_tags=(),
        masks={},
        outcome=outcome if digest else None,
    )
    return Receipt(content, 1, 2, (), "")


def test_receipt_of_this_request():
    """The statement that the broker writes of a request is of that request."""
    require_about(receipt_of(APPLICATION), REQUEST, CONSUMER.uri, Verdict.PERMIT)
    require_digest(receipt_of(APPLICATION), DIGEST, DIGEST)


@pytest.mark.parametrize(
    "other",
    [
        {"request_id": "22222222-2222-4333-8444-555555555555"},
        {"dataset": "civil_affairs.adoption"},
        {"fields": ("status",)},
        {"fields": ("registered_on", "status")},
        {"purpose": "grid_service"},
        {"service_item": ""},
        {"case_no": "MZ-2"},
        {"legal_basis": "条例 "},
        {"operator": "MZ-0002"},
        {"grant": ""},
        {"consumer": replace(CONSUMER, department="housing_fund")},
        {"consumer": replace(CONSUMER, name="other")},
    ],
)
def test_receipt_of_another_request(other):
    """A statement that differs in anything asked, or in who asked, is of another request."""
    with pytest.raises(VerificationFailed, match="not of this request"):
        require_about(receipt_of(replace(APPLICATION, **other)), REQUEST, CONSUMER.uri, Verdict.PERMIT)


def test_receipt_of_another_decision():
    """A permit whose receipt says that it was refused is no permit."""
    with pytest.raises(VerificationFailed, match="another decision"):
        require_about(receipt_of(APPLICATION, Verdict.DENY), REQUEST, CONSUMER.uri, Verdict.PERMIT)


@pytest.mark.parametrize(
    ("computed", "told"), [(DIGEST, bytes(32)), (bytes(32), DIGEST), (bytes(32), bytes(32))]
)
def test_digest_of_other_bytes(computed, told):
    """What was computed, told and attested must be one and the same."""
    with pytest.raises(VerificationFailed):
        require_digest(receipt_of(APPLICATION), computed, told)


def test_receipt_without_outcome_attests_no_bytes():
    """A refusal's receipt stands for no data."""
    with pytest.raises(VerificationFailed):
        require_digest(receipt_of(APPLICATION, digest=b""), DIGEST, DIGEST)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"consumer": 1}', b"\xff"])
def test_statement_of_another_shape(content):
    """Whatever the statement is, it is refused and does not break the client."""
    receipt = Receipt(content, 1, 2, (), "")
    with pytest.raises(VerificationFailed):
        require_about(receipt, REQUEST, CONSUMER.uri, Verdict.PERMIT)
    with pytest.raises(VerificationFailed):
        require_digest(receipt, DIGEST, DIGEST)


def test_watermark_of_this_request():
    """It names who asked, what for, and under which id; anything else, or none, is refused."""
    marks = {
        "sharebroker.consumer": CONSUMER.uri,
        "sharebroker.purpose": "low_income_check",
        "sharebroker.request_id": APPLICATION.request_id,
    }
    require_marked(marks, REQUEST, CONSUMER.uri)
    for other in ({}, marks | {"sharebroker.purpose": "p"}, marks | {"sharebroker.consumer": "x"}):
        with pytest.raises(VerificationFailed, match="watermark"):
            require_marked(other, REQUEST, CONSUMER.uri)
