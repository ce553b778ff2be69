"""Watches of notices: one look at the log for all who watch, and each watch goes at its caller's pace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from broker.applications.notices import Notice, Notices
from broker.errors import Unavailable
from broker.reasons import Reason
from broker.rounds import Rounds

LOOK_SECONDS = 0.25
"""How often the log is looked at while somebody watches: the longest that a notice is late."""
SIGN_OF_LIFE_SECONDS = 20.0
"""A watch with nothing to tell says that it still stands: connections that say nothing are cut off."""
_ALERT_SECONDS = 1.0
"""How long a watch waits before it looks whether its caller is still there."""


class NoticeBoard:
    """Tells watches that there are new leaves; until it is stopped, which ends them."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices
        self._changed = threading.Condition()
        self._last = -1
        self._watching = 0
        self._stopped = False
        self._rounds = Rounds("notices", self._look, lambda: LOOK_SECONDS)

    def start(self) -> None:
        """Look from now on."""
        self._rounds.start()

    def stop(self) -> None:
        """End all watches."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._rounds.stop()

    def watch(self, after: int | None, goes_on: Callable[[], bool]) -> Iterator[tuple[list[Notice], int]]:
        """Notices after a leaf (None: from now on), in the log's order, each time with the leaf up to which
        these are all; also without a notice, to begin with and as a sign of life. Ends when ``goes_on``,
        asked about once a second, says no.

        Raises:
            Unavailable: SHUTTING_DOWN; or the database cannot be reached.
        """
        with self._changed:
            self._watching += 1
        try:
            seen = self.notices.last() if after is None else after
            yield [], seen
            while goes_on():
                found, seen = self.notices.after(seen)
                if found or not self._wait_beyond(seen, goes_on):
                    yield found, seen
        finally:
            with self._changed:
                self._watching -= 1

    def _wait_beyond(self, leaf_index: int, goes_on: Callable[[], bool]) -> bool:
        """Whether there is a later leaf; False after a while without, or when nobody waits any more."""
        for _ in range(round(SIGN_OF_LIFE_SECONDS / _ALERT_SECONDS)):
            with self._changed:
                if not self._stopped and self._last <= leaf_index:
                    self._changed.wait(_ALERT_SECONDS)
                if self._stopped:
                    raise Unavailable(Reason.SHUTTING_DOWN)
                if self._last > leaf_index:
                    return True
            if not goes_on():
                return False
        return False

    def _look(self) -> None:
        with self._changed:
            if not self._watching:
                return
        last = self.notices.last()
        with self._changed:
            if last > self._last:
                self._last = last
                self._changed.notify_all()
