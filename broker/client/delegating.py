"""Delegations, as ``client.delegations`` of both clients offers them: who reviews in whose place."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from broker.client.answer import checked_receipt
from broker.client.connections import Stubs
from broker.client.evidence import require_said
from broker.client.questions import Page, Question, listing
from broker.model import EntryKind, Receipt
from broker.receipt.log_keys import Trust
from broker.v1 import delegation_pb2

T = TypeVar("T")
Told = dict[tuple[str, ...], object]
"""What a receipt must say, by the members' paths."""


@dataclass(frozen=True, slots=True)
class Delegated:
    """A delegation after an act about it, and the act's receipt."""

    delegation: delegation_pb2.Delegation
    receipt: Receipt


class DelegationQuestions:
    """What can be asked about delegations."""

    def __init__(self, trust: Trust | None) -> None:
        self._trust = trust

    def create(
        self, delegate: str, valid_from: datetime, valid_until: datetime, request_id: str
    ) -> Question[Delegated]:
        request = delegation_pb2.CreateDelegationRequest(
            request_id=request_id or str(uuid.uuid4()),
            delegate=delegate,
            valid_from_time=_timestamp(valid_from),
            valid_until_time=_timestamp(valid_until),
        )
        told: Told = {("request_id",): f"delegation/{request.request_id}"}
        return self._act(lambda stubs: stubs.delegations.CreateDelegation, request, told)

    def revoke(self, number: int) -> Question[Delegated]:
        request = delegation_pb2.RevokeDelegationRequest(name=f"delegations/{number}")
        told: Told = {("delegation",): number, ("act",): "revoke"}
        return self._act(lambda stubs: stubs.delegations.RevokeDelegation, request, told)

    def listed(self, *, in_force: bool) -> Question[Page[delegation_pb2.Delegation]]:
        request = delegation_pb2.ListDelegationsRequest(in_force=in_force)
        return listing(
            lambda stubs: stubs.delegations.ListDelegations, request, lambda found: found.delegations
        )

    def _act(
        self, method: Callable[[Stubs], Callable[..., Any]], request: Any, told: Told
    ) -> Question[Delegated]:
        def read(response: Any, _: int) -> Delegated:
            receipt = checked_receipt(response.receipt, self._trust)
            require_said(receipt, {("kind",): EntryKind.DELEGATION} | told)
            return Delegated(response.delegation, receipt)

        return Question(method, request, read, getattr(request, "request_id", ""))


class Ask(Protocol):
    """Asks a question, again where that is safe, within ``timeout`` seconds."""

    def __call__(self, question: Question[T], timeout: float) -> T: ...


class Items(Protocol):
    """The items of a list, page after page."""

    def __call__(self, question: Question[Page[T]], timeout: float) -> Iterator[T]: ...


class AsyncAsk(Protocol):
    """The first, awaited."""

    def __call__(self, question: Question[T], timeout: float) -> Awaitable[T]: ...


class AsyncItems(Protocol):
    """The second, awaited."""

    def __call__(self, question: Question[Page[T]], timeout: float) -> AsyncIterator[T]: ...


class Delegations:
    """What officers do about who reviews in their place. Beside what stands there, every act raises
    NotAuthorised, NotFound and MalformedRequest."""

    def __init__(self, questions: DelegationQuestions, ask: Ask, items: Items) -> None:
        self._questions = questions
        self._ask = ask
        self._items = items

    def create(
        self,
        delegate: str,
        valid_from: datetime,
        valid_until: datetime,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Delegated:
        """Lets the officer ``delegate`` (SPIFFE id) review in the caller's place from ``valid_from`` to
        before ``valid_until``, which carry their zone. Give the ``request_id`` of a call that failed to make
        it again."""
        return self._ask(self._questions.create(delegate, valid_from, valid_until, request_id), timeout)

    def revoke(self, number: int, *, timeout: float = 10.0) -> Delegated:
        """Takes a delegation back; one that was stays so."""
        return self._ask(self._questions.revoke(number), timeout)

    def all(self, *, in_force: bool = False, timeout: float = 10.0) -> Iterator[delegation_pb2.Delegation]:
        """Those from and to the caller's department, for the authority all; newest first."""
        return self._items(self._questions.listed(in_force=in_force), timeout)


class AsyncDelegations:
    """:class:`Delegations` for asyncio: the same arguments, results, errors."""

    def __init__(self, questions: DelegationQuestions, ask: AsyncAsk, items: AsyncItems) -> None:
        self._questions = questions
        self._ask = ask
        self._items = items

    async def create(
        self,
        delegate: str,
        valid_from: datetime,
        valid_until: datetime,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Delegated:
        """See :meth:`Delegations.create`."""
        return await self._ask(self._questions.create(delegate, valid_from, valid_until, request_id), timeout)

    async def revoke(self, number: int, *, timeout: float = 10.0) -> Delegated:
        """See :meth:`Delegations.revoke`."""
        return await self._ask(self._questions.revoke(number), timeout)

    def all(
        self, *, in_force: bool = False, timeout: float = 10.0
    ) -> AsyncIterator[delegation_pb2.Delegation]:
        """See :meth:`Delegations.all`."""
        return self._items(self._questions.listed(in_force=in_force), timeout)


def _timestamp(time: datetime) -> Timestamp:
    """Raises:
    ValueError: it carries no zone.
    """
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    found = Timestamp()
    found.FromSeconds(int(time.timestamp()))
    return found
