"""Lint says everything that is certain about a folder of policies, at its place, in both languages."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.approve.problem import Code
from broker.authoring.finding import ABOUT, Finding, Lint
from broker.authoring.lint import lint_folder
from broker.authoring.titles import TITLES
from broker.cli.main import app
from tests.approve.conftest import BASE, check_mask

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SHOWN = sorted((HERE / "lint").iterdir())
NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)


def linted(overlay: Path, folder: Path) -> tuple[Finding, ...]:
    """Findings about the sound folder with the files of ``overlay`` put over it."""
    shutil.copytree(BASE, folder)
    shutil.copytree(overlay, folder, dirs_exist_ok=True)
    return lint_folder(folder, check_mask, NOW, operators=("redact", "partial", "year"))


@pytest.mark.parametrize("overlay", SHOWN, ids=lambda path: path.name)
def test_finding_is_said_where_it_is(overlay: Path, tmp_path: Path) -> None:
    """Each folder under ``lint`` gives exactly the findings of its code that stand beside it."""
    code = overlay.name.upper().replace("-", "_")
    said = [str(finding) for finding in linted(overlay, tmp_path / "policies") if finding.code == code]
    assert said == (overlay / "expected.txt").read_text("utf-8").splitlines()


def test_every_code_is_shown_and_documented() -> None:
    """Each code has a title, a folder that provokes it, and a line for officers that says the same."""
    assert set(ABOUT) == set(Lint)
    assert {path.name for path in SHOWN} == {code.lower().replace("_", "-") for code in Lint}
    page = (ROOT / "docs/policy-format.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (error|warning|note) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert rows == [(code, about.severity, about.zh, about.en) for code, about in ABOUT.items()]
    titles = dict(TITLES.items())
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \| (?!error|warning|note)(.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert {Code(code): (zh, en) for code, zh, en in rows} == titles
    assert set(titles) == set(Code)


def test_slip_of_the_keyboard_hides_no_other_mistake(tmp_path: Path) -> None:
    """A full-width colon, which ends the reading of its file, does not keep the rest from being told."""
    folder = tmp_path / "policies"
    shutil.copytree(BASE, folder)
    rules = folder / "sharing/marriage.yaml"
    text = rules.read_text("utf-8").replace("who: {departments: [fund]}", "who： {departments: [fond]}")
    assert "who：" in text
    rules.write_text(text, "utf-8")
    codes = [finding.code for finding in lint_folder(folder, check_mask, NOW)]
    assert codes == ["FULL_WIDTH", "UNKNOWN_DEPARTMENT"]


def test_broken_file_hides_no_finding_in_others(tmp_path: Path) -> None:
    """What is certain of sound files is told beside the problems of a broken one, and only that."""
    folder = put("expired", tmp_path)
    (folder / "sharing/more.yaml").write_text("format: share-policy/v1\nid: x\nowner: fond\n", "utf-8")
    codes = [finding.code for finding in lint_folder(folder, check_mask, NOW)]
    assert codes == ["EXPIRED", "MISSING_KEY", "UNKNOWN_DEPARTMENT"]


# ── as a command ─────────────────────────────────────────────────────────────────────────────────


def lint(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["policy", "lint", *map(str, arguments), "--at", "2026-11-23"])


def put(name: str, tmp_path: Path) -> Path:
    """The sound folder with one of the folders under ``lint`` put over it."""
    folder = Path(shutil.copytree(BASE, tmp_path / "政 策"))
    shutil.copytree(HERE / "lint" / name, folder, dirs_exist_ok=True)
    return folder


def test_exit_code_tells_errors_and_under_strict_warnings(tmp_path: Path) -> None:
    """A check in a pipeline fails by what must not stay, and by warnings only where asked to."""
    warned = put("expired", tmp_path)
    assert (lint(warned).exit_code, lint(warned, "--strict").exit_code) == (0, 1)
    shutil.copytree(HERE / "lint/wider-than-modes", warned, dirs_exist_ok=True)
    assert lint(warned).exit_code == 1


def test_text_ends_with_a_count_and_has_no_colours_where_nobody_looks(tmp_path: Path) -> None:
    """Every line but the last begins with a place; output that is piped is plain and the same each time."""
    said = lint(put("expired", tmp_path))
    *lines, last = said.output.splitlines()
    assert all(re.match(r"[\w./-]+:\d+:\d+ [A-Z_]+ .+ / .+", line) for line in lines)
    assert last.endswith("1 warning, 1 note.")
    assert "\x1b" not in said.output
    assert lint(tmp_path / "政 策").output == said.output


def test_reader_s_problems_are_in_the_same_list(tmp_path: Path) -> None:
    """What is refused is told in the same form, as an error, in every format."""
    folder = put("expired", tmp_path)
    broken = (folder / "sharing/marriage.yaml").read_text("utf-8").replace("[fund]", "[fond]")
    (folder / "sharing/marriage.yaml").write_text(broken, "utf-8")
    assert "UNKNOWN_DEPARTMENT 没有部门“fond”，是否指“fund”？ / there is no department" in lint(folder).output
    (found,) = json.loads(lint(folder, "--format", "json").output)["findings"]
    assert (found["code"], found["severity"], found["line"]) == ("UNKNOWN_DEPARTMENT", "error", 7)


def test_sarif_is_what_code_scanning_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of SARIF 2.1.0 that viewers need: relative URIs, indexed rules, levels, places."""
    folder = put("wider-than-modes", tmp_path)
    monkeypatch.chdir(tmp_path)
    (run,) = json.loads(lint(folder, "--format", "sarif").output)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({result["ruleId"] for result in run["results"]})
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].startswith("%E6%94%BF%20%E7%AD%96/")
        assert min(place["region"].values()) >= 1
        assert " / " in result["message"]["text"]
    assert {result["level"] for result in run["results"]} == {"error", "warning", "note"}


def test_an_empty_folder_lacks_files(tmp_path: Path) -> None:
    """What is missing is said, and nothing is read that is not there."""
    found = lint_folder(tmp_path, check_mask, NOW)
    assert {finding.code for finding in found} == {"FILE_MISSING"}
    assert {finding.file for finding in found} >= {"city.yaml", "departments.yaml", "service-items.yaml"}
