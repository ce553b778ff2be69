"""The rows of a backup, put into an empty database in one transaction: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from sqlalchemy import Connection, column, delete, insert, select, table

from broker.errors import SetUpError, VerificationFailed
from broker.store.archive import Archive
from broker.store.connection import connect
from broker.store.schema import (
    SchemaState,
    known,
    reachable,
    require_not_newer,
    revision_of,
    state_in,
    upgrade,
)
from broker.store.snapshot import Progress, Snapshot, no_progress
from broker.store.tables import LEAF


@contextmanager
def loading(url: str, archive: Archive, progress: Progress = no_progress) -> Iterator[Snapshot]:
    """The archive's rows as they lie in the database at ``url``, and its schema brought to this program's.

    Committed when the ``with`` block ends, undone on an exception. Nobody else writes meanwhile.

    Raises:
        SetUpError: the URL is wrong, the database holds a log, cannot be used, or is newer than this
            program; or the archive is.
        VerificationFailed: the archive's tables are not those of its schema.
    """
    if not known(archive.manifest.schema_revision):
        raise SetUpError(
            "备份来自更新的程序版本，请升级 sharebroker。",
            "The backup was made by a newer program; install the newer sharebroker.",
        )
    database = connect(url)
    try:
        with reachable(), database.exclusive() as connection:
            _prepare(connection, archive.manifest.schema_revision)
            _load(connection, archive, progress)
            upgrade(connection, "head")
            yield Snapshot(connection)
    finally:
        database.close()


def _prepare(connection: Connection, revision: str) -> None:
    """An empty database gets the tables of the archive's revision."""
    state = state_in(connection)
    require_not_newer(state)
    if state is not SchemaState.EMPTY and connection.scalar(select(LEAF.c.leaf_index).limit(1)) is not None:
        raise SetUpError(
            "目标数据库已有存证，只能恢复到空数据库；请把 [store] url 指向新的数据库。",
            "The database already holds receipts, and only an empty one is restored into; let [store] url "
            "name a new one.",
        )
    upgrade(connection, revision)
    if revision_of(connection) != revision:
        raise SetUpError(
            "目标数据库的结构比备份更新，请恢复到全新的数据库，它会随后升级。",
            "The database's schema is newer than the backup's; restore into a new database, which is then "
            "upgraded.",
        )


def _load(connection: Connection, archive: Archive, progress: Progress) -> None:
    tables = Snapshot(connection).tables
    if archive.manifest.tables.keys() != tables.keys():
        raise VerificationFailed("备份文件的表缺失或多余 / backup: tables missing or unknown")
    for name, schema in tables.items():
        if _types(archive.schema(name)) != _types(schema):
            raise VerificationFailed(f"备份文件中表 {name} 的列不符 / backup: other columns in table {name}")
        connection.execute(delete(table(name)))  # what the migrations have put there
        _load_table(connection, archive, name, schema, progress)


def _types(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Without the order, which depends on the migrations that a database has been through."""
    return {field.name: field.type for field in schema}


def _load_table(
    connection: Connection, archive: Archive, name: str, schema: pa.Schema, progress: Progress
) -> None:
    statement = insert(table(name, *map(column, schema.names)))
    rows, total = 0, archive.manifest.tables[name].rows
    for batch in archive.batches(name):
        if batch.num_rows:
            connection.execute(statement, batch.to_pylist())
        rows += batch.num_rows
        progress(name, rows, total)
    if rows != total:
        raise VerificationFailed(f"备份文件中表 {name} 的行数不符 / backup: other number of rows in {name}")
