"""Parquet, CSV and Excel files.

Parquet and well-formed CSV go through Arrow datasets; Excel, and CSV with options that say how to clean it,
are read row by row (:mod:`adapters.sources.layout`). A file of moderate size is kept in memory with an index
per subject column, so that a point read need not scan it; a larger one is scanned with projection and filters
pushed down. Either way each read looks first whether the file has changed. Replace a file by renaming a
complete one over it: a half-written file would answer "none".
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds

from adapters.sources.contract import Query, SourceError
from adapters.sources.layout import OPTIONS, Layout, layout_of, table_of
from adapters.sources.options import check_options
from adapters.sources.rounded import Rounded
from adapters.sources.spreadsheet import csv_rows, sheet_rows
from adapters.sources.times import CANDIDATES, in_iso, newest_of

MOST_RESIDENT_BYTES = 256 * 1024 * 1024
"""Larger files (Parquet: by their uncompressed size) are scanned, not kept in memory."""
_READ_AHEAD = 2
"""Batches and row groups read ahead of a stream: more would only cost memory."""
_INSTANT = pa.timestamp("us", "UTC")


_OPTIONS: Mapping[str, frozenset[str]] = {
    "parquet": frozenset(),
    "csv": OPTIONS | {"encoding"},
    "xlsx": OPTIONS | {"sheet"},
    "xls": OPTIONS | {"sheet"},
}
_WORKBOOKS = ("xlsx", "xls")


class FileSource:
    """One file. Options: ``path``, ``format`` (``parquet``, ``csv``, ``xlsx`` or ``xls``), and

    - for CSV ``encoding`` (``utf8``), for workbooks ``sheet`` (the first visible one);
    - for both ``header_row``, ``tidy`` and ``skip_totals``, see :mod:`adapters.sources.layout`;
    - ``modified_column``: name of a column to add, in which every row has the file's modification time. It
      dates the rows of a table that has no such column.

    Every column of a CSV or a workbook is text, so that ``007`` keeps its zeros; an empty cell is null.
    """

    kind: ClassVar[str] = "files"

    def __init__(self, options: Mapping[str, str], base: str) -> None:
        optional = {"modified_column"} | _OPTIONS.get(options.get("format", ""), frozenset())
        check_options(self.kind, options, required={"path", "format"}, optional=optional)
        self._path = Path(base, options["path"])
        self._format = options["format"]
        self._encoding = options.get("encoding", "utf8")
        self._sheet = options.get("sheet")
        self._modified_column = options.get("modified_column")
        if self._format not in _OPTIONS:
            raise SourceError(f"source files: format is one of {', '.join(_OPTIONS)}")
        in_rows = self._format in _WORKBOOKS or OPTIONS & options.keys()
        self._layout = layout_of(options) if in_rows else None
        if not self._path.is_file():
            raise SourceError(f"source files: there is no file {self._path.name}")
        self._lock = threading.Lock()
        self._latest: _Snapshot | None = None

    def read(self, query: Query, batch_rows: int) -> Iterator[pa.RecordBatch]:
        if query.subjects and not query.subject_columns:
            raise SourceError(f"{self._path.name}: subjects, but no column to find them in")
        with self._failures():
            snapshot = self._snapshot()
            if query.subjects and snapshot.rows is not None:
                found = _found(snapshot.rows, snapshot.indices, query)
                return _cut(iter(found), query.limit, batch_rows)
            return self._scan(snapshot, query, batch_rows)

    def newest(self, column: str) -> datetime | None:
        with self._failures():
            snapshot = self._snapshot()
            if column == self._modified_column:
                return snapshot.modified
            if column not in snapshot.newest:
                snapshot.newest[column] = _newest(snapshot.dataset, column)
            return snapshot.newest[column]

    def columns(self) -> list[str]:
        """The file's columns, the ``modified_column`` not among them.

        Raises:
            SourceError: it cannot be read.
        """
        with self._failures():
            names: list[str] = self._snapshot().dataset.schema.names
            return [name for name in names if name != self._modified_column]

    def close(self) -> None:
        self._latest = None

    def _scan(self, snapshot: _Snapshot, query: Query, batch_rows: int) -> Iterator[pa.RecordBatch]:
        with self._failures():
            if query.order_by:
                table = snapshot.dataset.to_table(filter=_filter(snapshot.dataset.schema, query))
                if snapshot.rows is None:
                    table = self._dated(table, snapshot.modified)
                batches = iter(_ordered(table, query).to_batches())
            else:
                batches = self._scanner(snapshot, query, batch_rows).to_batches()
            yield from _cut(batches, query.limit, batch_rows)

    def _snapshot(self) -> _Snapshot:
        stat = self._path.stat()
        version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        latest = self._latest
        if latest is not None and latest.version == version:
            return latest
        with self._lock:
            if self._latest is None or self._latest.version != version:
                self._latest = self._load(version)
            return self._latest

    def _load(self, version: tuple[int, int, int]) -> _Snapshot:
        modified = datetime.fromtimestamp(version[0] / 1e9, UTC)
        if self._layout is not None:
            table = self._table(self._layout, version[1])
        else:
            dataset = self._dataset()
            if _resident_bytes(dataset, version[1]) > MOST_RESIDENT_BYTES:
                return _Snapshot(version, modified, dataset, None)
            table = dataset.to_table()
        table = self._dated(table, modified)
        rows = pa.RecordBatch.from_arrays(
            [column.combine_chunks() for column in table.columns], schema=table.schema
        )
        return _Snapshot(version, modified, ds.dataset(pa.Table.from_batches([rows])), rows)

    def _table(self, layout: Layout, size: int) -> pa.Table:
        if size > MOST_RESIDENT_BYTES:
            raise SourceError(f"{self._path.name}: too large to clean on the way; save it as Parquet")
        if self._format in _WORKBOOKS:
            return table_of(sheet_rows(self._path, self._sheet), layout, self._path.name)
        return table_of(csv_rows(self._path, self._encoding), layout, self._path.name)

    def _dated(self, table: pa.Table, modified: datetime) -> pa.Table:
        if self._modified_column is None:
            return table
        if self._modified_column in table.column_names:
            raise SourceError(f"{self._path.name}: the modified_column is a column of the file already")
        times = pa.repeat(pa.scalar(modified, _INSTANT), table.num_rows)
        return table.append_column(self._modified_column, times)

    def _scanner(self, snapshot: _Snapshot, query: Query, batch_rows: int) -> Any:
        def expression(column: str) -> Any:
            if column == self._modified_column and snapshot.rows is None:
                return pc.scalar(pa.scalar(snapshot.modified, _INSTANT))
            return ds.field(column)

        return snapshot.dataset.scanner(
            columns={name: expression(column) for name, column in query.columns.items()},
            filter=_filter(snapshot.dataset.schema, query),
            batch_size=batch_rows,
            batch_readahead=_READ_AHEAD,
            fragment_readahead=_READ_AHEAD,
        )

    def _dataset(self) -> Any:
        if self._format == "parquet":
            return ds.dataset(self._path, format="parquet")
        form = ds.CsvFileFormat(
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            read_options=pyarrow.csv.ReadOptions(encoding=self._encoding),
            convert_options=pyarrow.csv.ConvertOptions(null_values=[""], strings_can_be_null=True),
        )
        names = ds.dataset(self._path, format=form).schema.names
        return ds.dataset(self._path, format=form, schema=pa.schema([(name, pa.string()) for name in names]))

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            # Not chained: Arrow's messages quote lines of the file.
            cause = type(error).__name__
        else:
            return
        raise SourceError(f"{self._path.name}: {cause}") from None


@dataclass(slots=True)
class _Snapshot:
    """One version of the file; ``rows`` is all of it, or None when it is too large to keep."""

    version: tuple[int, int, int]
    """Modification time in ns, size, inode."""
    modified: datetime
    dataset: Any
    rows: pa.RecordBatch | None
    indices: dict[str, _Index] = field(default_factory=dict)
    newest: dict[str, datetime | None] = field(default_factory=dict)


class _Index:
    """Row numbers in the order of one column's text; finding one is a binary search, 8 bytes a row.

    Where a spreadsheet has rounded a number (``9.90101199001011E+17``) its row is found by every number that
    it may have been: without that row the answer would be that there is none.
    """

    def __init__(self, column: pa.Array) -> None:
        self._texts = column.cast(pa.string())
        self._rounded = Rounded(self._texts)
        # Nulls sort last, and are nobody.
        self._order = pc.array_sort_indices(self._texts)[: len(column) - self._texts.null_count]

    def rows(self, subject: str) -> list[int]:
        places = range(len(self._order))
        first = bisect_left(places, subject, key=self._text)
        after = bisect_right(places, subject, lo=first, key=self._text)
        found: list[int] = self._order[first:after].to_pylist()
        doubtful = self._rounded.row(subject)
        return found if doubtful is None else [*found, doubtful]

    def _text(self, place: int) -> str:
        text: str = self._texts[self._order[place].as_py()].as_py()
        return text


def _resident_bytes(dataset: Any, file_bytes: int) -> int:
    if isinstance(dataset.format, ds.ParquetFileFormat):
        return sum(group.total_byte_size for part in dataset.get_fragments() for group in part.row_groups)
    return file_bytes


def _found(rows: pa.RecordBatch, indices: dict[str, _Index], query: Query) -> list[pa.RecordBatch]:
    """The subjects' rows by index, in the file's order unless the query has one."""
    for column in query.subject_columns:
        if column not in indices:  # two threads may build it at once; both build the same
            indices[column] = _Index(rows.column(column))
    subjects = set(query.subjects)
    numbers = {
        n for column in query.subject_columns for subject in subjects for n in indices[column].rows(subject)
    }
    if not numbers:
        return []
    scoped = (column for column, _ in (*query.prefixes, *query.within))
    needed = {*query.columns.values(), *query.order_by, *scoped}
    found = rows.select(sorted(needed)).take(pa.array(sorted(numbers), pa.int64()))
    for column, prefix in query.prefixes:
        found = found.filter(pc.starts_with(found.column(column).cast(pa.string()), prefix))
    for column, values in query.within:
        among = pa.array(values, pa.string())
        found = found.filter(pc.is_in(found.column(column).cast(pa.string()), among))
    if query.order_by:
        return list(_ordered(pa.Table.from_batches([found]), query).to_batches())
    return [_projected(found, query)]


def _projected(batch: pa.RecordBatch, query: Query) -> pa.RecordBatch:
    columns = [batch.column(name) for name in query.columns.values()]
    return pa.RecordBatch.from_arrays(columns, names=list(query.columns))


def _ordered(table: pa.Table, query: Query) -> pa.Table:
    table = table.sort_by([(name, "ascending") for name in query.order_by])
    if query.limit is not None:
        table = table.slice(0, query.limit)
    return pa.Table.from_arrays([table[name] for name in query.columns.values()], names=list(query.columns))


def _filter(schema: pa.Schema, query: Query) -> Any:
    parts = []
    if query.subjects:
        named = (_is_among(schema, column, query.subjects) for column in query.subject_columns)
        parts.append(reduce(or_, named))
    parts += [pc.starts_with(ds.field(column).cast(pa.string()), prefix) for column, prefix in query.prefixes]
    parts += [_is_among(schema, column, values) for column, values in query.within]
    return reduce(and_, parts) if parts else None


def _is_among(schema: pa.Schema, column: str, values: Sequence[str]) -> Any:
    """Without a cast where the column is text, so that Parquet's statistics can skip row groups."""
    kind = schema.field(column).type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return ds.field(column).isin(pa.array(values, kind))
    return ds.field(column).cast(pa.string()).isin(pa.array(values, pa.string()))


def _cut(batches: Iterator[pa.RecordBatch], limit: int | None, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """At most ``limit`` rows, in batches of at most ``batch_rows``, none of them empty."""
    left = limit
    for batch in batches:
        for start in range(0, batch.num_rows, batch_rows):
            part = batch.slice(start, batch_rows if left is None else min(left, batch_rows))
            if not part.num_rows:
                return
            yield part
            left = left if left is None else left - part.num_rows


def _newest(dataset: Any, column: str) -> datetime | None:
    greatest = pa.nulls(0, dataset.schema.field(column).type)
    for batch in dataset.to_batches(columns=[column], batch_readahead=_READ_AHEAD):
        values = pa.concat_arrays([greatest, batch.column(0)]).drop_null()
        if pa.types.is_string(values.type):
            values = in_iso(values)  # so that the greatest text is the newest time
        greatest = values.take(pc.select_k_unstable(values, CANDIDATES, [("", "descending")]))
    if pa.types.is_timestamp(greatest.type):  # Python has no nanoseconds
        greatest = greatest.cast(pa.timestamp("us", greatest.type.tz), safe=False)
    return newest_of(greatest.to_pylist())
