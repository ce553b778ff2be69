"""What a status with its details stands for on the client's side."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from broker import errors
from broker.client.status import BY_REASON, failure_of
from broker.reasons import Reason
from broker.server.status import CODES, to_status


class Ended(grpc.RpcError):
    """An RPC that ended with a status."""

    def __init__(self, status):
        self._status = status

    def code(self):
        return self._status.code

    def details(self):
        return self._status.details

    def trailing_metadata(self):
        return self._status.trailing_metadata


def ended(code, *details):
    status = status_pb2.Status(code=code.value[0], message="m")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return Ended(rpc_status.to_status(status))


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_what_the_broker_raised_is_what_the_client_raises(kind):
    """Every error survives the way over the wire, with its reason and what it is about."""
    if kind is errors.MalformedRequest:
        raised = kind((errors.Violation("application.fields[0]", "不对。", "wrong."),))
    else:
        by_reason = {known: reason for reason, known in BY_REASON.items()}
        reason = by_reason.get(kind, Reason.MASKING_FAILED)
        raised = kind(reason, "something")
    failure = failure_of(Ended(to_status(raised)))
    assert type(failure.error) is kind
    assert (failure.error.reason, failure.error.about) == (raised.reason, raised.about)
    assert getattr(failure.error, "violations", ()) == getattr(raised, "violations", ())
    assert failure.retry_seconds is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.BROKER_UNREACHABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_PASSED),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.OVERLOADED),
        (grpc.StatusCode.UNIMPLEMENTED, Reason.INTERNAL),
    ],
)
def test_status_of_grpc_itself(code, reason):
    """A status without details is gRPC's own; so is one with the details of another domain."""
    stranger = error_details_pb2.ErrorInfo(reason="DATA_CHANGED", domain="elsewhere")
    assert failure_of(ended(code)).error.reason is reason
    assert failure_of(ended(code, stranger)).error.reason is reason


def test_reason_of_a_newer_broker():
    """A reason that this client does not know is told as what it does know."""
    info = error_details_pb2.ErrorInfo(reason="NEVER_HEARD_OF", domain="sharebroker")
    failure = failure_of(ended(grpc.StatusCode.ABORTED, info))
    assert type(failure.error) is errors.Changed
    assert failure.error.reason is Reason.INTERNAL


def test_wait_that_the_broker_asks_for():
    """RetryInfo is read in seconds; a negative one is none at all."""
    wait = error_details_pb2.RetryInfo()
    wait.retry_delay.FromMilliseconds(1_500)
    assert failure_of(ended(grpc.StatusCode.RESOURCE_EXHAUSTED, wait)).retry_seconds == 1.5
    wait.retry_delay.FromMilliseconds(-1_500)
    assert failure_of(ended(grpc.StatusCode.RESOURCE_EXHAUSTED, wait)).retry_seconds == 0


def test_details_that_cannot_be_trusted_are_dropped():
    """Details that contradict the status, or cannot be read, change nothing."""
    lying = ended(grpc.StatusCode.NOT_FOUND, error_details_pb2.RetryInfo())
    lying.code = lambda: grpc.StatusCode.UNAVAILABLE
    broken = ended(grpc.StatusCode.UNAVAILABLE)
    broken.trailing_metadata = lambda: (("grpc-status-details-bin", b"\xff\xff"),)
    inner = ended(grpc.StatusCode.UNAVAILABLE)
    packed = any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff")
    status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="m", details=[packed])
    inner._status = rpc_status.to_status(status)
    for failure in map(failure_of, (lying, broken, inner)):
        assert failure.error.reason is Reason.BROKER_UNREACHABLE
        assert failure.retry_seconds is None
