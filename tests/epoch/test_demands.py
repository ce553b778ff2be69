"""Demands of a permit in whole exchanges: the smallest group, hiding whom there is, and the watermark."""

from dataclasses import replace

import pyarrow as pa
import pytest

from broker import exchange, standing
from broker.approve.evaluate import evaluate
from broker.errors import TooSmall
from broker.model import Obligations, Verdict
from broker.reasons import Reason
from broker.transmit.watermark import watermark
from tests.epoch.test_streaming import Streaming, always, outcomes_of


@pytest.fixture
def demanding(monkeypatch):
    """Every decision from now on has these changes."""

    def demand(**changes):
        def decide(*given):
            return replace(evaluate(*given), **changes)

        monkeypatch.setattr(exchange, "evaluate", decide)
        monkeypatch.setattr(standing, "evaluate", decide)

    return demand


def test_a_single_message_about_too_few_is_a_refusal_with_a_receipt(world, demanding):
    """It claims no request id and tells no outcome; about enough it is an answer."""
    worker, request = world.worker(), world.withdrawal()
    demanding(minimum_group_size=2)
    refused = worker.unary(request, world.consumer, always)
    assert refused.decision.verdict is Verdict.DENY
    assert [why.reason for why in refused.decision.reasons] == [Reason.GROUP_TOO_SMALL]
    assert refused.answer is None
    assert "outcome" not in world.statements()[-1]
    demanding(minimum_group_size=1)
    assert worker.unary(request, world.consumer, always).answer.counts.released == 1


def test_a_stream_about_too_few_hands_nothing_over_and_tells_nothing(world, demanding):
    """After its opening it ends; the outcome has neither rows nor whom there is."""
    worker, consumer = world.worker(), world.issue("medical_insurance")
    demanding(minimum_group_size=10**6)
    streaming = Streaming(worker, world.package(), consumer)
    with pytest.raises(TooSmall) as raised:
        streaming.finish()
    assert raised.value.reason is Reason.GROUP_TOO_SMALL
    (said,) = outcomes_of(world, streaming.opening.receipt.leaf_index)
    outcome = said["outcome"]
    assert (outcome["interrupted"], outcome["chunks"], outcome["bytes"]) == (True, 0, 0)
    assert outcome["rows"] == {"read": 0, "bad": 0, "released": 0}
    assert outcome["reasons"] == [{"code": Reason.GROUP_TOO_SMALL, "about": ""}]


def test_a_stream_about_enough_is_whole(world, demanding):
    """What was held back is handed over once the size is reached."""
    worker, consumer = world.worker(), world.issue("medical_insurance")
    demanding(minimum_group_size=900)
    closing = Streaming(worker, world.package(), consumer).finish()
    assert closing.outcome.counts.released >= 900


def test_a_watermark_names_consumer_purpose_and_request(world, demanding):
    """Beside the records of a single message, and in the schema that begins a stream, under its digest."""
    worker, request = world.worker(), world.withdrawal()
    assert worker.unary(request, world.consumer, always).watermark == {}
    demanding(obligations=Obligations(watermark=True))
    request = world.withdrawal()
    exchanged = worker.unary(request, world.consumer, always)
    assert exchanged.watermark == watermark(world.consumer.uri, request.purpose, request.request_id)
    assert world.statements()[-1]["obligations"]["watermark"]

    package, consumer = world.package(), world.issue("medical_insurance")
    streaming = Streaming(worker, package, consumer)
    streaming.finish()
    with pa.ipc.open_stream(b"".join(streaming.chunks)) as stream:
        marks = {name.decode(): mark.decode() for name, mark in stream.schema.metadata.items()}
    assert marks == watermark(consumer.uri, package.purpose, package.request_id)
    assert Streaming(worker, package, consumer).finish().redelivered, "a retry has the same marks"
