"""Applications that people decide, as :attr:`broker.client.AsyncClient.applications` offers them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, Unpack

import grpc

from broker.client.connections import Connection
from broker.client.filing import Application, Filed, FilingQuestions, Wanted
from broker.client.questions import Page, Question
from broker.client.retry import RETRIED, Tries, jitter
from broker.client.status import failure_of
from broker.v1 import application_pb2

T = TypeVar("T")


class Ask(Protocol):
    """As :class:`broker.client.applications.Ask`, awaited; and so on."""

    async def __call__(self, question: Question[T], timeout: float) -> T: ...


class Items(Protocol):
    """See there."""

    def __call__(self, question: Question[Page[T]], timeout: float) -> AsyncIterator[T]: ...


class Attempt(Protocol):
    """See there."""

    async def __call__(
        self, attempt: Callable[[Connection, Tries], Awaitable[T]], timeout: float, request_id: str
    ) -> T: ...


class AsyncApplications:
    """:class:`broker.client.applications.Applications` for asyncio: the same arguments, results, errors."""

    def __init__(self, questions: FilingQuestions, ask: Ask, items: Items, attempt: Attempt) -> None:
        self._questions = questions
        self._ask = ask
        self._items = items
        self._attempt = attempt

    async def get(self, number: int, *, timeout: float = 10.0) -> Application:
        """An application with all that was done to it."""
        return await self._ask(self._questions.get(number), timeout)

    def all(self, *, timeout: float = 10.0, **wanted: Unpack[Wanted]) -> AsyncIterator[Application]:
        """See :meth:`Applications.all`."""
        return self._items(self._questions.listed(wanted), timeout)

    async def create(
        self, terms: application_pb2.ApplicationTerms, *, request_id: str = "", timeout: float = 10.0
    ) -> Filed:
        """See :meth:`Applications.create`."""
        return await self._ask(self._questions.create(terms, request_id), timeout)

    async def supplement(
        self,
        seen: Application,
        terms: application_pb2.ApplicationTerms,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """See :meth:`Applications.supplement`."""
        return await self._ask(self._questions.supplement(seen, terms, request_id), timeout)

    async def consent(self, seen: Application, *, request_id: str = "", timeout: float = 10.0) -> Filed:
        """See :meth:`Applications.consent`."""
        return await self._ask(self._questions.consent(seen, request_id), timeout)

    async def withdraw(
        self, seen: Application, reason: str = "", *, request_id: str = "", timeout: float = 10.0
    ) -> Filed:
        """See :meth:`Applications.withdraw`."""
        return await self._ask(self._questions.withdraw(seen, reason, request_id), timeout)

    async def approve(self, seen: Application, *, request_id: str = "", timeout: float = 10.0) -> Filed:
        """See :meth:`Applications.approve`."""
        return await self._ask(self._questions.approve(seen, request_id), timeout)

    async def refuse(
        self,
        seen: Application,
        reason: str,
        legal_basis: str,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """See :meth:`Applications.refuse`."""
        return await self._ask(self._questions.refuse(seen, reason, legal_basis, request_id), timeout)

    async def extend(
        self,
        seen: Application,
        working_days: int = 0,
        reason: str = "",
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """See :meth:`Applications.extend`."""
        return await self._ask(self._questions.extend(seen, working_days, reason, request_id), timeout)

    async def suspend(
        self, seen: Application, reason: str, *, request_id: str = "", timeout: float = 10.0
    ) -> Filed:
        """See :meth:`Applications.suspend`."""
        return await self._ask(self._questions.suspend(seen, reason, request_id), timeout)

    async def resume(
        self, seen: Application, reason: str, *, request_id: str = "", timeout: float = 10.0
    ) -> Filed:
        """See :meth:`Applications.resume`."""
        return await self._ask(self._questions.resume(seen, reason, request_id), timeout)

    async def terminate(
        self,
        seen: Application,
        reason: str,
        legal_basis: str,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """See :meth:`Applications.terminate`."""
        return await self._ask(self._questions.terminate(seen, reason, legal_basis, request_id), timeout)

    async def watch(self, after: str = "", name: str = "", *, timeout: float = 30.0) -> AsyncWatch:
        """See :meth:`Applications.watch`."""
        return await AsyncWatch(self._attempt, after, name, timeout).begun()


class AsyncWatch:
    """:class:`broker.client.applications.Watch` for asyncio."""

    def __init__(self, attempt: Attempt, after: str, name: str, timeout: float) -> None:
        self._attempt = attempt
        self._timeout = timeout
        self._name = name
        self._cancelled = False
        self._call: Any = None
        self.seen = after
        """Up to which receipt there were no other notices."""

    async def begun(self) -> Self:
        """The watch, once it stands."""
        self._call = await self._begin()
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """End it."""
        self._cancelled = True
        self._call.cancel()

    async def __aiter__(self) -> AsyncIterator[application_pb2.Notice]:
        while not self._cancelled:
            try:
                async for response in self._call:
                    self.seen = response.seen or self.seen
                    if response.HasField("notice"):
                        yield response.notice
            except grpc.RpcError as error:
                if self._cancelled:
                    return
                failure = failure_of(error)
                if failure.code not in RETRIED:
                    raise failure.error from None
                await asyncio.sleep(jitter(1))
            except asyncio.CancelledError:
                if self._cancelled:  # by cancel(), which is no reason to end the task
                    return
                raise
            self._call = await self._begin()

    async def _begin(self) -> Any:
        request = application_pb2.WatchNoticesRequest(after=self.seen, name=self._name)

        async def begin(connection: Connection, tries: Tries) -> Any:
            call = connection.streams.applications.WatchNotices(request)
            parts = aiter(call)
            first = await anext(parts, None)
            if first is not None:
                self.seen = first.seen or self.seen
            return call

        return await self._attempt(begin, self._timeout, "")
