"""When a call is tried again: under one request id, with growing pauses, within one deadline.

Only what says that the broker (or the connection to it) was not there is tried again: UNAVAILABLE and
CANCELLED, and RESOURCE_EXHAUSTED when the broker names a time to wait (``google.rpc.RetryInfo``, AIP-194).
A decision is an answer, and every other status an answer too. DEADLINE_EXCEEDED is not tried again, since
each attempt has been given all the time that was left.
"""

from __future__ import annotations

import random
import time

import grpc

from broker.client.status import Failure
from broker.errors import BrokerError

FIRST_SECONDS = 0.05
MOST_SECONDS = 2.0
"""The n-th pause is anything from nothing to FIRST · 2ⁿ⁻¹, but never above MOST: with full jitter the clients
of a restarted broker do not all come back at the same moment."""

RETRIED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})

_chance = random.SystemRandom()  # not the shared generator: programs seed it, and forked ones share its state


class Tries:
    """The attempts of one call.

    Args:
        timeout: seconds that all attempts and the pauses between them may take.
        most: attempts at most; None for as many as the time allows.
        request_id: under which they all are made; errors carry it.
    """

    def __init__(self, timeout: float, most: int | None = None, request_id: str = "") -> None:
        self.number = 0
        self.pause = 0.0
        """Seconds to wait before the next attempt."""
        self.request_id = request_id
        self._most = most
        self._redirects = 0
        self._end = time.monotonic() + timeout

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._end - time.monotonic())

    def failed(self, failure: Failure) -> None:
        """Set the pause before the next attempt.

        Raises:
            BrokerError: there is to be none; the error says how the last attempt failed.
        """
        worth_another = failure.code in RETRIED or (
            failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and failure.retry_seconds is not None
        )
        self.pause = (failure.retry_seconds or 0.0) + jitter(self.number)
        if not worth_another or self.number == self._most or self.pause >= self.left:
            raise self.marked(failure.error) from None

    def redirected(self, most: int) -> bool:
        """Whether the attempt may be made again elsewhere at once, which it may ``most`` times; it does not
        count as one then."""
        if self._redirects == most:
            return False
        self._redirects += 1
        self.number -= 1
        self.pause = 0.0
        return True

    def marked(self, error: BrokerError) -> BrokerError:
        """``error``, saying under which request id and in how many attempts it came about."""
        error.request_id, error.attempts = self.request_id, self.number
        return error


def jitter(attempt: int) -> float:
    """Seconds to wait after the ``attempt``-th attempt, counted from 1."""
    return _chance.uniform(0, min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 32)))
