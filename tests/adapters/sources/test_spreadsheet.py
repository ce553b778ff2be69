"""Workbooks and CSV files, row by row: what a cell holds, as text."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path

import pytest
import xlsxwriter

from adapters.sources.contract import SourceError
from adapters.sources.spreadsheet import csv_rows, sheet_names, sheet_rows


def test_cells_are_text(tmp_path: Path) -> None:
    """Dates in ISO 8601, numbers plainly; a number too long for Excel shows that it lost digits."""
    path = tmp_path / "b.xlsx"
    with xlsxwriter.Workbook(path) as book:
        day, moment = book.add_format({"num_format": "yyyy/m/d"}), book.add_format({"num_format": "hh:mm"})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["007", 7, 15400000001, 0.1 + 0.2, 1e-7, -1.5, True, False])
        sheet.write_row(1, 0, [990101199001011234, 123456789012345, 6222021234567890123])
        sheet.write_datetime(2, 0, datetime(2026, 1, 3), day)
        sheet.write_datetime(2, 1, datetime(2026, 1, 3, 8, 5, 9), day)
        sheet.write_datetime(2, 2, time(8, 5), moment)
        sheet.write_formula(3, 0, "=1/0", None, "#DIV/0!")
        sheet.write_formula(3, 1, "=1+1", None, 2)
        sheet.write(3, 2, "甲\n乙")
    first, second, third, fourth = sheet_rows(path, None)
    assert first == ["007", "7", "15400000001", "0.3", "0.0000001", "-1.5", "true", "false"]
    assert second[:3] == ["9.90101199001011e+17", "123456789012345", "6.22202123456789e+18"]
    assert third[0] in ("2026-01-03", "2026-01-03 00:00:00")
    assert third[1:3] == ["2026-01-03 08:05:09", "08:05:00"]
    assert fourth[:3] == [None, "2", "甲\n乙"]


def test_rows_count_from_the_top_of_the_sheet(tmp_path: Path) -> None:
    """A ``header_row`` is the row number that Excel shows, blank rows above included."""
    path = tmp_path / "b.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write(4, 3, "x")
    rows = list(sheet_rows(path, None))
    assert len(rows) == 5
    assert [cell for cell in rows[4] if cell] == ["x"]


def test_sheets(tmp_path: Path) -> None:
    """The first visible sheet is meant when none is named; hidden ones can be named all the same."""
    path = tmp_path / "b.xlsx"
    with xlsxwriter.Workbook(path) as book:
        hidden = book.add_worksheet("字典")
        hidden.write(0, 0, "hidden")
        shown = book.add_worksheet("名单")
        shown.write(0, 0, "shown")
        shown.activate()
        shown.set_first_sheet()
        hidden.hide()
        book.add_chartsheet("图")
    assert sheet_names(path) == ["名单"]
    assert list(sheet_rows(path, None)) == [["shown"]]
    assert list(sheet_rows(path, "字典")) == [["hidden"]]
    with pytest.raises(SourceError, match="no such sheet"):
        sheet_rows(path, "别的")


@pytest.mark.parametrize("content", [b"", b"id,v\n", b"PK\x03\x04broken"], ids=repr)
def test_what_is_no_workbook(tmp_path: Path, content: bytes) -> None:
    """A CSV that is merely called .xlsx is an error without a word of its content."""
    path = tmp_path / "b.xlsx"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"^b\.xlsx: damaged, or no workbook$"):
        list(sheet_rows(path, None))


def test_csv(tmp_path: Path) -> None:
    """Quotes, line breaks in cells, empty lines, and rows of any length."""
    path = tmp_path / "b.csv"
    path.write_bytes('\ufeffa,b\r\n"x, ""y""\r\nz",\r\n\r\n1\r\n1,2,3\r\n'.encode())
    assert list(csv_rows(path, "utf8")) == [["a", "b"], ['x, "y"\r\nz', None], [], ["1"], ["1", "2", "3"]]
    path.write_bytes("姓名\n张三\n".encode("gb18030"))
    assert list(csv_rows(path, "gb18030")) == [["姓名"], ["张三"]]
    path.write_bytes("\ufeff姓名\n".encode("utf-16-le"))
    assert list(csv_rows(path, "utf-16")) == [["姓名"]]


def test_damaged_csv(tmp_path: Path) -> None:
    """Bytes that are no text spoil their own cell; a quotation that never ends spoils the file."""
    path = tmp_path / "b.csv"
    path.write_bytes(b"a\n\xff1\n2\n")
    assert list(csv_rows(path, "utf8")) == [["a"], ["\ufffd1"], ["2"]]
    path.write_bytes(b'a\n"secret\n2\n')
    with pytest.raises(SourceError, match=r"^b\.csv: a quotation mark is not closed, or a cell is too long$"):
        list(csv_rows(path, "utf8"))
    with pytest.raises(SourceError, match="no such encoding"):
        csv_rows(path, "klingon")
