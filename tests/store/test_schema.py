"""Migrations and the schema's version, on real databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from broker.errors import SetUpError
from broker.store import SchemaState, migrate, open_store, schema_state
from broker.store.schema import require_current


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


def test_an_older_database_is_refused_with_advice() -> None:
    """The message names the command, and the backup before it."""
    with pytest.raises(SetUpError, match="back it up, then run `sharebroker db upgrade`"):
        require_current(SchemaState.OLDER)


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
