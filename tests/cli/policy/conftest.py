"""Commands about policies, run as an officer runs them, in the sample city."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.policy.app import policy

POLICIES = Path(__file__).parents[3] / "policies"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample city's policies, to be changed at will."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command where there is no settings file; gives what it printed, or raises what it raised."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, typed: str | None = None, code: int = 0) -> str:
        result = CliRunner().invoke(policy, [*map(str, words)], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return run
