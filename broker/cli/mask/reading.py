"""Reading an officer's file: CSV of any usual encoding, Excel or Parquet, as ``catalog import`` reads it.

A Parquet file is read page by page, so that it may be of any length; of the others those up to
:data:`~adapters.sources.files.MOST_RESIDENT_BYTES` are held in memory, larger ones (plain CSV) are scanned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.sources.contract import Query, Source, SourceError
from broker.authoring.names import nearest
from broker.errors import SetUpError
from broker.importing.opening import Wanted, open_table
from broker.reasons import Sentence

ZONE = "Asia/Shanghai"
"""Of times without offset."""
BATCH_ROWS = 65_536
MOST_NAMED = 20
"""Columns told when one is asked for that is not there."""
_PARQUET = b"PAR1"
_PAGES = 1 << 20
"""Bytes of a Parquet column read ahead: whole column chunks may not fit into memory."""

_FIND_OUT = Wanted()

Read = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Table:
    """An open file."""

    columns: Sequence[str]
    """Their names, in the order of the file."""
    notes: Sequence[Sentence]
    """What was found on opening it: encoding, titles above the header, totals at its end."""
    read: Read

    def require(self, names: Sequence[str]) -> None:
        """Nothing, if the file has a column of each name.

        Raises:
            SetUpError: it has not; says which is nearest.
        """
        titles: Mapping[str, str] = {name: name for name in self.columns}
        for name in names:
            if name in titles:
                continue
            near, all_ = nearest(name, titles), "、".join(self.columns[:MOST_NAMED])
            more = f" …（{len(titles)}）" if len(titles) > MOST_NAMED else ""
            zh, en = (
                (f"是否指“{near}”？", f"did you mean “{near}”?")
                if near
                else (f"有：{all_}{more}", f"there are {all_}{more}")
            )
            raise SetUpError(f"文件中没有列“{name}”，{zh}", f"The file has no column “{name}”; {en}")

    def batches(self, names: Sequence[str], limit: int | None = None) -> Iterator[pa.RecordBatch]:
        """These columns, each named once, in batches of at most :data:`BATCH_ROWS` rows; the first ``limit``.

        Raises:
            SetUpError: it cannot be read.
        """
        left = limit
        with _failures():
            for batch in self.read(names):
                part = batch if left is None else batch.slice(0, left)
                if part.num_rows:
                    yield part
                if left is not None and (left := left - part.num_rows) <= 0:
                    return


@contextmanager
def opened_table(path: Path, wanted: Wanted = _FIND_OUT) -> Iterator[Table]:
    """The file, closed at the end; ``wanted`` is for CSV and workbooks.

    Raises:
        SetUpError: it cannot be read as a table.
    """
    with path.open("rb") as file:
        is_parquet = file.read(len(_PARQUET)) == _PARQUET
    if is_parquet:
        with _failures(), pq.ParquetFile(path, buffer_size=_PAGES, pre_buffer=False) as parquet:
            yield Table(_unique(parquet.schema_arrow.names), (), partial(_pages, parquet))
        return
    opened = open_table(str(path), path.parent, wanted)
    with closing(opened.source):
        yield Table(tuple(opened.columns), opened.notes, partial(_rows, opened.source))


def few_rows_of(table: Table, names: Sequence[str], rows: int) -> pa.RecordBatch:
    """The first ``rows`` rows as one batch.

    Raises:
        SetUpError: it cannot be read, or has no rows.
    """
    parts = list(table.batches(names, rows))
    if not parts:
        raise SetUpError("文件中没有数据。", "The file holds no rows.")
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]


def _unique(names: Sequence[str]) -> Sequence[str]:
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        said = "、".join(repeated)
        raise SetUpError(
            f"文件有两列同名：{said}，请改名。", f"Two columns are both called {said}: rename one."
        )
    return names


def _pages(parquet: pq.ParquetFile, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    return parquet.iter_batches(batch_size=BATCH_ROWS, columns=list(names))  # type: ignore[no-any-return]


def _rows(source: Source, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    return source.read(Query({name: name for name in names}, (), ()), BATCH_ROWS)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        said = str(error)
    except pa.ArrowException as error:
        said = type(error).__name__  # its message may quote the file
    else:
        return
    raise SetUpError(f"无法读取：{said}", f"It cannot be read: {said}")
