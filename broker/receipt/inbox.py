"""Where callers leave their entries for the one thread that appends them, and wait for its answer."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from broker.errors import Unavailable
from broker.model import Entry, Receipt
from broker.reasons import Reason

MAX_BATCH = 256
LINGER_SECONDS = 0.002
"""Longest wait for as many entries as the batch before had; a lone caller never waits."""

_NEVER = sys.maxsize


@dataclass(frozen=True, slots=True)
class Appended:
    """An appended entry's receipt, and whether it is that of an earlier attempt."""

    receipt: Receipt
    redelivered: bool


class Submission:
    """An entry on its way to the writer, and where its caller waits: at a bare lock, because a ``Future``
    and its condition cost a call as much as all of its policy."""

    __slots__ = ("_answer", "_answered", "abandoned", "entry", "rows")

    def __init__(self, entry: Entry, rows: int) -> None:
        self.entry = entry
        self.rows = rows
        self.abandoned = False
        """Whether the caller waits no longer; the writer need not begin with it then."""
        self._answer: Appended | Exception
        self._answered = threading.Lock()
        self._answered.acquire()

    def answer(self, answer: Appended | Exception) -> None:
        """Lets the caller go on; to be called once."""
        self._answer = answer
        self._answered.release()

    def result(self, seconds: float) -> Appended:
        """What the writer answers; raises what it raises.

        Raises:
            TimeoutError: it has not answered in time; it may still record the entry.
        """
        if not self._answered.acquire(timeout=seconds):
            self.abandoned = True
            raise TimeoutError
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Inbox:
    """Many threads put, one takes. It is woken when there is enough for it, not by every single entry: each
    waking costs the interpreter's lock twice, as much as all that is done for an entry."""

    def __init__(self) -> None:
        self._waiting: deque[Submission] = deque()
        self._enough = _NEVER
        """How many there have to be before the bell is rung."""
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()

    def put(self, submission: Submission) -> None:
        """Leaves it there.

        Raises:
            Unavailable: the inbox is closed.
        """
        with self._closing:
            if self._closed:
                raise Unavailable(Reason.SHUTTING_DOWN)
            self._waiting.append(submission)
        if len(self._waiting) >= self._enough:
            self._bell.put(None)

    def close(self) -> None:
        """Nothing more is put; what is there can be taken."""
        with self._closing:
            self._closed = True
        self._bell.put(None)

    def gather(self, expected: int) -> list[Submission]:
        """The next batch: waits for the first entry, and a moment for as many as are expected. Empty when the
        inbox is closed and everything was taken."""
        while True:
            self._wait(1, None)
            self._wait(expected, LINGER_SECONDS)
            batch = self.take(MAX_BATCH)
            if batch or (self._closed and not self._waiting):
                return batch

    def take(self, room: int) -> list[Submission]:
        """At most so many of those that are there and that somebody waits for."""
        taken: list[Submission] = []
        while self._waiting and len(taken) < room:
            submission = self._waiting.popleft()
            if not submission.abandoned:
                taken.append(submission)
        return taken

    def _wait(self, count: int, seconds: float | None) -> None:
        end = None if seconds is None else time.monotonic() + seconds
        self._enough = count
        while len(self._waiting) < count and not self._closed:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            with suppress(Empty):  # a bell that was rung too often only has us look again
                self._bell.get(timeout=left)
        self._enough = _NEVER
