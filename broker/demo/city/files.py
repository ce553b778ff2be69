"""How registers lie on disk: in SQLite and CSV dates, times and amounts are text, in Parquet typed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from broker.demo.city.arrays import Ints, join
from broker.demo.city.facts import Columns
from broker.demo.city.registers import UPDATED, Register

OFFSET = "+08:00"
"""Of Asia/Shanghai, without summer time since 1991; times as text carry it."""
BATCH_ROWS = 50_000


def stored(register: Register, columns: Columns, updated: Ints) -> pa.Table:
    """The register's rows as its file holds them, by subject. ``updated``: (rows,) Unix times."""
    table = pa.table({**columns, UPDATED: pa.array(updated, pa.timestamp("s", "UTC"))})
    table = table.sort_by([(register.subjects[0], "ascending"), (table.column_names[0], "ascending")])
    if not register.file.endswith(".parquet"):
        table = pa.table([_as_text(column) for column in table.columns], table.column_names)
    return table


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    """Dates as 2026-11-23, times as 2026-11-23 08:00:00+08:00, amounts as 1234.50; the rest as it is."""
    values = column.combine_chunks()
    if pa.types.is_timestamp(values.type):
        local = np.asarray(values.cast(pa.int64())) + 8 * 3600
        return join(pa.array(local, pa.timestamp("s")).cast(pa.string()), OFFSET)
    if pa.types.is_date(values.type) or pa.types.is_decimal(values.type):
        return values.cast(pa.string())
    return values


def write(register: Register, table: pa.Table, folder: Path) -> None:
    """Write one register into its file in ``folder``; a SQLite file may hold several."""
    path = folder / register.file
    if path.suffix == ".db":
        _write_sqlite(register, table, path)
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path, row_group_size=65_536, compression="zstd")
    else:
        pyarrow.csv.write_csv(table, path)


def _write_sqlite(register: Register, table: pa.Table, path: Path) -> None:
    """A table with an index on each subject column and on the update column."""
    columns = ", ".join(
        f'"{f.name}" {"INTEGER" if pa.types.is_integer(f.type) else "TEXT"}' for f in table.schema
    )
    marks = ", ".join("?" * table.num_columns)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        # No crash safety while building: a torn file never leaves the temporary folder.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN")
        database.execute(f'CREATE TABLE "{register.table}" ({columns})')
        database.executemany(f'INSERT INTO "{register.table}" VALUES ({marks})', _rows(table))  # noqa: S608 names are ours
        for column in (*register.subjects, UPDATED):
            database.execute(f'CREATE INDEX "{register.table}_{column}" ON "{register.table}" ("{column}")')
        database.execute("COMMIT")


def _rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
