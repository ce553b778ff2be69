"""What a statement says of a decision, member by member."""

import json
from datetime import UTC, datetime

from broker.model import (
    Application,
    Decision,
    EntryKind,
    Identity,
    Obligations,
    ReviewBy,
    Role,
    Verdict,
)
from broker.receipt.indexed import indexed
from broker.receipt.statement import statement

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
CONSUMER = Identity("xinghe", "tax", Role.SYSTEM, "counter", 1, NOW, bytes(32))
APPLICATION = Application(CONSUMER, "r", "civil_affairs.marriage", ("status",), (), "low_income_check")


def said(decision):
    """The statement of a decision."""
    content = statement(
        EntryKind.EXCHANGE,
        APPLICATION,
        decision,
        NOW,
        provider="civil_affairs",
        subject_tags=(),
        masks={},
        epoch=1,
    )
    assert indexed(content) is not None
    return json.loads(content)


def test_a_permit_without_duties_says_none():
    """Statements of before there were such duties say as much."""
    content = said(Decision(Verdict.PERMIT, "00", obligations=Obligations(retain_days=30)))
    assert content["obligations"] == {"masks": {}, "retain_days": 30}
    assert "reviews" not in content["decision"]


def test_duties_are_recorded():
    """Each duty that policy demands stands in the statement under its own name."""
    duties = Obligations(
        acknowledge_hours=48,
        no_onward_sharing=True,
        watermark=True,
        notify_subject=True,
        countersignature=True,
    )
    assert said(Decision(Verdict.PERMIT, "00", obligations=duties))["obligations"] == {
        "masks": {},
        "retain_days": None,
        "acknowledge_hours": 48,
        "no_onward_sharing": True,
        "watermark": True,
        "notify_subject": True,
        "countersignature": True,
    }


def test_reviews_are_recorded():
    """By whom, how many, and within how many working days."""
    reviews = (ReviewBy(frozenset({"tax", "civil_affairs"}), 2, 5, never_own=False),)
    assert said(Decision(Verdict.REVIEW, "00", reviews=reviews))["decision"]["reviews"] == [
        {"departments": ["civil_affairs", "tax"], "count": 2, "within_working_days": 5, "never_own": False}
    ]
