"""A duty done again and again, from a thread of its own, whatever went wrong the time before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from broker.errors import BrokerError

log = structlog.get_logger("sharebroker.rounds")

JOIN_SECONDS = 30.0
"""Longest wait at the end for a round under way: a database that does not answer must not keep a process."""


class Rounds:
    """Does ``duty`` every so often between :meth:`start` and :meth:`stop`.

    Nothing that a round raises ends the thread, for without it the duty would lie undone and nobody would
    know: that a database or signer is away is logged as ``round_waits``, a defect as ``round_failed``.

    Args:
        name: of the duty, in the log and as the thread's.
        every: seconds from the end of one round to the next; asked anew each time.
    """

    def __init__(self, name: str, duty: Callable[[], object], every: Callable[[], float]) -> None:
        self._name = name
        self._duty = duty
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopped(self) -> bool:
        """Whether a long round should leave the rest to others."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Go round from now on, for the first time after one pause."""
        self._thread.start()

    def stop(self) -> None:
        """Leave it to others; returns when the round under way has ended, or is not worth waiting for."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self._stopped.wait(self._every()):
            try:
                self._duty()
            except BrokerError as error:
                log.warning("round_waits", duty=self._name, reason=error.reason)
            except Exception as error:  # noqa: BLE001 - a defect; the duty stays due
                log.error("round_failed", duty=self._name, error=type(error).__name__)
