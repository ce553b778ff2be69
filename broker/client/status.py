"""From gRPC status back to :mod:`broker.errors`: a department's program catches what the broker raised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
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

BY_REASON: dict[Reason, type[errors.BrokerError]] = {
    Reason.SERVED_ELSEWHERE: errors.Elsewhere,
    Reason.GROUP_TOO_SMALL: errors.TooSmall,
    Reason.CLASS_TOO_SMALL: errors.TooSmall,
    Reason.TOO_MANY_CLASSES: errors.TooSmall,
    Reason.NOT_APPROVED: errors.NotApproved,
    Reason.APPROVAL_MISSING: errors.NotApproved,
    Reason.NOT_REVERSIBLE: errors.NotReversible,
    Reason.ACT_NOT_POSSIBLE: errors.NotPossible,
    Reason.NOTHING_DELIVERED: errors.NotAcknowledged,
    Reason.DELIVERY_DISPUTED: errors.NotAcknowledged,
    Reason.NOTHING_TO_DISPOSE: errors.NothingToDispose,
    Reason.CONSUMER_NOT_SUSPENDED: errors.NothingToDispose,
    Reason.NOTHING_TO_CORRECT: errors.NotPossible,
}
"""Where a status stands for several errors."""

FALLBACKS: dict[grpc.StatusCode, Reason] = {
    grpc.StatusCode.UNAVAILABLE: Reason.BROKER_UNREACHABLE,
    grpc.StatusCode.CANCELLED: Reason.BROKER_UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_PASSED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.OVERLOADED,
}
"""What a status without details means: gRPC itself gave it, not the broker."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt failed: the error that it stands for, and what gRPC said beside it."""

    code: grpc.StatusCode
    error: errors.BrokerError
    retry_seconds: float | None
    """``google.rpc.RetryInfo``: the shortest wait that the broker asks for; None when it asks for none."""


def failure_of(error: grpc.RpcError) -> Failure:
    """What ``error``, of grpc or of grpc.aio, stands for."""
    code, details = error.code(), _details(error)
    waits = [d.retry_delay.ToTimedelta().total_seconds() for d in details if isinstance(d, RetryInfo)]
    return Failure(code, _error(code, details), max(0.0, waits[0]) if waits else None)


def _error(code: grpc.StatusCode, details: Sequence[Message]) -> errors.BrokerError:
    infos = [d for d in details if isinstance(d, ErrorInfo) and d.domain == DOMAIN]
    reason = _reason(infos[0].reason) if infos else FALLBACKS.get(code, Reason.INTERNAL)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        found = (v for d in details if isinstance(d, BadRequest) for v in d.field_violations)
        return errors.MalformedRequest(tuple(_violation(v.field, v.description) for v in found), reason)
    about = infos[0].metadata.get("about", "") if infos else ""
    return BY_REASON.get(reason, ERRORS.get(code, errors.Failed))(reason, about)


def _details(error: grpc.RpcError) -> list[Message]:
    found: list[Message] = []
    try:
        status = rpc_status.from_call(error)
        for packed in status.details if status else ():
            for kind in (ErrorInfo, RetryInfo, BadRequest):
                if packed.Is(kind.DESCRIPTOR):
                    found.append(kind())
                    packed.Unpack(found[-1])
    except (ValueError, DecodeError):  # details that contradict the status, or cannot be read: trust none
        return []
    return found


def _violation(field: str, description: str) -> errors.Violation:
    zh, _, en = description.partition(" / ")
    return errors.Violation(field, zh, en)


def _reason(code: str) -> Reason:
    try:
        return Reason(code)
    except ValueError:  # a newer broker's reason
        return Reason.INTERNAL
