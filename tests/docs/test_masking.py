"""The commands of docs/masking.md print what stands there, as on an officer's terminal."""

import re
import shlex
from pathlib import Path

import pytest

from broker.cli.main import app
from tests.terminal import on_a_terminal

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "masking.md").read_text("utf-8")
BLOCKS = re.findall(r"^```console\n\$ sharebroker (.+)\n((?:.*\n)*?)```$", TEXT, re.M)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize(("command", "printed"), BLOCKS, ids=[command.split()[1] for command, _ in BLOCKS])
def test_command_prints_what_stands_there(command, printed, monkeypatch):
    """Whoever changes a command's output changes the guide with it."""
    monkeypatch.chdir(ROOT)
    assert on_a_terminal(app, shlex.split(command), monkeypatch) == printed


def test_every_tool_is_shown():
    """The guide runs each of the commands that need no keys and write nothing."""
    assert [command.split()[1] for command, _ in BLOCKS] == ["show", "try", "check", "risk"]


def test_every_link_leads_somewhere():
    """Pages move; whoever moves one finds out here."""
    assert [link for link in LINK.findall(TEXT) if not (ROOT / "docs" / link).exists()] == []
