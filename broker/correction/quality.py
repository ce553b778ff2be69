"""How good a dataset's data were in a period: counted from its receipts and from its corrections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

import orjson

from broker.errors import DeadlinePassed
from broker.model import CorrectionOnRecord, EntryKind, ReceiptFilter, Settlement
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.store.store import Store

LONGEST = timedelta(days=366)
"""Of a period."""
AT_ONCE = 1000
ANSWERS = (EntryKind.EXCHANGE, EntryKind.STREAM_OUTCOME)
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Quality:
    """The figures of one dataset."""

    answers: int = 0
    """Exchanges and streams that gave an answer."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Of these, by status: found, none, doubtful, stale."""
    rows_read: int = 0
    rows_bad: int = 0
    erased: int = 0
    """Receipts of which nothing can be told any more."""
    reported: int = 0
    """Corrections, of which the next three were answered so."""
    corrected: int = 0
    confirmed: int = 0
    referred: int = 0
    waiting: int = 0
    overdue: int = 0
    """Answered late, or not at all though it was due."""
    days: list[float] = field(default_factory=list)
    """From report to answer, of those answered."""

    @property
    def median_days(self) -> float | None:
        """None where nothing was answered."""
        return median(self.days) if self.days else None

    def take(self, statement: bytes) -> None:
        """Count an answer."""
        outcome = orjson.loads(statement).get("outcome")
        if outcome is None:
            return
        self.answers += 1
        self.statuses[outcome["status"]] += 1
        self.rows_read += outcome["rows"]["read"]
        self.rows_bad += outcome["rows"]["bad"]

    def take_corrections(self, found: Iterable[CorrectionOnRecord], now: datetime) -> None:
        """Count corrections as they stand ``now``."""
        for one in found:
            self.reported += 1
            due_at, answered_at = one.correction.due_at, one.answered_at
            self.overdue += due_at <= now if answered_at is None else answered_at > due_at
            if answered_at is None:
                self.waiting += 1
                continue
            self.days.append((answered_at - one.reported_at) / _DAY)
            self.corrected += one.correction.settlement is Settlement.CORRECTED
            self.confirmed += one.correction.settlement is Settlement.CONFIRMED
            self.referred += one.correction.settlement is Settlement.REFERRED


def quality(
    log: ReceiptLog,
    store: Store,
    dataset: str,
    period: tuple[datetime, datetime],
    now: datetime,
    still_wanted: Callable[[], bool],
) -> Quality:
    """The figures of a dataset from the first to before the second time of ``period``.

    Raises:
        DeadlinePassed: nobody waits any more: ask for a shorter period.
        Unavailable: the database cannot be reached.
    """
    counted, (since, until) = Quality(), period
    with store.corrections() as tables:
        counted.take_corrections(tables.reported(dataset, since, until), now)
    before: int | None = None
    wanted = ReceiptFilter(dataset=dataset, since=since, until=until)
    while page := log.entries(wanted, before, AT_ONCE):
        if not still_wanted():
            raise DeadlinePassed(Reason.DEADLINE_PASSED)
        before = page[-1][0]
        for _, entry in page:
            if entry.kind in ANSWERS:
                if entry.statement:
                    counted.take(entry.statement)
                else:
                    counted.erased += 1
    return counted
