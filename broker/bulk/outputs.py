"""Output files: a function of the rows alone, whoever masked them and however they were cut on the way.

Rows are written in groups of :data:`GROUP_ROWS`, by one writer with fixed options, so the same rows in the
same order give the same bytes. Nothing of the input file comes along, not its metadata, not its statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from broker.bulk.parts import durable_file

GROUP_ROWS = 262_144


class Form(StrEnum):
    """What files are written as."""

    PARQUET = "parquet"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Written:
    """An output file that is on disk."""

    rows: int
    size: int
    sha256: str


def write_rows(path: Path, form: Form, schema: pa.Schema, rows: Iterable[pa.RecordBatch]) -> Written:
    """Write ``rows`` (of ``schema``, in batches of any size) to a new file.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with durable_file(path) as file:
        with pa.PythonFile(file, "w") as sink, _writer(form, sink, schema) as writer:
            for group in _groups(schema, rows):
                writer.write_table(group)
                count += len(group)
        return Written(count, file.size, file.sha256)


def _writer(form: Form, sink: pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter | pyarrow.csv.CSVWriter:
    if form is Form.CSV:
        return pyarrow.csv.CSVWriter(sink, schema)
    return pq.ParquetWriter(
        sink, schema, version="2.6", compression="snappy", store_schema=False, write_page_index=False
    )


def _groups(schema: pa.Schema, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """All rows in groups of :data:`GROUP_ROWS`, the last one shorter, each column in one piece."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in rows:
        start = 0
        while count + batch.num_rows - start >= GROUP_ROWS:
            taken = GROUP_ROWS - count
            yield _group(schema, [*held, batch.slice(start, taken)])
            held, count, start = [], 0, start + taken
        if start < batch.num_rows:
            held.append(batch.slice(start))
            count += batch.num_rows - start
    if held:
        yield _group(schema, held)


def _group(schema: pa.Schema, batches: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches, schema).combine_chunks()
