"""Streams over several workers: who may go on, what is recorded of who may not, and what a retry gets."""

import hashlib
import json
import time
from dataclasses import replace

import pytest

from broker.errors import Changed, Conflict, DeadlinePassed
from broker.exchange import Closing, Opening
from broker.model import Verdict
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck

HOUSEHOLD = "sharing/public-security-household.yaml"
MOBILE = "mobile: by_level"
PATIENCE = 60


def always():
    return True


class Streaming:
    """One attempt at a stream, as its consumer sees it."""

    def __init__(self, worker, request, consumer):
        self.parts = worker.stream(request, consumer, always)
        self.opening = next(self.parts)
        assert isinstance(self.opening, Opening)
        self.chunks = []

    def take(self, count):
        """The next chunks."""
        for _ in range(count):
            self.chunks.append(next(self.parts))
            assert isinstance(self.chunks[-1], bytes)

    def finish(self):
        """All that is left; gives the closing."""
        *chunks, closing = self.parts
        assert isinstance(closing, Closing)
        self.chunks += chunks
        return closing

    def digest(self, chunks):
        """Of the first chunks."""
        return hashlib.sha256(b"".join([self.opening.nonce, *self.chunks[:chunks]])).hexdigest()


@pytest.fixture
def consumer(any_world):
    return any_world.issue("medical_insurance", "streams")


def outcomes(world, streaming):
    return outcomes_of(world, streaming.opening.receipt.leaf_index)


def outcomes_of(world, opening):
    return [said for said in world.statements() if said.get("decision_leaf") == opening]


def recorded_of(world):
    """What would be said of the one stream under way."""
    with world.store.leases() as leases:
        (lease,) = leases.live()
    return json.loads(lease.unfinished)["outcome"]


def closed_by(keeper, world, opening):
    """The outcome, once the keeper has seen the lease run out."""
    end = time.monotonic() + PATIENCE
    while not outcomes_of(world, opening):
        assert time.monotonic() < end
        keeper.close_abandoned()
        time.sleep(0.05)
    (said,) = outcomes_of(world, opening)
    return said


def sound(world):
    """That fsck finds nothing wrong."""
    with open_fsck(world.settings.store_url, world.state, world.log.verifier_key) as check:
        return list(check.findings()) == []


def test_a_stream_that_nobody_keeps_is_closed_with_what_was_recorded(any_world, consumer):
    """Another worker records the outcome: the chunks up to the last renewal; the stream cannot go on then."""
    first, second = any_world.worker(lease_seconds=1.0), any_world.worker()
    streaming = Streaming(first, any_world.package(), consumer)
    streaming.take(3)
    first.keeper.renew()
    recorded = recorded_of(any_world)
    assert recorded["chunks"] == 2  # whether the third one has left, is known when a fourth is asked for
    streaming.take(2)
    recorded = recorded_of(any_world)  # on a slow machine it had to renew before the fourth
    said = closed_by(second.keeper, any_world, streaming.opening.receipt.leaf_index)
    outcome = said["outcome"]
    assert (said["kind"], outcome["interrupted"]) == ("stream_outcome", True)
    assert [why["code"] for why in outcome["reasons"]] == [Reason.LEASE_EXPIRED]
    assert outcome["chunks"] == recorded["chunks"] < len(streaming.chunks)
    assert outcome["digest"] == streaming.digest(recorded["chunks"])
    assert outcome["bytes"] == sum(map(len, streaming.chunks[: recorded["chunks"]]))
    assert outcome["known_until"] < said["recorded_at"]
    with pytest.raises(Changed) as stopped:
        next(streaming.parts)
    assert stopped.value.reason is Reason.LEASE_EXPIRED
    assert list(streaming.parts) == []
    second.keeper.close_abandoned()
    assert outcomes(any_world, streaming) == [said]
    assert sound(any_world)


def test_a_stream_that_stood_still_may_go_on_when_nobody_closed_it(any_world, consumer):
    """It renews its lease before the next chunk, and tells of itself in the end."""
    worker = any_world.worker(lease_seconds=0.001)
    streaming = Streaming(worker, any_world.package(), consumer)
    time.sleep(0.01)  # longer than the lease
    worker.keeper.seconds = 3600.0  # the rest of the test may be slow
    assert not streaming.finish().outcome.interrupted
    assert sound(any_world)


def test_a_retry_takes_over_from_a_stream_under_way(any_world, consumer):
    """The consumer comes back before the broker has noticed that it was gone: one of the two goes on."""
    first, second, request = any_world.worker(), any_world.worker(), any_world.package()
    before = Streaming(first, request, consumer)
    before.take(2)
    after = Streaming(second, request, consumer)
    (said,) = outcomes(any_world, before)
    assert [why["code"] for why in said["outcome"]["reasons"]] == [Reason.TAKEN_OVER]
    first.keeper.renew()
    with pytest.raises(Changed) as stopped:
        next(before.parts)
    assert stopped.value.reason is Reason.TAKEN_OVER
    closing = after.finish()
    assert (closing.redelivered, closing.outcome.interrupted) == (False, False)
    opened = any_world.statements()[after.opening.receipt.leaf_index]
    assert (opened["kind"], opened["of"]) == ("redelivered", before.opening.receipt.leaf_index)
    assert sound(any_world)


def test_a_stream_taken_over_at_its_end_is_not_completed(any_world, consumer):
    """It has not noticed, and hands over all it has; its outcome is refused all the same."""
    worker, request = any_world.worker(), any_world.package()
    before = Streaming(worker, request, consumer)
    after = Streaming(any_world.worker(), request, consumer)
    with pytest.raises(Changed) as stopped:
        before.finish()
    assert stopped.value.reason is Reason.TAKEN_OVER
    assert not after.finish().outcome.interrupted


def test_a_retry_of_a_complete_stream_brings_the_same(any_world, consumer):
    """Byte for byte, with a receipt that names the first outcome."""
    worker, request = any_world.worker(), any_world.package()
    first = Streaming(worker, request, consumer)
    original = first.finish()
    again = Streaming(worker, request, consumer)
    closing = again.finish()
    assert closing.redelivered
    assert again.chunks == first.chunks
    (said,) = outcomes(any_world, again)
    assert (said["of"], said["outcome"]["interrupted"]) == (original.receipt.leaf_index, False)
    assert sound(any_world)


def test_a_retry_that_would_bring_something_else_is_no_answer(any_world, consumer):
    """A mask became stricter in between: the log tells what was handed over, and that it does not count."""
    worker, request = any_world.worker(), any_world.package()
    Streaming(worker, request, consumer).finish()
    any_world.publisher.policy(any_world.edit(HOUSEHOLD, MOBILE, "mobile: {redact: {}}"), any_world.order)
    again = Streaming(worker, request, consumer)
    with pytest.raises(Changed) as stopped:
        again.finish()
    assert stopped.value.reason is Reason.DATA_CHANGED
    (said,) = outcomes(any_world, again)
    assert said["outcome"]["interrupted"]
    assert [why["code"] for why in said["outcome"]["reasons"]] == [Reason.DATA_CHANGED]
    assert sound(any_world)


def test_another_request_under_the_same_id_is_refused(any_world, consumer):
    """Other fields, or the same in one message instead of a stream."""
    worker, request = any_world.worker(), any_world.package()
    streaming = Streaming(worker, request, consumer)
    with pytest.raises(Conflict) as refused:
        next(worker.stream(replace(request, fields=("district",)), consumer, always))
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert not streaming.finish().outcome.interrupted
    unary = any_world.withdrawal()
    assert worker.unary(unary, any_world.consumer, always).answer is not None
    with pytest.raises(Conflict):
        next(worker.stream(replace(unary, streamed=True), any_world.consumer, always))


def test_a_retry_that_is_refused_leaves_the_stream_alone(any_world, consumer):
    """A retry is decided anew; a refusal takes nothing over."""
    worker, request = any_world.worker(), any_world.package()
    streaming = Streaming(worker, request, consumer)
    (refusal,) = worker.stream(replace(request, case_no=""), consumer, always)
    assert refusal.decision.verdict is Verdict.NEEDS_SUPPLEMENT
    assert not streaming.finish().outcome.interrupted


def test_a_caller_who_leaves_at_the_opening_leaves_an_outcome(any_world, consumer):
    """Nothing was handed over, and nobody has to wait for the lease to run out."""
    streaming = Streaming(any_world.worker(), any_world.package(), consumer)
    streaming.parts.close()
    (said,) = outcomes(any_world, streaming)
    assert (said["outcome"]["interrupted"], said["outcome"]["chunks"]) == (True, 0)
    assert sound(any_world)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_stream_whose_end_cannot_be_recorded_is_left_to_its_lease(any_world, consumer, leaves):
    """Others record its outcome. Who leaves hears nothing; who is stopped, why the stream was."""
    first, second, wanted = any_world.worker(lease_seconds=1.0), any_world.worker(), [True]
    parts = first.stream(any_world.package(), consumer, lambda: bool(wanted))
    opening = next(parts).receipt.leaf_index
    next(parts)
    first.log.close()
    if leaves:
        parts.close()
    else:
        wanted.clear()
        first.keeper.seconds = 3600.0
        first.keeper.renew()  # however slow the machine is, the lease is not what stops it
        with pytest.raises(DeadlinePassed):
            list(parts)
    said = closed_by(second.keeper, any_world, opening)
    assert [why["code"] for why in said["outcome"]["reasons"]] == [Reason.LEASE_EXPIRED]
    assert sound(any_world)
