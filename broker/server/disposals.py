"""The disposal service: lists orders, takes those of officers, takes certificates. Thin, like the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import orjson

from broker.applications.register import Register
from broker.disposal.certifying import Certifier
from broker.disposal.ordering import WITHIN_WORKING_DAYS, Orders, Terms
from broker.epoch import Epochs
from broker.errors import MalformedRequest, NotFound, Violation
from broker.model import DeliverySet, Disposal, DisposalCause, DisposalMethod, Identity, Role, State
from broker.reasons import Reason
from broker.receipt.disposals import sets_of
from broker.receipt.log import ReceiptLog
from broker.server import paging, wire
from broker.server.calls import Call
from broker.server.services import filter_id, is_of_authority, resource_leaf
from broker.store.disposals import DisposalFilter, Waiting, WaitingFilter
from broker.store.store import Store
from broker.v1 import disposal_pb2, disposal_pb2_grpc

MAX_REASON = 500
"""Longest reason, in characters."""
MAX_WORKING_DAYS = 250

_METHODS = {
    disposal_pb2.DisposalMethod.Value(f"DISPOSAL_METHOD_{method.name}"): method for method in DisposalMethod
}
_CAUSES = {
    disposal_pb2.DisposalCause.Value(f"DISPOSAL_CAUSE_{cause.name}"): cause
    for cause in DisposalCause
    if cause is not DisposalCause.RETENTION
}
"""Why an officer can order it."""


class DisposalService(disposal_pb2_grpc.DisposalServiceServicer):
    """Orders to dispose of what was delivered, obeyed or not."""

    def __init__(
        self,
        orders: Orders,
        certifier: Certifier,
        store: Store,
        log: ReceiptLog,
        epochs: Epochs,
        clock: Callable[[], datetime],
    ) -> None:
        self._orders = orders
        self._certifier = certifier
        self._store = store
        self._log = log
        self._epochs = epochs
        self._clock = clock

    def ListHoldings(
        self, request: disposal_pb2.ListHoldingsRequest, call: Call
    ) -> disposal_pb2.ListHoldingsResponse:
        size = paging.page_size(request.page_size, default=50)
        wanted = self._wanted(request, call.identity)
        query = f"holdings {wanted.consumer} {wanted.dataset}"
        skip = paging.decode(request.page_token, query) or 0
        with self._store.disposals() as tables:
            found = tables.held(wanted, skip, size + 1)
        token = paging.encode(skip + size, query) if len(found) > size else ""
        holdings = [_holding(one) for one in found[:size]]
        return disposal_pb2.ListHoldingsResponse(holdings=holdings, next_page_token=token)

    def ListDisposals(
        self, request: disposal_pb2.ListDisposalsRequest, call: Call
    ) -> disposal_pb2.ListDisposalsResponse:
        size, now = paging.page_size(request.page_size, default=50), self._clock()
        wanted = replace(
            self._wanted(request, call.identity),
            open=request.open,
            overdue_at=now if request.overdue else None,
        )
        query = f"disposals {wanted.consumer} {wanted.dataset} {request.open} {request.overdue}"
        before = paging.decode(request.page_token, query)
        with self._store.disposals() as tables:
            found = tables.listed(wanted, before, size + 1)
        token = paging.encode(found[size - 1].order, query) if len(found) > size else ""
        disposals = [self._message(disposal, now) for disposal in found[:size]]
        return disposal_pb2.ListDisposalsResponse(disposals=disposals, next_page_token=token)

    def GetDisposal(
        self, request: disposal_pb2.GetDisposalRequest, call: Call
    ) -> disposal_pb2.GetDisposalResponse:
        with self._store.disposals() as tables:
            disposal = tables.order(resource_leaf(request.name, "disposals/"))
        if disposal is None or not self._may_see(call.identity, disposal):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        receipt = self._log.receipt(disposal.order)
        told = replace(disposal, sets=sets_of(orjson.loads(receipt.statement)))
        return disposal_pb2.GetDisposalResponse(
            disposal=self._message(told, self._clock()), receipt=wire.receipt_message(receipt)
        )

    def OrderDisposal(
        self, request: disposal_pb2.OrderDisposalRequest, call: Call
    ) -> disposal_pb2.OrderDisposalResponse:
        if violations := tuple(_wrong(request)):
            raise MalformedRequest(violations)
        wanted = WaitingFilter(
            consumer=filter_id(request.consumer, "departments/", "consumer"),
            dataset=filter_id(request.dataset, "datasets/", "dataset"),
            purpose=filter_id(request.purpose, "", "purpose") or None,
            grant=filter_id(request.grant, "grants/", "grant") or None,
        )
        terms = Terms(
            cause=_CAUSES[request.cause],
            method=_METHODS.get(request.method, DisposalMethod.CLEAR),
            within_working_days=request.within_working_days or WITHIN_WORKING_DAYS,
            reason=request.reason,
        )
        ordered, now = self._orders.order(wanted, terms, call.identity), self._clock()
        call.facts.update(disposals=[disposal.order for disposal in ordered])
        return disposal_pb2.OrderDisposalResponse(disposals=[self._message(one, now) for one in ordered])

    def CertifyDisposal(
        self, request: disposal_pb2.CertifyDisposalRequest, call: Call
    ) -> disposal_pb2.CertifyDisposalResponse:
        order = resource_leaf(request.name, "disposals/")
        taken = self._certifier.certify(order, request.signed_certificate, call.identity)
        call.facts.update(disposal=order, receipt=taken.receipt.leaf_index)
        return disposal_pb2.CertifyDisposalResponse(
            receipt=wire.receipt_message(taken.receipt), repeated=taken.repeated
        )

    def _wanted(
        self,
        request: disposal_pb2.ListHoldingsRequest | disposal_pb2.ListDisposalsRequest,
        reader: Identity,
    ) -> DisposalFilter:
        """What a list's filters say, and what the reader may see of it."""
        return DisposalFilter(
            consumer=filter_id(request.consumer, "departments/", "consumer"),
            dataset=filter_id(request.dataset, "datasets/", "dataset"),
            party="" if self._sees_all(reader) else reader.department,
        )

    def _may_see(self, reader: Identity, disposal: Disposal) -> bool:
        parties = (disposal.of.consumer, disposal.of.provider)
        return reader.department in parties or self._sees_all(reader)

    def _sees_all(self, reader: Identity) -> bool:
        return reader.role in (Role.OFFICER, Role.AUDITOR) and is_of_authority(reader, self._epochs)

    def _message(self, disposal: Disposal, now: datetime) -> disposal_pb2.Disposal:
        of = disposal.of
        return disposal_pb2.Disposal(
            name=f"disposals/{disposal.order}",
            receipt=_receipt(disposal.order),
            consumer=f"departments/{of.consumer}",
            provider=f"departments/{of.provider}",
            dataset=f"datasets/{of.dataset}",
            purpose=of.purpose,
            grant=f"grants/{of.grant}" if of.grant else "",
            cause=f"DISPOSAL_CAUSE_{disposal.cause.name}",
            method=f"DISPOSAL_METHOD_{disposal.method.name}",
            deliveries=disposal.count,
            order_time=wire.timestamp(disposal.ordered_at),
            due_time=wire.timestamp(disposal.due_at),
            state=_state(disposal, now),
            certificate_receipt=_receipt(disposal.certificate),
            kept=disposal.exceptions,
            missing_receipt=_receipt(disposal.missing),
            sets=[self._set(one) for one in disposal.sets],
        )

    def _set(self, one: DeliverySet) -> disposal_pb2.DeliverySet:
        return disposal_pb2.DeliverySet(
            dispose_time=wire.timestamp(one.dispose_by),
            first_receipt=_receipt(one.first),
            last_receipt=_receipt(one.last),
            first_time=wire.timestamp(self._store.recorded_at(one.first)),
            last_time=wire.timestamp(self._store.recorded_at(one.last)),
            deliveries=one.count,
            digest=one.digest,
        )


def _wrong(request: disposal_pb2.OrderDisposalRequest) -> Iterator[Violation]:
    """All that is wrong with an order but for its names."""
    for field in ("consumer", "dataset"):
        if not getattr(request, field):
            yield Violation(field, "必填", "is required")
    if request.cause not in _CAUSES:
        zh = "须为 PURPOSE_ENDED、MISUSE 或 ORDERED"
        yield Violation("cause", zh, "must be PURPOSE_ENDED, MISUSE or ORDERED")
    if request.method not in (0, *_METHODS):
        yield Violation("method", "没有这种处置方式", "is no method")
    if not (request.reason.strip() and len(request.reason) <= MAX_REASON and request.reason.isprintable()):
        zh = f"须写明原因，不超过 {MAX_REASON} 字，不含不可见字符"
        yield Violation("reason", zh, f"must say why, in at most {MAX_REASON} visible characters")
    if not 0 <= request.within_working_days <= MAX_WORKING_DAYS:
        zh = f"须在 0 至 {MAX_WORKING_DAYS} 之间"
        yield Violation("within_working_days", zh, f"must be from 0 to {MAX_WORKING_DAYS}")


def _holding(one: Waiting) -> disposal_pb2.Holding:
    return disposal_pb2.Holding(
        consumer=f"departments/{one.of.consumer}",
        provider=f"departments/{one.of.provider}",
        dataset=f"datasets/{one.of.dataset}",
        purpose=one.of.purpose,
        grant=f"grants/{one.of.grant}" if one.of.grant else "",
        dispose_time=wire.timestamp(one.dispose_by),
        deliveries=one.count,
        last_receipt=_receipt(one.last),
    )


def _state(disposal: Disposal, now: datetime) -> disposal_pb2.DisposalState:
    if disposal.certificate is not None:
        kept = disposal.exceptions
        return disposal_pb2.DISPOSAL_STATE_PARTIAL if kept else disposal_pb2.DISPOSAL_STATE_CERTIFIED
    overdue = disposal.due_at <= now
    return disposal_pb2.DISPOSAL_STATE_OVERDUE if overdue else disposal_pb2.DISPOSAL_STATE_OPEN


def _receipt(leaf: int | None) -> str:
    return "" if leaf is None else f"receipts/{leaf}"


def ended_grants(store: Store, register: Register) -> Callable[[str], bool]:
    """Tells whether a grant, by its number, has ended for good."""
    over = (State.EXPIRED, State.TERMINATED)

    def ended(grant: str) -> bool:
        if not grant.isdecimal():
            return False
        with store.applications() as tables:
            filed = tables.application(int(grant))
        # What the database says is enough for not yet; for an order the log must say it.
        return filed is not None and filed.state in over and register.proved(filed.number).state in over

    return ended
