"""The conformance rows (or any others) as a table of each kind of database and as a file of each format."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa

from adapters.sources.contract import Source
from adapters.sources.files import FileSource
from adapters.sources.sql import SqlSource

Rows = Sequence[Mapping[str, Any]]
Opener = Callable[[Rows, Path], Source]


def sqlite(rows: Rows, folder: Path) -> Source:
    """Everything as text, the way many a small office stores it."""
    with sqlite3.connect(folder / "office.db") as database:
        columns = ", ".join(f'"{name}" TEXT' for name in rows[0])
        database.execute(f"CREATE TABLE register ({columns})")
        marks = ", ".join("?" * len(rows[0]))
        texts = [[None if v is None else str(v) for v in row.values()] for row in rows]
        database.executemany(f"INSERT INTO register VALUES ({marks})", texts)
    database.close()
    return SqlSource({"url": "sqlite:///office.db", "table": "register"}, str(folder))


def postgresql(url: str, rows: Rows) -> Source:
    """With the column types of a proper register, in a schema of its own."""
    kinds: dict[str, Any] = {"born": sa.Date(), "changed": sa.DateTime(timezone=True)}
    columns = [sa.Column(name, kinds.get(name, sa.Text())) for name in rows[0]]
    table = sa.Table("register", sa.MetaData(), *columns, schema="office")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("office"))
        table.create(connection)
        connection.execute(table.insert(), rows)
    engine.dispose()
    return SqlSource({"url": url, "table": "register", "schema": "office"}, "/")


def parquet(rows: Rows, folder: Path) -> Source:
    """Typed, in several row groups."""
    pyarrow.parquet.write_table(
        pa.Table.from_pylist(list(rows)), folder / "register.parquet", row_group_size=2
    )
    return FileSource({"path": "register.parquet", "format": "parquet"}, str(folder))


def comma_separated(rows: Rows, folder: Path) -> Source:
    """Text only, quoted where it must be."""
    with (folder / "register.csv").open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return FileSource({"path": "register.csv", "format": "csv"}, str(folder))


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "parquet", "csv"],
)
def opener(request: pytest.FixtureRequest) -> Opener:
    """Stores rows in one kind of source and opens it, each time anew."""
    if request.param == "postgresql":
        new_url = request.getfixturevalue("new_postgres_url")
        return lambda rows, folder: postgresql(new_url(), rows)
    openers: dict[str, Opener] = {"sqlite": sqlite, "parquet": parquet, "csv": comma_separated}
    return openers[request.param]
