"""Migrations and the schema's version, on real databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from broker.errors import SetUpError
from broker.store import SchemaState, migrate, open_store, schema, schema_state
from broker.store.connection import connect
from broker.store.schema import REVISION, upgrade


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db"
    new: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new()


def test_an_empty_database_is_brought_to_the_current_schema(url: str, tmp_path: Path) -> None:
    """Looking creates nothing, opening is refused with advice, migrating makes it usable."""
    assert schema_state(url) is SchemaState.EMPTY
    with pytest.raises(SetUpError, match="sharebroker db upgrade"):
        open_store(url)
    assert list(tmp_path.iterdir()) == []
    migrate(url)
    migrate(url)
    assert schema_state(url) is SchemaState.CURRENT
    open_store(url).close()


def test_two_migrations_at_once_make_one_schema(url: str) -> None:
    """Two brokers that start together do not trip over each other's tables."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, [url, url]))
    assert schema_state(url) is SchemaState.CURRENT


def test_tables_and_migrations_agree(url: str) -> None:
    """What Alembic builds is what the table classes say."""
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    engine.dispose()


def test_the_revision_is_the_last_migration() -> None:
    """A start compares with the constant, and does not read the folder of migrations."""
    scripts = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(scripts)).get_current_head() == REVISION


def test_a_newer_database_is_refused(url: str) -> None:
    """A program that does not know the schema must not write to it."""
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert schema_state(url) is SchemaState.NEWER
    for refused in (open_store, migrate):
        with pytest.raises(SetUpError, match="newer than this program"):
            refused(url)


def test_an_older_database_is_refused_with_advice_and_upgraded_with_its_data(url: str) -> None:
    """The message names the command, and the backup before it; the upgrade keeps every receipt and quota."""
    database = connect(url)
    with database.exclusive() as connection:
        upgrade(connection, "0001")
        for table, row in OLD_ROWS.items():
            columns = ", ".join(row)
            connection.execute(
                text(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(f':{name}' for name in row)})"), row
            )
        connection.execute(text("UPDATE head SET size = 1, recorded_at = 5"))
    database.close()
    assert schema_state(url) is SchemaState.OLDER
    with pytest.raises(SetUpError, match="back it up, then run `sharebroker db upgrade`"):
        open_store(url)
    migrate(url)
    assert schema_state(url) is SchemaState.CURRENT
    with closing(open_store(url)) as store:
        head, leaf = store.head(), store.leaf(0)
        assert (head.size, head.epoch) == (1, 0)
        assert leaf is not None
        assert (leaf.log_entry, leaf.entry.statement) == (b"leaf", b"{}")
        with store.append_transaction() as transaction:
            assert transaction.used(["calls"]) == {"calls": 7}
            assert transaction.claims([("uri", "r1")])
            assert transaction.epochs.epoch() is None


@pytest.mark.parametrize(
    "content",
    [b"\xff no JSON", b"", b"[1]", b'{"operator":"a\\u0000b"}', b'{"decision":7,"subject_tags":["zz"]}'],
)
def test_a_damaged_statement_is_upgraded_as_it_is(url: str, content: bytes) -> None:
    """An upgrade keeps it, for `fsck` to name; it stops no broker."""
    database = connect(url)
    with database.exclusive() as connection:
        upgrade(connection, "0009")
        connection.execute(text(INSERT_LEAF), OLD_ROWS["leaf"])
        connection.execute(text("INSERT INTO statement VALUES (0, :content)"), {"content": content})
    database.close()
    migrate(url)
    with closing(open_store(url)) as store:
        leaf = store.leaf(0)
        assert leaf is not None
        assert leaf.entry.statement == content


OLD_ROWS: dict[str, dict[str, object]] = {
    "leaf": {"leaf_index": 0, "log_entry": b"leaf", "kind": "exchange", "recorded_at": 5, "verdict": None}
    | dict.fromkeys(("consumer", "consumer_uri", "provider", "dataset", "purpose"), ""),
    "statement": {"leaf_index": 0, "content": b"{}"},
    "tile": {"level": 0, "tile_index": 0, "hashes": b"h" * 32},
    "request": {
        "request_id": "r1",
        "consumer_uri": "uri",
        "leaf_index": 0,
        "request_mac": b"m",
        "answer_digest": b"d",
        "verdict": "permit",
    },
    "quota": {"counter": "calls", "used": 7},
}


INSERT_LEAF = (
    f"INSERT INTO leaf ({', '.join(OLD_ROWS['leaf'])}) "
    f"VALUES ({', '.join(f':{name}' for name in OLD_ROWS['leaf'])})"
)


@pytest.mark.parametrize(
    "wrong",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "postgresql://u:secret@h/d"],
)
def test_other_urls_are_refused_without_repeating_them(wrong: str) -> None:
    """A URL may hold a password."""
    with pytest.raises(SetUpError, match="The database URL must be") as caught:
        open_store(wrong)
    assert "secret" not in str(caught.value)


def test_an_unreachable_database_is_a_set_up_error_without_its_password(tmp_path: Path) -> None:
    """The message says what to check and repeats neither host nor password."""
    nowhere = ("postgresql+psycopg://u:secret@127.0.0.1:1/d", f"sqlite:///{tmp_path}/missing/log.db")
    for url in nowhere:
        with pytest.raises(SetUpError, match="cannot be used") as caught:
            migrate(url)
        assert "secret" not in str(caught.value)
