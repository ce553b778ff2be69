"""A vault of its own for each test, on either database."""

import secrets
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from broker.keys.wrapping import AesKeyWrapper
from broker.vault.opening import create_vault, open_vault


def now():
    return datetime.now(UTC)


@dataclass
class Vaults:
    """One vault, which any number of workers have open."""

    url: str
    closing: ExitStack
    wrapper: AesKeyWrapper = field(default_factory=lambda: AesKeyWrapper(secrets.token_bytes(32)))

    def open(self, wrapper=None):
        """The vault, as one worker more has it open."""
        vault = open_vault(self.url, wrapper or self.wrapper)
        self.closing.callback(vault.close)
        return vault


@pytest.fixture
def closing():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def vaults(tmp_path, closing):
    """A vault in SQLite."""
    made = Vaults(f"sqlite:///{tmp_path}/vault.db", closing)
    create_vault(made.url, made.wrapper, now())
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_vaults(request, tmp_path, closing):
    """A vault in either database."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/vault.db" if sqlite else request.getfixturevalue("new_postgres_url")()
    made = Vaults(url, closing)
    create_vault(made.url, made.wrapper, now())
    return made
