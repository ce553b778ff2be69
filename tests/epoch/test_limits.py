"""Time limits of a running broker: two parts, reminders, what is not decided in time; each a leaf."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from broker.applications.duties import Duties
from broker.journal import ApplicationFilter
from broker.model import Act, ReceiptFilter, Stage, State
from broker.receipt.fsck import open_fsck
from tests.epoch.test_delegations import Cast

TWO_PARTS = '  "990100":\n    stages: {conformity: 2, answer: 5}\n'


@pytest.fixture
def cast(any_world: Any) -> Cast:
    """The sample city in two parts."""
    path = any_world.policies / "limits.yaml"
    text = path.read_text("utf-8")
    path.write_text(text[: text.index('  "990100":')] + TWO_PARTS, "utf-8")
    return Cast(any_world)


def test_two_parts_each_with_its_own_limit(cast: Cast) -> None:
    """The authority checks, then the provider's limit begins; one that does not answer is overdue, which is
    recorded once, and listed for the authority."""
    filed = cast.filed()  # the authority has checked
    assert [one.stage for one in filed.approvals] == [Stage.CONFORMITY]
    assert filed.stage is Stage.ANSWER
    assert filed.clock is not None
    assert filed.clock.working_days == 5
    cast.world.ahead += timedelta(days=60)
    duties = Duties(cast.register)
    assert duties.perform() == 1
    assert duties.perform() == 0
    late = cast.register.proved(filed.number)
    assert (late.state, late.overdue) == (State.UNDER_REVIEW, True)
    assert [step.act for step in late.steps].count(Act.ESCALATE) == 1
    wanted = ApplicationFilter(overdue=True, reader="data_authority", sees_filed=True)
    assert [one.number for one in cast.register.listed(wanted, None, 10)] == [filed.number]
    leaf = cast.world.store.leaves(ReceiptFilter(), None, 1)[0]
    assert b'"act":"escalate"' in leaf.entry.statement


def test_log_with_reminders_is_sound(cast: Cast) -> None:
    """Day after day what is due is done once, whoever looks how often, and fsck finds nothing."""
    filed, duties = cast.filed(), Duties(cast.register)
    for _ in range(30):
        cast.world.ahead += timedelta(days=1)
        duties.perform()
        duties.perform()
    acts = [step.act for step in cast.register.proved(filed.number).steps]
    assert acts.count(Act.ESCALATE) == 1
    assert 1 <= acts.count(Act.REMIND) <= 6
    assert acts.index(Act.REMIND) < acts.index(Act.ESCALATE)
    cast.world.log.sign()
    with open_fsck(cast.world.settings.store_url, cast.world.state, cast.world.log.verifier_key) as check:
        assert list(check.findings()) == []
