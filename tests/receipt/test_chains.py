"""Certificate chains go into the log at first use: once, and before what they first act in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.journal import QuotaExceeded
from broker.model import Charge, Entry, EntryKind, Identity, ReceiptFilter, Role
from broker.receipt.chains import chain_of
from broker.receipt.log import ReceiptLog, append_alone
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.store import open_store
from broker.store.store import Store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def log(request: pytest.FixtureRequest, tmp_path: Path, broker_log: Callable[..., Any]) -> Any:
    url = f"sqlite:///{tmp_path}/log.db"
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_url")()
    return broker_log(url, tmp_path)


@pytest.fixture
def store(log: Any) -> Iterator[Store]:
    with closing(open_store(log.url)) as store:
        yield store


def leaves(store: Store) -> list[tuple[EntryKind, dict[str, Any]]]:
    """Kind and statement of each leaf, from the first."""
    found = store.leaves(ReceiptFilter(), None, 1000)[::-1]
    return [(leaf.entry.kind, orjson.loads(leaf.entry.statement)) for leaf in found]


def chains(store: Store) -> dict[str, int]:
    """Fingerprint → leaf, as the statements have it; each but once."""
    found = [
        (said["chain"][0]["sha256"], index)
        for index, (kind, said) in enumerate(leaves(store))
        if kind is EntryKind.CERTIFICATE_CHAIN
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_each_chain_is_logged_once_over_workers_and_before_its_first_act(log: Any, store: Store) -> None:
    """Two workers, many callers at once, three certificates: each has one leaf, and acts only after it."""
    certificates = [b"one", b"two", b"three"]
    with ExitStack() as stack:
        workers = [stack.enter_context(log.running())]
        other = stack.enter_context(closing(CheckpointSigner(socket_of(log.state))))
        second = ReceiptLog(store, other, log.ORIGIN, lambda: datetime.now(UTC))
        workers.append(stack.enter_context(closing(second)))
        pool = stack.enter_context(ThreadPoolExecutor(16))
        entries = [log.signed(b"act", certificates[number % 3]) for number in range(48)]
        list(pool.map(lambda each: workers[each[0] % 2].append(each[1]), enumerate(entries)))
    logged = chains(store)
    assert logged.keys() == {sha256(one).hexdigest() for one in certificates}
    acted: dict[str, int] = {}
    for index in range(store.head().size):
        leaf = store.leaf(index)
        entry = next((e for e in entries if leaf and e.statement == leaf.entry.statement), None)
        if entry is not None:
            acted.setdefault(entry.chains[0].fingerprint.hex(), index)
    assert all(logged[fingerprint] < first for fingerprint, first in acted.items())
    assert acted.keys() == logged.keys()
    with store.append_transaction() as transaction:
        known = transaction.chains.leaves([bytes.fromhex(one) for one in logged])
    assert {fingerprint.hex(): leaf for fingerprint, leaf in known.items()} == logged


def test_what_is_refused_logs_no_chain(log: Any, store: Store) -> None:
    """The certificate of an entry that was not recorded has not acted; that of the next one has."""
    entry = log.signed()
    with log.running() as running:
        with pytest.raises(QuotaExceeded):
            running.append(replace(entry, charges=(Charge("q", 0, 1),)))
        assert chains(store) == {}
        running.append(entry)
    assert list(chains(store).values()) == [1]


def test_an_act_alone_logs_its_chain_too(log: Any, store: Store) -> None:
    """What is appended without the writer; the second act of the certificate finds its chain there."""
    with log.running():
        pass
    for _ in range(2):
        with store.append_transaction() as transaction:
            append_alone(transaction, store, log.signed())
    assert [kind for kind, _ in leaves(store)] == [
        EntryKind.GENESIS,
        EntryKind.CERTIFICATE_CHAIN,
        EntryKind.EXCHANGE,
        EntryKind.EXCHANGE,
    ]


def test_who_acts_without_a_certificate_is_a_defect() -> None:
    """An act whose signer could not be told later is not recorded."""
    nobody = Identity("xinghe", "tax", Role.SYSTEM, "counter-1", 7, datetime.now(UTC), b"f" * 32)
    with pytest.raises(ValueError, match="certificate"):
        chain_of(nobody, b"authority")


def test_an_entry_that_nobody_signed_needs_no_chain(log: Any, store: Store) -> None:
    """Genesis, and what an operator orders."""
    now = datetime.now(UTC)
    with log.running() as running:
        running.append(Entry(EntryKind.TRACE, b"{}", now))
    assert chains(store) == {}
