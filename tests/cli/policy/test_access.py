"""``sharebroker policy matrix`` and ``diff``, in the sample city."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from broker.errors import SetUpError

Run = Callable[..., str]


def test_the_matrix_tells_who_sees_what_under_which_mask(run: Run, folder: Path) -> None:
    """In both languages, by title, with the rule that says so."""
    told = run("matrix", folder, "--dataset", "tax.income")
    assert "民政局，为“低保核对”" in told
    assert "Civil Affairs Bureau, for low_income_check" in told
    assert "只答是否不大于 12000" in told
    assert "tax-income-001/low-income-check" in told


@pytest.mark.parametrize("kind", ["text", "csv", "html"])
def test_people_read_who_may_see_in_words(run: Run, folder: Path, kind: str) -> None:
    """Every line releases something, names the rule that may take it away, and holds no internal code."""
    told = run("matrix", folder, "--format", kind)
    assert "本辖区" in told
    assert "由民政局的 2 人，3 个工作日内" in told
    assert "但规则 data-authority-001/no-whole-register-of-assets 适用时不给" in told
    for code in ("caller；", "district=", "2 of civil_affairs", "whole_dataset="):
        assert code not in told


def test_filters_take_ids_or_titles_and_offer_the_nearest(run: Run, folder: Path) -> None:
    """A slip is answered with what was meant."""
    by_id, by_title = (
        run("matrix", folder, "--department", name) for name in ("housing_fund", "住房公积金管理中心")
    )
    assert by_id == by_title
    assert "Civil Affairs Bureau, for" not in by_id
    with pytest.raises(SetUpError) as told:
        run("matrix", folder, "--department", "housing_fond")
    assert "housing_fund" in told.value.en


def test_a_spreadsheet_opens_the_csv(run: Run, folder: Path) -> None:
    """It begins with a byte order mark, and every row has a cell for each heading."""
    text = run("matrix", folder, "--format", "csv")
    assert text.startswith("\ufeff")
    heading, *rows = csv.reader(io.StringIO(text))
    assert heading[8:10] == ["结论 verdict", "脱敏 mask"]
    assert rows
    assert {len(row) for row in rows} == {len(heading)}


def test_the_page_stands_alone(run: Run, folder: Path) -> None:
    """One file with Chinese headings that loads nothing from elsewhere."""
    page = run("matrix", folder, "--format", "html")
    assert "<th>需求部门</th>" in page
    assert "http" not in page
    assert page.rstrip().endswith("</html>")


def test_json_names_the_bundle_and_holds_what_the_text_says(run: Run, folder: Path) -> None:
    """With conditions as data."""
    found = orjson.loads(run("matrix", folder, "--purpose", "low_income_check", "--format", "json"))
    income = [each for each in found["access"] if each["fields"] == ["taxable_income"]]
    assert income[0]["departments"] == ["civil_affairs"]
    assert income[0]["lines"][0]["release"]["mask"]["operator"] == "predicate"
    assert len(found["bundle"]) == 64


def test_the_same_policies_do_not_differ(run: Run, folder: Path) -> None:
    """And that is exit code 0."""
    assert "没有差别" in run("diff", folder, folder)


def test_a_change_that_widens_has_exit_code_1(run: Run, folder: Path, tmp_path: Path) -> None:
    """The other way round it only takes away, and the exit code is 0."""
    before = tmp_path / "before"
    before.mkdir()
    for file in folder.rglob("*.yaml"):
        target = before / file.relative_to(folder)
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_bytes(file.read_bytes())
    policy = folder / "sharing" / "tax-income.yaml"
    content = policy.read_text("utf-8")
    assert "rows_per_call: 10" in content
    policy.write_text(content.replace("rows_per_call: 10", "rows_per_call: 20"), "utf-8")
    told = run("diff", before, folder, code=1)
    assert "民政局为“低保核对”看" in told
    assert "每次行数 10 → 20" in told
    assert "## 《个人所得税申报信息》 tax.income" in run(
        "diff", before, folder, "--format", "markdown", code=1
    )
    found = orjson.loads(run("diff", before, folder, "--json", code=1))
    assert found["widened"] is True
    assert {entry["direction"] for entry in found["entries"]} == {"weaker"}
    assert "收紧" in run("diff", folder, before)


def test_what_is_not_there_is_said(run: Run, folder: Path) -> None:
    """Neither a folder nor the hash of anything published."""
    with pytest.raises(SetUpError, match="nowhere"):
        run("diff", folder, "nowhere")


def test_a_change_of_rows_or_reviewers_is_told_in_words(run: Run, folder: Path, tmp_path: Path) -> None:
    """Neither side of the arrow is an id."""
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    file = changed / "sharing/civil-affairs-marriage.yaml"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [line.replace("count: 2", "count: 1") for line in lines if "district: caller" not in line]
    assert len(kept) == len(lines) - 1
    file.write_text("".join(kept), "utf-8")
    told = run("diff", folder, changed, code=1)
    assert "行的范围：需求部门本辖区 → 不限" in told
    assert "rows: of the caller's own region → any" in told
    assert "由民政局的 2 人，3 个工作日内 → 由民政局的 1 人，3 个工作日内" in told
