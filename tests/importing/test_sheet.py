"""Where the table lies in a sheet."""

from __future__ import annotations

import pytest

from adapters.sources.layout import Layout
from adapters.sources.spreadsheet import Row
from broker.importing.sheet import find_header, find_table

ID = "990101189901010015"
DATA: Row = ["1", "张三", ID]


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ([["序号", "姓名", "证号"], DATA], (1, 1)),
        ([["sfzh", "xm"], [ID, "张三"]], (1, 1)),
        ([["某市登记表", None, None], [], ["序号", "姓名", "证号"], DATA], (3, 3)),
        (
            [["2026年某市登记表"], ["填报单位：民政局", None, "单位：元"], ["序号", "姓名", "证号"], DATA],
            (3, 3),
        ),
        (
            [
                ["序号", "男方", None, "女方", None],
                [None, "姓名", "证号", "姓名", "证号"],
                ["1", "甲", ID, "乙", ID],
            ],
            (1, 2),
        ),
        ([["男方", None, "女方", None], ["姓名", "证号", "姓名", "证号"], ["甲", ID, "乙", ID]], (1, 2)),
        (
            [["登记表", None, None], ["男方", None, "日期"], ["姓名", "证号", None], ["甲", ID, "2026"]],
            (2, 3),
        ),
        ([["姓名", "单位"], ["张三", "民政局"], ["李四", "公安局"]], (1, 1)),
        ([["姓名", None, "证号"], ["张三", "男", ID]], (1, 1)),
        ([["姓名", None, "住址"], ["张三", "丈夫", "某街"]], (1, 1)),
        ([["证号"], [ID]], (1, 1)),
        ([["姓名", "姓名", "证号"], DATA], (1, 1)),
    ],
    ids=str,
)
def test_headers(head: list[Row], rows: tuple[int, int]) -> None:
    """Titles, units and blank rows are passed over; two rows are a header where merged cells say so."""
    found = find_header(head)
    assert found is not None
    assert (found.first, found.last) == rows


@pytest.mark.parametrize(
    "head",
    [[], [[]], [[ID, "1"]], [["1", "2"], ["3", "4"]], [["2026/1/3", "15400000001"]], [["是", "男"]]],
    ids=str,
)
def test_no_header(head: list[Row]) -> None:
    """Values are no names: who imports must say where the header is."""
    assert find_header(head) is None


def test_what_must_be_cleaned_is_found() -> None:
    """Blank rows, totals and stray characters are counted, and become options of the source."""
    rows: list[Row] = [
        ["表"],
        [],
        ["姓名", "证号"],
        ["张三", f"'{ID}"],
        [],
        ["李四", ID],
        ["合计", "2"],
        ["制表人：王五"],
    ]
    found = find_table(rows, "f.csv")
    assert found is not None
    assert found.layout == Layout(3, 3, tidy=True, skip_totals=True)
    assert (found.rows, found.blank_rows, found.total_rows, found.untidy_cells) == (2, 1, 2, 1)
    assert (found.title, found.names, found.is_regular) == ("表", ("姓名", "证号"), False)


@pytest.mark.parametrize(
    "rows", [[["a", "b"], ["1", "2"], [None, "2"]], [["姓名"], ["张三（男）"]], [["姓名", "b"]]], ids=str
)
def test_a_regular_table_needs_no_options(rows: list[Row]) -> None:
    """What any reader of CSV reads alike is left to the fast one."""
    found = find_table(rows, "f.csv")
    assert found is not None
    assert found.is_regular
    assert found.layout == Layout()


@pytest.mark.parametrize(
    "rows",
    [
        [["a", "a"], ["1", "2"]],
        [["姓 名"], ["1"]],
        [["a", "b"], ["1"]],
        [["a"], []],
        [["a", None, "b"], ["1", "2", "3"]],
    ],
    ids=str,
)
def test_an_irregular_one_does(rows: list[Row]) -> None:
    """Repeated, blank or spaced names, short and empty rows are read row by row."""
    found = find_table(rows, "f.csv")
    assert found is not None
    assert not found.is_regular
    assert found.layout == Layout()
