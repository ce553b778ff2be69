"""The judge finds each kind of what must not happen, in what a real broker gave and stored."""

import hashlib
import json
from contextlib import closing
from dataclasses import replace
from itertools import islice

import pytest

from broker.client import VerifierKey
from broker.keys.log_key import create_log_key
from broker.model import EntryKind
from broker.receipt.merkle import leaf_entry
from broker.v1 import exchange_pb2 as pb
from soak import asks
from soak.facts import Wrong
from soak.house import Plan, build, wait_for
from soak.judge import Judge, ask_again
from soak.ledger import SMALL_WINDOW, STREAM, UNARY, Ledger, ask, calls_in, channel_to, follow


class World:
    """A log, and the ledgers of those whom its broker served: two answers, one of them twice, a stream, and
    one that was taken over by a second attempt, which came whole, as did a third."""

    def __init__(self, folder):
        # Row by row, so that much of a stream waits in the broker for a client who does not read.
        rows = {"SERVER__STREAM_BATCH_ROWS": "1", "SERVER__STREAM_CHUNK_BYTES": "1024"}
        house = build(Plan(folder / "broker", 1_000, settings={"SERVER__WORKERS": "1", **rows}))
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
            self.overtaken, *self.attempts = taken_over(folder, address, house)
            self.unary, (self.stream,) = list(calls_in(fund)), list(calls_in(insurance))
            self.calls = [*self.unary, self.stream, self.overtaken, *self.attempts]
            self.trust = house.trust
            with house.auditor(address) as auditor:
                receipts = [receipt for call in self.calls for receipt in call.receipts()]
                self.asked_again = list(ask_again(auditor, self.trust, receipts))
            self.head = house.head(address)  # over the leaves that say what the auditor has read, too
            assert house.end() == 0
            self.house, self.leaves, self.damage = house, list(house.leaves()), house.fsck()
        finally:
            house.discard()

    def judge(self, leaves=None, trust=None):
        return Judge(leaves or self.leaves, self.head, trust or self.trust)

    def kinds(self, call, **other):
        """What is wrong about a call, before a judge with other leaves or another key."""
        return {fault.wrong for fault in self.judge(**other).call(call)}

    def streams(self, leaves=None):
        """What is wrong about the streams, by the log alone."""
        return {fault.wrong for fault in self.judge(leaves).streams.closed()}

    def restated(self, index, **changes):
        """The leaves, with another statement in one place; its hash is right, so the tree is another."""
        leaf = self.leaves[index]
        statement = json.loads(leaf.entry.statement)
        if "outcome" in changes:
            statement["outcome"] |= changes.pop("outcome")
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


def taken_over(folder, address, house):
    """A stream that is left under way, and two more attempts under its request id, one after the other."""
    left, taken, request = Ledger(folder / "left.jsonl"), folder / "taken.jsonl", asks.stream()
    credentials = house.credentials(asks.INSURANCE)
    with (
        closing(left),
        channel_to(address, credentials, SMALL_WINDOW) as one,
        channel_to(address, credentials) as other,
    ):
        earlier = follow(one, left, STREAM, request)
        assert list(islice(earlier, 3)) == [""] * 3
        wait_for(lambda: any(json.loads(one.unfinished)["outcome"]["chunks"] for one in house.under_way()))
        assert write(taken, other, [(STREAM, request)] * 2) == ["", ""]
        assert [*earlier][-1] == "ABORTED"  # after all that was on its way
    return [*left.calls(), *calls_in(taken)]


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
    assert [*judge.streams.closed()] == []
    assert judge.streams.decisions == 2
    assert judge.streams.tally == {
        "outcomes: complete": 2,
        "outcomes: complete again": 1,
        "outcomes: TAKEN_OVER": 1,
        "broken streams whose digest was compared": 1,
    }
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


def outcome_of(world, call):
    """Where the log says how an attempt at a stream ended, and what it says."""
    opening = call.receipts()[0].leaf_index
    said = [(leaf.index, json.loads(leaf.entry.statement)) for leaf in world.leaves]
    ((index, statement),) = [(n, one) for n, one in said if one.get("decision_leaf") == opening]
    return index, statement["outcome"]


def test_call_that_ends_because_another_took_over(world):
    """Such a call may be aborted; one that nobody took over may not."""
    assert world.overtaken.failure == "ABORTED"
    assert world.judge().streams.ended_by_others(world.overtaken.pieces())
    assert not world.judge().streams.ended_by_others(world.stream.pieces())
    assert not world.judge().streams.ended_by_others([])


def test_broken_stream_whose_outcome_tells_of_other_bytes(world):
    """What an interrupted outcome says was handed over must be what came, as far as it came."""
    index, outcome = outcome_of(world, world.overtaken)
    assert 0 < outcome["chunks"] <= len(world.overtaken.pieces()) - 1
    other = world.restated(index, outcome={"chunks": outcome["chunks"] - 1})
    assert world.kinds(world.overtaken, leaves=other) >= {Wrong.UNRECEIPTED}
    more = world.restated(index, outcome={"chunks": 10_000, "digest": "00" * 32})
    assert Wrong.UNRECEIPTED not in world.kinds(world.overtaken, leaves=more)


def test_broken_stream_that_got_more_than_its_own_process_knows(world):
    """Only who records the outcome of another's stream may know too little."""
    index, outcome = outcome_of(world, world.overtaken)
    opening = world.overtaken.pieces()[0].opening
    less = {"chunks": 0, "digest": hashlib.sha256(opening.nonce).hexdigest()}
    assert Wrong.UNRECEIPTED not in world.kinds(world.overtaken, leaves=world.restated(index, outcome=less))
    own = less | {"known_until": "", "reasons": []}
    assert Wrong.UNRECEIPTED in world.kinds(world.overtaken, leaves=world.restated(index, outcome=own))
    assert outcome["known_until"]


def test_stream_without_an_outcome(world):
    """A stream that nobody closed, and an outcome of what is no stream."""
    own = leaf_of(world.stream)
    assert world.streams(world.restated(own, kind="exchange")) == {Wrong.UNCLOSED}
    assert world.streams(world.restated(own, decision_leaf=0)) == {Wrong.UNCLOSED, Wrong.DAMAGED}


def test_stream_with_two_outcomes(world):
    """One is enough."""
    twice = [*world.leaves, replace(world.leaves[leaf_of(world.stream)], index=len(world.leaves))]
    assert Wrong.REPEATED in world.streams(twice)


def test_stream_that_nobody_took_over(world):
    """Whose outcome says so without a retry that did."""
    index, _ = outcome_of(world, world.overtaken)
    assert Wrong.INTERRUPTED in world.streams(world.restated(index + 1, request_id="another"))


def test_outcome_that_does_not_say_how_far_it_knows(world):
    """Recorded by another than the stream's process, it must; complete, it must not."""
    index, _ = outcome_of(world, world.overtaken)
    assert Wrong.DAMAGED in world.streams(world.restated(index, outcome={"known_until": ""}))
    complete = world.restated(leaf_of(world.stream), outcome={"known_until": "2026-11-23T04:00:00.000000Z"})
    assert Wrong.DAMAGED in world.streams(complete)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": "stream_decision"}, id="decided, and so charged, twice"),
        pytest.param({"of": 0}, id="points elsewhere"),
    ],
)
def test_attempt_out_of_step(world, changes):
    """Later attempts are no decisions, and point to what answered the request id by then."""
    for attempt in world.attempts:
        opening = attempt.receipts()[0].leaf_index
        assert Wrong.REPEATED in world.streams(world.restated(opening, **changes))


def test_attempt_that_brought_other_bytes(world):
    """Every complete outcome under one request id has the digest of the first, and names it."""
    index, _ = outcome_of(world, world.attempts[1])
    assert Wrong.REPEATED in world.streams(world.restated(index, outcome={"digest": "00" * 32}))
    assert Wrong.REPEATED in world.streams(world.restated(index, of=-1))


def test_attempts_under_way_at_once(world):
    """An attempt begins after the end of the one before it."""
    index, _ = outcome_of(world, world.overtaken)
    late = [*world.restated(index, kind="exchange"), replace(world.leaves[index], index=len(world.leaves))]
    assert Wrong.REPEATED in world.streams(late)


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
