"""Whether witnesses keep up with the log: if they do not for too long, nothing more is released.

A receipt that no witness has seen could still be left out of another history that the same key signs. How
long receipts may be in that state is a setting; afterwards releasing stops, and goes on by itself when they
are covered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from broker.errors import Unavailable
from broker.reasons import Reason

log = structlog.get_logger("sharebroker.witnesses")

LOOK_SECONDS = 1.0
"""How often the database is asked what is covered; what it says only ever gets better."""


class Covered(Protocol):
    """Where it stands what witnesses have cosigned."""

    def first_uncovered(self) -> datetime | None:
        """See :meth:`broker.store.store.Store.first_uncovered`."""
        ...


class Coverage:
    """Says whether data may be released. Safe for use by many threads; asked by every exchange.

    Args:
        seconds: how old a receipt may become that no cosigned head covers; 0 for any age.
        clock: the one that dates receipts.
    """

    def __init__(
        self,
        covered: Covered,
        seconds: float,
        clock: Callable[[], datetime],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._covered = covered
        self._longest = timedelta(seconds=seconds)
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._until = datetime.max.replace(tzinfo=UTC) if not seconds else datetime.min.replace(tzinfo=UTC)
        self._stopped = False

    def check(self) -> None:
        """That something may be released now.

        Raises:
            Unavailable: NOT_WITNESSED.
        """
        if self._longest and not self._holds():
            raise Unavailable(Reason.NOT_WITNESSED)

    def holds(self) -> bool:
        """Whether something may be released now."""
        return not self._longest or self._holds()

    def _holds(self) -> bool:
        if self._monotonic() - self._looked >= LOOK_SECONDS:
            self._look()
        return self._clock() <= self._until

    def _look(self) -> None:
        """One thread looks. What was found before stays true meanwhile; where it has run out all wait: there
        may be better news."""
        if not self._lock.acquire(blocking=self._clock() > self._until):
            return
        try:
            if self._monotonic() - self._looked < LOOK_SECONDS:
                return
            now = self._clock()
            try:
                oldest = self._covered.first_uncovered() or now
            except Unavailable:
                return  # what is known runs out by itself
            self._looked = self._monotonic()
            self._until = oldest + self._longest
            self._tell(stopped=now > self._until)
        finally:
            self._lock.release()

    def _tell(self, *, stopped: bool) -> None:
        if stopped == self._stopped:
            return
        self._stopped = stopped
        if stopped:
            log.error(
                "releasing_stopped",
                zh="见证人过久没有确认日志，已暂停放行。请检查见证服务和网络。",
                en="The witnesses have not confirmed the log for too long: releasing has stopped. Check "
                "them and the network.",
            )
        else:
            log.info("releasing_goes_on")
