"""The smallest group in whole exchanges: who is too few is refused, and nothing tells whom there is."""

from dataclasses import replace

import pytest

from broker import exchange, standing
from broker.approve.evaluate import evaluate
from broker.errors import TooSmall
from broker.model import Verdict
from broker.reasons import Reason
from tests.epoch.test_streaming import Streaming, always, outcomes_of


@pytest.fixture
def smallest(monkeypatch):
    """Every permit from now on has a smallest group of that size."""

    def demand(size):
        def decide(*given):
            decision = evaluate(*given)
            return replace(decision, minimum_group_size=size)

        monkeypatch.setattr(exchange, "evaluate", decide)
        monkeypatch.setattr(standing, "evaluate", decide)

    return demand


def test_a_single_message_about_too_few_is_a_refusal_with_a_receipt(world, smallest):
    """It claims no request id and tells no outcome; about enough it is an answer."""
    worker, request = world.worker(), world.withdrawal()
    smallest(2)
    refused = worker.unary(request, world.consumer, always)
    assert refused.decision.verdict is Verdict.DENY
    assert [why.reason for why in refused.decision.reasons] == [Reason.GROUP_TOO_SMALL]
    assert refused.answer is None
    assert "outcome" not in world.statements()[-1]
    smallest(1)
    assert worker.unary(request, world.consumer, always).answer.counts.released == 1


def test_a_stream_about_too_few_hands_nothing_over_and_tells_nothing(world, smallest):
    """After its opening it ends; the outcome has neither rows nor whom there is."""
    worker, consumer = world.worker(), world.issue("medical_insurance")
    smallest(10**6)
    streaming = Streaming(worker, world.package(), consumer)
    with pytest.raises(TooSmall) as raised:
        streaming.finish()
    assert raised.value.reason is Reason.GROUP_TOO_SMALL
    (said,) = outcomes_of(world, streaming.opening.receipt.leaf_index)
    outcome = said["outcome"]
    assert (outcome["interrupted"], outcome["chunks"], outcome["bytes"]) == (True, 0, 0)
    assert outcome["rows"] == {"read": 0, "bad": 0, "released": 0}
    assert outcome["reasons"] == [{"code": Reason.GROUP_TOO_SMALL, "about": ""}]


def test_a_stream_about_enough_is_whole(world, smallest):
    """What was held back is handed over once the size is reached."""
    worker, consumer = world.worker(), world.issue("medical_insurance")
    smallest(900)
    closing = Streaming(worker, world.package(), consumer).finish()
    assert closing.outcome.counts.released >= 900
