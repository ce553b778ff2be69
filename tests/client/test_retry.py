"""What is tried again, under which request id, for how long, and what is told at the end."""

import threading

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.retry import FIRST_SECONDS, MOST_SECONDS, jitter
from broker.errors import (
    Changed,
    Conflict,
    DeadlinePassed,
    Exhausted,
    Failed,
    MalformedRequest,
    NotAuthenticated,
    NotAuthorised,
    NotFound,
    TooLarge,
    Unavailable,
)
from broker.model import Verdict
from broker.reasons import Reason

ANSWERS = [
    (grpc.StatusCode.INVALID_ARGUMENT, MalformedRequest),
    (grpc.StatusCode.UNAUTHENTICATED, NotAuthenticated),
    (grpc.StatusCode.PERMISSION_DENIED, NotAuthorised),
    (grpc.StatusCode.NOT_FOUND, NotFound),
    (grpc.StatusCode.ALREADY_EXISTS, Conflict),
    (grpc.StatusCode.ABORTED, Changed),
    (grpc.StatusCode.FAILED_PRECONDITION, TooLarge),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, Exhausted),
    (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlinePassed),
    (grpc.StatusCode.INTERNAL, Failed),
    (grpc.StatusCode.UNKNOWN, Failed),
    (grpc.StatusCode.DATA_LOSS, Failed),
    (grpc.StatusCode.UNIMPLEMENTED, Failed),
]


@given(st.integers(1, 1_000) | st.just(10_000))
def test_pause_is_anything_up_to_a_bound_that_doubles_and_then_stays(attempt):
    """Full jitter: between nothing and the bound, whatever the attempt's number."""
    assert 0 <= jitter(attempt) <= min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(attempt - 1, 999))


def test_pauses_differ():
    """Clients that failed together do not come back together."""
    assert len({jitter(6) for _ in range(50)}) > 40


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_absent_broker_is_tried_again_under_one_request_id(script, steps, caller, terms, code):
    """What says that nobody was there is tried again, the very same request each time."""
    broker = script(steps.fail(code), steps.fail(code), steps.deny)
    exchanged = caller.exchange(broker.address, sign=True, **terms)
    assert exchanged.verdict is Verdict.DENY
    assert exchanged.attempts == len(broker.requests) == 3
    assert {request.SerializeToString() for request in broker.requests} == {
        broker.requests[0].SerializeToString()
    }
    assert exchanged.request_id == broker.requests[0].request_id


def test_decision_is_an_answer(script, steps, caller, terms):
    """A refusal is not asked again."""
    broker = script(steps.deny)
    assert caller.exchange(broker.address, **terms).attempts == len(broker.requests) == 1


@pytest.mark.parametrize(("code", "error"), ANSWERS, ids=lambda value: getattr(value, "name", ""))
def test_other_statuses_are_answers(script, steps, caller, terms, code, error):
    """No other status is tried again; the error says under which id and how often the call was made."""
    broker = script(steps.fail(code))
    with pytest.raises(error) as failed:
        caller.exchange(broker.address, **terms)
    assert len(broker.requests) == failed.value.attempts == 1
    assert failed.value.request_id == broker.requests[0].request_id


def test_broker_that_names_a_wait_is_given_it(script, steps, caller, terms, clock):
    """RESOURCE_EXHAUSTED with RetryInfo is tried again, and not before the time named."""
    busy = steps.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, steps.told("OVERLOADED"), steps.retry_in(30))
    broker = script(busy, steps.deny)
    assert caller.exchange(broker.address, timeout=100, **terms).attempts == 2
    assert clock.seconds >= 30


def test_wait_beyond_the_deadline_is_not_waited(script, steps, caller, terms, clock):
    """Who would be too late is told at once."""
    broker = script(steps.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, steps.retry_in(110)))
    with pytest.raises(Exhausted):
        caller.exchange(broker.address, timeout=100, **terms)
    assert clock.seconds == 0
    assert len(broker.requests) == 1


def test_deadline_is_that_of_all_attempts(script, steps, caller, terms, clock):
    """A broker that never comes back costs no more than the timeout, and the last failure is told."""

    def fail(request, context):
        clock.sleep(120)
        steps.fail(grpc.StatusCode.UNAVAILABLE, steps.told("LOG_UNAVAILABLE"))(request, context)

    broker = script(fail)
    with pytest.raises(Unavailable) as failed:
        caller.exchange(broker.address, timeout=200, **terms)
    assert failed.value.reason is Reason.LOG_UNAVAILABLE
    assert failed.value.attempts == len(broker.requests) == 2


def test_silence_ends_at_the_deadline(script, steps, caller, terms, clock):
    """No answer within the timeout, over whatever attempts, is DeadlinePassed."""
    end = threading.Event()

    def fail(request, context):
        clock.sleep(99.5)
        steps.fail(grpc.StatusCode.UNAVAILABLE)(request, context)

    broker = script(fail, lambda *_: end.wait(60))
    with pytest.raises(DeadlinePassed) as failed:
        caller.exchange(broker.address, timeout=100, **terms)
    end.set()
    assert failed.value.reason is Reason.DEADLINE_PASSED
    assert failed.value.attempts == 2


def test_caller_can_forbid_retries(script, steps, caller, terms):
    """``attempts`` bounds them."""
    broker = script(steps.fail(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(Unavailable):
        caller.exchange(broker.address, attempts=2, **terms)
    assert len(broker.requests) == 2


def test_stream_is_tried_again_until_its_decision_came(script, steps, caller, terms):
    """Before the first part a stream is like any call."""
    broker = script(steps.fail(grpc.StatusCode.UNAVAILABLE), steps.permit_stream)
    stream, table = caller.stream(broker.address, **terms)
    assert stream.attempts == len(broker.requests) == 2
    assert table.num_rows == 3 * steps.batch.num_rows
    assert len({request.request_id for request in broker.requests}) == 1


def test_stream_that_broke_off_is_not_begun_again(script, steps, caller, terms):
    """After the first part data may have been released: the caller decides whether to ask for more."""

    def break_off(request, context):
        yield from steps.permit_stream(request, context)[:2]
        steps.fail(grpc.StatusCode.UNAVAILABLE)(request, context)

    broker = script(break_off)
    with pytest.raises(Unavailable) as failed:
        caller.stream(broker.address, **terms)
    assert len(broker.requests) == failed.value.attempts == 1
    assert failed.value.request_id == broker.requests[0].request_id
