"""The conformance rows (or any others) as a table of each kind of database and as a file of each format."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa
import xlsxwriter

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


def comma_separated_below_a_title(rows: Rows, folder: Path) -> Source:
    """Read row by row, because the table does not begin at the top."""
    path = comma_separated(rows, folder)._path  # type: ignore[attr-defined]
    path.write_text("登记表,\n\n" + path.read_text("utf8"), "utf8")
    return FileSource({"path": path.name, "format": "csv", "header_row": "3"}, str(folder))


def workbook(rows: Rows, folder: Path) -> Source:
    """Dates as Excel keeps them; nothing in the first column and row, and another sheet before."""
    formats = {"remove_timezone": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
    with xlsxwriter.Workbook(folder / "register.xlsx", formats) as book:
        book.add_worksheet("封面")
        sheet = book.add_worksheet("名单")
        for i, row in enumerate([dict(zip(rows[0], rows[0], strict=True)), *rows]):
            for j, value in enumerate(row.values()):
                if isinstance(value, date):
                    sheet.write_datetime(i + 1, j + 1, value)
                elif value is not None:
                    sheet.write_string(i + 1, j + 1, value)
    options = {"path": "register.xlsx", "format": "xlsx", "sheet": "名单", "header_row": "2"}
    return FileSource(options, str(folder))


KINDS = ("sqlite", "parquet", "csv", "csv below a title", "xlsx")


@pytest.fixture(scope="module", params=[*KINDS, pytest.param("postgresql", marks=pytest.mark.postgres)])
def opener(request: pytest.FixtureRequest) -> Opener:
    """Stores rows in one kind of source and opens it, each time anew."""
    if request.param == "postgresql":
        new_url = request.getfixturevalue("new_postgres_url")
        return lambda rows, folder: postgresql(new_url(), rows)
    openers: Sequence[Opener] = (sqlite, parquet, comma_separated, comma_separated_below_a_title, workbook)
    return dict(zip(KINDS, openers, strict=True))[request.param]
