"""A case system's list of case numbers (办件编号), from a spreadsheet, read as what is imported is read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from adapters.sources.contract import Query
from broker.errors import SetUpError
from broker.importing.opening import Wanted, open_table
from broker.reasons import Sentence

_TITLES = re.compile(
    r"(办件|受理|业务|案件|办理|申请)(编号|编码|号码?|流水号)|case[ _]?(no|number|id)\.?", re.IGNORECASE
)
_ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
"""A number of which a spreadsheet has kept 15 digits."""
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−－﹣"), "-")
_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class CaseList:
    """The case numbers of a list."""

    column: str
    """Where they stand."""
    cases: tuple[str, ...]
    """As they stand there, each once, in their order."""
    rows: int
    empty: int
    """Rows without a number."""
    repeated: int
    """Rows whose number stood there before."""
    rounded: tuple[str, ...]
    """Numbers that lost their last digits in a spreadsheet: no case can be told from them."""
    notes: tuple[Sentence, ...]
    """What was tidied on reading."""


def read_cases(path: Path, wanted: Wanted, column: str = "") -> CaseList:
    """The list in a CSV or workbook; its column is found by its title unless it is named.

    Raises:
        SetUpError: it cannot be read, or the column cannot be told.
    """
    opened = open_table(str(path), path.parent, wanted)
    try:
        name = _column(list(opened.columns), column, path.name)
        query = Query({"case": name}, (), ())
        batches = opened.source.read(query, _ROWS)
        values = [_text(value) for batch in batches for value in batch.column(0).to_pylist()]
    finally:
        opened.source.close()
    counted = Counter(values)
    empty = counted.pop("", 0)
    rounded = tuple(value for value in counted if _ROUNDED.fullmatch(value))
    return CaseList(
        column=name,
        cases=tuple(value for value in counted if value not in rounded),
        rows=len(values),
        empty=empty,
        repeated=sum(counted.values()) - len(counted),
        rounded=rounded,
        notes=opened.notes,
    )


def plain(case_no: str) -> str:
    """A case number as numbers are compared that differ in writing only: half-width (NFKC), without blanks,
    in capitals, every dash a hyphen."""
    return "".join(unicodedata.normalize("NFKC", case_no).translate(_DASHES).split()).upper()


def _column(names: Sequence[str], wanted: str, file: str) -> str:
    if wanted:
        if wanted in names:
            return wanted
        (near,) = get_close_matches(wanted, names, 1, 0) or ("",)
        raise SetUpError(
            f"{file} 没有“{wanted}”这一列，是否“{near}”？",
            f"{file} has no column “{wanted}”; did you mean “{near}”?",
        )
    found = [name for name in names if _TITLES.search(name)] or list(names)
    if len(found) == 1:
        return found[0]
    listed = "、".join(found)
    raise SetUpError(
        f"不能确定 {file} 中哪一列是办件编号，请用 --column 指明：{listed}",
        f"Which column of {file} holds the case numbers? Name it with --column: {listed}",
    )


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
