"""Commands are imported when they are run, and look as if they had been there all along."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer import Typer
from typer.main import get_group

from broker.cli.audit.app import audit
from broker.cli.lazy import Later
from broker.cli.main import app
from broker.cli.mask.app import mask
from broker.cli.policy.app import policy

HEAVY = ("alembic", "cryptography", "grpc", "numpy", "psycopg", "pyarrow", "sqlalchemy")


def table(application: Typer) -> Iterator[Later]:
    yield from (one for one in get_group(application).commands.values() if isinstance(one, Later))


@pytest.mark.parametrize(
    "later",
    [*table(app), *table(audit), *table(policy), *table(mask)],
    ids=lambda one: one.place.removeprefix("broker.cli."),
)
def test_the_table_says_what_the_command_says(later: Later) -> None:
    """Name and help stand twice, in the table and at the command: they are the same."""
    command = later.load()
    assert later.name == (command.name or later.name)
    assert later.help == inspect.cleandoc(command.help or "").partition("\n\n")[0].replace("\n", " ")


def test_every_command_is_in_a_table() -> None:
    """Nothing was lost: a command that no table names could not be run."""
    counts = [len(list(table(one))) for one in (app, audit, policy, mask)]
    assert counts == [len(get_group(one).commands) for one in (app, audit, policy, mask)]
    assert all(counts)


@pytest.mark.parametrize("words", [["--help"], ["policy", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """The list of commands is shown without loading what the commands need."""
    program = f"""
import sys
from broker.cli.main import app
app({words!r}, standalone_mode=False)
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "policy" in done.stdout
    assert done.stderr.strip() == ""
