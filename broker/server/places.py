"""Places: how many calls one process takes at once, and when somebody who found none may ask again.

A call takes its place in gRPC's polling thread, before it is given a thread and before its message is read,
and leaves it when gRPC has done with it, its answer handed to transport. So everything that calls make a
process hold (requests, answers, entries on their way into the log) is bounded by its places.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from broker.errors import Exhausted
from broker.reasons import Reason
from broker.settings import Server

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 5.0
"""Bounds of the wait that is asked of those who are refused."""
WEIGHT = 1 / 16
"""Of the newest stay in the average."""

REFLECTIONS, CHECKS, WATCHES, NOTICES = 8, 64, 256, 128
"""Places beside the exchanges, whose own no such call can take: reflection streams, health checks, health
watches, which hold no thread, and watches of notices."""
CHECKING_THREADS = 4


class Places:
    """So many places for calls; safe for use by many threads.

    Args:
        limit: how many there are.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.refused = 0
        """Calls that found no place, since the start."""
        self._stay = SHORTEST_SECONDS
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def enter(self) -> float | None:
        """Take a place; gives what :meth:`leave` asks for, or None when there is none."""
        with self._lock:
            if self.used >= self.limit:
                self.refused += 1
                return None
            self.used += 1
        return time.monotonic()

    def leave(self, entered: float) -> None:
        """Give a place back."""
        with self._lock:
            self.used -= 1
            self._stay += WEIGHT * (time.monotonic() - entered - self._stay)

    @property
    def retry_seconds(self) -> float:
        """How long calls have stayed lately: after that those who are inside now will have left.

        This is the backlog times the time that one call takes of the process (Little's law), bounded.
        """
        return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, self._stay))

    def full(self) -> Exhausted:
        """What is said to somebody who found no place."""
        return Exhausted(Reason.OVERLOADED, retry_seconds=self.retry_seconds)

    @contextmanager
    def shared(self, holder: str) -> Iterator[None]:
        """While the block runs ``holder`` has one place more, and never more than half of all.

        Raises:
            Exhausted: it has half of them.
        """
        with self._lock:
            if self._held[holder] >= max(1, self.limit // 2):
                self.refused += 1
                raise Exhausted(Reason.SHARE_USED_UP, retry_seconds=self.retry_seconds)
            self._held[holder] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[holder] -= 1
                if not self._held[holder]:
                    del self._held[holder]


@dataclass(frozen=True, slots=True)
class Lane:
    """The places for one kind of calls, and the threads that run them; None for the server's own."""

    places: Places
    threads: ThreadPoolExecutor | None = None


class Lanes:
    """The kinds of calls, kept apart so that none can take the places or the threads of another."""

    def __init__(self, settings: Server) -> None:
        checking = _threads(CHECKING_THREADS, "check")
        self.calls = Lane(Places(settings.max_concurrent_calls))
        self.streams = Lane(Places(settings.max_streams), _threads(settings.max_streams, "stream"))
        reflections = Lane(Places(REFLECTIONS), _threads(REFLECTIONS, "reflection"))
        checks, watches = Lane(Places(CHECKS), checking), Lane(Places(WATCHES), checking)
        notices = Lane(Places(NOTICES), _threads(NOTICES, "notices"))
        self._all = (self.calls, self.streams, reflections, checks, watches, notices)
        self._by_method: Mapping[str, Lane] = {
            "/broker.v1.ExchangeService/StreamExchange": self.streams,
            "/broker.v1.ApplicationService/WatchNotices": notices,
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": reflections,
            "/grpc.health.v1.Health/Check": checks,
            "/grpc.health.v1.Health/List": checks,
            "/grpc.health.v1.Health/Watch": watches,
        }

    def of(self, method: str) -> Lane:
        """The lane of ``method`` (``/package.Service/Method``)."""
        return self._by_method.get(method, self.calls)

    @property
    def limit(self) -> int:
        """All places together."""
        return sum(lane.places.limit for lane in self._all)

    def status(self) -> dict[str, dict[str, int]]:
        """Places used, places there are, and calls refused, of exchanges and of streams."""
        return {
            name: {"used": places.used, "limit": places.limit, "refused": places.refused}
            for name, places in (("calls", self.calls.places), ("streams", self.streams.places))
        }

    def close(self) -> None:
        """End the threads, when nothing is being served any more."""
        with ExitStack() as stopping:
            for lane in self._all:
                if lane.threads is not None:
                    stopping.callback(lane.threads.shutdown, wait=False)


def _threads(most: int, name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(most, thread_name_prefix=name)
