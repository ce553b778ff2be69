"""The judge finds each kind of what must not happen, in what a real broker gave and stored."""

import json
from dataclasses import replace

import pytest

from broker.client import VerifierKey
from broker.keys.log_key import create_log_key
from broker.model import EntryKind
from broker.receipt.merkle import leaf_entry
from broker.v1 import exchange_pb2 as pb
from soak import asks
from soak.house import Plan, build
from soak.judge import Judge, Wrong, ask_again
from soak.ledger import STREAM, UNARY, Ledger, ask, calls_in, channel_to


class World:
    """A log, and the ledgers of two whom its broker served: two answers, one of them twice, and a stream."""

    def __init__(self, folder):
        house = build(Plan(folder / "broker", 300, settings={"SERVER__WORKERS": "1"}))
        try:
            address = house.start()
            residents = asks.residents(house.embedded.folder / "data")
            first, second = (asks.unary(asks.HOUSEHOLD, subject) for subject in residents[:2])
            fund, insurance = folder / "fund.jsonl", folder / "insurance.jsonl"
            with channel_to(address, house.credentials(asks.FUND)) as channel:
                failures = write(fund, channel, [(UNARY, first), (UNARY, second), (UNARY, second)])
            with channel_to(address, house.credentials(asks.INSURANCE)) as channel:
                failures += write(insurance, channel, [(STREAM, asks.stream())])
            assert failures == ["", "", "", ""]
            self.unary, (self.stream,) = list(calls_in(fund)), list(calls_in(insurance))
            self.calls = [*self.unary, self.stream]
            self.head, self.trust = house.head(address), house.trust
            with house.auditor(address) as auditor:
                receipts = [receipt for call in self.calls for receipt in call.receipts()]
                self.asked_again = list(ask_again(auditor, self.trust, receipts))
            assert house.end() == 0
            self.house, self.leaves, self.damage = house, list(house.leaves()), house.fsck()
        finally:
            house.discard()

    def judge(self, leaves=None, trust=None):
        return Judge(leaves or self.leaves, self.head, trust or self.trust)

    def kinds(self, call, **other):
        """What is wrong about a call, before a judge with other leaves or another key."""
        return {fault.wrong for fault in self.judge(**other).call(call)}

    def restated(self, index, **changes):
        """The leaves, with another statement in one place; its hash is right, so the tree is another."""
        leaf = self.leaves[index]
        statement = json.loads(leaf.entry.statement)
        statement["outcome"] |= changes.pop("outcome", {})
        content = json.dumps(statement | changes).encode()
        leaves = list(self.leaves)
        leaves[index] = replace(
            leaf, log_entry=leaf_entry(content), entry=replace(leaf.entry, statement=content)
        )
        return leaves


def write(path, channel, requests):
    """The failures of calls made one after the other, all of it in a ledger."""
    ledger = Ledger(path)
    failures = [ask(channel, ledger, method, request) for method, request in requests]
    ledger.close()
    return failures


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


def leaf_of(call):
    """Where the answer, or the outcome of the stream, is in the log."""
    return call.receipts()[-1].leaf_index


def test_nothing_is_wrong_with_what_a_broker_did(world):
    """An honest log and honest answers have no fault, asked of the judge, of the broker or of fsck."""
    judge = world.judge()
    faults = [*judge.log(), *(fault for call in world.calls for fault in judge.call(call))]
    assert [*faults, *judge.deliveries(), *world.asked_again, *world.damage] == []
    assert judge.unclosed == 0
    assert world.unary[2].answers()[0].redelivered


@pytest.mark.parametrize("page", [1, 3, 1_000])
def test_log_is_read_page_by_page(world, monkeypatch, page):
    """Every leaf once and in order, however many are read at a time."""
    monkeypatch.setattr("soak.house.PAGE_LEAVES", page)
    assert list(world.house.leaves()) == world.leaves
    assert [leaf.index for leaf in world.leaves] == list(range(world.head.size))


def test_leaf_that_is_gone(world):
    """A receipt whose leaf the log has no more is lost, and the signed head contradicts the log."""
    shorter = world.leaves[: leaf_of(world.stream)]
    assert Wrong.LOST in world.kinds(world.stream, leaves=shorter)
    assert {fault.wrong for fault in world.judge(leaves=shorter).log()} == {Wrong.FORKED}


def test_history_that_was_rewritten(world):
    """Where another statement stands in a receipt's place, the receipt is lost and its tree is a fork."""
    leaves = world.restated(leaf_of(world.unary[0]), case_no="another")
    assert world.kinds(world.unary[0], leaves=leaves) == {Wrong.LOST, Wrong.FORKED}


def test_answer_that_the_log_does_not_know(world):
    """Data whose digest is not that of its leaf were released without a leaf."""
    answer = world.unary[0].answers()[0]
    answer.answer.records[0].values["relation"].text += "?"
    tampered = replace(world.unary[0], parts=[answer.SerializeToString()])
    assert world.kinds(tampered) == {Wrong.UNRECEIPTED}


def test_chunk_that_the_log_does_not_know(world):
    """The same for a stream with a byte more."""
    pieces = world.stream.pieces()
    more = pb.StreamExchangeResponse(chunk=b"?").SerializeToString()
    tampered = replace(world.stream, parts=[*world.stream.parts[:-1], more, world.stream.parts[-1]])
    assert pieces[-1].HasField("outcome")
    assert world.kinds(tampered) == {Wrong.UNRECEIPTED}


def test_key_of_somebody_else(world, tmp_path):
    """A receipt that another key signed does not verify."""
    other = VerifierKey.of(world.trust.name, create_log_key(tmp_path / "other.key"))
    assert world.kinds(world.unary[0], trust=other) == {Wrong.UNVERIFIED}


def test_stream_that_is_falsely_called_interrupted(world):
    """A stream received whole must not have an interrupted outcome, be it its only one or a second."""
    own = leaf_of(world.stream)
    instead = world.restated(own, outcome={"interrupted": True})
    assert Wrong.INTERRUPTED in world.kinds(world.stream, leaves=instead)
    beside = [*world.leaves, replace(instead[own], index=len(world.leaves))]
    assert world.kinds(world.stream, leaves=beside) == {Wrong.INTERRUPTED}


def test_second_exchange_under_one_request_id(world):
    """One request id has one permitted exchange, and whoever asks again gets the first."""
    own = world.leaves[leaf_of(world.unary[1])]
    twice = [*world.leaves, replace(own, index=len(world.leaves))]
    assert Wrong.REPEATED in {fault.wrong for fault in world.judge(leaves=twice).log()}
    assert Wrong.REPEATED in world.kinds(world.unary[1], leaves=twice)
    assert {fault.wrong for fault in world.judge().retry(world.unary[2], {})} == {Wrong.REPEATED}
    assert list(world.judge().retry(world.unary[2], world.judge().claims)) == []


def test_delivery_that_left_no_leaf(world):
    """An answer given again without a leaf that says so."""
    leaves = [leaf for leaf in world.leaves if leaf.entry.kind is not EntryKind.REDELIVERED]
    judge = world.judge(leaves=leaves)
    assert list(judge.call(world.unary[2])) != []
    assert {fault.wrong for fault in judge.deliveries()} == {Wrong.UNRECEIPTED}


def test_leaf_that_is_damaged(world):
    """A leaf whose hash is not that of its statement."""
    leaves = [*world.leaves[:-1], replace(world.leaves[-1], log_entry=world.leaves[0].log_entry)]
    assert Wrong.DAMAGED in {fault.wrong for fault in world.judge(leaves=leaves).log()}
