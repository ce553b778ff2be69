"""Output files: a function of the rows alone, whoever masked them and however they were cut on the way.

Rows are written in groups of :data:`GROUP_ROWS`, by one writer with fixed options, so the same rows in the
same order give the same bytes. Nothing of the input file comes along, not its metadata, not its statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from broker.bulk.parts import durable_file

GROUP_ROWS = 262_144
GROUP_BYTES = 256 * 1024 * 1024
"""Of texts; a group that has as many ends before it has all its rows, so that it fits into memory."""


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
    """All rows in groups, each column of a group in one piece.

    A group ends with its :data:`GROUP_ROWS`-th row, or with the one whose texts complete :data:`GROUP_BYTES`.
    """
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in rows:
        ends = np.cumsum(_text_bytes(batch))
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            full = int(np.searchsorted(ends, before + GROUP_BYTES - size)) + 1
            stop = min(batch.num_rows, start + GROUP_ROWS - count, full)
            held.append(batch.slice(start, stop - start))
            count, size, start = count + stop - start, size + int(ends[stop - 1]) - before, stop
            if count == GROUP_ROWS or size >= GROUP_BYTES:
                yield _group(schema, held)
                held, count, size = [], 0, 0
    if held:
        yield _group(schema, held)


def _text_bytes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """For each row the bytes of its texts."""
    total = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return total


def _group(schema: pa.Schema, batches: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches, schema).combine_chunks()
