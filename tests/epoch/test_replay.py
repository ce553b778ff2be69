"""``sharebroker policy replay``: other policies before what workers recorded."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from broker.cli.policy.app import policy
from broker.errors import SetUpError
from broker.model import Target
from tests.epoch.test_streaming import always

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"


@pytest.fixture
def recorded(world):
    """A worker of the world, after a permit, a denial and a stream."""
    worker = world.worker()
    worker.unary(world.withdrawal(), world.consumer, always)
    worker.unary(world.withdrawal(purpose="housing_fund_audit"), world.consumer, always)
    list(worker.stream(world.package(), world.issue("medical_insurance"), always))
    return worker


@pytest.fixture
def replay(world, embedded, monkeypatch):
    """Replays a folder since yesterday, or another day; gives exit code and JSON."""
    monkeypatch.setenv("SHAREBROKER_STORE__URL", world.settings.store_url)

    def run(days=-1, *more):
        since = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
        words = ["replay", world.policies, "--since", since, "--config", embedded.settings, *more]
        result = CliRunner().invoke(policy, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


def as_json(replayed):
    code, output = replayed
    return code, json.loads(output)


def test_the_same_policies_decide_the_same(replay, recorded):
    """Every application that was recorded is decided again, streams too, and nothing differs."""
    code, found = as_json(replay(-1, "--json"))
    assert (code, found["applications"], found["differing"], found["untold"]) == (0, 3, [], {})


def test_what_would_be_refused_is_told_with_its_receipts(replay, recorded, world):
    """The verdict as it was and would be, and why."""
    world.edit(MARRIAGE, "purposes: [housing_fund_withdrawal]", "purposes: [housing_fund_audit]")
    code, output = replay()
    assert code == 1
    assert "housing_fund → civil_affairs.marriage [status, registered_on]  housing_fund_withdrawal" in output
    assert "decision: permit → deny" in output
    assert "回执 1 份 receipts: 3" in output
    assert "3 applications decided again, 1 would differ" in output


def test_other_demands_are_told_too(replay, recorded, world):
    """Compared with the bundle that the receipt names, which the database has kept."""
    world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9, subjects_per_call: 4}")
    code, found = as_json(replay(-1, "--json"))
    assert code == 1
    (differing,) = found["differing"]
    assert differing["facts"] == [{"name": "rows_per_call", "before": "10", "after": "9"}]
    assert len(differing["receipts"]) == 1


def test_what_a_suspension_stopped_is_not_compared(replay, world):
    """Nobody knows from the statement what policy would have said."""
    worker = world.worker()
    world.suspend(Target.DATASET, "civil_affairs.marriage")
    worker.unary(world.withdrawal(), world.consumer, always)
    code, found = as_json(replay(-1, "--json"))
    assert (code, found["untold"]) == (0, {"suspended": 1})


def test_only_what_was_recorded_since_that_day_is_decided_again(replay, recorded):
    """Tomorrow there is nothing yet."""
    code, output = replay(2)
    assert code == 0
    assert "0 applications" in output


def test_a_draft_is_compared_with_what_is_in_force_and_what_was(world, embedded, monkeypatch):
    """By the word for it, or by the hash of anything that was published."""
    monkeypatch.setenv("SHAREBROKER_STORE__URL", world.settings.store_url)
    first = world.publisher.policy(world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}"), world.order)

    def diff(old, new):
        words = [str(word) for word in ("diff", old, new, "--config", embedded.settings)]
        result = CliRunner().invoke(policy, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    assert diff("in-force", world.policies)[0] == 0
    code, output = diff(first.before.bundle_hash, first.after.bundle_hash)
    assert code == 1  # the limit of subjects is gone
    assert "每次对象数 4 → —" in output
    with pytest.raises(SetUpError, match="f" * 64):
        diff("f" * 64, world.policies)
