"""From gRPC status back to :mod:`broker.errors`: a department's program catches what the broker raised."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from broker import errors
from broker.reasons import DOMAIN, Reason

ERRORS: dict[grpc.StatusCode, type[errors.BrokerError]] = {
    grpc.StatusCode.UNAUTHENTICATED: errors.NotAuthenticated,
    grpc.StatusCode.PERMISSION_DENIED: errors.NotAuthorised,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.Conflict,
    grpc.StatusCode.ABORTED: errors.Changed,
    grpc.StatusCode.FAILED_PRECONDITION: errors.TooLarge,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Exhausted,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.CANCELLED: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlinePassed,
}

FALLBACKS: dict[grpc.StatusCode, Reason] = {
    grpc.StatusCode.UNAVAILABLE: Reason.BROKER_UNREACHABLE,
    grpc.StatusCode.CANCELLED: Reason.BROKER_UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_PASSED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.OVERLOADED,
}
"""What a status without details means: gRPC itself gave it, not the broker."""


def error_of(failure: grpc.RpcError) -> errors.BrokerError:
    """The error that ``failure`` stands for."""
    code = failure.code()
    info, violations = _details(failure)
    reason = _reason(info.reason) if info else FALLBACKS.get(code, Reason.INTERNAL)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return errors.MalformedRequest(violations, reason)
    about = info.metadata.get("about", "") if info else ""
    return ERRORS.get(code, errors.Failed)(reason, about)


def _details(
    failure: grpc.RpcError,
) -> tuple[error_details_pb2.ErrorInfo | None, tuple[errors.Violation, ...]]:
    info, violations = None, []
    try:
        status = rpc_status.from_call(failure)
    except ValueError:  # details that contradict the status: trust neither
        status = None
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            candidate = error_details_pb2.ErrorInfo()
            detail.Unpack(candidate)
            info = candidate if candidate.domain == DOMAIN else info
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            violations += [_violation(v.field, v.description) for v in bad.field_violations]
    return info, tuple(violations)


def _violation(field: str, description: str) -> errors.Violation:
    zh, _, en = description.partition(" / ")
    return errors.Violation(field, zh, en)


def _reason(code: str) -> Reason:
    try:
        return Reason(code)
    except ValueError:  # a newer broker's reason
        return Reason.INTERNAL
