"""Demands of a permit in whole exchanges: the smallest group, which hides whom there is; rows; watermark."""

import pyarrow as pa
import pytest

from broker.errors import TooSmall
from broker.model import Verdict
from broker.reasons import Reason
from broker.transmit.watermark import watermark
from tests.epoch.test_streaming import Streaming, always, outcomes_of

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
HOUSEHOLD = "sharing/public-security-household.yaml"
OWN_REGION = "    rows: {district: caller} # 只给需求部门本辖区的登记\n"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
QUOTA = "limits: {calls_per_day: 2000}\n"


@pytest.fixture
def publish(world):
    """Puts the policies in force with one text replaced."""

    def edit(file, before, after):
        world.publisher.policy(world.edit(file, before, after), world.order)
        world.let_it_look()

    return edit


def test_a_single_message_about_too_few_is_a_refusal_with_a_receipt(world, publish):
    """It claims no request id and tells no outcome; about enough it is an answer."""
    worker, request = world.worker(), world.withdrawal()
    smaller = LIMITS.replace("}", ", minimum_group_size: 2}")
    publish(MARRIAGE, LIMITS, smaller)
    refused = worker.unary(request, world.consumer, always)
    assert refused.decision.verdict is Verdict.DENY
    assert [why.reason for why in refused.decision.reasons] == [Reason.GROUP_TOO_SMALL]
    assert refused.answer is None
    assert "outcome" not in world.statements()[-1]
    publish(MARRIAGE, smaller, LIMITS.replace("}", ", minimum_group_size: 1}"))
    assert worker.unary(request, world.consumer, always).answer.counts.released == 1


def test_a_stream_about_too_few_hands_nothing_over_and_tells_nothing(world, publish):
    """After its opening it ends; the outcome has neither rows nor whom there is."""
    worker, consumer = world.worker(), world.issue("medical_insurance")
    publish(HOUSEHOLD, QUOTA, "limits: {minimum_group_size: 1000000}\n")
    streaming = Streaming(worker, world.package(), consumer)
    with pytest.raises(TooSmall) as raised:
        streaming.finish()
    assert raised.value.reason is Reason.GROUP_TOO_SMALL
    (said,) = outcomes_of(world, streaming.opening.receipt.leaf_index)
    outcome = said["outcome"]
    assert (outcome["interrupted"], outcome["chunks"], outcome["bytes"]) == (True, 0, 0)
    assert outcome["rows"] == {"read": 0, "bad": 0, "released": 0}
    assert outcome["reasons"] == [{"code": Reason.GROUP_TOO_SMALL, "about": ""}]


def test_a_stream_about_enough_is_whole(world, publish):
    """What was held back is handed over once the size is reached: as much as without a smallest group."""
    worker, consumer = world.worker(), world.issue("medical_insurance")
    without = Streaming(worker, world.package(), consumer).finish().outcome
    publish(HOUSEHOLD, QUOTA, "limits: {minimum_group_size: 500}\n")
    assert Streaming(worker, world.package(), consumer).finish().outcome.counts == without.counts


def test_rows_by_list(world, publish):
    """Only rows with one of the listed values are released; whom they are not about, there is no row."""
    worker, before = world.worker(), OWN_REGION
    (record,) = worker.unary(world.withdrawal(), world.consumer, always).answer.records
    for values, released in ((f"[{record['status']}, nothing]", 1), ("[nothing]", 0)):
        after = f"    rows: {{lists: {{status: {values}}}}}\n"
        publish(MARRIAGE, before, after)
        answer = worker.unary(world.withdrawal(), world.consumer, always).answer
        assert answer.counts.released == answer.counts.read == released
        before = after


def test_a_watermark_names_consumer_purpose_and_request(world, publish):
    """Beside the records of a single message, and in the schema that begins a stream, under its digest."""
    worker, request = world.worker(), world.withdrawal()
    assert worker.unary(request, world.consumer, always).watermark == {}
    publish(MARRIAGE, "registered_on: year\n", "registered_on: year\n      watermark: true\n")
    request = world.withdrawal()
    exchanged = worker.unary(request, world.consumer, always)
    assert exchanged.watermark == watermark(world.consumer.uri, request.purpose, request.request_id)
    assert world.statements()[-1]["obligations"]["watermark"]

    publish(HOUSEHOLD, "no_onward_sharing: true", "watermark: true")
    package, consumer = world.package(), world.issue("medical_insurance")
    streaming = Streaming(worker, package, consumer)
    streaming.finish()
    with pa.ipc.open_stream(b"".join(streaming.chunks)) as stream:
        marks = {name.decode(): mark.decode() for name, mark in stream.schema.metadata.items()}
    assert marks == watermark(consumer.uri, package.purpose, package.request_id)
    assert Streaming(worker, package, consumer).finish().redelivered, "a retry has the same marks"
