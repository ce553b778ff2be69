"""Leases: a stream that nobody keeps alive is closed as *interrupted*, once, and cannot be completed then.

A stream's lease is recorded with its opening leaf and ends with its outcome. Whoever streams renews it, and
with it records how far the stream has come; whoever serves streams watches the leases of all. Nobody compares
times of day: who holds a lease counts from before its last renewal began, who watches from after it saw that
renewal, so the holder always stops first, however wrong their clocks are. See docs/adr/0006-leases.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

import structlog

from broker.errors import Changed, Unavailable
from broker.journal import Lease, LeaseLost
from broker.reasons import Reason
from broker.receipt.attempts import interruption
from broker.receipt.log import ReceiptLog
from broker.rounds import Rounds
from broker.store.store import Store

log = structlog.get_logger("sharebroker.leases")

RECORD_SECONDS = 1.0
"""How often progress is recorded and leases are looked at; oftener when they are short."""

SURE = 0.9
"""Part of its time for which a holder believes in a lease: clocks need not run at quite the same rate."""

MOST_RENEWALS = 3
"""Renewals in a row, when each took so long that the lease it gave was over."""

SETTLE_STEP_SECONDS = 0.02

Unfinished = Callable[[], bytes]
"""Gives the statement of a stream's outcome if it were interrupted now. Called by other threads."""


def elapsed() -> float:
    """Seconds by a clock that is never set and, where there is one, goes on while the host sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Watch:
    """How long each lease has gone without renewal, before the eyes of one who watches.

    A watcher who was asleep himself (stopped, or starved of the processor) has seen nothing meanwhile: a step
    counts for ``longest_step`` seconds at most.
    """

    def __init__(self, longest_step: float) -> None:
        self._longest_step = longest_step
        self._last: float | None = None
        self._awake = 0.0
        self._seen: dict[int, tuple[int, float]] = {}
        """Opening leaf → renewals, and when that number was first seen."""

    def run_out(self, leases: Iterable[Lease], now: float) -> list[Lease]:
        """Those of all leases, read before ``now``, that have not been renewed for as long as they hold."""
        if self._last is not None:
            self._awake += min(now - self._last, self._longest_step)
        self._last = now
        leases = list(leases)
        seen = {lease.opening: self._first_seen(lease) for lease in leases}
        self._seen = seen
        return [x for x in leases if self._awake - seen[x.opening][1] > x.milliseconds / 1000]

    def _first_seen(self, lease: Lease) -> tuple[int, float]:
        renewals, since = self._seen.get(lease.opening, (None, 0.0))
        return (lease.renewals, since if renewals == lease.renewals else self._awake)


class Held:
    """The lease of a stream in this process."""

    def __init__(self, keeper: Keeper, opening: int, unfinished: Unfinished, until: float) -> None:
        self.opening = opening
        self.unfinished = unfinished
        self._keeper = keeper
        self._until = until
        self._lost = False

    def check(self) -> None:
        """That the stream may hand over its next chunk.

        Raises:
            Changed: LEASE_EXPIRED or TAKEN_OVER: it has its outcome, which others recorded.
            Unavailable: nobody can tell.
        """
        renewals = 0
        while not self._surely_held():
            if renewals == MOST_RENEWALS:
                raise Unavailable(Reason.LOG_UNAVAILABLE)
            self._keeper.renew()
            renewals += 1
            if self._lost:
                raise self.lost()

    def lost(self) -> Changed:
        """Why the lease is gone: before its time only a retry can have ended it."""
        return Changed(Reason.TAKEN_OVER if elapsed() < self._until else Reason.LEASE_EXPIRED)

    def renewed(self, until: float) -> None:
        self._until = until

    def gone(self) -> None:
        self._lost = True

    def _surely_held(self) -> bool:
        return not self._lost and elapsed() < self._until


class Keeper:
    """Renews the leases of this process's streams, and closes those that nobody renews.

    Args:
        seconds: how long a lease holds without renewal.
    """

    def __init__(
        self, store: Store, receipts: ReceiptLog, clock: Callable[[], datetime], seconds: float
    ) -> None:
        self.seconds = seconds
        self._store = store
        self._receipts = receipts
        self._clock = clock
        self._every = min(RECORD_SECONDS, seconds / 5)
        self._held: dict[int, Held] = {}
        self._watch = Watch(2 * self._every)
        self._renewing = threading.Lock()
        # Two: to close a stream is to wait for a receipt, and renewing must not wait for that.
        self._rounds = [
            Rounds("renew-leases", self.renew, lambda: self._every),
            Rounds("close-abandoned-streams", self.close_abandoned, lambda: self._every),
        ]

    def start(self) -> None:
        """Renew and watch from now on."""
        for rounds in self._rounds:
            rounds.start()

    def stop(self) -> None:
        """Leave the leases to others."""
        for rounds in self._rounds:
            rounds.stop()

    def settle(self, seconds: float) -> None:
        """Wait until every stream of this process has recorded its outcome, no longer than ``seconds``."""
        end = elapsed() + seconds
        while self._held and elapsed() < end:
            time.sleep(SETTLE_STEP_SECONDS)

    def hold(self, opening: int, unfinished: Unfinished, since: float) -> Held:
        """Keep the lease that begins with leaf ``opening``; ``since`` is a time before it was recorded, by
        :func:`elapsed`."""
        held = Held(self, opening, unfinished, since + SURE * self.seconds)
        self._held[opening] = held
        return held

    def release(self, held: Held) -> None:
        """Keep it no longer."""
        self._held.pop(held.opening, None)

    def renew(self) -> None:
        """Renew all leases that this process holds, in one transaction.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with self._renewing:
            held, began = list(self._held.values()), elapsed()
            if not held:
                return
            said = {one.opening: one.unfinished() for one in held}
            with self._store.append_transaction() as transaction:
                alive = transaction.leases.renew(said)
            for one in held:
                if one.opening in alive:
                    one.renewed(began + SURE * self.seconds)
                else:
                    one.gone()

    def close_abandoned(self) -> None:
        """Record the outcome of streams that nobody keeps.

        Raises:
            Unavailable: database or signer cannot be reached.
        """
        with self._store.leases() as leases:
            live = leases.live()
        for lease in self._watch.run_out(live, elapsed()):
            try:
                receipt = self._receipts.append(interruption(lease, Reason.LEASE_EXPIRED, self._clock()))
            except LeaseLost:
                continue  # its holder, or another watcher, was first
            log.warning("stream_closed", opening=lease.opening, outcome=receipt.receipt.leaf_index)
