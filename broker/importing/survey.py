"""Reading a table through: for every column what it holds, what is odd in it, and what part it plays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import pyarrow as pa

from adapters.sources.contract import Query, SourceError
from broker.errors import SetUpError
from broker.importing.opening import Opened
from broker.importing.recognise import Count, Guess, guess
from broker.importing.vocabulary import Care, Word, field_id, word_for
from broker.model import FieldType

SAMPLE_ROWS = 10_000
MOST_ROWS = 1_000_000
"""Rows counted; what comes after is taken to be like them."""
IDENTIFIERS = ("resident_id", "uscc", "organisation_code", "mobile", "bank_card")
"""Formats that subjects may be asked by, the first that a table has."""
_MANY_SHARE = frozenset({"", "name", "address"})
"""Formats whose values do not tell one person from another."""
_LONGEST_TITLE = 60
_NOT_SUBJECTS = ("operator", "guardian", "legal_representative")
"""Parties that a row names beside those it is about."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, understood."""

    name: str
    """In the source."""
    title: str
    field: str
    """Id of the data item in the catalog."""
    word: Word
    guess: Guess
    count: Count

    @property
    def care(self) -> Care:
        """The careful one of what the name and what the values say."""
        return max(self.word.care, self.guess.care)


@dataclass(frozen=True, slots=True)
class Roles:
    """Which data items play which part; empty where there is none."""

    subject_format: str
    subjects: tuple[str, ...]
    as_of: str
    region: str


@dataclass(frozen=True, slots=True)
class Survey:
    """A table, understood."""

    columns: tuple[Column, ...]
    rows: int
    """Rows counted."""
    is_complete: bool
    """Whether these are all."""


def survey(opened: Opened, zone: tzinfo) -> Survey:
    """Read the table of ``opened``; times without offset are in ``zone``.

    Raises:
        SetUpError: it cannot be read.
    """
    query = Query({name: name for name in opened.columns}, (), (), limit=MOST_ROWS + 1)
    try:
        return _survey(opened.columns, opened.source.read(query, SAMPLE_ROWS), zone)
    except SourceError as error:
        said = str(error)
    raise SetUpError(f"无法读取：{said}", f"It cannot be read: {said}")


def roles_of(columns: Sequence[Column], subjects: Sequence[str] = (), as_of: str = "") -> Roles:
    """The parts that ``columns`` play; ``subjects`` and ``as_of``, where given, name columns or data items.

    Raises:
        SetUpError: one of these is no column, or cannot play that part.
    """
    chosen = [_named(columns, name) for name in subjects] or _identifying(columns)
    formats = {column.guess.format for column in chosen}
    if len(formats) > 1 or formats & _MANY_SHARE:
        raise SetUpError(
            "按谁查的列须是同一种标识，如公民身份号码、统一社会信用代码。",
            "The subject's columns must hold one kind of identifier, such as resident ids or credit codes.",
        )
    dated = _named(columns, as_of) if as_of else next(filter(_dates_rows, columns), None)
    if dated is not None and dated.guess.type not in (FieldType.DATE, FieldType.TIMESTAMP):
        raise SetUpError(f"“{dated.name}”不是日期或时间。", f"“{dated.name}” holds no dates or times.")
    return Roles(
        subject_format=formats.pop() if formats else "",
        subjects=tuple(column.field for column in chosen),
        as_of=dated.field if dated else "",
        region=next((column.field for column in columns if column.guess.format == "region"), ""),
    )


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _survey(titles: Mapping[str, str], batches: Iterable[pa.RecordBatch], zone: tzinfo) -> Survey:
    rest = iter(batches)
    sample = list(_first(rest, SAMPLE_ROWS))
    columns: list[Column] = []
    for number, (name, title) in enumerate(titles.items(), 1):
        word = word_for(title if title != name and word_for(name).field == "" else name)
        taken = {column.field for column in columns}
        guessed = guess(_sampled([batch.column(name) for batch in sample]), word, zone)
        columns.append(
            Column(name, _one_line(title), field_id(name, number, word, taken), word, guessed, Count())
        )
    rows = 0
    for batch in (*sample, *rest):
        counted = batch.slice(0, MOST_ROWS - rows)
        rows += counted.num_rows
        for column in columns:
            column.count.add(counted.column(column.name), column.guess, zone)
        if counted.num_rows < batch.num_rows:
            return Survey(tuple(columns), rows, False)
    return Survey(tuple(columns), rows, True)


def _first(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The batches that together have at least ``rows`` rows."""
    for batch in batches:
        yield batch
        rows -= batch.num_rows
        if rows <= 0:
            return


def _sampled(parts: Sequence[pa.Array]) -> pa.Array:
    """One array of the type that the first values have: a database's batches need not agree on it."""
    kinds = [part.type for part in parts if not pa.types.is_null(part.type)]
    if not kinds:
        return pa.nulls(0)
    return pa.concat_arrays([part for part in parts if part.type == kinds[0]])


def _one_line(title: str) -> str:
    """A database's comment may be a paragraph."""
    line = "".join(character for character in title.partition("\n")[0] if character.isprintable()).strip()
    return line[:_LONGEST_TITLE] or "—"


# ── roles ────────────────────────────────────────────────────────────────────────────────────────


def _identifying(columns: Sequence[Column]) -> list[Column]:
    for format_ in IDENTIFIERS:
        found = [column for column in columns if column.guess.format == format_]
        subjects = [column for column in found if not column.field.startswith(_NOT_SUBJECTS)]
        if subjects:
            return subjects
    return []


def _dates_rows(column: Column) -> bool:
    is_time = column.guess.type in (FieldType.DATE, FieldType.TIMESTAMP)
    return is_time and column.word.field == "updated_at" and column.count.empty * 2 <= column.count.values


def _named(columns: Sequence[Column], name: str) -> Column:
    for column in columns:
        if name in (column.name, column.field):
            return column
    names = ", ".join(column.name for column in columns)
    raise SetUpError(f"没有列“{name}”；有：{names}", f"There is no column “{name}”; there are: {names}")
