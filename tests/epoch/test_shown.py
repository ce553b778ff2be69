"""``policy show`` without a folder: what is in force, and until when its approvals stand."""

import pytest
from typer.testing import CliRunner

from broker.cli.policy.app import policy
from broker.publish import Order
from broker.server.bundles import read_files


@pytest.fixture
def shown(officers_world, embedded, monkeypatch):
    """Gives what is printed about the rule of the housing fund."""
    monkeypatch.setenv("SHAREBROKER_STORE__URL", officers_world.settings.store_url)
    monkeypatch.setenv("SHAREBROKER_POLICIES__APPROVAL", "officers")
    rule = "civil-affairs-marriage-001/housing-fund-withdrawal"

    def show():
        result = CliRunner().invoke(policy, ["show", "--rule", rule, "--config", str(embedded.settings)])
        assert result.exit_code == 0, result.exception
        return result.output

    return show


def test_a_permit_without_approval_is_told_from_one_with(officers_world, shown):
    """Where two officers must sign, the page says that nobody did, and then until when it stands."""
    world = officers_world
    assert "without a standing approval" in shown()
    first, drafter = world.officer("civil_affairs"), world.officer("data_authority", "drafter")
    considered = first.approve(drafter.propose(read_files(world.policies)))
    world.proposals.publish(considered.proposal.number, Order("tester", "a test"))
    assert "standing approval until 20" in shown()
