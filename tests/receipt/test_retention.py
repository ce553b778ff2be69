"""Statements whose time is over: erased and told of, while every proof that somebody kept goes on holding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from broker.errors import NotFound
from broker.keys.log_key import create_log_key
from broker.model import CertificateChain, Entry, EntryKind, Receipt, ReceiptFilter
from broker.receipt import bundle
from broker.receipt.export import export
from broker.receipt.fsck import open_fsck
from broker.receipt.log import ReceiptLog
from broker.receipt.memory import remembered
from broker.receipt.merkle import verify_consistency
from broker.receipt.public import PublicLog
from broker.receipt.retention import AT_ONCE, Rule, due, erase
from broker.receipt.signer import CheckpointSigner, start_signer
from broker.receipt.statement import FORMAT, instant
from broker.receipt.verify import verify_checkpoint, verify_receipt
from broker.store import migrate
from broker.store.store import Store, open_store
from tests.statement_schema import wrong_in

ORIGIN = "xinghe.example/log"
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=4 * 366)


class World:
    """A log that began four years ago."""

    def __init__(self, url: str, state: Path, store: Store, signer: CheckpointSigner) -> None:
        self.url, self.state, self.store = url, state, store
        self.now = LONG_AGO
        self.log = ReceiptLog(store, signer, ORIGIN, lambda: self.now)

    def append(self, dataset: str = "tax.income", **more: str) -> Receipt:
        said = {
            "format": FORMAT,
            "kind": EntryKind.VALIDATION,
            "recorded_at": instant(self.now),
            "salt": str(uuid4()),
            "dataset": dataset,
            "case_no": dataset,
            "subject_tags": [16 * "ab"],
            **more,
        }
        purpose = more.get("purpose", "")
        entry = Entry(
            EntryKind.VALIDATION, json.dumps(said).encode(), self.now, dataset=dataset, purpose=purpose
        )
        return self.log.append(entry).receipt

    def acknowledge(self, delivery: int) -> None:
        """What a consumer signed for a delivery, as the log claims its request id."""
        said = {
            "format": FORMAT,
            "kind": EntryKind.ACKNOWLEDGEMENT,
            "recorded_at": instant(self.now),
            "salt": str(uuid4()),
            "of": delivery,
            "request_id": f"acknowledgement/{delivery}",
        }
        statement = json.dumps(said).encode()
        self.log.append(
            Entry(EntryKind.ACKNOWLEDGEMENT, statement, self.now, request_id=str(said["request_id"]))
        )

    def sign(self, message: str) -> None:
        """What a consumer's signed application leaves behind; the chain comes first, once."""
        act, chain = message.encode(), CertificateChain("spiffe://x/y", sha256(b"one").digest(), (b"one",))
        said = {
            "format": FORMAT,
            "kind": EntryKind.VALIDATION,
            "recorded_at": instant(self.now),
            "salt": str(uuid4()),
            "signed_application": sha256(act).hexdigest(),
        }
        statement = json.dumps(said).encode()
        self.log.append(Entry(EntryKind.VALIDATION, statement, self.now, chains=(chain,), acts=(act,)))

    def erase(self, rule: Rule) -> tuple[int, int | None]:
        self.now = NOW
        found, leaf = erase(self.store, rule, actor="somebody", reason="yearly")
        self.log.sign()
        return found.count, leaf


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    new: Callable[[], str] = (
        (lambda: f"sqlite:///{tmp_path}/log.db")
        if request.param == "sqlite"
        else request.getfixturevalue("new_postgres_url")
    )
    url, key, state = new(), tmp_path / "log.key", tmp_path / "state"
    migrate(url)
    create_log_key(key)
    with closing(open_store(url)) as store, closing(start_signer(key, state, ORIGIN)) as signer:
        world = World(url, state, store, signer)
        with closing(world.log):
            yield world


def test_a_kept_receipt_proves_itself_after_its_statement_is_gone(world: World, tmp_path: Path) -> None:
    """It verifies, it is shown to be in the log of today, and the log is sound, published and told of it."""
    key = world.log.verifier_key
    kept = bundle.parse(bundle.export([world.append() for _ in range(5)][2]))
    old = verify_checkpoint(kept.checkpoint, key)
    world.now = NOW
    young = world.append()
    assert world.erase(Rule(NOW, 3)) == (5, 7)
    verify_receipt(kept, key)
    newest = verify_checkpoint(world.log.checkpoint(), key)
    proof = world.log.consistency_proof(old.size, newest.size)
    verify_consistency(old.size, newest.size, old.root, newest.root, proof)
    path = world.log.inclusion_proof(kept.leaf_index, newest.size)
    again = replace(kept, tree_size=newest.size, proof=path, checkpoint=world.log.checkpoint())
    verify_receipt(again, key)
    with pytest.raises(NotFound):
        world.log.receipt(kept.leaf_index)
    verify_receipt(world.log.receipt(young.leaf_index), key)
    said = json.loads(world.log.receipt(7).statement)
    assert said["erased"] == {"first": 1, "last": 5, "count": 5}
    assert (said["kind"], said["years"], said["actor"]) == ("retention", 3, "somebody")
    with open_fsck(world.url, world.state, key) as check:
        assert list(check.findings()) == []
    assert check.erased == 5
    export(PublicLog(world.store, lambda: remembered(world.state, key), key), tmp_path / "www")


def test_what_is_young_on_hold_or_an_act_of_the_log_stays(world: World) -> None:
    """The genesis statement and datasets on hold are kept, and a second run finds nothing to do."""
    held, gone = world.append("tax.held"), world.append("tax.income")
    rule = Rule(NOW, 3, frozenset({"tax.held"}))
    assert due(world.store, Rule(NOW, 5)).count == 0
    assert due(world.store, rule).count == 1
    assert world.erase(rule) == (1, 3)
    assert world.erase(rule) == (0, None)
    assert world.log.receipt(held.leaf_index).statement == held.statement
    assert world.log.receipt(0).statement
    with pytest.raises(NotFound):
        world.log.receipt(gone.leaf_index)


def test_nothing_is_looked_up_any_more_by_what_only_an_erased_statement_told(world: World) -> None:
    """Case numbers and subjects' tags go with it; what it shares with those that stay still finds those."""
    held, _ = world.append("tax.held"), world.append("tax.income")

    def found(**members: Any) -> list[int]:
        return [leaf.index for leaf in world.store.leaves(ReceiptFilter(**members), None, 10)]

    tag = bytes.fromhex(16 * "ab")
    assert (found(case_no="tax.income"), found(subject_tags=(tag,))) == ([2], [2, 1])
    world.erase(Rule(NOW, 3, frozenset({"tax.held"})))
    assert (found(case_no="tax.income"), found(subject_tags=(tag,))) == ([], [held.leaf_index])
    assert found(case_no="tax.held") == [held.leaf_index]


def test_it_goes_on_where_it_was_broken_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction erases a few; another run takes up the rest, with a leaf of its own."""
    for _ in range(5):
        world.append()
    rule = Rule(NOW, 3)
    with world.store.append_transaction() as transaction:
        assert transaction.erase_expired(rule.expiring, 2) == 2
    monkeypatch.setattr("broker.receipt.retention.AT_ONCE", 2)
    assert world.erase(rule) == (3, 6)
    assert AT_ONCE > 2
    assert due(world.store, rule).count == 0


def test_datasets_and_purposes_may_have_years_of_their_own(world: World) -> None:
    """In place of the others', the longer of both; the leaf that tells of the erasure tells of them, too."""
    for dataset, purpose in product(("tax.income", "tax.own"), ("", "long", "short")):
        world.append(dataset, purpose=purpose)
    left = {"datasets": {"tax.own": 3}, "purposes": {"long": 10, "short": 3}}
    assert world.erase(Rule(NOW, 5, **left)) == (3, 7)
    kept = [leaf.index for leaf in world.store.leaves(ReceiptFilter(), None, 10) if leaf.entry.statement]
    assert kept == [7, 5, 2, 1, 0]
    said = json.loads(world.log.receipt(7).statement)
    assert {name: said[name] for name in left} == left
    assert wrong_in(world.log.receipt(7).statement) == []


def test_a_case_on_hold_is_kept_whole_and_not_named(world: World) -> None:
    """By its number, with what the consumer signed for what it got in it; the leaf has a digest of it."""
    held, gone = world.append(case_no="GJJ-1"), world.append(case_no="GJJ-2")
    for delivery in (held, gone):
        world.acknowledge(delivery.leaf_index)
    rule = Rule(NOW, 3, hold_cases=frozenset({"GJJ-1"}))
    assert world.erase(rule) == (2, 5)
    kept = [leaf.index for leaf in world.store.leaves(ReceiptFilter(), None, 10) if leaf.entry.statement]
    assert kept == [5, 3, 1, 0]
    statement = world.log.receipt(5).statement
    said = json.loads(statement)
    assert b"GJJ" not in statement
    digest = hashlib.sha256(bytes.fromhex(said["salt"]) + b"GJJ-1").hexdigest()
    assert said["hold_cases"] == {"count": 1, "digest": digest}
    assert wrong_in(statement) == []


def test_what_was_signed_goes_with_its_statement_and_chains_stay(world: World) -> None:
    """The table of signed messages has no row of an expired leaf; fsck finds everything in order."""
    world.sign("old")
    world.now = NOW
    world.sign("young")
    acts = [world.store.acts(index, ()) for index in (2, 3)]
    assert [len(held) for held in acts] == [1, 1]
    assert world.erase(Rule(NOW, 3)) == (1, 4)
    assert [len(world.store.acts(index, ())) for index in (2, 3)] == [0, 1]
    assert json.loads(world.log.receipt(1).statement)["kind"] == EntryKind.CERTIFICATE_CHAIN
    with open_fsck(world.url, world.state, world.log.verifier_key) as check:
        assert list(check.findings()) == []


def test_years_are_those_of_the_calendar() -> None:
    """A leap day has its rule, too."""
    assert Rule(datetime(2028, 2, 29, tzinfo=UTC), 3).before == datetime(2025, 2, 28, tzinfo=UTC)
    assert Rule(datetime(2026, 11, 24, tzinfo=UTC), 5).before == datetime(2021, 11, 24, tzinfo=UTC)
