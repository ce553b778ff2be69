"""The database's schema: which version it has, and how it is brought to this program's (Alembic).

Alembic is loaded where a schema is changed or is not this program's: every start asks, and finds it current.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import SetUpError
from broker.store.connection import Database, connect

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0016"
"""The last of the migrations, which a test holds it against."""


class SchemaState(StrEnum):
    """How the database's schema compares with this program's."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"


def schema_state(url: str) -> SchemaState:
    """How the database at ``url`` compares with this program; creates nothing.

    Raises:
        SetUpError: the URL is wrong, or the database cannot be reached.
    """
    database = connect(url)
    try:
        return state_of(database)
    finally:
        database.close()


def state_of(database: Database) -> SchemaState:
    """As :func:`schema_state`, of an open database."""
    if not database.exists():
        return SchemaState.EMPTY
    with reachable(), database.engine.connect() as connection:
        return state_in(connection)


def migrate(url: str) -> None:
    """Creates the schema, or brings an older one up to this program's. Safe to run twice, or by two at once.

    Raises:
        SetUpError: the URL is wrong, the database cannot be reached, or is newer than this program.
    """
    database = connect(url)
    try:
        with reachable(), database.exclusive() as connection:
            require_not_newer(state_in(connection))
            upgrade(connection, "head")
    finally:
        database.close()


def upgrade(connection: Connection, to: str) -> None:
    """Brings the schema up to a revision that this program knows, within the connection's transaction."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; None when there is no schema."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version"))
    revision: str | None = found.scalar_one_or_none()
    return revision


def known(revision: str) -> bool:
    """Whether this program can bring a schema to that revision, and on from it."""
    from alembic.script import ScriptDirectory

    return revision in {known.revision for known in ScriptDirectory.from_config(_config()).walk_revisions()}


def require_current(state: SchemaState) -> None:
    """Raises:
    SetUpError: the schema is not this program's; says what to do.
    """
    require_not_newer(state)
    if state is SchemaState.EMPTY:
        raise SetUpError(
            "数据库尚未建立，请运行 sharebroker db upgrade。",
            "The database has not been set up; run `sharebroker db upgrade`.",
        )
    if state is SchemaState.OLDER:
        raise SetUpError(
            "数据库版本低于程序，请先备份，再运行 sharebroker db upgrade。",
            "The database is older than this program; back it up, then run `sharebroker db upgrade`.",
        )


def require_not_newer(state: SchemaState) -> None:
    """Raises:
    SetUpError: the schema is newer than this program.
    """
    if state is SchemaState.NEWER:
        raise SetUpError(
            "数据库版本高于程序，请升级 sharebroker。",
            "The database is newer than this program; install the newer sharebroker.",
        )


@contextmanager
def reachable() -> Iterator[None]:
    """Turns what the database raises into the set-up error it means at start.

    Raises:
        SetUpError: the database cannot be used.
    """
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        cause = type(getattr(error, "orig", None) or error).__name__  # its text may hold host and user
        raise SetUpError(
            f"无法使用数据库（{cause}），请检查 [store] url、目录权限和数据库服务。",
            f"The database cannot be used ({cause}); check [store] url, folder permissions and the server.",
        ) from None


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def state_in(connection: Connection) -> SchemaState:
    """As :func:`schema_state`, within the connection's transaction."""
    current = revision_of(connection)
    if current is None:
        return SchemaState.EMPTY
    if current == REVISION:
        return SchemaState.CURRENT
    return SchemaState.OLDER if known(current) else SchemaState.NEWER
