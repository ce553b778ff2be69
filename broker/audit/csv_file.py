"""An export as CSV that WPS and Excel open rightly: UTF-8 with a byte order mark, lines ended by CR LF.

Its header lies beside it, in ``<name>.header.json``. A spreadsheet takes cells for formulas that begin with
``=``, ``+``, ``-``, ``@``, a tab or a carriage return, in full width too, and turns into numbers, dates and
truths what looks like one: a case number of 17 digits loses its last ones. Such a text gets an apostrophe in
front, which is seen, and makes a text of it; a text that begins with an apostrophe gets another, so that
exactly one is to be taken away.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from broker.audit.columns import COLUMNS, Value, columns_of
from broker.audit.form import MAX_HEADER, Export, Header, Line, hashes, in_order, natural
from broker.errors import VerificationFailed
from broker.receipt.bundle import MAX_BYTES
from broker.receipt.statement import instant

LEAF = "序号 leaf_index"
STATEMENT = "存证内容 statement"
PROOF = "证明 proof"
TITLES = (LEAF, *(f"{column.zh} {column.name}" for column in COLUMNS), STATEMENT)

_FORMULA = "=+-@\t\r\n|%"
_NUMBER = re.compile(
    r"[\d\s.,:/\\%+\-eE()¥$€年月日时分秒点]*\d[\d\s.,:/\\%+\-eE()¥$€年月日时分秒点]*(?:[ap]m?)?", re.I
)
_MONTH = re.compile(
    r"\d*[\s\-/.,]*(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*[\s\-/.,]*[\d\s\-/.,:]*", re.I
)
_TRUTH = re.compile(r"true|false", re.I)


def beside(path: Path) -> Path:
    """Where the header of a CSV file lies."""
    return path.with_name(f"{path.name}.header.json")


def write(path: Path, header: Header, lines: Iterable[Line]) -> None:
    """Writes a new file, without its header."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file, lineterminator="\r\n")
        table.writerow([*TITLES, PROOF] if header.proofs else TITLES)
        for line in lines:
            table.writerow(_cells(line, proofs=header.proofs))


def read(path: Path) -> Export:
    """Opens a file and the header beside it.

    Raises:
        VerificationFailed: the header is malformed, the columns are others; or, later, a line is malformed or
            contradicts its statement, as it does once a spreadsheet has written the file anew.
        OSError: the header is missing.
    """
    with beside(path).open("rb") as file:
        header = Header.parse(file.read(MAX_HEADER + 1))
    return Export(header, in_order(header, _lines(path, proofs=header.proofs)))


def guarded(text: str) -> str:
    """``text`` as a cell that a spreadsheet takes for nothing else than this text."""
    plain = unicodedata.normalize("NFKC", text)
    special = text.startswith("'") or plain[:1] in _FORMULA or plain.lstrip()[:1] in _FORMULA
    mistaken = _NUMBER.fullmatch(plain) or _MONTH.fullmatch(plain) or _TRUTH.fullmatch(plain.strip())
    return f"'{text}" if text and (special or mistaken) else text


def _lines(path: Path, *, proofs: bool) -> Iterator[Line]:
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_BYTES))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            if next(rows, None) != [*TITLES, *([PROOF] if proofs else [])]:
                raise VerificationFailed("导出文件的列不符 / export: other columns")
            yield from (_line(row, number, proofs=proofs) for number, row in enumerate(rows, 1))
        except (csv.Error, UnicodeDecodeError):
            raise VerificationFailed("导出文件不是合格的 CSV / export: not well-formed CSV") from None


def _line(row: Sequence[str], number: int, *, proofs: bool) -> Line:
    if len(row) != len(TITLES) + proofs:
        raise _altered(number)
    index = row[0]
    if not (index.isascii() and index.isdecimal() and len(index) < 20):
        raise _altered(number)
    proof = hashes(_bare(row[-1]).split()) if proofs else ()
    statement = _bare(row[len(TITLES) - 1]).encode("utf-8")
    line = Line(natural(int(index), "leaf_index"), statement, proof)
    if _cells(line, proofs=proofs) != list(row):
        raise _altered(number)
    return line


def _cells(line: Line, *, proofs: bool) -> list[str]:
    values = columns_of(line.statement)
    cells = [_cell(values[column.name]) for column in COLUMNS]
    proof = [guarded(" ".join(value.hex() for value in line.proof))] if proofs else []
    return [str(line.leaf_index), *cells, guarded(line.statement.decode("utf-8")), *proof]


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return instant(value)
    return guarded(" ".join(value) if isinstance(value, list) else value)


def _bare(cell: str) -> str:
    return cell.removeprefix("'")


def _altered(number: int) -> VerificationFailed:
    return VerificationFailed(
        f"第 {number} 行与其存证内容不一致，可能被编辑或另存过 / export: line {number} contradicts its "
        "statement; was it edited, or saved anew?"
    )
