"""The one place where errors become gRPC status: code, ``ErrorInfo``, field violations, when to ask again."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from broker import errors
from broker.reasons import DOMAIN, Reason

CODES: dict[type[errors.BrokerError], grpc.StatusCode] = {
    errors.MalformedRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotAuthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.NotAuthorised: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.Changed: grpc.StatusCode.ABORTED,
    errors.TooLarge: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TooSmall: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Elsewhere: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotApproved: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotReversible: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotAcknowledged: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotPossible: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NothingToDispose: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlinePassed: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Failed: grpc.StatusCode.INTERNAL,
}

RETRY_SECONDS: dict[Reason, float] = {
    Reason.LOG_UNAVAILABLE: 0.5,
    Reason.VAULT_UNAVAILABLE: 1.0,
    Reason.SOURCE_UNAVAILABLE: 1.0,
    Reason.POLICY_UNUSABLE: 1.0,
    Reason.REVOCATIONS_UNREADABLE: 1.0,
    Reason.CLOCK_BEHIND_LOG: 1.0,
    Reason.NOT_WITNESSED: 5.0,
}
"""The shortest wait after which what is unavailable may be there again: a signer that died is missed within
half a second, the others want a person or a network. After SHUTTING_DOWN another worker answers at once."""

MOST_VIOLATION_BYTES = 4096
"""gRPC clients take 8 KiB of metadata, in which these go as base64 beside the message and its reason; of more
they report another error."""


def code_of(error: errors.BrokerError) -> grpc.StatusCode:
    """The status code of ``error``."""
    return CODES[type(error)]


def to_status(error: errors.BrokerError) -> grpc.Status:
    """``error`` as a status with rich details (google.rpc.Status in the trailing metadata)."""
    said = error.sentence
    status = status_pb2.Status(code=code_of(error).value[0], message=f"{said.zh} / {said.en}")
    _add(
        status,
        error_details_pb2.ErrorInfo(
            reason=error.reason,
            domain=DOMAIN,
            metadata={"zh": said.zh, "en": said.en, **({"about": error.about} if error.about else {})},
        ),
    )
    if isinstance(error, errors.MalformedRequest):
        _add(status, _bad_request(error.violations))
    if (seconds := _retry_seconds(error)) is not None:
        wait = error_details_pb2.RetryInfo()
        wait.retry_delay.FromMilliseconds(round(seconds * 1000))
        _add(status, wait)
    return rpc_status.to_status(status)


def _retry_seconds(error: errors.BrokerError) -> float | None:
    if isinstance(error, errors.Exhausted):
        return error.retry_seconds
    return RETRY_SECONDS.get(error.reason) if isinstance(error, errors.Unavailable) else None


def _bad_request(violations: Sequence[errors.Violation]) -> error_details_pb2.BadRequest:
    """As many violations as a caller can receive, and how many more there are."""
    bad, left = error_details_pb2.BadRequest(), MOST_VIOLATION_BYTES
    for told, violation in enumerate(violations):
        left -= len(f"{violation.field}{violation.zh}{violation.en}".encode()) + 16
        if left < 0:
            rest = len(violations) - told
            bad.field_violations.add(description=f"另有 {rest} 处 / and {rest} more")
            break
        bad.field_violations.add(field=violation.field, description=f"{violation.zh} / {violation.en}")
    return bad


def unexpected() -> errors.Failed:
    """What a caller learns of a defect: that nothing was released, and no more."""
    return errors.Failed(Reason.INTERNAL)


def _add(status: status_pb2.Status, detail: Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)
