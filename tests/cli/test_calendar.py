"""``sharebroker calendar``, as the authority's officer uses it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from broker.approve.bundle import load_bundle
from broker.cli.main import app
from broker.errors import SetUpError

ROOT = Path(__file__).parents[2]
NOTICE = ROOT / "tests/authoring/notices/2026.txt"
TABLE = "起始,截止,安排,名称\n2027-01-01,2027-01-03,放假,元旦\n2027-01-09,,上班,\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample city's policies."""
    return Path(shutil.copytree(ROOT / "policies", tmp_path / "策 略"))


def run(*words: object, typed: str | bytes | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["calendar", *map(str, words)], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def refused(*words: object, typed: str | None = None) -> SetUpError:
    with pytest.raises(SetUpError) as error:
        run(*words, typed=typed)
    return error.value


def test_year_is_shown_by_month(folder: Path) -> None:
    """An officer sees what is off and what is made up; 248 days are worked in 2026."""
    said = run("show", folder, "--year", "2026").output
    assert "14（六）" in said
    (year,) = json.loads(run("show", folder, "--year", "2026", "--json").output)
    assert (year["working_days"], year["provisional"], len(year["makeup_days"])) == (248, False, 6)
    assert [one["year"] for one in json.loads(run("show", folder, "--json").output)] == [2025, 2026, 2027]
    assert "待定" in run("show", folder).output
    assert "2025、2026、2027" in refused("show", folder, "--year", "2030").zh


@pytest.mark.parametrize(
    ("day", "years"), [("2026-06-01", []), ("2026-11-24", [2027]), ("2027-11-24", [2027, 2028])]
)
def test_check_tells_of_near_years(folder: Path, day: str, years: list[int]) -> None:
    """A year is asked for when limits begin to reach into it, provisional or missing."""
    found = json.loads(run("check", folder, "--at", day, "--json", code=1 if years else 0).output)
    assert [one["year"] for one in found] == years
    assert ("齐备" in run("check", folder, "--at", day, code=1 if years else 0).output) is not years


def test_check_finds_a_year_that_cannot_be_whole(folder: Path) -> None:
    """A forgotten make-up day shows in the sum, which is the law's thirteen days."""
    path = folder / "calendar.yaml"
    path.write_text(path.read_text("utf-8").replace(', "2025-10-11"', ""), "utf-8")
    assert "14 天" in run("check", folder, "--at", "2026-06-01", code=1).output


def test_notice_that_is_there_already_changes_nothing(folder: Path) -> None:
    """The file is not touched, whatever it looks like."""
    before = (folder / "calendar.yaml").read_bytes()
    assert "没有改动" in run("import", folder, NOTICE).output
    assert (folder / "calendar.yaml").read_bytes() == before


def test_table_takes_the_place_of_a_provisional_year(folder: Path, tmp_path: Path) -> None:
    """Preview first; then the year is final in the bundle, and what is odd about it is said."""
    table = tmp_path / "2027.csv"
    table.write_bytes(TABLE.encode("gb18030"))
    before = (folder / "calendar.yaml").read_bytes()
    assert "2027-01-09 周六" in run("import", folder, table, "--check").output
    assert (folder / "calendar.yaml").read_bytes() == before
    said = run("import", folder, table)
    assert "请核对" in said.output
    assert "sharebroker policy publish" in said.output
    calendar = load_bundle(folder, lambda *_: None).catalog.calendar
    assert (2027 in calendar.years, calendar.provisional) == (True, frozenset())
    assert json.loads(run("import", folder, table, "--json").stdout)["unchanged"] is True


def test_notice_may_be_pasted(folder: Path) -> None:
    """From the clipboard through standard input; a calendar that was not there is begun."""
    (folder / "calendar.yaml").unlink()
    assert "calendar import" in refused("show", folder).zh
    run("import", folder, "-", typed=NOTICE.read_text("utf-8"))
    assert load_bundle(folder, lambda *_: None).catalog.calendar.years == {2026}


def test_what_is_not_understood_is_named_and_nothing_written(folder: Path) -> None:
    """Each line with its number, in both languages."""
    before = (folder / "calendar.yaml").read_bytes()
    text = NOTICE.read_text("utf-8").replace("共9天", "共八天")
    error = refused("import", folder, "-", typed=text)
    assert "第 10 行" in error.zh
    assert "line 10" in error.en
    assert (folder / "calendar.yaml").read_bytes() == before


def test_contradiction_is_refused_until_somebody_decides(folder: Path) -> None:
    """A year that is there is overruled only on purpose."""
    path = folder / "calendar.yaml"
    path.write_text(path.read_text("utf-8").replace(', "2026-10-10"', ""), "utf-8")
    error = refused("import", folder, NOTICE)
    assert "2026-10-10" in error.zh
    assert "--replace" in error.en
    run("import", folder, NOTICE, "--replace")
    assert "2026-10-10" in path.read_text("utf-8")


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """What is missing is named."""
    assert "没有文件夹" in refused("check", tmp_path / "nowhere").zh
    assert "没有文件夹" in refused("import", tmp_path / "nowhere", NOTICE).zh


def test_deadline_is_told(folder: Path) -> None:
    """When a period ends, and how much of it is left: of one long over, of one over the new year, and of one
    that nobody can tell yet."""
    told = json.loads(run("deadline", folder, "--days", "3", "--from", "2026-02-13", "--json").output)
    assert (told["last_day"], told["certainty"]) == ("2026-02-25", "exact")
    assert (
        "2026-02-25 周三 24 时" in run("deadline", folder, "--days", "3", "--from", "2026-02-13 17:30").output
    )
    said = run("deadline", folder, "--days", "2", "--from", "2026-12-31", "--json").output
    assert json.loads(said)["certainty"] == "provisional"
    assert "暂定" in run("deadline", folder, "--days", "2", "--from", "2026-12-31").output
    error = refused("deadline", folder, "--days", "2", "--from", "2027-12-31")
    assert "2028-01-03" in error.zh
    assert "没有时区" in refused("deadline", folder, "--days", "2", "--zone", "Nowhere").zh
