"""What a proposal carries of its checks, and which of them keep it from being proposed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.approve.bundle import bundle_of
from broker.approve.files import read_folder
from broker.approve.problem import Problems
from broker.authoring import checks
from broker.authoring.checks import Report, lint_report
from tests.approve.conftest import BASE, check_mask

LINT = Path(__file__).parent / "lint"
NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)


def reported(overlay: str, folder: Path) -> Report:
    """Lint's report on the sound folder with the files of ``overlay`` put over it."""
    shutil.copytree(BASE, folder)
    shutil.copytree(LINT / overlay, folder, dirs_exist_ok=True)
    files = read_folder(folder, Problems())
    return lint_report(bundle_of(files, check_mask), files, NOW)


@pytest.mark.parametrize(
    ("overlay", "passed"), [("masks-contradict", False), ("wider-than-modes", False), ("quota-missing", True)]
)
def test_errors_fail_and_warnings_do_not(overlay: str, passed: bool, tmp_path: Path) -> None:
    """A bundle may load and yet hold an error; a warning is told and left to who approves."""
    report = reported(overlay, tmp_path / "policies")
    assert report.passed is passed
    assert overlay.upper().replace("-", "_") in report.said


def test_long_report_is_cut_and_says_where_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proposal takes so much text and no more, whatever the tools find."""
    monkeypatch.setattr(checks, "MAX_TEXT", 80)
    said = reported("quota-missing", tmp_path / "policies").said
    assert said[80:].startswith("\n…")
    assert "policy lint" in said[80:]
