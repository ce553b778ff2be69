"""The tables of proposals, approvals and publications on real SQLite and PostgreSQL databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.errors import Unavailable
from broker.model import Proposal, Publication
from broker.store import Store, migrate, open_store
from broker.store.connection import connect
from broker.store.schema import upgrade

NOW = datetime(2026, 11, 23, 4, 0, 0, 123456, tzinfo=UTC)
OFFICER = "spiffe://xinghe/department/tax/officer/li"
ONE = Proposal(1, "a" * 64, 2, "0" * 64, OFFICER, "why", NOW, b"signed", b'{"lint":"ok"}')
TWO = replace(ONE, number=2, bundle_hash="b" * 64)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db"
    new: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    migrate(url)
    with closing(open_store(url)) as store:
        yield store


def test_proposals_are_read_back_as_written_newest_first(store: Store) -> None:
    """By number, by bundle, and in pages."""
    with store.append_transaction() as transaction:
        tables = transaction.epochs.proposals
        assert tables.next_number() == 1
        tables.keep_proposal(ONE)
        tables.keep_proposal(TWO)
        assert tables.next_number() == 3
    with store.epochs() as epochs:
        tables = epochs.proposals
        assert tables.proposal(1) == ONE
        assert tables.proposal_of(TWO.bundle_hash) == TWO
        assert (tables.proposal(3), tables.proposal_of("c" * 64)) == (None, None)
        assert tables.proposals(None, 10) == [TWO, ONE]
        assert tables.proposals(None, 1) == [TWO]
        assert tables.proposals(2, 10) == [ONE]


def test_one_bundle_has_one_proposal(store: Store) -> None:
    """Whatever became of the lock, the database refuses a second."""
    with store.append_transaction() as transaction:
        transaction.epochs.proposals.keep_proposal(ONE)
    with pytest.raises(Unavailable), store.append_transaction() as transaction:
        transaction.epochs.proposals.keep_proposal(replace(ONE, number=2))


def test_approvals_come_with_what_they_are_about_until_they_expire(store: Store) -> None:
    """The same bytes are kept once; what has expired is not asked for."""
    with store.append_transaction() as transaction:
        tables = transaction.epochs.proposals
        tables.keep_proposal(ONE)
        for _ in range(2):
            tables.keep_approval(ONE.bundle_hash, NOW + timedelta(days=1), b"early")
        tables.keep_approval(ONE.bundle_hash, NOW + timedelta(days=2), b"late")
        tables.keep_approval("c" * 64, NOW + timedelta(days=2), b"about nothing")
    with store.epochs() as epochs:
        assert sorted(epochs.proposals.approvals(NOW)) == [(b"early", b"signed"), (b"late", b"signed")]
        assert epochs.proposals.approvals(NOW + timedelta(days=1)) == [(b"late", b"signed")]


def test_publications_are_a_history(store: Store) -> None:
    """Newest first, in pages, each found by its proposal too."""
    first = Publication(1, "0" * 64, 1, NOW, "operator", "")
    second = Publication(2, ONE.bundle_hash, 5, NOW, OFFICER, "why", 1)
    with store.append_transaction() as transaction:
        tables = transaction.epochs.proposals
        assert tables.last_publication() is None
        tables.keep_publication(first)
        tables.keep_publication(second)
    with store.epochs() as epochs:
        tables = epochs.proposals
        assert (
            tables.last_publication()
            == tables.publication_of(1)
            == tables.publication_with(ONE.bundle_hash)
            == second
        )
        assert tables.publications(None, 10) == [second, first]
        assert tables.publications(2, 10) == [first]
        assert (tables.publication_with("c"), tables.publication_of(2)) == (None, None)


def test_history_of_an_older_database_begins_with_what_is_in_force(url: str) -> None:
    """An upgrade keeps the epoch, and the next bundle is the second."""
    with closing(connect(url)) as database, database.exclusive() as connection:
        upgrade(connection, "0003")
        connection.execute(text("INSERT INTO epoch VALUES (1, 7, 'aa', '3', 1000000)"))
    migrate(url)
    with closing(open_store(url)) as store, store.epochs() as epochs:
        last = epochs.proposals.last_publication()
    assert last == Publication(1, "aa", 7, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "", "")
