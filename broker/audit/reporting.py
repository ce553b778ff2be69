"""What a report says of a period, by department and month: counted from the receipts and nothing else.

The 15 working days are what sharing took on average when it was done by letter. The log does not know when
somebody began to ask. Measured is what it knows: from the first application on record of a department for a
dataset and purpose within the period to the first that was permitted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from broker.audit.columns import columns_of, object_of
from broker.audit.form import Line
from broker.model import SATURDAY, Calendar, EntryKind, Verdict

WORKING_DAYS = 15
APPLICATIONS = frozenset({EntryKind.EXCHANGE, EntryKind.STREAM_DECISION})
ANSWERS = frozenset({EntryKind.EXCHANGE, EntryKind.STREAM_OUTCOME})
_ACKNOWLEDGED, _MISSING = EntryKind.ACKNOWLEDGEMENT, EntryKind.ACKNOWLEDGEMENT_MISSING
_DISPOSED, _UNDISPOSED = EntryKind.DISPOSAL_CERTIFICATE, EntryKind.DISPOSAL_MISSING

Key = tuple[str, str]
"""Department id and month, ``2026-11``."""


@dataclass(slots=True)
class Counted:
    """Of one department in one month."""

    requests: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of applications that were not permitted, by code."""
    rows: int = 0
    """Released; of totals the groups."""
    unacknowledged: int = 0
    """Deliveries of which the deadline passed, and that were not acknowledged later either."""
    late: int = 0
    """Those that were, later."""
    disputed: int = 0
    corrections: int = 0
    """Errors that it reported in what it received."""
    corrections_overdue: int = 0
    """Of which the provider had not answered by the deadline."""
    disposals: int = 0
    """Orders to dispose of what was delivered."""
    undisposed: int = 0
    """Those of which the deadline passed without certificate, and that were not certified later either."""
    disposed_late: int = 0
    """Those that were, later."""
    days: list[int] = field(default_factory=list)
    """Working days from first application to first permit, of those permitted for the first time."""

    @property
    def median_days(self) -> float | None:
        """None where nothing was permitted for the first time."""
        return median(self.days) if self.days else None

    @property
    def overdue(self) -> int:
        """First permits that took longer than 15 working days."""
        return sum(days > WORKING_DAYS for days in self.days)

    def add(self, other: Counted) -> None:
        """Take over the counts of another."""
        for name in (
            *("requests", "rows", "unacknowledged", "late", "disputed"),
            *("corrections", "corrections_overdue", "disposals", "undisposed", "disposed_late"),
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.verdicts += other.verdicts
        self.reasons += other.reasons
        self.days += other.days


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was applied for and never permitted in the period."""

    consumer: str
    dataset: str
    purpose: str
    since: date
    days: int
    """Working days until the end of the period."""


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    by: Mapping[Key, Counted]
    waiting: tuple[Waiting, ...]
    """Longest first."""
    receipts: int
    erased: int
    """Receipts of which nothing can be told any more."""
    kinds: Mapping[str, int]
    newest: int | None
    oldest: int | None
    """Leaf indices."""
    guessed_years: tuple[int, ...]
    """Whose holidays are not known: weekdays count as working days."""

    @property
    def months(self) -> list[str]:
        return sorted({month for _, month in self.by})

    @property
    def departments(self) -> list[str]:
        return sorted({department for department, _ in self.by})

    def total(self, department: str = "", month: str = "") -> Counted:
        """Of a department, a month, both, or all."""
        whole = Counted()
        for (one, at), counted in self.by.items():
            if (not department or one == department) and (not month or at == month):
                whole.add(counted)
        return whole


@dataclass(slots=True)
class _Course:
    """What became of the applications of a department for a dataset and purpose."""

    first: datetime
    permitted: datetime | None = None


class Reporter:
    """Told of receipts, newest first; then :meth:`report`."""

    def __init__(self, calendar: Calendar, until: datetime) -> None:
        """``until`` is the last moment of the period."""
        self._days = _WorkingDays(calendar)
        self._until = until
        self._by: dict[Key, Counted] = defaultdict(Counted)
        self._courses: dict[tuple[str, str, str], _Course] = {}
        self._acknowledged: set[int] = set()
        self._disposed: set[int] = set()
        self._kinds: Counter[str] = Counter()
        self._receipts = self._erased = 0
        self._newest: int | None = None
        self._oldest: int | None = None

    def take(self, lines: Iterable[Line]) -> None:
        """Count these."""
        for line in lines:
            self._receipts += 1
            self._newest = line.leaf_index if self._newest is None else self._newest
            self._oldest = line.leaf_index
            if line.statement:
                self._count(line.statement)
            else:
                self._erased += 1

    def report(self) -> Report:
        """What they come to."""
        by = defaultdict(Counted, self._by)
        waiting = []
        for (consumer, dataset, purpose), course in self._courses.items():
            if course.permitted is None:
                days = self._days.between(course.first, self._until)
                waiting.append(Waiting(consumer, dataset, purpose, _local(course.first).date(), days))
            else:
                days = self._days.between(course.first, course.permitted)
                by[consumer, _month(course.permitted)].days.append(days)
        return Report(
            by=dict(sorted(by.items())),
            waiting=tuple(sorted(waiting, key=lambda one: (-one.days, one.consumer, one.dataset))),
            receipts=self._receipts,
            erased=self._erased,
            kinds=dict(sorted(self._kinds.items())),
            newest=self._newest,
            oldest=self._oldest,
            guessed_years=tuple(sorted(self._days.guessed)),
        )

    def _count(self, statement: bytes) -> None:
        said = columns_of(statement)
        kind, at, consumer = said["kind"], said["recorded_at"], said["consumer"]
        self._kinds[str(kind)] += 1
        if not isinstance(at, datetime) or not isinstance(consumer, str):
            return
        counted = self._by[consumer, _month(at)] if kind in _COUNTED else Counted()
        if kind in APPLICATIONS:
            self._application(counted, said, at)
        if kind in ANSWERS and said["of"] is None and isinstance(said["rows_released"], int):
            counted.rows += said["rows_released"]
        if kind in (_ACKNOWLEDGED, _MISSING):
            self._acknowledgement(counted, kind == _MISSING, object_of(statement))
        counted.disputed += kind == EntryKind.ACKNOWLEDGEMENT_DISPUTED
        counted.corrections += kind == EntryKind.CORRECTION_REPORT
        counted.corrections_overdue += kind == EntryKind.CORRECTION_OVERDUE
        counted.disposals += kind == EntryKind.DISPOSAL_ORDER
        if kind in (_DISPOSED, _UNDISPOSED):
            self._disposal(counted, kind == _UNDISPOSED, object_of(statement).get("of"))

    def _application(self, counted: Counted, said: Mapping[str, Any], at: datetime) -> None:
        permitted = said["verdict"] == Verdict.PERMIT
        counted.requests += 1
        counted.verdicts[str(said["verdict"])] += 1
        if not permitted:
            counted.reasons.update(set(said["reasons"] or ()))
        asked = (said["consumer"], said["dataset"] or "", said["purpose"] or "")
        course = self._courses.setdefault(asked, _Course(at))
        course.first = min(course.first, at)
        if permitted:
            course.permitted = min(course.permitted or at, at)

    def _acknowledgement(self, counted: Counted, missing: bool, content: Mapping[str, Any]) -> None:
        """Newest first: what was acknowledged after its deadline has been seen already."""
        delivery = content.get("delivery", content.get("of"))
        if not isinstance(delivery, int):
            return
        if not missing:
            self._acknowledged.add(delivery)
        elif delivery in self._acknowledged:
            counted.late += 1
        else:
            counted.unacknowledged += 1

    def _disposal(self, counted: Counted, missing: bool, order: object) -> None:
        """Newest first, likewise."""
        if not isinstance(order, int):
            return
        if not missing:
            self._disposed.add(order)
        elif order in self._disposed:
            counted.disposed_late += 1
        else:
            counted.undisposed += 1


_COUNTED = APPLICATIONS | ANSWERS | {_ACKNOWLEDGED, _MISSING, EntryKind.ACKNOWLEDGEMENT_DISPUTED}
_COUNTED |= {_DISPOSED, _UNDISPOSED, EntryKind.DISPOSAL_ORDER}
_COUNTED |= {EntryKind.CORRECTION_REPORT, EntryKind.CORRECTION_OVERDUE}


class _WorkingDays:
    """Counts working days; of years whose notice is not known by weekdays."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self.guessed: set[int] = set()

    def between(self, first: datetime, last: datetime) -> int:
        """Working days after that of ``first`` up to that of ``last``; 0 on the same day."""
        day, end, count = _local(first).date(), _local(last).date(), 0
        while day < end:
            day += timedelta(days=1)
            count += self._is_working(day)
        return count

    def _is_working(self, day: date) -> bool:
        try:
            return self._calendar.is_working(day)
        except LookupError:
            self.guessed.add(day.year)
            return day.weekday() < SATURDAY


def _local(at: datetime) -> datetime:
    return at.astimezone()


def _month(at: datetime) -> str:
    return _local(at).strftime("%Y-%m")
