"""The epoch's tables on real SQLite and PostgreSQL databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.errors import Unavailable
from broker.model import Epoch, Suspension, Target
from broker.store import Store, migrate, open_store

NOW = datetime(2026, 11, 23, 4, 0, 0, 123456, tzinfo=UTC)
FIRST = Epoch(1, "a" * 64, 2**159, NOW)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/log.db"
    if request.param == "postgres":
        new: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new()
    migrate(url)
    store = open_store(url)
    yield store
    store.close()


def test_an_epoch_is_read_back_as_it_was_written(store: Store) -> None:
    """Numbers of revocation lists have up to 20 octets; the head names the epoch it is read with."""
    with store.append_transaction() as transaction:
        assert transaction.head.epoch == 0
        transaction.epochs.begin(FIRST)
        transaction.epochs.keep_bundle(FIRST.bundle_hash, b"bundle")
        transaction.epochs.keep_crl(FIRST.crl_number, b"list")
    with store.epochs() as epochs:
        assert epochs.epoch() == FIRST
        assert epochs.bundle(FIRST.bundle_hash) == b"bundle"
        assert epochs.crl(FIRST.crl_number) == b"list"
        assert (epochs.bundle("b"), epochs.crl(1)) == (None, None)
    assert store.head().epoch == 1


def test_an_epoch_only_follows_its_predecessor(store: Store) -> None:
    """Whatever became of the lock, an epoch that another has moved is not moved again."""
    with store.append_transaction() as transaction:
        transaction.epochs.begin(FIRST)
        transaction.epochs.move(Epoch(2, "b" * 64, 1, NOW))
    with pytest.raises(Unavailable), store.append_transaction() as transaction:
        transaction.epochs.move(Epoch(2, "c" * 64, 1, NOW))
    assert store.head().epoch == 2


def test_an_act_that_fails_leaves_nothing(store: Store) -> None:
    """Epoch, bundle and suspension commit together or not at all."""

    def act() -> None:
        with store.append_transaction() as transaction:
            transaction.epochs.begin(FIRST)
            transaction.epochs.suspend(Suspension(1, Target.EVERYTHING, "", "why", "who", NOW))
            transaction.epochs.move(FIRST)

    with pytest.raises(Unavailable):
        act()
    with store.epochs() as epochs:
        assert epochs.epoch() is None
        assert epochs.suspensions(lifted=True) == ()


def test_a_lifted_suspension_is_kept_but_not_in_force(store: Store) -> None:
    """What was stopped, why and by whom can be told later."""
    one = Suspension(2, Target.CONSUMER, "tax", "why", "who", NOW)
    two = Suspension(3, Target.DATASET, "tax.income", "why", "who", NOW + timedelta(seconds=1))
    with store.append_transaction() as transaction:
        transaction.epochs.suspend(one)
        transaction.epochs.suspend(two)
        transaction.epochs.lift(2, 4)
    with store.epochs() as epochs:
        assert epochs.suspensions() == (two,)
        assert [s.lifted for s in epochs.suspensions(lifted=True)] == [4, None]
