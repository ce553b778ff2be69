"""Sheets as people make them: titles, merged headers, blanks, totals, stray characters."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.contract import SourceError
from adapters.sources.layout import UNTIDY, Layout, is_footer, layout_of, names_of, table_of, tidied

ID = "990101189901010015"


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ([["姓名", "身份证号"]], ["姓名", "身份证号"]),
        ([["姓 名", "身份\n证号", " 电话 "]], ["姓名", "身份证号", "电话"]),
        ([["姓名", None, "姓名", "姓名"]], ["姓名", "第2列", "姓名_2", "姓名_3"]),
        ([["a", "a_2", "a"]], ["a", "a_2", "a_3"]),
        ([["a", None, None]], ["a"]),
        ([[None, "a"]], ["第1列", "a"]),
        (
            [["序号", "男方", None, "女方", None, "日期"], [None, "姓名", "证号", "姓名", "证号", None]],
            ["序号", "男方_姓名", "男方_证号", "女方_姓名", "女方_证号", "日期"],
        ),
        ([["日期", None], ["日期", "年"]], ["日期", "日期_年"]),
        ([["甲", None], ["乙", None], ["丙", "丁"]], ["甲_乙_丙", "甲_乙_丁"]),
        ([["甲"], ["丙", "丁"]], ["甲_丙", "甲_丁"]),
        ([[]], []),
    ],
    ids=str,
)
def test_each_column_gets_one_name(header: list[list[str | None]], names: list[str]) -> None:
    """Merged cells are filled out, blanks and line breaks dropped, missing and repeated names told apart."""
    assert names_of(header) == names


@given(st.lists(st.lists(st.none() | st.sampled_from(["a", "a_2", "第1列", "b"]), max_size=5), max_size=3))
def test_names_are_unique(header: list[list[str | None]]) -> None:
    """Whatever stands in the header, no two columns share a name and none is without."""
    names = names_of(header)
    assert len(set(names)) == len(names)
    assert all(names)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"'{ID}", ID),
        (f"＇{ID}", ID),
        (f'="{ID}"', ID),
        (f"{ID}\t", ID),
        (f"\ufeff\u200b {ID}\u00a0\u3000", ID),
        ("９９０１０１１８９９０１０１００１５", ID),
        ("９９０１０１１８９９０１０１００４Ｘ", "99010118990101004X"),
        ("１，２３４．５０", "1,234.50"),
        ("２０２６年１月３日", "2026年1月3日"),
        ("２０２６／１／３　８：００", "2026/1/3 8:00"),
        ("张三（男）", "张三（男）"),
        ("　张　三　", "张　三"),
        ("ＡＢ座１号楼", "ＡＢ座１号楼"),
        ("㎡", "㎡"),
        (" \u3000", None),
        ("'", None),
        ('=""', None),
    ],
    ids=repr,
)
def test_tidying_a_cell(text: str, plain: str | None) -> None:
    """What a keyboard, a form or an export left around a value goes; a text's own punctuation stays."""
    assert tidied(text) == plain
    assert pc.match_substring_regex(pa.array([text]), UNTIDY)[0].as_py() or tidied(text) == text


@given(st.text(st.sampled_from(" \t\u3000\ufeff'＇=\"１Ａ1A年张，,\n"), max_size=6))
def test_tidying_looks_at_every_cell_that_it_would_change(text: str) -> None:
    """The column's quick test misses none, and tidying twice is tidying once."""
    once = tidied(text)
    looked_at = bool(pc.match_substring_regex(pa.array([text]), UNTIDY)[0].as_py())
    assert looked_at or once == (text or None)
    (column,) = table_of([["a", "b"], [text or None, "x"]], Layout(tidy=True), "f").select(["a"]).columns
    assert column.to_pylist() == [once]
    assert once is None or re.match(r"['’‘`＇=]", once) or tidied(once) == once


@pytest.mark.parametrize(
    "row",
    [
        ["合计", None, "3"],
        [None, "合 计", "12.50"],
        ["总计："],
        ["本页小计", "9"],
        ["合计 3人"],
        ["制表人：张三", None, "审核人：李四"],
        ["备注：以上数据截至年底"],
        ["填报日期: 2026-01-03"],
    ],
    ids=str,
)
def test_footers(row: list[str | None]) -> None:
    """A total or a signature line is known by its first cell."""
    assert is_footer(row)


@pytest.mark.parametrize(
    "row",
    [["合计划", "1"], ["计合", "1"], ["张三", "合计"], ["备注", "x"], [None, None], [], [ID, "合计"]],
    ids=str,
)
def test_rows_are_no_footers(row: list[str | None]) -> None:
    """A word that merely resembles one, or stands elsewhere, leaves a row a row."""
    assert not is_footer(row)


def test_a_sheet_as_people_make_it() -> None:
    """Title, unit line, two header rows, blank rows, stray characters, a short row, total and signature."""
    rows: list[list[str | None]] = [
        ["某市救助登记表", None, None],
        ["单位：元"],
        ["姓名", "救助", None],
        [None, "证号", "金额"],
        ["张三", f"'{ID}", "１，２００"],
        [None, None, None],
        [],
        [" ", "\u3000", None],
        ["李四", None],
        ["合计", None, "1,200"],
        ["制表人：王五"],
    ]
    table = table_of(rows, Layout(3, 4, tidy=True, skip_totals=True), "f.csv")
    assert table.to_pylist() == [
        {"姓名": "张三", "救助_证号": ID, "救助_金额": "1,200"},
        {"姓名": "李四", "救助_证号": None, "救助_金额": None},
    ]
    untouched = table_of(rows, Layout(3, 4), "f.csv").to_pylist()
    assert untouched[0]["救助_证号"] == f"'{ID}"
    assert [row["姓名"] for row in untouched] == ["张三", " ", "李四", "合计", "制表人：王五"]


def test_totals_within_the_table_stay() -> None:
    """Only the end is cut off: what is left out elsewhere would be missing without a trace."""
    rows: list[list[str | None]] = [["姓名"], ["合计"], ["张三"], ["小计"], ["合计"]]
    assert table_of(rows, Layout(skip_totals=True), "f")["姓名"].to_pylist() == ["合计", "张三"]


@pytest.mark.parametrize(
    ("rows", "layout", "said"),
    [
        ([["a"], ["1", None, "2"]], Layout(), "row 2 has more cells"),
        ([["a"]], Layout(2, 2), "no header"),
        ([[None], ["1"]], Layout(), "no header"),
        ([], Layout(), "no header"),
    ],
    ids=str,
)
def test_what_cannot_be_told_apart_is_refused(
    rows: list[list[str | None]], layout: Layout, said: str
) -> None:
    """Cells without a column and tables without names are errors that quote nothing."""
    with pytest.raises(SourceError, match=said) as failure:
        table_of(rows, layout, "f.csv")
    assert "1" not in str(failure.value).replace("row 2", "")


def test_empty_tables_and_long_ones() -> None:
    """No rows is a table; rows beyond one batch are all there, in order."""
    assert table_of([["a"]], Layout(tidy=True, skip_totals=True), "f").to_pylist() == []
    rows = [["a"], *([str(i)] for i in range(70_000))]
    assert table_of(rows, Layout(tidy=True), "f")["a"].to_pylist() == [str(i) for i in range(70_000)]


@pytest.mark.parametrize(
    "layout", [Layout(), Layout(3, 4), Layout(2, 2, tidy=True, skip_totals=True)], ids=repr
)
def test_a_layout_is_written_as_it_is_read(layout: Layout) -> None:
    """What the importer writes into the catalog is what the source understands."""
    assert layout_of(layout.options()) == layout
