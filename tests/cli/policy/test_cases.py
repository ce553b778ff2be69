"""``sharebroker policy test``: one line a case, what differs side by side, and an exit code that says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.main import app
from broker.errors import SetUpError

BASE = Path(__file__).parents[2] / "approve" / "base"
CASES = """
format: share-cases/v1
at: "2026-11-23 10:00"
applications:
  one:
    {department: fund, dataset: registry.marriage, fields: [status], purpose: withdrawal, service_item: F-1}
cases:
  - {id: papers, application: one, expect: {decision: needs_supplement}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy folder with one case that passes."""
    folder = Path(shutil.copytree(BASE, tmp_path / "policies"))
    (folder / "cases").mkdir()
    (folder / "cases/a.yaml").write_text(CASES, "utf-8")
    return folder


def run(*words: object):
    return CliRunner().invoke(app, ["policy", "test", *map(str, words)])


def test_all_as_expected(folder: Path) -> None:
    """A line for the case, a line for the sum, exit code 0."""
    result = run(folder)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "✓ cases/a.yaml#papers"
    assert "1 个用例：1 个符合，0 个不符 / 1 cases: 1 passed, 0 failed" in result.output


def test_difference_is_shown_with_its_place_and_sentence(folder: Path, tmp_path: Path) -> None:
    """Expected and got stand side by side, with what the broker would have said; exit code 1."""
    bent = CASES.replace("needs_supplement", "permit, missing: none")
    (folder / "cases/a.yaml").write_text(bent, "utf-8")
    result = run(folder, "--junit", tmp_path / "report.xml")
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "✗ cases/a.yaml#papers cases/a.yaml:8" in said
    assert "decision permit needs_supplement" in said
    assert "待补正：基金中心为“提取”申请查看《婚姻登记》的婚姻状况。" in said
    assert "缺办件编号，请补充 case_no。 / The case number is missing; supply case_no." in said
    assert 'failures="1"' in (tmp_path / "report.xml").read_text("utf-8")


def test_denial_is_shown_with_what_the_nearest_rule_misses(folder: Path) -> None:
    """So that one sees whether the case or the rule is wrong."""
    bent = CASES.replace("application: one, ", "application: one, with: {subjects: all}, ")
    (folder / "cases/a.yaml").write_text(bent, "utf-8")
    said = " ".join(run(folder).output.split())
    assert "未获准整体共享该数据资源" in said
    assert "申请没有写明查询对象；规则 fund-withdrawal 许可的申请须写明查询对象" in said


def test_json_for_machines(folder: Path) -> None:
    """The same for programs: each case with its decision and differences."""
    (folder / "cases/a.yaml").write_text(CASES.replace("needs_supplement", "permit"), "utf-8")
    result = run(folder, "--json")
    assert result.exit_code == 1
    (case,) = json.loads(result.output)["cases"]
    assert case["case"] == "cases/a.yaml#papers"
    assert case["differences"] == [{"fact": "decision", "expected": "permit", "got": "needs_supplement"}]


def test_cases_may_stand_elsewhere(folder: Path, tmp_path: Path) -> None:
    """A file of cases need not be in the folder it tests."""
    shutil.move(folder / "cases/a.yaml", tmp_path / "apart.yaml")
    assert run(folder, tmp_path / "apart.yaml").exit_code == 0
    assert isinstance(run(folder).exception, SetUpError)


def test_coverage_names_what_no_case_exercises(folder: Path) -> None:
    """Each rule with its place, what is exercised of it and what not; the sum is always told."""
    assert "规则与条件覆盖 14 %（1/7）" in run(folder).output
    said = run(folder, "--coverage").output
    assert "✓ sharing/marriage.yaml:5 registry-marriage-001/fund-withdrawal  ✗ 部门 department" in said


def test_coverage_may_be_demanded(folder: Path) -> None:
    """Below the number the command fails and names the gaps, although every case passed."""
    assert run(folder, "--fail-under", "14").exit_code == 0
    result = run(folder, "--fail-under", "15")
    assert result.exit_code == 1
    assert "✗ 有效期 validity" in result.output
    told = json.loads(run(folder, "--json").output)["coverage"]
    assert told["percent"] == 14.3
    assert told["rules"][0]["spoke"]
