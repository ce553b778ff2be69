"""The guard over streams: whatever their threads wait for, those whose permit has ended are ended.

A stream asks at each chunk whether it may go on; one whose caller takes nothing comes to no next chunk. So a
thread of each process that streams asks for all of them: when the epoch moves (the kill switch, a revoked
certificate, another policy) a stalled stream ends as soon as one that is read, with an outcome that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from broker.errors import BrokerError, Unavailable
from broker.rounds import Rounds
from broker.standing import Standing

ROUND_SECONDS = 0.05
"""Between two rounds. Few of them cost anything: what is in force is looked up as for a stream's chunks."""

End = Callable[[BrokerError], None]
"""Ends a stream's call for this reason, if its thread waits for its caller; else the thread comes to ask by
itself. Called by another thread, and again in each round while the stream is open."""


def unending(why: BrokerError) -> None:
    """Where no thread ever waits for a caller."""


class Guard:
    """Makes its rounds from :meth:`start` to :meth:`stop`; safe for use by many threads."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[Standing, End]] = {}
        self._rounds = Rounds("guard", self.round, lambda: ROUND_SECONDS)

    def start(self) -> None:
        """Guard from now on."""
        self._rounds.start()

    def stop(self) -> None:
        """Make no more rounds."""
        self._rounds.stop()

    @contextmanager
    def over(self, standing: Standing, end: End) -> Iterator[None]:
        """While the block runs the stream is open."""
        self._open[id(standing)] = standing, end
        try:
            yield
        finally:
            del self._open[id(standing)]

    def round(self) -> None:
        """Ask for every open stream whether it may go on, and end those that may not.

        Where nobody can tell, nothing goes on either, and there is nothing to say of it in an outcome yet.
        """
        for standing, end in list(self._open.values()):
            try:
                standing.ask()
            except Unavailable:
                continue
            except BrokerError as why:
                end(why)
