"""A vault on disk or on a server: made, opened, wrapped under another master key.

Two keys of the vault's own, both random, lie in it wrapped under its master key: one hides whose row is
whose, the other wraps the persons' keys. So another master key means to wrap these two anew and nothing else.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, event, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import SetUpError
from broker.keys.wrapping import MASTER_KEY_BYTES, AesKeyWrapper, KeyWrapper
from broker.store.connection import Database, connect
from broker.vault.tables import METADATA, VAULT
from broker.vault.vault import Vault

FORMAT = "share-vault/v1"
INDEX_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class About:
    """What a vault says of itself without its master key."""

    wrapped_by: str
    """Id of the master key that opens it."""
    created: str
    """RFC 3339."""


def create_vault(url: str, wrapper: KeyWrapper, now: datetime) -> None:
    """A new, empty vault.

    Raises:
        SetUpError: there is one already, or the database cannot be used.
    """
    own = secrets.token_bytes(INDEX_KEY_BYTES + MASTER_KEY_BYTES)
    with _database(url) as database, database.exclusive() as connection:
        if _is_there(connection):
            raise SetUpError(
                "[vault] url 处已有主体密钥库，未作改动。",
                "There is a subject vault at [vault] url already; nothing changed.",
            )
        METADATA.create_all(connection)
        connection.execute(
            VAULT.insert().values(
                id=1,
                format=FORMAT,
                wrapped_by=wrapper.id,
                keys=wrapper.wrap(own),
                created=now.isoformat(timespec="seconds"),
                obeyed=0,
            )
        )


def open_vault(url: str, wrapper: KeyWrapper) -> Vault:
    """The vault at ``url``, to be closed.

    Raises:
        SetUpError: there is none, it opens with another master key, or the database cannot be used.
    """
    database = _connected(url)
    try:
        _require_there(database)
        with _usable(), database.engine.connect() as connection:
            own = _own_keys(_said(connection), wrapper)
        return Vault(database, AesKeyWrapper(own[INDEX_KEY_BYTES:]), own[:INDEX_KEY_BYTES])
    except BaseException:
        database.close()
        raise


def about(url: str) -> About:
    """What the vault at ``url`` says of itself; raises SetUpError as :func:`open_vault`."""
    with _database(url) as database:
        _require_there(database)
        with database.engine.connect() as connection:
            said = _said(connection)
        return About(said.wrapped_by, said.created)


def rewrap_vault(url: str, before: KeyWrapper, after: KeyWrapper) -> None:
    """From here on the vault opens with ``after``; the persons' keys stay. Raises SetUpError."""
    with _database(url) as database:
        _require_there(database)
        with database.exclusive() as connection:
            own = _own_keys(_said(connection), before)
            connection.execute(update(VAULT).values(wrapped_by=after.id, keys=after.wrap(own)))


def _own_keys(said: Row[Any], wrapper: KeyWrapper) -> bytes:
    if wrapper.id != said.wrapped_by:
        raise SetUpError(
            f"主体密钥库的主密钥不符：须用编号 {said.wrapped_by} 的主密钥打开，现有的是 {wrapper.id}。",
            f"Another master key: the subject vault opens with master key {said.wrapped_by}, but here is "
            f"{wrapper.id}.",
        )
    try:
        own = wrapper.unwrap(bytes(said.keys))
    except ValueError:
        own = b""
    if said.format != FORMAT or len(own) != INDEX_KEY_BYTES + MASTER_KEY_BYTES:
        raise SetUpError(
            f"[vault] url 处的主体密钥库不是 {FORMAT} 或已损坏，请从备份恢复。",
            f"The subject vault at [vault] url is not {FORMAT} or is damaged; restore it from a backup.",
        )
    return own


def _said(connection: Connection) -> Row[Any]:
    said = connection.execute(select(VAULT)).first() if _is_there(connection) else None
    if said is None:
        raise _missing()
    return said


def _missing() -> SetUpError:
    return SetUpError(
        "[vault] url 处没有主体密钥库，请先执行 sharebroker vault init。",
        "There is no subject vault at [vault] url; run `sharebroker vault init` first.",
    )


def _is_there(connection: Connection) -> bool:
    return inspect(connection).has_table(VAULT.name)


def _require_there(database: Database) -> None:
    """Opening a file of SQLite's would make one."""
    if not database.exists():
        raise _missing()


@contextmanager
def _database(url: str) -> Iterator[Database]:
    database = _connected(url)
    try:
        with _usable():
            yield database
    finally:
        database.close()


def _connected(url: str) -> Database:
    try:
        database = connect(url)
    except SetUpError:
        raise SetUpError(
            "主体密钥库地址须为 sqlite:///路径 或 postgresql+psycopg://…，请修改 [vault] url。",
            "The vault's URL must be sqlite:///path or postgresql+psycopg://…; correct [vault] url.",
        ) from None
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "connect", _forgetful)
    return database


def _forgetful(connection: sqlite3.Connection, _: object) -> None:
    """What is deleted is written over with zeros."""
    connection.execute("PRAGMA secure_delete = ON")


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        cause = type(getattr(error, "orig", None) or error).__name__  # its text may hold host and user
        raise SetUpError(
            f"无法使用主体密钥库（{cause}），请检查 [vault] url、目录权限和数据库服务。",
            f"The subject vault cannot be used ({cause}); check [vault] url, folder permissions and the "
            "server.",
        ) from None
