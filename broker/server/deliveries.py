"""The delivery service: takes acknowledgements, lists deliveries that lack one. Thin, like the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from broker.acknowledge.acknowledge import Acknowledger
from broker.epoch import Epochs
from broker.journal import DeliveryFilter, DeliveryOnRecord
from broker.model import Identity, Role
from broker.receipt.log import ReceiptLog
from broker.server import paging, wire
from broker.server.calls import Call
from broker.server.services import filter_id, is_of_authority, receipt_leaf
from broker.v1 import delivery_pb2, delivery_pb2_grpc


class DeliveryService(delivery_pb2_grpc.DeliveryServiceServicer):
    """Deliveries, acknowledged or not."""

    def __init__(
        self, acknowledger: Acknowledger, log: ReceiptLog, epochs: Epochs, clock: Callable[[], datetime]
    ) -> None:
        self._acknowledger = acknowledger
        self._log = log
        self._epochs = epochs
        self._clock = clock

    def AcknowledgeDelivery(
        self, request: delivery_pb2.AcknowledgeDeliveryRequest, call: Call
    ) -> delivery_pb2.AcknowledgeDeliveryResponse:
        delivery = receipt_leaf(request.receipt)
        acknowledged = self._acknowledger.acknowledge(delivery, request.signed_acknowledgement, call.identity)
        call.facts.update(delivery=delivery, receipt=acknowledged.receipt.leaf_index)
        return delivery_pb2.AcknowledgeDeliveryResponse(
            receipt=wire.receipt_message(acknowledged.receipt), repeated=acknowledged.repeated
        )

    def ListDeliveries(
        self, request: delivery_pb2.ListDeliveriesRequest, call: Call
    ) -> delivery_pb2.ListDeliveriesResponse:
        size, now = paging.page_size(request.page_size, default=50), self._clock()
        consumer = filter_id(request.consumer, "departments/", "consumer")
        reader = call.identity
        wanted = DeliveryFilter(
            consumer=consumer,
            overdue_at=now if request.overdue else None,
            party="" if self._sees_all(reader) else reader.department,
            consumer_uri=reader.uri if reader.role is Role.SYSTEM else "",
        )
        query = f"deliveries {consumer} {request.overdue}"
        after = paging.decode(request.page_token, query)
        found = self._log.deliveries(wanted, -1 if after is None else after, size + 1)
        token = paging.encode(found[size - 1].delivery.leaf_index, query) if len(found) > size else ""
        deliveries = [_message(delivery, now) for delivery in found[:size]]
        return delivery_pb2.ListDeliveriesResponse(deliveries=deliveries, next_page_token=token)

    def _sees_all(self, reader: Identity) -> bool:
        return reader.role in (Role.OFFICER, Role.AUDITOR) and is_of_authority(reader, self._epochs)


def _message(found: DeliveryOnRecord, now: datetime) -> delivery_pb2.Delivery:
    delivery, entry = found.delivery, found.entry
    return delivery_pb2.Delivery(
        receipt=f"receipts/{delivery.leaf_index}",
        consumer=f"departments/{entry.consumer}",
        caller=entry.consumer_uri,
        provider=f"departments/{entry.provider}",
        dataset=f"datasets/{entry.dataset}",
        purpose=entry.purpose,
        delivery_time=wire.timestamp(entry.recorded_at),
        due_time=wire.timestamp(delivery.due_at),
        overdue=delivery.due_at is not None and delivery.due_at <= now,
        missing_receipt=_receipt(delivery.missing),
        disputed_receipt=_receipt(delivery.disputed),
    )


def _receipt(leaf: int | None) -> str:
    return "" if leaf is None else f"receipts/{leaf}"
