"""How current a source is: the newest time in it, asked at most once in a few seconds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from adapters.sources.contract import Source
from broker.model import Dataset

KEPT_SECONDS = 5.0
CLOCK_SKEW_SECONDS = 300.0
"""A time further in the future than this is an error of some clock, and says nothing about age."""
_YOUNGEST = timedelta(seconds=-CLOCK_SKEW_SECONDS)


def is_current(as_of: datetime | None, dataset: Dataset, now: datetime) -> bool:
    """Whether ``as_of`` lies within the dataset's update cycle; an unknown or a future time does not."""
    if as_of is None:
        return False
    age = now - as_of
    return _YOUNGEST <= age <= dataset.update_cycle


@dataclass(slots=True)
class _Known:
    until: float = 0.0
    newest: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Freshness:
    """Remembers each source's newest time for :data:`KEPT_SECONDS`; ``zone`` is that of naive times."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._known: dict[str, _Known] = {}

    def newest(self, dataset: Dataset, source: Source) -> datetime | None:
        """The newest time in ``source``, or None when it has none.

        Raises:
            SourceError: it cannot be read.
        """
        known = self._known.setdefault(dataset.id, _Known())
        with known.lock:  # while one caller asks, the others wait for its answer instead of asking too
            if time.monotonic() >= known.until:
                newest = source.newest(dataset.source.columns[dataset.as_of_field])
                known.newest = newest if newest is None else self._aware(newest)
                known.until = time.monotonic() + KEPT_SECONDS
            return known.newest

    def _aware(self, moment: datetime) -> datetime:
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)
