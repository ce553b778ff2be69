"""Patience with callers: a call that waits for its caller longer than is allowed is ended.

gRPC waits for ever: for a request that was announced and does not come, for a caller who takes nothing of
what he is sent. Each such call would hold a thread and a place, so that a few idle callers could shut
everybody out.
"""

from __future__ import annotations

import threading
import time

import grpc

from broker.errors import BrokerError, Exhausted
from broker.reasons import Reason

LOOKS = 4
"""How often it is looked, in the time that is allowed."""


class Wait:
    """One call's waiting for its caller: in a ``with`` block on it, or from :meth:`begin` to :meth:`end`."""

    __slots__ = ("context", "ended", "since")

    def __init__(self, context: grpc.ServicerContext) -> None:
        self.context = context
        self.since: float | None = None
        self.ended: BrokerError | None = None
        """Why the call was ended from our side while it waited."""

    def begin(self) -> None:
        self.since = time.monotonic()

    def end(self) -> None:
        self.since = None

    def give_up(self, why: BrokerError, after: float) -> None:
        """End the call, if it has been waiting for ``after`` seconds. Called by other threads."""
        since = self.since
        if since is not None and since < time.monotonic() - after and self.ended is None:
            self.ended = why
            self.context.cancel()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *_: object) -> None:
        self.end()


class Patience:
    """Ends calls that wait for their caller for ``seconds``, give or take a quarter; until it is closed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waits: set[Wait] = set()
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="patience", daemon=True).start()

    def with_(self, context: grpc.ServicerContext) -> Wait:
        """To be told when the call of ``context`` waits for its caller."""
        wait = Wait(context)
        self._waits.add(wait)
        return wait

    def done(self, wait: Wait) -> None:
        """The call has ended."""
        self._waits.discard(wait)

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(self._seconds / LOOKS):
            for wait in self._waits.copy():
                wait.give_up(Exhausted(Reason.CALLER_STALLED), self._seconds)
