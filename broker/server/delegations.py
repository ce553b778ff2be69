"""The delegation service: who reviews in whose place. Thin, like the others."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from broker.applications.delegations import Delegations, Wanted
from broker.epoch import Epochs
from broker.errors import NotFound
from broker.reasons import Reason
from broker.server import paging, wire
from broker.server.calls import Call
from broker.server.services import is_of_authority, malformed
from broker.store.delegations import DelegationOnRecord
from broker.v1 import delegation_pb2, delegation_pb2_grpc

_NAME = re.compile("delegations/([1-9][0-9]{0,17})")
_LAST_YEAR = 2999


class DelegationService(delegation_pb2_grpc.DelegationServiceServicer):
    """Officers who review in another's place."""

    def __init__(self, delegations: Delegations, epochs: Epochs) -> None:
        self._delegations = delegations
        self._epochs = epochs

    def CreateDelegation(
        self, request: delegation_pb2.CreateDelegationRequest, call: Call
    ) -> delegation_pb2.CreateDelegationResponse:
        times = (_time(getattr(request, name), name) for name in ("valid_from_time", "valid_until_time"))
        found, receipt = self._delegations.create(
            call.identity, Wanted(request.request_id, request.delegate, *times)
        )
        call.facts.update(delegation=found.delegation.number, receipt=receipt.leaf_index)
        return delegation_pb2.CreateDelegationResponse(
            delegation=self._message(found), receipt=wire.receipt_message(receipt)
        )

    def RevokeDelegation(
        self, request: delegation_pb2.RevokeDelegationRequest, call: Call
    ) -> delegation_pb2.RevokeDelegationResponse:
        matched = _NAME.fullmatch(request.name)
        if matched is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        found, receipt = self._delegations.revoke(call.identity, int(matched[1]))
        call.facts.update(delegation=found.delegation.number, receipt=receipt.leaf_index)
        return delegation_pb2.RevokeDelegationResponse(
            delegation=self._message(found), receipt=wire.receipt_message(receipt)
        )

    def ListDelegations(
        self, request: delegation_pb2.ListDelegationsRequest, call: Call
    ) -> delegation_pb2.ListDelegationsResponse:
        size = paging.page_size(request.page_size, default=50)
        party = "" if is_of_authority(call.identity, self._epochs) else call.identity.department
        query = f"delegations {party} {request.in_force}"
        before = paging.decode(request.page_token, query)
        found = list(self._delegations.listed(party, before, size + 1, in_force=request.in_force))
        token = paging.encode(found[size - 1].delegation.number, query) if len(found) > size else ""
        return delegation_pb2.ListDelegationsResponse(
            delegations=[self._message(one) for one in found[:size]], next_page_token=token
        )

    def _message(self, found: DelegationOnRecord) -> delegation_pb2.Delegation:
        one = found.delegation
        return delegation_pb2.Delegation(
            name=one.name,
            officer=one.by,
            delegate=one.to,
            valid_from_time=wire.timestamp(one.valid_from),
            valid_until_time=wire.timestamp(one.valid_until),
            revoke_time=wire.timestamp(one.revoked_at),
            in_force=self._delegations.counts(one),
            receipt=f"receipts/{found.leaf_index}",
        )


def _time(time: Timestamp, name: str) -> datetime:
    """The instant, in whole seconds.

    Raises:
        MalformedRequest: it is missing, or none.
    """
    try:
        found = time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        found = datetime.max.replace(tzinfo=UTC)
    if time.seconds <= 0 or time.nanos or found.year > _LAST_YEAR:
        raise malformed(name, "须为整秒的时间", "must be a time in whole seconds")
    return found
