"""The client for programs on asyncio: the same questions, answers and errors, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

import grpc.aio
import pyarrow as pa

from broker.client import frames, suspending
from broker.client.acknowledging import ACKNOWLEDGE_SECONDS, AT_ONCE, CLOSING_SECONDS, Delivery, Until
from broker.client.aio_applications import AsyncApplications
from broker.client.answer import Exchanged
from broker.client.caller import Caller
from broker.client.committing import Signing, Template
from broker.client.connections import OPTIONS, Channel, Connection
from broker.client.correcting import AsyncCorrections
from broker.client.delegating import AsyncDelegations
from broker.client.detokenizing import Detokenized, TokenRequest
from broker.client.disposing import DisposalOrder, DisposalTerms
from broker.client.questions import Filter, Page, Question
from broker.client.retry import Tries
from broker.client.stream import Part, Reception, StreamQuestion
from broker.client.terms import Terms, UnaryTerms
from broker.errors import BrokerError, MalformedRequest, VerificationFailed
from broker.model import DisposalMethod, Receipt
from broker.receipt.log_keys import LogKeys
from broker.v1 import catalog_pb2, commitment_pb2, delivery_pb2, disposal_pb2, exchange_pb2, suspension_pb2

if TYPE_CHECKING:
    import pandas
    import polars

T = TypeVar("T")


class AsyncStream(Reception):
    """What :meth:`AsyncClient.stream` gives; see :class:`broker.client.Stream`."""

    def __init__(
        self,
        call: Any,
        parts: AsyncIterator[Part],
        opening: Part | None,
        question: StreamQuestion,
        tries: Tries,
        settle: Callable[[Delivery], Awaitable[Receipt | None]],
    ) -> None:
        super().__init__(call, parts, opening, question, tries)
        self._settle = settle

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        while self.expects_more:
            for batch in self._take(await self._next()):
                yield batch
            if self.delivery is not None:
                self.acknowledgement = await self._settle(self.delivery)

    async def table(self) -> pa.Table:
        """All batches as one table, in the types of the catalog."""
        return self._table([batch async for batch in self])

    async def to_pandas(self) -> pandas.DataFrame:
        """:meth:`table` as a pandas frame. Needs the extra ``sharebroker[pandas]``, else SetUpError."""
        return frames.to_pandas(await self.table())

    async def to_polars(self) -> polars.DataFrame:
        """:meth:`table` as a polars frame. Needs the extra ``sharebroker[polars]``, else SetUpError."""
        return frames.to_polars(await self.table())

    async def _next(self) -> exchange_pb2.StreamExchangeResponse | None:
        try:
            part: exchange_pb2.StreamExchangeResponse | None = await anext(self._parts, None)
        except grpc.RpcError as error:
            raise self._broken(error) from None
        except asyncio.CancelledError:
            if self._cancelled:  # by cancel(), which is no reason to end the task
                return None
            raise
        return part


class AsyncClient(Caller):
    """:class:`broker.client.Client` for asyncio: the same arguments, results and errors.

    It belongs to the event loop that runs when it is made. Calls return coroutines, lists are iterated with
    ``async for``, and ``stream`` is awaited for the decision and then iterated.
    """

    def _dial(self, address: str, identity: grpc.ChannelCredentials) -> Channel:
        asyncio.get_running_loop()  # raises where there is none; gRPC would take another loop instead
        return grpc.aio.secure_channel(address, identity, OPTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @cached_property
    def applications(self) -> AsyncApplications:
        """See :attr:`Client.applications`."""
        return AsyncApplications(self._filing, self._ask, self._items, self._try)

    @cached_property
    def delegations(self) -> AsyncDelegations:
        """See :attr:`Client.delegations`."""
        return AsyncDelegations(self._delegating, self._ask, self._items)

    @cached_property
    def corrections(self) -> AsyncCorrections:
        """See :attr:`Client.corrections`."""
        return AsyncCorrections(self._correcting, self._ask, self._items, self.receipt)

    async def close(self) -> None:
        """See :meth:`Client.close`."""
        with suppress(BrokerError):
            await self.acknowledge_waiting(timeout=CLOSING_SECONDS)
        for channel in self._connections.close():
            await channel.close()

    async def exchange(self, *, timeout: float = 10.0, **terms: Unpack[UnaryTerms]) -> Exchanged:
        """See :meth:`Client.exchange`."""
        until = Until(timeout)
        exchanged = await self._exchanged(terms, until)
        acknowledgement = await self._settle(exchanged.delivery, terms.get("acknowledge"), until)
        return replace(exchanged, acknowledgement=acknowledgement) if acknowledgement else exchanged

    async def stream(self, *, timeout: float = 3600.0, **terms: Unpack[Terms]) -> AsyncStream:
        """See :meth:`Client.stream`."""
        signing = self._questions.signing(terms)
        until, acknowledge = Until(timeout), terms.get("acknowledge")

        async def settle(delivery: Delivery) -> Receipt | None:
            return await self._settle(delivery, acknowledge, until)

        async def begin(connection: Connection, tries: Tries) -> AsyncStream:
            call = connection.streams.exchanges.StreamExchange(question.request, timeout=tries.left)
            connection.enter()
            call.add_done_callback(connection.leave)
            parts = aiter(call)
            return AsyncStream(call, parts, await anext(parts, None), question, tries, settle)

        while True:
            question = self._questions.stream(terms, signing)
            try:
                stream = await self._try(begin, until.left, question.request.request_id)
            except MalformedRequest as failure:
                if not signing.is_stale(failure):
                    raise
                continue
            if not await self._learnt(signing, terms, stream.reasons, until):
                return stream
            stream.cancel()

    async def detokenize(
        self, request: TokenRequest, approval: bytes, *, timeout: float = 30.0
    ) -> Detokenized:
        """See :meth:`Client.detokenize`."""
        return await self._ask(self._questions.detokenize(request, approval), timeout)

    async def acknowledge(self, delivery: Delivery, *, timeout: float = 10.0) -> Receipt:
        """See :meth:`Client.acknowledge`."""
        question = self._questions.acknowledge(delivery.leaf_index, self._questions.signed(delivery))
        return await self._ask(question, timeout)

    async def acknowledge_waiting(self, *, timeout: float = 10.0) -> None:
        """See :meth:`Client.acknowledge_waiting`."""
        until = Until(timeout)
        for leaf_index, message in self._outbox.waiting():
            await self._send(leaf_index, message, until)

    def deliveries(
        self, consumer: str = "", *, overdue: bool = False, timeout: float = 10.0
    ) -> AsyncIterator[delivery_pb2.Delivery]:
        """See :meth:`Client.deliveries`."""
        return self._items(self._questions.deliveries(consumer, overdue), timeout)

    async def commitment_template(
        self, template: str, terms: Terms | None = None, *, timeout: float = 10.0
    ) -> Template:
        """See :meth:`Client.commitment_template`."""
        return await self._ask(self._questions.commitment_template(template, terms), timeout)

    def commitment_templates(
        self, *, timeout: float = 10.0
    ) -> AsyncIterator[commitment_pb2.CommitmentTemplate]:
        """See :meth:`Client.commitment_templates`."""
        return self._items(self._questions.commitment_templates(), timeout)

    def holdings(
        self, consumer: str = "", dataset: str = "", *, timeout: float = 10.0
    ) -> AsyncIterator[disposal_pb2.Holding]:
        """See :meth:`Client.holdings`."""
        return self._items(self._disposals.held(consumer, dataset), timeout)

    def disposals(
        self,
        consumer: str = "",
        dataset: str = "",
        *,
        open: bool = False,
        overdue: bool = False,
        timeout: float = 10.0,
    ) -> AsyncIterator[disposal_pb2.Disposal]:
        """See :meth:`Client.disposals`."""
        return self._items(self._disposals.listed(consumer, dataset, open=open, overdue=overdue), timeout)

    async def disposal(self, order: int, *, timeout: float = 10.0) -> DisposalOrder:
        """See :meth:`Client.disposal`."""
        return await self._ask(self._disposals.one(order), timeout)

    async def order_disposal(
        self, *, timeout: float = 30.0, **terms: Unpack[DisposalTerms]
    ) -> Sequence[disposal_pb2.Disposal]:
        """See :meth:`Client.order_disposal`."""
        return await self._ask(self._disposals.order(terms), timeout)

    async def certify_disposal(
        self,
        order: int,
        *,
        operator: str,
        method: DisposalMethod = DisposalMethod.CLEAR,
        disposed_at: datetime | None = None,
        kept: Mapping[str, Sequence[int]] | None = None,
        timeout: float = 10.0,
    ) -> Receipt:
        """See :meth:`Client.certify_disposal`."""
        until = Until(timeout)
        found = await self.disposal(order, timeout=timeout)
        message = self._disposals.signed(found, operator, method, disposed_at, kept or {})
        return await self._ask(self._disposals.certify(found, message), until.left)

    async def lodge_commitment(
        self, template: str, *, dataset: str, purpose: str, days: int = 0, timeout: float = 10.0
    ) -> Receipt:
        """See :meth:`Client.lodge_commitment`."""
        until = Until(timeout)
        terms: Terms = {"dataset": dataset, "fields": (), "purpose": purpose}
        found = await self.commitment_template(template, terms, timeout=until.left)
        message = self._questions.standing(found, terms, timedelta(days=days or found.valid_days or 1))
        return await self._ask(self._questions.lodge_commitment(message), until.left)

    async def lodge_signed_commitment(self, message: bytes, *, timeout: float = 10.0) -> Receipt:
        """See :meth:`Client.lodge_signed_commitment`."""
        return await self._ask(self._questions.lodge_commitment(message), timeout)

    def commitments(
        self, department: str = "", *, timeout: float = 10.0
    ) -> AsyncIterator[commitment_pb2.LodgedCommitment]:
        """See :meth:`Client.commitments`."""
        return self._items(self._questions.commitments(department), timeout)

    async def commitment(self, number: int, *, timeout: float = 10.0) -> commitment_pb2.LodgedCommitment:
        """See :meth:`Client.commitment`."""
        return await self._ask(self._questions.commitment(number), timeout)

    async def withdraw_commitment(self, number: int, reason: str, *, timeout: float = 10.0) -> int:
        """See :meth:`Client.withdraw_commitment`."""
        return await self._ask(self._questions.withdraw_commitment(number, reason), timeout)

    async def dataset(self, dataset: str, *, timeout: float = 10.0) -> catalog_pb2.Dataset:
        """See :meth:`Client.dataset`."""
        return await self._ask(self._questions.dataset(dataset), timeout)

    def datasets(self, department: str = "", *, timeout: float = 10.0) -> AsyncIterator[catalog_pb2.Dataset]:
        """See :meth:`Client.datasets`."""
        return self._items(self._questions.datasets(department), timeout)

    def needs(self, department: str = "", *, timeout: float = 10.0) -> AsyncIterator[catalog_pb2.Need]:
        """See :meth:`Client.needs`."""
        return self._items(self._questions.needs(department), timeout)

    def suspensions(
        self, *, lifted: bool = False, timeout: float = 10.0
    ) -> AsyncIterator[suspension_pb2.Suspension]:
        """See :meth:`Client.suspensions`."""
        return self._items(suspending.suspensions(lifted=lifted), timeout)

    async def receipt(self, leaf_index: int, *, acts: bool = False, timeout: float = 10.0) -> Receipt:
        """See :meth:`Client.receipt`."""
        return await self._ask(self._questions.receipt(leaf_index, acts=acts), timeout)

    async def cose_receipt(self, leaf_index: int, *, timeout: float = 10.0) -> bytes:
        """See :meth:`Client.cose_receipt`."""
        return await self._ask(self._questions.cose_receipt(leaf_index), timeout)

    def receipts(self, *, timeout: float = 10.0, **wanted: Unpack[Filter]) -> AsyncIterator[Receipt]:
        """See :meth:`Client.receipts`."""
        return self._items(self._questions.receipts(wanted), timeout)

    async def log_keys(self, *, timeout: float = 10.0) -> LogKeys:
        """See :meth:`Client.log_keys`."""
        return await self._ask(self._questions.key_history(), timeout)

    async def checkpoint(self, *, timeout: float = 10.0) -> str:
        """See :meth:`Client.checkpoint`."""
        return await self._ask(self._questions.checkpoint(), timeout)

    async def consistency_proof(
        self, first_size: int, second_size: int, *, timeout: float = 10.0
    ) -> tuple[bytes, ...]:
        """See :meth:`Client.consistency_proof`."""
        return await self._ask(self._questions.consistency_proof(first_size, second_size), timeout)

    async def _exchanged(self, terms: UnaryTerms, until: Until) -> Exchanged:
        """The answer once the commitments are there that can be signed here."""
        signing = self._questions.signing(terms)
        while True:
            try:
                exchanged = await self._ask(self._questions.exchange(terms, signing), until.left)
            except MalformedRequest as failure:
                if not signing.is_stale(failure):
                    raise
                continue
            if not await self._learnt(signing, terms, exchanged.reasons, until):
                return exchanged

    async def _learnt(
        self, signing: Signing, terms: Terms, reasons: Iterable[exchange_pb2.Reason], until: Until
    ) -> bool:
        """Whether there is reason to ask again: what is missing can be signed here."""
        lacking = [
            await self._ask(self._questions.commitment_template(template, terms), until.left)
            for template in signing.lacking(reasons)
        ]
        learnt = [signing.learn(template) for template in lacking]
        return bool(learnt) and all(learnt)

    async def _settle(
        self, delivery: Delivery | None, acknowledge: bool | None, until: Until
    ) -> Receipt | None:
        if delivery is None or not delivery.wanted(acknowledge):
            return None
        message = self._kept(delivery)
        until = Until(min(until.left, ACKNOWLEDGE_SECONDS))
        receipt = None
        with suppress(BrokerError, VerificationFailed):  # what was delivered stands without it
            receipt = await self._send(delivery.leaf_index, message, until)
            for leaf_index, older in self._outbox.waiting()[:AT_ONCE]:
                await self._send(leaf_index, older, until)
        return receipt

    async def _send(self, leaf_index: int, message: bytes, until: Until) -> Receipt | None:
        question = self._questions.acknowledge(leaf_index, message)
        with self._outbox.sending(leaf_index):
            return await self._ask(question, until.left)
        return None

    async def _ask(self, question: Question[T], timeout: float) -> T:
        async def ask(connection: Connection, tries: Tries) -> T:
            response = await question.method(connection.stubs)(question.request, timeout=tries.left)
            return question.read(response, tries.number)

        return await self._try(ask, timeout, question.request_id)

    async def _items(self, question: Question[Page[T]], timeout: float) -> AsyncIterator[T]:
        following: Question[Page[T]] | None = question
        while following is not None:
            page = await self._ask(following, timeout)
            for item in page.items:
                yield item
            following = page.following

    async def _try(
        self, attempt: Callable[[Connection, Tries], Awaitable[T]], timeout: float, request_id: str
    ) -> T:
        tries = Tries(timeout, self._attempts, request_id)
        while True:
            with self._connections.attempt(tries) as connection:
                return await attempt(connection, tries)
            await asyncio.sleep(tries.pause)
