"""The commands of docs/masking.md print what stands there, as on an officer's terminal."""

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "masking.md").read_text("utf-8")
BLOCKS = re.findall(r"^```console\n\$ sharebroker (.+)\n((?:.*\n)*?)```$", TEXT, re.M)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def on_a_terminal(words):
    """What a command prints on a terminal of 100 columns, without the blanks at the ends of lines."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "COLUMNS": "100"}
    command = [sys.executable, "-m", "broker.cli", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=follower, env=environment):
        os.close(follower)
        said = b""
        try:
            while part := os.read(leader, 65_536):
                said += part
        except OSError:  # Linux's way to say that the other side is closed
            pass
    os.close(leader)
    return "".join(f"{line.rstrip()}\n" for line in said.decode().splitlines())


@pytest.mark.parametrize(("command", "printed"), BLOCKS, ids=[command.split()[1] for command, _ in BLOCKS])
def test_command_prints_what_stands_there(command, printed):
    """Whoever changes a command's output changes the guide with it."""
    assert on_a_terminal(shlex.split(command)) == printed


def test_every_tool_is_shown():
    """The guide runs each of the commands that need no keys and write nothing."""
    assert [command.split()[1] for command, _ in BLOCKS] == ["show", "try", "check", "risk"]


def test_every_link_leads_somewhere():
    """Pages move; whoever moves one finds out here."""
    assert [link for link in LINK.findall(TEXT) if not (ROOT / "docs" / link).exists()] == []
