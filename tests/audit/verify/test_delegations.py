"""Statements of delegations: what cannot have been is remarked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from broker.audit.verify.delegations import act
from broker.audit.verify.said import Anchors, Said
from broker.model import Delegation, Identity, Role
from broker.receipt.delegations import delegation
from broker.receipt.indexed import indexed

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
LI = Identity("xinghe", "tax", Role.OFFICER, "li", 7, NOW, bytes(32))
ZHAO = "spiffe://xinghe/department/tax/officer/zhao"


def remarks(**changes: Any) -> list[str]:
    """The members that are remarked in the statement of a sound delegation, but for some of them."""
    one = Delegation(1, LI.uri, "tax", ZHAO, "tax", NOW, NOW + timedelta(days=1), serial=7)
    said = orjson.loads(delegation(one, NOW, LI)) | changes
    statement = orjson.dumps(said)
    told = indexed(statement)
    assert told is not None
    found = act(Said(5, told, Anchors(None), statement))  # type: ignore[arg-type]
    return [remark.finding.column for remark in found]  # type: ignore[union-attr]


def test_a_sound_delegation_is_not_remarked() -> None:
    """Given by its officer for a time to come, or taken back by a colleague later."""
    assert remarks() == []
    later = "2027-01-01T00:00:00.000000Z"
    assert remarks(act="revoke", caller={"uri": ZHAO, "certificate": "00"}, recorded_at=later) == []


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"act": "lend"}, "act"),
        ({"delegate": {"department": "tax", "uri": LI.uri}}, "act"),
        ({"caller": {"uri": ZHAO, "certificate": "00"}}, "caller"),
        ({"act": "revoke", "caller": {"uri": ZHAO.replace("tax", "fund"), "certificate": "00"}}, "caller"),
        ({"valid_until": "2026-11-24T09:00:00.000000Z"}, "valid_until"),
        ({"recorded_at": "2027-01-01T00:00:00.000000Z"}, "valid_until"),
    ],
)
def test_what_cannot_have_been_is_remarked(changes: dict[str, Any], member: str) -> None:
    """No broker would have recorded it."""
    assert remarks(**changes) == [member]
