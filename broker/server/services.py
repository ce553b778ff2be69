"""The gRPC services: thin, they translate and hand over. Authentication and errors are the interceptor's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from broker import failpoints
from broker.approve.bundle import Bundle
from broker.epoch import Epochs
from broker.errors import BrokerError, Elsewhere, MalformedRequest, NotFound, Violation
from broker.exchange import Exchange
from broker.model import (
    Decision,
    DepartmentKind,
    Identity,
    Receipt,
    Role,
)
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.server import paging, wire
from broker.server.calls import Call
from broker.streaming import Closing, Opening
from broker.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    exchange_pb2,
    exchange_pb2_grpc,
)

ID = re.compile(r"[a-z][a-z0-9_.]*")
"""Ids of departments, datasets and purposes, as catalogs have them."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A bundle's catalog as messages, by id."""

    hash: str
    departments: Mapping[str, catalog_pb2.Department]
    datasets: Mapping[str, catalog_pb2.Dataset]

    @classmethod
    def of(cls, bundle: Bundle) -> _Shown:
        catalog = bundle.catalog
        return cls(
            bundle.hash,
            {d.id: wire.department_message(d) for d in catalog.departments.values()},
            {d.id: wire.dataset_message(d) for d in catalog.datasets.values()},
        )

    def dataset(self, name: str) -> catalog_pb2.Dataset:
        dataset = self.datasets.get(_id(name, "datasets/"))
        if dataset is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return dataset


class CatalogService(catalog_pb2_grpc.CatalogServiceServicer):
    """What exists and under which conditions it is shared."""

    def __init__(self, epochs: Epochs, log: ReceiptLog) -> None:
        self._epochs = epochs
        self._log = log
        self._shown: _Shown | None = None

    def GetDepartment(
        self, request: catalog_pb2.GetDepartmentRequest, call: Call
    ) -> catalog_pb2.GetDepartmentResponse:
        department = self._catalog().departments.get(_id(request.name, "departments/"))
        if department is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return catalog_pb2.GetDepartmentResponse(department=department)

    def ListDepartments(
        self, request: catalog_pb2.ListDepartmentsRequest, call: Call
    ) -> catalog_pb2.ListDepartmentsResponse:
        departments = self._catalog().departments
        everyone = [departments[key] for key in sorted(departments)]
        size = paging.page_size(request.page_size, default=100)
        found, token = paging.page(everyone, size, request.page_token, "departments")
        return catalog_pb2.ListDepartmentsResponse(departments=found, next_page_token=token)

    def GetDataset(
        self, request: catalog_pb2.GetDatasetRequest, call: Call
    ) -> catalog_pb2.GetDatasetResponse:
        return catalog_pb2.GetDatasetResponse(dataset=self._catalog().dataset(request.name))

    def ListDatasets(
        self, request: catalog_pb2.ListDatasetsRequest, call: Call
    ) -> catalog_pb2.ListDatasetsResponse:
        department = filter_id(request.department, "departments/", "department")
        datasets = self._catalog().datasets
        wanted = [
            datasets[key]
            for key in sorted(datasets)
            if not department or datasets[key].department == request.department
        ]
        size = paging.page_size(request.page_size, default=100)
        found, token = paging.page(wanted, size, request.page_token, f"datasets {department}")
        return catalog_pb2.ListDatasetsResponse(datasets=found, next_page_token=token)

    def GetField(self, request: catalog_pb2.GetFieldRequest, call: Call) -> catalog_pb2.GetFieldResponse:
        dataset = self._catalog().dataset(request.name.partition("/fields/")[0])
        for field in dataset.fields:
            if field.name == request.name:
                return catalog_pb2.GetFieldResponse(field=field)
        raise NotFound(Reason.RESOURCE_NOT_FOUND)

    def ListFields(
        self, request: catalog_pb2.ListFieldsRequest, call: Call
    ) -> catalog_pb2.ListFieldsResponse:
        dataset = self._catalog().dataset(request.parent)
        size = paging.page_size(request.page_size, default=100)
        found, token = paging.page(list(dataset.fields), size, request.page_token, f"fields {dataset.name}")
        return catalog_pb2.ListFieldsResponse(fields=found, next_page_token=token)

    def ListNeeds(self, request: catalog_pb2.ListNeedsRequest, call: Call) -> catalog_pb2.ListNeedsResponse:
        size = paging.page_size(request.page_size, default=50)
        wanted, reader = filter_id(request.department, "departments/", "department"), call.identity
        if not (reader.role in (Role.OFFICER, Role.AUDITOR) and is_of_authority(reader, self._epochs)):
            if wanted not in ("", reader.department):
                return catalog_pb2.ListNeedsResponse()
            wanted = reader.department
        query = f"needs {wanted}"
        before = paging.decode(request.page_token, query)
        found = self._log.needs(wanted, before, size + 1)
        token = paging.encode(found[size - 1].first_leaf, query) if len(found) > size else ""
        needs = [wire.need_message(need) for need in found[:size]]
        return catalog_pb2.ListNeedsResponse(needs=needs, next_page_token=token)

    def _catalog(self) -> _Shown:
        """What is in force, made into messages once for each bundle."""
        bundle, shown = self._epochs.current().bundle, self._shown
        if shown is None or bundle.hash != shown.hash:
            shown = self._shown = _Shown.of(bundle)
        return shown


class ExchangeService(exchange_pb2_grpc.ExchangeServiceServicer):
    """Governed exchanges, unary and streamed."""

    def __init__(self, exchange: Exchange, stream_port: int | None = None) -> None:
        self._exchange = exchange
        self._stream_port = stream_port

    def Exchange(self, request: exchange_pb2.ExchangeRequest, call: Call) -> exchange_pb2.ExchangeResponse:
        exchanged = self._exchange.unary(wire.request_of(request), call.identity, call.still_wanted)
        _note(call, exchanged.decision, exchanged.receipt)
        response = wire.exchange_response(exchanged)
        failpoints.hit("before_send")
        call.context.add_callback(partial(failpoints.hit, "after_send"))
        return response

    def StreamExchange(
        self, request: exchange_pb2.StreamExchangeRequest, call: Call
    ) -> Iterator[exchange_pb2.StreamExchangeResponse]:
        if self._stream_port is not None:
            raise Elsewhere(Reason.SERVED_ELSEWHERE, str(self._stream_port))
        parts = self._exchange.stream(wire.request_of(request), call.identity, call.still_wanted, call.end)
        for part in parts:
            if isinstance(part, Opening):
                _note(call, part.decision, part.receipt)
            try:
                yield _part(part)
            except BrokerError as why:  # the call was ended; the exchange receipts why
                parts.throw(why)


def is_of_authority(reader: Identity, epochs: Epochs) -> bool:
    """Whether the reader's department is the authority."""
    department = epochs.current().bundle.catalog.departments.get(reader.department)
    return department is not None and department.kind is DepartmentKind.AUTHORITY


def _part(part: Opening | bytes | Closing) -> exchange_pb2.StreamExchangeResponse:
    if isinstance(part, Opening):
        return wire.opening_part(part)
    if isinstance(part, Closing):
        return wire.closing_part(part)
    return exchange_pb2.StreamExchangeResponse(chunk=part)


def _id(name: str, collection: str) -> str:
    """The id in a resource name, or the empty string for a name of another kind."""
    return name.removeprefix(collection) if name.startswith(collection) else ""


def filter_id(name: str, collection: str, field: str) -> str:
    """The id in a filter, which need not be in today's catalog; the empty name filters nothing."""
    if name and not ID.fullmatch(_id(name, collection)):
        form = f"{collection}{{{field}}}" if collection else "{id}"
        raise malformed(field, f"须形如 {form}", f"must read {form}")
    return name.removeprefix(collection)


def receipt_leaf(name: str) -> int:
    """The leaf index in a receipt's resource name.

    Raises:
        NotFound: it is no such name.
    """
    return resource_leaf(name, "receipts/")


def resource_leaf(name: str, collection: str) -> int:
    """The leaf index in the name of a resource that is known by its leaf.

    Raises:
        NotFound: it is no such name.
    """
    digits = _id(name, collection)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(digits)) == digits):
        raise NotFound(Reason.RESOURCE_NOT_FOUND)
    return int(digits)


def malformed(field: str, zh: str, en: str) -> MalformedRequest:
    """The refusal of one member of a request."""
    return MalformedRequest((Violation(field, zh, en),))


def _note(call: Call, decision: Decision, receipt: Receipt) -> None:
    call.facts.update(
        verdict=decision.verdict,
        rules=decision.rules,
        reasons=[why.reason for why in decision.reasons],
        receipt=receipt.leaf_index,
    )
