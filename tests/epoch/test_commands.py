"""The commands that move what is in force, and show it."""

import json

import pytest
from typer.testing import CliRunner

from broker.cli.epoch import revocations
from broker.cli.policy.app import policy
from broker.cli.suspend import app as suspend
from broker.errors import SetUpError, VerificationFailed
from broker.receipt.note import parse_checkpoint, verify_note

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"


@pytest.fixture
def run(world, embedded, monkeypatch):
    """Runs a command on the world's settings; gives what it printed, or raises what it raised."""
    monkeypatch.setenv("SHAREBROKER_STORE__URL", world.settings.store_url)
    monkeypatch.setenv("SHAREBROKER_KEYS__SIGNER_STATE", str(world.state))

    def run(app, *arguments):
        words = [*map(str, arguments), "--config", str(embedded.settings)]
        result = CliRunner().invoke(app, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_policy_is_published_and_shown(run, world):
    """Both languages, old and new hash, the sequence; a second time nothing is done."""
    before = json.loads(run(policy, "show", "--json"))
    world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    said = run(policy, "publish", world.policies, "--by", "officer", "--reason", "fewer rows")
    after = json.loads(run(policy, "show", "--json"))
    assert after["epoch"] == before["epoch"] + 1
    assert f"{before['bundle']} → {after['bundle']}" in said
    assert "已发布并生效" in said
    assert f"in force, epoch {after['epoch']}" in said
    assert (world.statements()[-1]["actor"], world.statements()[-1]["reason"]) == ("officer", "fewer rows")
    assert "nothing was done" in run(policy, "publish", world.policies)
    shown = run(policy, "show")
    assert after["bundle"] in shown
    assert "每次最多 9 行 · at most 9 rows a call" in shown


def test_the_head_over_the_act_is_signed_at_once_when_a_signer_runs(run, world):
    """A broker on this host lends its signer; nobody waits for the next batch."""
    run(suspend, "add", "--all", "--reason", "test")
    note = world.log.checkpoint()
    assert parse_checkpoint(verify_note(note, world.log.verifier_key)).size == world.store.head().size


def test_policy_that_does_not_load_is_refused_with_every_problem(run, world):
    """The place of the problem is said, and what is in force stays."""
    before = run(policy, "show", "--json")
    world.edit(MARRIAGE, "effect: permit", "effect: perhaps")
    with pytest.raises(SetUpError, match=r"sharing/civil-affairs-marriage.yaml:\d+"):
        run(policy, "publish", world.policies)
    assert run(policy, "show", "--json") == before


def test_revocations_are_published_and_shown(run, world, tmp_path):
    """The number grows, an older list is refused, and what is no list as well."""
    file, old = world.authority.folder / "crl.pem", tmp_path / "old.pem"
    old.write_bytes(file.read_bytes())
    before = json.loads(run(revocations, "show", "--json"))["crl"]
    world.authority.crl()
    assert f"{before} → {before + 1}" in run(revocations, "publish", file)
    assert json.loads(run(revocations, "show", "--json"))["crl"] == before + 1
    assert str(before + 1) in run(revocations, "show")
    with pytest.raises(SetUpError, match="not newer"):
        run(revocations, "publish", old)
    old.write_text("nonsense")
    with pytest.raises(VerificationFailed):
        run(revocations, "publish", old)
    with pytest.raises(SetUpError, match="cannot be read"):
        run(revocations, "publish", tmp_path / "absent.pem")


@pytest.mark.parametrize(
    ("option", "target", "name"),
    [
        (("--consumer", "tax"), "consumer", "tax"),
        (("--dataset", "tax.income"), "dataset", "tax.income"),
        (("--purpose", "grid_service"), "purpose", "grid_service"),
        (("--all",), "everything", ""),
    ],
)
def test_suspension_is_added_listed_and_lifted(run, option, target, name):
    """One way for each thing that can be stopped; lifted ones stay in the list of all."""
    assert "已暂停" in run(suspend, "add", *option, "--reason", "a leak", "--by", "officer")
    (listed,) = json.loads(run(suspend, "list", "--json"))["suspensions"]
    assert (listed["target"], listed["name"], listed["reason"], listed["actor"]) == (
        target,
        name,
        "a leak",
        "officer",
    )
    assert "a leak" in run(suspend, "list")
    assert "Lifted" in run(suspend, "lift", listed["number"], "--reason", "over")
    assert json.loads(run(suspend, "list", "--json"))["suspensions"] == []
    assert "已解除" in run(suspend, "list", "--lifted")


@pytest.mark.parametrize("option", [(), ("--all", "--purpose", "grid_service"), ("--consumer", "txa")])
def test_a_kill_switch_that_is_not_clear_is_refused(run, world, option):
    """Nothing, two things, or a name that nobody has."""
    with pytest.raises(SetUpError):
        run(suspend, "add", *option, "--reason", "test")
    assert world.store.head().epoch == 1
