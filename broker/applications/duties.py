"""What the broker does about applications by itself when its time has come: filed ones checked, grants begun
and ended, reminders, limits that have passed.

All who serve streams look; who of several is first is settled under the log's lock.
"""

from __future__ import annotations

import structlog

from broker.applications.register import Register
from broker.errors import NotFound, Unavailable
from broker.rounds import Rounds

log = structlog.get_logger("sharebroker.applications")

LOOK_SECONDS = 5.0
"""How often: a grant begins and ends so much late at most; every exchange under it compares times itself."""
AT_ONCE = 256
MOST_FAILURES = 4
"""After so many there is nothing that one look can do: the database or the signer is away."""


class Duties:
    """Does what is due, in rounds of its own."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._rounds = Rounds("application-duties", self.perform, lambda: LOOK_SECONDS)

    def start(self) -> None:
        """Look from now on."""
        self._rounds.start()

    def stop(self) -> None:
        """Leave it to others."""
        self._rounds.stop()

    def perform(self) -> int:
        """Does all that is due now; gives how many applications it was about.

        Raises:
            Unavailable: database or signer cannot be reached.
        """
        done, failed = 0, 0
        for number in self._register.due(self._register.clock(), AT_ONCE):
            if self._rounds.stopped:
                break
            try:
                self._register.settle(self._register.proved(number))
                done += 1
            except (NotFound, Unavailable) as failure:  # of one whose record was altered; the others are done
                failed += 1
                log.error("application_duty_failed", application=number, reason=failure.reason)
                if failed == MOST_FAILURES:
                    raise
        return done
