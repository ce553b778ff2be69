"""Finding the table in a sheet: where its header is, and what must be cleaned on the way.

What is found goes into the catalog as options of the source (:mod:`adapters.sources.layout`), so that the
file is served as it was understood here, this time and the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import pyarrow as pa
import pyarrow.compute as pc

from adapters.sources.layout import UNTIDY, Layout, is_footer, table_of, tidied
from adapters.sources.spreadsheet import Row

HEAD_ROWS = 60
"""The header is looked for in so many rows."""
_FOOTER_ROWS = 12
_LONGEST_NAME = 60
_VALUE = re.compile(
    r"[-+¥￥]?[0-9０-９][0-9０-９,，.．:：/／年月日\-－ ]*[%％]?"  # a number, date or time
    r"|.*[0-9０-９]{6,}.*|是|否|有|无|男|女|true|false"
    r"|[^:：]+[:：].+",  # 填报单位：民政局
    re.IGNORECASE,
)
"""A cell that is a value rather than the name of a column."""


@dataclass(frozen=True, slots=True)
class Found:
    """A table as found in a sheet."""

    layout: Layout
    names: tuple[str, ...]
    title: str
    """What stands above the header, or ``""``."""
    blank_rows: int
    total_rows: int
    untidy_cells: int
    rows: int
    is_regular: bool
    """Header first, every row as long as it, nothing to clean: any reader of CSV reads it alike."""


def find_table(rows: Iterable[Row], name: str, header: Layout | None = None) -> Found | None:
    """The table in ``rows``, or None when no row can be its header. ``header`` says where it is.

    Raises:
        SourceError: a row has more cells than the header has names.
    """
    rest = iter(rows)
    head = list(islice(rest, HEAD_ROWS))
    layout = header or find_header(head)
    if layout is None:
        return None
    seen = _Seen()
    table = table_of(seen.watch(chain(head, rest)), layout, name)
    untidy = sum(_untidy(column) for column in table.columns)
    totals = _totals(table)
    layout = replace(layout, tidy=untidy > 0, skip_totals=totals > 0)
    names = tuple(table.column_names)
    blank = seen.blank - sum(1 for row in head[: layout.last] if not any(row))
    is_plain = layout == Layout() and names == tuple(head[0])
    return Found(
        layout=layout,
        names=names,
        title=_title(head[: layout.first - 1]),
        blank_rows=blank,
        total_rows=totals,
        untidy_cells=untidy,
        rows=table.num_rows - totals,
        is_regular=is_plain and not blank and seen.lengths <= {len(names)},
    )


def find_header(head: Sequence[Row]) -> Layout | None:
    """The row, or two rows, of the column names among the first of a sheet. (Three and more must be named by
    whoever imports: there a header can no longer be told from a table of names.)"""
    widest = max((len(_places(row)) for row in head), default=0)
    for at, row in enumerate(head):
        if not _is_header(row):
            continue
        last = at + 1 if at + 1 < len(head) and _names_parts(row, head[at + 1]) else at
        named = {place for line in head[at : last + 1] for place in _places(line)}
        if len(named) * 2 > widest:  # a title has a cell or two, the header one per column
            return Layout(at + 1, last + 1)
    return None


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


class _Seen:
    """What passes by on the way into the table."""

    def __init__(self) -> None:
        self.blank = 0
        self.lengths: set[int] = set()

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if any(row):
                self.lengths.add(len(row))
            else:
                self.blank += 1
            yield row


def _is_header(row: Row) -> bool:
    """Whether every cell there is could be a name, and most of them differ."""
    cells = [_cell(row, i) for i in _places(row)]
    return bool(cells) and all(map(_is_name, cells)) and len(set(cells)) * 2 >= len(cells)


def _is_name(cell: str) -> bool:
    return (
        len(cell) <= _LONGEST_NAME
        and any(character.isalpha() for character in cell)
        and not _VALUE.fullmatch(cell)
    )


def _names_parts(upper: Row, lower: Row) -> bool:
    """Whether ``lower`` names the parts of merged cells in ``upper``: it has a name below every gap, and
    nothing of its own below a cell that spans one column only. (A single cell over all of it is a title.)"""
    named, below = _places(upper), _places(lower)
    width = max([*named, *below], default=-1) + 1
    gaps = set(range(width)) - set(named)
    alone = [i for i in named if i + 1 not in gaps]
    return (
        len(named) > 1
        and bool(gaps)
        and _is_header(lower)
        and gaps <= set(below)
        and all(_cell(lower, i) in ("", _cell(upper, i)) for i in alone)
    )


def _places(row: Row) -> list[int]:
    """Columns that hold something, from 0."""
    return [i for i, cell in enumerate(row) if cell and cell.strip()]


def _cell(row: Row, i: int) -> str:
    return (row[i] or "").strip() if i < len(row) else ""


def _title(above: Sequence[Row]) -> str:
    """The longest text above the header: a title, not the unit or date beside it."""
    cells = [cell.strip() for row in above for cell in row if cell and cell.strip()]
    return max(cells, key=len, default="").replace("\n", "")


def _untidy(column: pa.ChunkedArray) -> int:
    suspects = column.filter(pc.fill_null(pc.match_substring_regex(column, UNTIDY), False)).to_pylist()
    return sum(1 for text in suspects if tidied(text) != text)


def _totals(table: pa.Table) -> int:
    tail = table.slice(max(0, table.num_rows - _FOOTER_ROWS)).to_pylist()
    return next((i for i, row in enumerate(reversed(tail)) if not is_footer(list(row.values()))), len(tail))
