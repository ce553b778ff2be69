"""Reading an officer's file: CSV of any usual encoding, Excel or Parquet, as ``catalog import`` reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from adapters.sources.contract import Query, SourceError
from broker.authoring.names import nearest
from broker.errors import SetUpError
from broker.importing.opening import Opened, Wanted, open_table
from broker.reasons import Sentence

ZONE = "Asia/Shanghai"
"""Of times without offset."""
BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Table:
    """An open file."""

    opened: Opened

    @property
    def columns(self) -> Sequence[str]:
        """Their names, in the order of the file."""
        return tuple(self.opened.columns)

    @property
    def notes(self) -> Sequence[Sentence]:
        """What was found on opening it: encoding, titles above the header, totals at its end."""
        return self.opened.notes

    def require(self, names: Sequence[str]) -> None:
        """Nothing, if the file has a column of each name.

        Raises:
            SetUpError: it has not; says which is nearest.
        """
        for name in names:
            if name in self.opened.columns:
                continue
            near, all_ = nearest(name, {one: one for one in self.columns}), "、".join(self.opened.columns)
            zh, en = (
                (f"是否指“{near}”？", f"did you mean “{near}”?")
                if near
                else (f"有：{all_}", f"there are {all_}")
            )
            raise SetUpError(f"文件中没有列“{name}”，{zh}", f"The file has no column “{name}”; {en}")

    def batches(self, names: Sequence[str], limit: int | None = None) -> Iterator[pa.RecordBatch]:
        """These columns, each named once, in batches of at most :data:`BATCH_ROWS` rows.

        Raises:
            SetUpError: it cannot be read.
        """
        query = Query({name: name for name in names}, (), (), limit=limit)
        try:
            yield from self.opened.source.read(query, BATCH_ROWS)
        except SourceError as error:
            said = str(error)
        else:
            return
        raise SetUpError(f"无法读取：{said}", f"It cannot be read: {said}")


@contextmanager
def opened_table(path: Path, wanted: Wanted | None = None) -> Iterator[Table]:
    """The file, closed at the end.

    Raises:
        SetUpError: it cannot be read as a table.
    """
    opened = open_table(str(path), path.parent, wanted or Wanted())
    with closing(opened.source):
        yield Table(opened)


def few_rows_of(table: Table, names: Sequence[str], rows: int) -> pa.RecordBatch:
    """The first ``rows`` rows as one batch.

    Raises:
        SetUpError: it cannot be read, or has no rows.
    """
    parts = list(table.batches(names, rows))
    if not parts:
        raise SetUpError("文件中没有数据。", "The file holds no rows.")
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
