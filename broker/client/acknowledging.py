"""Deliveries acknowledged: what is signed, and what waits until the broker has taken it.

An answer is handed over whether or not its acknowledgement could be sent. That is signed at once and waits
in the :class:`Outbox`; it goes with the next call that acknowledges something, when the client is closed, or
when the client is asked to. Sent twice it counts once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from broker.durable import sync_folder
from broker.errors import BrokerError, DeadlinePassed, Exhausted, SetUpError, Unavailable
from broker.model import Receipt
from broker.receipt.merkle import leaf_entry, leaf_hash

ACKNOWLEDGE_SECONDS = 5.0
"""Longest that a call waits for its acknowledgement to be taken, within its own timeout."""

CLOSING_SECONDS = 2.0
"""Longest that a client's end waits for the acknowledgements that wait."""

AT_ONCE = 8
"""Older acknowledgements that go with a new one."""

MOST = 10_000
"""Acknowledgements that wait; beyond that the oldest is given up, and the broker says that it is missing."""

_PASSING = (Unavailable, DeadlinePassed, Exhausted)
_SUFFIX = ".cose"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it was received and verified: what its consumer can sign for."""

    leaf_index: int
    """Of its receipt."""
    leaf: bytes
    """That leaf's hash."""
    digest: bytes
    """Computed from what was received."""
    received_at: datetime = field(compare=False)
    hours: int = 0
    """Within which policy wants it acknowledged; 0: it does not."""

    @classmethod
    def of(cls, receipt: Receipt, digest: bytes, hours: int = 0, received_at: datetime | None = None) -> Self:
        """What was received, by default just now."""
        leaf = leaf_hash(leaf_entry(receipt.statement))
        return cls(receipt.leaf_index, leaf, digest, received_at or datetime.now(UTC), hours)

    def wanted(self, acknowledge: bool | None) -> bool:
        """Whether to acknowledge it, as the caller has said; None: if policy wants it."""
        return bool(self.hours) if acknowledge is None else acknowledge


class Until:
    """A time by which something must be done, so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._end - time.monotonic())


class Outbox:
    """Signed acknowledgements that the broker has not taken yet; safe for use by several threads.

    Args:
        folder: where they are kept, durably, in a file each; None: in memory only, lost with the process.

    Raises:
        SetUpError: the folder cannot be used.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._waiting: dict[int, bytes] = {}
        self._refused: dict[int, BrokerError] = {}
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._waiting = dict(sorted(_kept(folder)))
            except OSError:
                raise SetUpError(
                    f"存放待发确认书的目录 {folder} 不可用。",
                    f"The folder {folder} for acknowledgements that wait cannot be used.",
                ) from None

    def add(self, leaf_index: int, message: bytes) -> None:
        """Keep it until it is taken."""
        with self._lock:
            self._waiting[leaf_index] = message
            if self._folder is not None:
                with suppress(OSError):  # a full disk must not cost the answer; in memory it still waits
                    _keep(self._folder, leaf_index, message)
            if len(self._waiting) > MOST:
                self._remove(next(iter(self._waiting)))

    def waiting(self) -> list[tuple[int, bytes]]:
        """(leaf index of the delivery, message), the oldest first."""
        with self._lock:
            return list(self._waiting.items())

    def refused(self) -> dict[int, BrokerError]:
        """Leaf index → why the broker does not take it; to send it again would be of no use."""
        with self._lock:
            return dict(self._refused)

    @contextmanager
    def sending(self, leaf_index: int) -> Iterator[None]:
        """Around the call that sends it. Sent, it waits no longer; refused for good, neither, which ends the
        block without an error.

        Raises:
            BrokerError: what may pass; it waits.
        """
        refused: BrokerError | None = None
        try:
            yield
        except BrokerError as why:
            if isinstance(why, _PASSING):
                raise
            refused = why
        with self._lock:
            self._remove(leaf_index)
            if refused is not None:
                self._refused[leaf_index] = refused
                if len(self._refused) > MOST:
                    del self._refused[next(iter(self._refused))]

    def _remove(self, leaf_index: int) -> None:
        self._waiting.pop(leaf_index, None)
        if self._folder is not None:
            with suppress(OSError):  # found again it is sent again, and counts once
                (self._folder / f"{leaf_index}{_SUFFIX}").unlink(missing_ok=True)


def _kept(folder: Path) -> Iterator[tuple[int, bytes]]:
    for file in folder.glob(f"*{_SUFFIX}"):
        if file.stem.isdecimal():
            yield int(file.stem), file.read_bytes()


def _keep(folder: Path, leaf_index: int, message: bytes) -> None:
    """A file that is there is there whole."""
    unfinished = folder / f"{leaf_index}.part"
    with unfinished.open("wb") as file:
        file.write(message)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / f"{leaf_index}{_SUFFIX}")
    sync_folder(folder)
