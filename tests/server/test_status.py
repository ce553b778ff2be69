"""Errors on the wire: one code each, a reason that programs read, sentences that people read, no value."""

import re

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from broker import errors
from broker.errors import BrokerError, Elsewhere, MalformedRequest, Violation
from broker.reasons import DOMAIN, Reason, sentence
from broker.server.status import CODES, code_of, to_status, unexpected

METADATA_BYTES = 8192
"""What a gRPC client takes by default; of more it reports another error."""
TREE = [line for line in errors.__doc__.splitlines() if "──" in line]
CLASSES = sorted(CODES, key=lambda kind: kind.__name__)


def made(kind, reason=Reason.DATASET_UNKNOWN):
    return MalformedRequest((Violation("a", "甲", "a"),)) if kind is MalformedRequest else kind(reason)


def details_of(error):
    """ErrorInfo and the field violations, as they go over the wire."""
    ((key, packed),) = to_status(error).trailing_metadata
    assert key == "grpc-status-details-bin"
    status = status_pb2.Status.FromString(packed)
    assert (status.code, status.message) == (code_of(error).value[0], to_status(error).details)
    info, violations = error_details_pb2.ErrorInfo(), None
    for detail in status.details:
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            violations = bad.field_violations
        else:
            assert detail.Unpack(info)
    return info, violations


def test_every_error_has_a_code():
    """Every kind of error that can be raised is translated, and UNKNOWN is none of the translations."""
    kinds = set()
    left = [BrokerError]
    while left:
        found = left.pop().__subclasses__()
        kinds |= {kind for kind in found if kind.__module__ == errors.__name__}
        left += found
    assert kinds == set(CODES)
    assert grpc.StatusCode.UNKNOWN not in CODES.values()
    assert grpc.StatusCode.OK not in CODES.values()


def test_codes_stand_in_the_docstring():
    """The tree at the top of broker.errors says the same."""
    for kind, code in CODES.items():
        (line,) = [line for line in TREE if re.search(rf"\b{kind.__name__}\b", line)]
        assert code.name in line


@pytest.mark.parametrize("kind", CLASSES)
def test_status_of_an_error(kind):
    """Code, message in both languages, ErrorInfo under our domain."""
    error = made(kind)
    status, (info, violations) = to_status(error), details_of(error)
    said = sentence(error.reason)
    assert status.code is code_of(error) is CODES[kind]
    assert status.details == f"{said.zh} / {said.en}"
    assert (info.domain, info.reason, dict(info.metadata)) == (
        DOMAIN,
        error.reason,
        {"zh": said.zh, "en": said.en},
    )
    assert (violations is not None) == (kind is MalformedRequest)


def test_what_it_is_about():
    """A name that the error is about stands beside the reason, for programs."""
    info, _ = details_of(Elsewhere(Reason.SERVED_ELSEWHERE, "7444"))
    assert info.metadata["about"] == "7444"


def test_field_violations():
    """Each with its path and both languages, in their order."""
    given_ = (Violation("a[0]", "甲", "one"), Violation("b", "乙", "two"))
    _, violations = details_of(MalformedRequest(given_))
    assert [(v.field, v.description) for v in violations] == [("a[0]", "甲 / one"), ("b", "乙 / two")]


def test_a_defect_says_nothing_of_itself():
    """Callers learn that nothing was released."""
    error = unexpected()
    assert code_of(error) is grpc.StatusCode.INTERNAL
    assert details_of(error)[0].reason == Reason.INTERNAL


def received(violations):
    """What a client finds of them, in metadata that it can take."""
    error = MalformedRequest(tuple(violations))
    status = to_status(error)
    size = sum(len(value) for _, value in status.trailing_metadata)
    # Both go over the wire as text: the message percent-encoded, the details in base64.
    assert 3 * len(status.details.encode()) + 4 * size // 3 < METADATA_BYTES
    return details_of(error)[1]


def test_more_violations_than_a_client_can_receive():
    """A client gets the first of a thousand, and how many more there are."""
    wrong = [
        Violation(f"application.subjects[{i}]", "不是公民身份号码", "not a valid id") for i in range(1000)
    ]
    *told, rest = received(wrong)
    assert [v.field for v in told] == [v.field for v in wrong[: len(told)]]
    assert len(told) > 20
    assert f"and {1000 - len(told)} more" in rest.description


@given(st.lists(st.builds(Violation, *[st.text(max_size=60)] * 3), max_size=60))
def test_a_client_can_receive_any_violations(violations):
    """However much is wrong, and in whatever script, it fits."""
    assert len(received(violations)) <= len(violations) + 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.Exhausted(Reason.OVERLOADED, retry_seconds=0.25), 0.25),
        (errors.Exhausted(Reason.OVERLOADED), None),
        (errors.Unavailable(Reason.LOG_UNAVAILABLE), 0.5),
        (errors.Unavailable(Reason.SHUTTING_DOWN), None),
        (errors.Changed(Reason.DATA_CHANGED), None),
    ],
)
def test_when_to_ask_again(error, told):
    """RetryInfo stands where waiting helps, and only there: without it clients give up a full broker."""
    ((_, packed),) = to_status(error).trailing_metadata
    wait = error_details_pb2.RetryInfo()
    found = [d for d in status_pb2.Status.FromString(packed).details if d.Is(wait.DESCRIPTOR)]
    assert len(found) == (told is not None)
    if found:
        assert found[0].Unpack(wait)
        assert wait.retry_delay.ToTimedelta().total_seconds() == told
