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

from broker.errors import Unavailable, VerificationFailed
from broker.journal import Cosigned
from broker.reasons import Reason
from broker.receipt.cosigning import require_cosigned
from broker.receipt.witnesses import WitnessPolicy

log = structlog.get_logger("sharebroker.witnesses")

LOOK_SECONDS = 1.0
"""How often the database is asked what is covered; what it says only ever gets better."""


class Covered(Protocol):
    """Knows what witnesses have cosigned."""

    def first_uncovered(self) -> datetime | None:
        """When the first leaf was recorded that no cosigned checkpoint covers; None when all are covered."""
        ...


class Table(Protocol):
    """Where it stands what witnesses have cosigned, and when leaves were recorded: to be verified."""

    def cosigned(self) -> Cosigned | None:
        """See :meth:`broker.store.store.Store.cosigned`."""
        ...

    def recorded_at(self, leaf_index: int) -> datetime | None:
        """See :meth:`broker.store.store.Store.recorded_at`."""
        ...


class ProvedCover:
    """A :class:`Covered` that does not believe the database: neither that witnesses have cosigned, nor when
    the first leaf was recorded that they have not, which is at the latest when this process first saw it.

    Args:
        policy: whose cosignatures are enough.
        origin: of the log.
        signed: how many leaves the log's own head has; may raise Unavailable.
        clock: the one that dates receipts.
    """

    def __init__(
        self,
        table: Table,
        policy: WitnessPolicy,
        origin: str,
        signed: Callable[[], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._table = table
        self._policy = policy
        self._origin = origin
        self._signed = signed
        self._clock = clock
        self._known = Cosigned(0, "")
        """What was verified last."""
        self._false: Cosigned | None = None
        self._short: tuple[int, datetime] | None = None
        """Which leaf was the first uncovered one, and when that was seen first."""

    def first_uncovered(self) -> datetime | None:
        covered = self._covered()
        if self._signed() <= covered:
            self._short = None
            return None
        if self._short is None or self._short[0] != covered:
            self._short = (covered, self._clock())
        seen, recorded_at = self._short[1], self._table.recorded_at(covered)
        return seen if recorded_at is None else min(seen, recorded_at)

    def _covered(self) -> int:
        """How many leaves enough witnesses have cosigned; of what is not theirs, none."""
        found = self._table.cosigned()
        if found is None:
            return 0
        if found != self._known:
            try:
                require_cosigned(found, self._policy, self._origin)
            except VerificationFailed as error:
                if found != self._false:
                    log.critical("cosigned_head_false", error=str(error))
                    self._false = found
                return 0
            self._known = found
        return found.size


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
