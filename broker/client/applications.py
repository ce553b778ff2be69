"""Applications that people decide, as :attr:`broker.client.Client.applications` offers them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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
    """Asks a question, again where that is safe, within ``timeout`` seconds."""

    def __call__(self, question: Question[T], timeout: float) -> T: ...


class Items(Protocol):
    """The items of a list, page after page."""

    def __call__(self, question: Question[Page[T]], timeout: float) -> Iterator[T]: ...


class Attempt(Protocol):
    """Makes a call over the next connection, again where that is safe."""

    def __call__(self, attempt: Callable[[Connection, Tries], T], timeout: float, request_id: str) -> T: ...


class Applications:
    """What consumers and officers do with applications.

    ``seen`` is the application as the caller has seen it, from :meth:`get`, :meth:`all` or an act before: if
    somebody else has acted since, nothing is done and :class:`~broker.errors.Changed` (APPLICATION_MOVED) is
    raised. Give the ``request_id`` of a call that failed to make it again. Beside what stands there, every
    act raises NotAuthorised, NotFound, NotPossible (ACT_NOT_POSSIBLE) and MalformedRequest.
    """

    def __init__(self, questions: FilingQuestions, ask: Ask, items: Items, attempt: Attempt) -> None:
        self._questions = questions
        self._ask = ask
        self._items = items
        self._attempt = attempt

    def get(self, number: int, *, timeout: float = 10.0) -> Application:
        """An application with all that was done to it."""
        return self._ask(self._questions.get(number), timeout)

    def all(self, *, timeout: float = 10.0, **wanted: Unpack[Wanted]) -> Iterator[Application]:
        """Those that the caller may see, newest first, without steps; pages are fetched as needed."""
        return self._items(self._questions.listed(wanted), timeout)

    def create(
        self, terms: application_pb2.ApplicationTerms, *, request_id: str = "", timeout: float = 10.0
    ) -> Filed:
        """A draft of the caller's department."""
        return self._ask(self._questions.create(terms, request_id), timeout)

    def supplement(
        self,
        seen: Application,
        terms: application_pb2.ApplicationTerms,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """Puts other terms, all of them, in the place of those there are; to be consented to anew."""
        return self._ask(self._questions.supplement(seen, terms, request_id), timeout)

    def consent(self, seen: Application, *, request_id: str = "", timeout: float = 10.0) -> Filed:
        """Signs the terms as the consumer's officer, and files the application. What it is then tells whether
        anything is missing."""
        return self._ask(self._questions.consent(seen, request_id), timeout)

    def withdraw(
        self, seen: Application, reason: str = "", *, request_id: str = "", timeout: float = 10.0
    ) -> Filed:
        """Takes back what was not decided yet."""
        return self._ask(self._questions.withdraw(seen, reason, request_id), timeout)

    def approve(self, seen: Application, *, request_id: str = "", timeout: float = 10.0) -> Filed:
        """Signs the terms as a reviewer.

        Raises:
            NotAuthorised: NOT_A_REVIEWER.
        """
        return self._ask(self._questions.approve(seen, request_id), timeout)

    def refuse(
        self,
        seen: Application,
        reason: str,
        legal_basis: str,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """Refuses as a reviewer, saying why and by which law."""
        return self._ask(self._questions.refuse(seen, reason, legal_basis, request_id), timeout)

    def extend(
        self,
        seen: Application,
        working_days: int = 0,
        reason: str = "",
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """Asks, as the provider's officer, for 1 to 10 working days more; or, with 0, consents to that as the
        authority's."""
        return self._ask(self._questions.extend(seen, working_days, reason, request_id), timeout)

    def suspend(
        self, seen: Application, reason: str, *, request_id: str = "", timeout: float = 10.0
    ) -> Filed:
        """Lets the grant give nothing until it is resumed."""
        return self._ask(self._questions.suspend(seen, reason, request_id), timeout)

    def resume(self, seen: Application, reason: str, *, request_id: str = "", timeout: float = 10.0) -> Filed:
        """Lets it give again what it gave."""
        return self._ask(self._questions.resume(seen, reason, request_id), timeout)

    def terminate(
        self,
        seen: Application,
        reason: str,
        legal_basis: str,
        *,
        request_id: str = "",
        timeout: float = 10.0,
    ) -> Filed:
        """Ends the grant for good."""
        return self._ask(self._questions.terminate(seen, reason, legal_basis, request_id), timeout)

    def watch(self, after: str = "", name: str = "", *, timeout: float = 30.0) -> Watch:
        """Notices as they come, for as long as one likes: those after the receipt ``after``, or from now on;
        about the resource ``name`` only, if it is given. It stands when this returns. It tries to begin, and
        to begin anew each time that it broke off, for ``timeout`` seconds.

        Raises:
            BrokerError: it cannot begin.
        """
        return Watch(self._attempt, after, name, timeout)


class Watch:
    """Notices, by iterating; begun anew where it broke off, for as long as the broker can be reached.
    Cancelled at the end of a ``with`` block."""

    def __init__(self, attempt: Attempt, after: str, name: str, timeout: float) -> None:
        self._attempt = attempt
        self._timeout = timeout
        self._name = name
        self._cancelled = False
        self.seen = after
        """Up to which receipt there were no other notices: give it as ``after`` to go on there some day."""
        self._call = self._begun()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """End it, from whichever thread."""
        self._cancelled = True
        self._call.cancel()

    def __iter__(self) -> Iterator[application_pb2.Notice]:
        while not self._cancelled:
            try:
                for response in self._call:
                    self.seen = response.seen or self.seen
                    if response.HasField("notice"):
                        yield response.notice
            except grpc.RpcError as error:
                if self._cancelled:
                    return
                failure = failure_of(error)
                if failure.code not in RETRIED:
                    raise failure.error from None
                time.sleep(jitter(1))
            self._call = self._begun()

    def _begun(self) -> Any:
        request = application_pb2.WatchNoticesRequest(after=self.seen, name=self._name)

        def begin(connection: Connection, tries: Tries) -> Any:
            call = connection.streams.applications.WatchNotices(request)
            first = next(call, None)
            if first is not None:
                self.seen = first.seen or self.seen
            return call

        return self._attempt(begin, self._timeout, "")
