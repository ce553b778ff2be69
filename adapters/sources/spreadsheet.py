"""Excel workbooks (``xlsx``, ``xls``) and CSV files, row by row, every cell as text.

What a cell shows is not what it holds. A cell is taken for what it holds, in the plainest writing: dates in
ISO 8601, truths as ``true`` and ``false``, numbers with the 15 significant digits that Excel keeps. A longer
number has lost its last digits, so it stays in exponent form, ``9.90101199001011e+17``: written out it would
look like somebody's number and be another's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from adapters.sources.contract import SourceError

Row = list[str | None]
"""Cells from the first column on; None for an empty one. Rows may differ in length."""
Cell = int | float | str | bool | time | date | datetime | timedelta


def sheet_names(path: Path, *, hidden: bool = False) -> list[str]:
    """The worksheets that a reader of the workbook sees, in order; with ``hidden`` the others too.

    Raises:
        SourceError: the file is no workbook, or is locked by a password.
    """
    return [
        sheet.name
        for sheet in _workbook(path).sheets_metadata
        if (hidden or sheet.visible is SheetVisibleEnum.Visible) and sheet.typ is SheetTypeEnum.WorkSheet
    ]


def sheet_rows(path: Path, sheet: str | None) -> Iterator[Row]:
    """All rows of a worksheet (the first visible one for None), from the sheet's first row on.

    Raises:
        SourceError: there is no such sheet, or the file is no workbook.
    """
    workbook = _workbook(path)
    name = sheet if sheet is not None else next(iter(sheet_names(path)), "")
    if name not in workbook.sheet_names:
        raise SourceError(f"{path.name}: there is no such sheet")
    return ([_text(cell) for cell in row] for row in workbook.get_sheet_by_name(name).iter_rows())


def csv_rows(path: Path, encoding: str) -> Iterator[Row]:
    """All rows of a CSV file, empty lines included. Bytes that are no text become U+FFFD, and their row bad.

    Raises:
        SourceError: the encoding is unknown, or (while iterating) a quotation mark is never closed.
    """
    try:
        text = path.read_bytes().decode(encoding, "replace")
    except LookupError:
        raise SourceError(f"{path.name}: no such encoding") from None
    return _csv_rows(path.name, text.removeprefix("\ufeff"))


def _csv_rows(name: str, text: str) -> Iterator[Row]:
    try:
        # Strict: a quotation mark that nobody closed must not swallow the rows after it.
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            yield [cell or None for cell in row]
    except csv.Error:
        pass
    else:
        return
    raise SourceError(f"{name}: a quotation mark is not closed, or a cell is too long")


def _workbook(path: Path) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_path(path)
    except CalamineError:
        pass  # not chained: its message may quote the file
    raise SourceError(f"{path.name}: damaged, or no workbook")


def _text(cell: Cell) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return _number(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell)


def _number(value: float) -> str:
    text = f"{value:.15g}"
    if "e" in text and abs(value) < 1:
        return format(Decimal(text), "f")
    return text
