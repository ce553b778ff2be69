"""Commands about masks, run as an officer runs them, in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.mask.app import mask


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command where there is no settings file; gives what it printed, or raises what it raised."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, code: int = 0) -> str:
        result = CliRunner().invoke(mask, [*map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return run
