"""The suspension service: officers suspend and lift, everybody sees what is. Thin, like the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from broker.epoch import Epochs
from broker.errors import NotFound, Unavailable
from broker.model import Suspension, Target
from broker.publish import Moved
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.server import paging, wire
from broker.server.calls import Call
from broker.server.services import filter_id, is_of_authority, malformed
from broker.store.store import Store
from broker.suspending import Asked, Caller, Suspensions
from broker.v1 import exchange_pb2, suspension_pb2, suspension_pb2_grpc

log = structlog.get_logger("sharebroker.server")

TARGETS = {target: f"SUSPENSION_TARGET_{target.name}" for target in Target}
COLLECTIONS = {Target.CONSUMER: "departments/", Target.DATASET: "datasets/"}

_NAME = re.compile("suspensions/([1-9][0-9]{0,17})")


class SuspensionService(suspension_pb2_grpc.SuspensionServiceServicer):
    """The kill switch."""

    def __init__(
        self,
        suspensions: Suspensions,
        store: Store,
        receipts: ReceiptLog,
        epochs: Epochs,
        clock: Callable[[], datetime],
    ) -> None:
        self._suspensions = suspensions
        self._store = store
        self._receipts = receipts
        self._epochs = epochs
        self._clock = clock

    def SuspendSharing(
        self, request: suspension_pb2.SuspendSharingRequest, call: Call
    ) -> suspension_pb2.SuspendSharingResponse:
        caller = self._caller(call)
        suspension, moved = self._suspensions.suspend(_asked(request), caller)
        call.facts.update(suspension=suspension.number, epoch=moved.after.sequence)
        return suspension_pb2.SuspendSharingResponse(
            suspension=self._message(suspension, caller), receipt=self._receipt(moved)
        )

    def LiftSuspension(
        self, request: suspension_pb2.LiftSuspensionRequest, call: Call
    ) -> suspension_pb2.LiftSuspensionResponse:
        match, caller = _NAME.fullmatch(request.name), self._caller(call)
        if match is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        suspension, moved = self._suspensions.lift(int(match[1]), request.reason, caller)
        call.facts.update(suspension=suspension.number, epoch=moved.after.sequence)
        return suspension_pb2.LiftSuspensionResponse(
            suspension=self._message(suspension, caller), receipt=self._receipt(moved)
        )

    def ListSuspensions(
        self, request: suspension_pb2.ListSuspensionsRequest, call: Call
    ) -> suspension_pb2.ListSuspensionsResponse:
        caller, size = self._caller(call), paging.page_size(request.page_size, default=50)
        with self._store.epochs() as tables:
            found = tables.suspensions(lifted=request.lifted)
        seen = [one for one in found if caller.may_see(one)]
        shown, token = paging.page(seen, size, request.page_token, f"suspensions {request.lifted}")
        return suspension_pb2.ListSuspensionsResponse(
            suspensions=[self._message(one, caller) for one in shown], next_page_token=token
        )

    def _caller(self, call: Call) -> Caller:
        return Caller(call.identity, is_of_authority(call.identity, self._epochs))

    def _receipt(self, moved: Moved) -> exchange_pb2.Receipt | None:
        """Of the leaf that says so, if its head can be signed: what was ordered is in force in any case."""
        if moved.leaf_index is None:
            return None
        try:
            self._receipts.sign()
            return wire.receipt_message(self._receipts.receipt(moved.leaf_index))
        except Unavailable as error:
            log.warning("act_not_signed_yet", epoch=moved.after.sequence, reason=error.reason)
            return None

    def _message(self, suspension: Suspension, caller: Caller) -> suspension_pb2.Suspension:
        told, ordered_by = caller.may_read_why(suspension), suspension.department
        provider, collection = suspension.provider, COLLECTIONS.get(suspension.target, "")
        return suspension_pb2.Suspension(
            name=suspension.resource_name,
            target=getattr(suspension_pb2, TARGETS[suspension.target]),
            subject=f"{collection}{suspension.name}",
            provider=f"departments/{provider}" if provider else "",
            suspend_time=wire.timestamp(suspension.since),
            mend_time=wire.timestamp(suspension.mend_by),
            overdue=suspension.is_overdue(self._clock()),
            lift_epoch=suspension.lifted or 0,
            department=f"departments/{ordered_by}" if ordered_by else "",
            actor=suspension.actor if told else "",
            reason=suspension.reason if told else "",
        )


def _asked(request: suspension_pb2.SuspendSharingRequest) -> Asked:
    targets = {getattr(suspension_pb2, name): target for target, name in TARGETS.items()}
    if request.target not in targets:
        raise malformed("target", "须指明暂停什么", "must say what to stop")
    target = targets[request.target]
    return Asked(
        target,
        filter_id(request.subject, COLLECTIONS.get(target, ""), "subject"),
        filter_id(request.provider, "departments/", "provider"),
        request.reason,
        _time(request) if request.HasField("mend_time") else None,
    )


def _time(request: suspension_pb2.SuspendSharingRequest) -> datetime:
    try:
        return request.mend_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise malformed("mend_time", "不是有效的时间", "not a valid time") from None
