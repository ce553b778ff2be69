"""Where a table lies in a sheet that was made for people: header rows, blank rows, totals, stray characters.

The options say what the importer found, so that the very same file is served the next time too:

================ ========================================================================================
``header_row``   row of the column names, counted from 1; rows above are titles. ``2-3`` for names over
                 several rows: they are joined with ``_``, a merged cell counting for all that it covers
``tidy``         ``true``: cells lose surrounding blanks, invisible characters, a leading apostrophe and
                 the ``="…"`` that protect a number from Excel, and full-width digits, letters and signs
                 become plain ones where the whole cell is made of such
``skip_totals``  ``true``: the last rows are left out where they begin with 合计, 总计, 制表人： and the like
================ ========================================================================================

Whatever the options, rows without any value are no rows; a name that is used twice gets ``_2``, a column
without a name is ``第3列``; blanks and line breaks within a name are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from adapters.sources.contract import SourceError
from adapters.sources.spreadsheet import Row

OPTIONS = frozenset({"header_row", "tidy", "skip_totals"})
MOST_HEADER_ROWS = 4
_ROWS_AT_A_TIME = 65_536
_FOOTER_ROWS = 12
"""So many rows at the end are looked at for totals and signatures."""

_HEADER = re.compile(r"([1-9][0-9]{0,3})(?:-([1-9][0-9]{0,3}))?")
_BLANKS = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_STRAY = " \t\r\n\v\f\u00a0\u3000\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_APOSTROPHES = "'’‘`＇"
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_OF_DATES = dict.fromkeys(map(ord, "年月日时分秒"))
_PROTECTED = re.compile(r'="([^"]*)"')
_SPECIAL = '[\uff01-\uff5e\u3000]|="'
UNTIDY = f"^[{_STRAY}{_APOSTROPHES}]|[{_STRAY}]$|{_SPECIAL}"
"""RE2: texts that :func:`tidied` may change."""
_LEADING = f"^[{_APOSTROPHES}][{_STRAY}]*"
_TOTAL = re.compile(
    r"(?:本页|本月|本年|全市|全县|全区)?(?:合|总|小|共|累)计[:：]?(?:.{0,20}(?:人|户|条|元))?"
)
_SIGNED = re.compile(
    r"(?:备\s*注|说\s*明|注|制表(?:人|单位|日期|时间)?|填表(?:人|单位|日期|时间)?|填报(?:人|单位|日期|时间)"
    r"|审核(?:人)?|复核(?:人)?|单位负责人|负责人|经办人|联系电话)\s*[:：].*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The table's first and last header row (from 1), and what to clean on the way."""

    first: int = 1
    last: int = 1
    tidy: bool = False
    skip_totals: bool = False

    def options(self) -> dict[str, str]:
        """As written in the catalog."""
        rows = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return (
            {"header_row": rows}
            | ({"tidy": "true"} if self.tidy else {})
            | ({"skip_totals": "true"} if self.skip_totals else {})
        )


def layout_of(options: Mapping[str, str]) -> Layout:
    """The layout that a source's options describe.

    Raises:
        SourceError: an option has an impossible value.
    """
    found = _HEADER.fullmatch(options.get("header_row", "1"))
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last < first + MOST_HEADER_ROWS:
        raise SourceError("source files: header_row is a row such as 3, or rows such as 2-3")
    return Layout(first, last, _flag(options, "tidy"), _flag(options, "skip_totals"))


def table_of(rows: Iterable[Row], layout: Layout, name: str) -> pa.Table:
    """The table in ``rows``, every column text. ``name`` is the file's, for errors.

    Raises:
        SourceError: there is no header, or a row has more cells than the header has names: which of them
            belongs where nobody can say.
    """
    rest = iter(rows)
    head = list(islice(rest, layout.last))
    names = names_of(head[layout.first - 1 :])
    if len(head) < layout.last or not names:
        raise SourceError(f"{name}: there is no header in the row given")
    numbered = ((number, row) for number, row in enumerate(rest, layout.last + 1) if any(row))
    kind = pa.schema([(column, pa.string()) for column in names])
    parts = (_part(part, kind, name) for part in _parts(numbered))
    if layout.tidy:
        parts = (_tidied(part) for part in parts)
    table = pa.Table.from_batches(list(parts), kind)
    return _without_footer(table) if layout.skip_totals else table


def names_of(header: Sequence[Row]) -> list[str]:
    """One unique name for each column, from one or several header rows, merged cells filled out.

    Columns after the last one with a name have none and do not count.
    """
    width = max((_length(row) for row in header), default=0)
    lines = [[_name(row[i]) if i < len(row) else "" for i in range(width)] for row in header]
    for upper in lines[:-1]:
        for i in range(1, width):
            upper[i] = upper[i] or upper[i - 1]
    names: dict[str, None] = {}
    for i in range(width):
        names[_unique(_joined([line[i] for line in lines]) or f"第{i + 1}列", names)] = None
    return list(names)


def tidied(text: str) -> str | None:
    """``text`` without what a keyboard, a form or an export left around it; None when nothing remains."""
    text = text.strip(_STRAY)
    if found := _PROTECTED.fullmatch(text):
        text = found[1].strip(_STRAY)
    if text[:1] in _APOSTROPHES:
        text = text[1:].strip(_STRAY)
    plain = text.translate(_FULL_WIDTH)
    return (plain.strip(_STRAY) if plain.translate(_OF_DATES).isascii() else text) or None


def is_footer(row: Sequence[str | None]) -> bool:
    """Whether a row holds a total or a signature line, by its first cell that has a value."""
    first = next((cell for cell in row if cell), "")
    bare = _BLANKS.sub("", first)
    return bool(_TOTAL.fullmatch(bare) or _SIGNED.fullmatch(bare))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _flag(options: Mapping[str, str], key: str) -> bool:
    value = options.get(key, "false")
    if value not in ("true", "false"):
        raise SourceError(f"source files: {key} is true or false")
    return value == "true"


def _name(cell: str | None) -> str:
    return _BLANKS.sub("", cell or "")


def _joined(parts: Sequence[str]) -> str:
    """The parts of one column's name, top down; a cell merged over several rows stands once."""
    return "_".join(part for part in dict.fromkeys(parts) if part)


def _unique(name: str, taken: Mapping[str, None]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _length(row: Sequence[str | None]) -> int:
    return max((i for i, cell in enumerate(row, 1) if _name(cell)), default=0)


def _parts(rows: Iterator[tuple[int, Row]]) -> Iterator[list[tuple[int, Row]]]:
    while part := list(islice(rows, _ROWS_AT_A_TIME)):
        yield part


def _part(rows: Sequence[tuple[int, Row]], kind: pa.Schema, name: str) -> pa.RecordBatch:
    width = len(kind)
    for number, row in rows:
        if any(row[width:]):
            raise SourceError(f"{name}: row {number} has more cells than the header has names")
    columns = zip(*([*row[:width], *[None] * (width - len(row))] for _, row in rows), strict=True)
    return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], schema=kind)


def _tidied(part: pa.RecordBatch) -> pa.RecordBatch:
    columns = [_tidy(column) for column in part.columns]
    has_value = reduce(pc.or_, [column.is_valid() for column in columns])
    return pa.RecordBatch.from_arrays(columns, schema=part.schema).filter(has_value)


def _tidy(column: pa.Array) -> pa.Array:
    """:func:`tidied` for each cell: all at once where only blanks and an apostrophe go, else one by one."""
    untidy = pc.fill_null(pc.match_substring_regex(column, UNTIDY), False)
    if not untidy.true_count:
        return column
    trimmed = pc.replace_substring_regex(pc.utf8_trim(column, _STRAY), _LEADING, "")
    tidy = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    special = pc.fill_null(pc.match_substring_regex(column, _SPECIAL), False)
    texts = [tidied(text) for text in column.filter(special).to_pylist()]
    return pc.replace_with_mask(tidy, special, pa.array(texts, pa.string()))


def _without_footer(table: pa.Table) -> pa.Table:
    tail = table.slice(max(0, table.num_rows - _FOOTER_ROWS)).to_pylist()
    footer = 0
    while footer < len(tail) and is_footer(list(tail[-1 - footer].values())):
        footer += 1
    return table.slice(0, table.num_rows - footer)
