"""Statements whose time is over: erased, for good, and a leaf of the log says so.

Leaves, hashes and tiles stay, so every proof that somebody keeps goes on holding; of the statement itself
only whoever has its receipt can still show it. What the log needs to be understood at all never expires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from broker.model import Entry, EntryKind
from broker.receipt.log import append_alone
from broker.receipt.statement import retention
from broker.store.expiry import Expiring
from broker.store.store import Store

KEPT = frozenset(
    {
        EntryKind.GENESIS,
        EntryKind.EPOCH,
        EntryKind.CERTIFICATE_CHAIN,
        EntryKind.LOG_KEY,
        EntryKind.RETENTION,
        EntryKind.SUBJECT_FORGOTTEN,
        EntryKind.APPLICATION,
        EntryKind.COMMITMENT,
    }
)
"""Acts of the log and of policy: what stays is decided under them. And what a vault must forget again that is
restored from a backup, however old; it names nobody. And what applications were decided: what was released
under a grant is understood by them. And the commitments that exchanges rest on."""

AT_ONCE = 1000
"""Statements erased in one transaction, for which the brokers wait."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What expires as of ``now``: statements older than so many years, or than the years of their dataset or
    purpose, the longer of both, where that has some of its own; but those on hold."""

    now: datetime
    years: int
    hold: frozenset[str] = frozenset()
    """Datasets."""
    hold_cases: frozenset[str] = frozenset()
    """Case numbers."""
    datasets: Mapping[str, int] = field(default_factory=dict)
    purposes: Mapping[str, int] = field(default_factory=dict)

    @property
    def before(self) -> datetime:
        """What was recorded before this time is due, unless its dataset or purpose says otherwise."""
        return years_before(self.now, self.years)

    @property
    def expiring(self) -> Expiring:
        """As the database is asked."""
        return Expiring(
            self.before,
            KEPT,
            {name: years_before(self.now, years) for name, years in self.datasets.items()},
            {name: years_before(self.now, years) for name, years in self.purposes.items()},
            self.hold,
            self.hold_cases,
        )


def years_before(now: datetime, years: int) -> datetime:
    """So many whole years before, on the same day of the calendar."""
    day = 28 if (now.month, now.day) == (2, 29) else now.day
    return now.replace(year=now.year - years, day=day)


@dataclass(frozen=True, slots=True)
class Due:
    """Statements to erase; ``first`` and ``last`` are leaf indices, without meaning when there are none."""

    count: int
    first: int
    last: int


def due(store: Store, rule: Rule) -> Due:
    """What the rule would erase now."""
    return Due(*store.expired(rule.expiring))


def erase(store: Store, rule: Rule, *, actor: str, reason: str) -> tuple[Due, int | None]:
    """Erases what is due, and gives the leaf that says so; None when nothing is due.

    In short transactions, the leaf with the first of them. One that breaks off is taken up by another run,
    whose leaf tells of the rest.

    Raises:
        Unavailable: the database cannot be reached.
    """
    found, leaf_index = due(store, rule), None
    left = found.count
    while left > 0:
        with store.append_transaction() as transaction:
            if leaf_index is None:
                at = max(rule.now, transaction.head.recorded_at)
                content = retention(
                    (found.first, found.last, found.count),
                    at,
                    years=rule.years,
                    before=rule.before,
                    periods={"datasets": rule.datasets, "purposes": rule.purposes},
                    hold=rule.hold,
                    hold_cases=rule.hold_cases,
                    actor=actor,
                    reason=reason,
                )
                leaf_index = append_alone(transaction, store, Entry(EntryKind.RETENTION, content, at))
            erased = transaction.erase_expired(rule.expiring, AT_ONCE)
        left = left - erased if erased else 0
    return found, leaf_index


@dataclass(frozen=True, slots=True)
class Expiry:
    """What a leaf of kind ``retention`` says was erased."""

    leaf_index: int
    first: int
    last: int
    count: int
    before: datetime

    @classmethod
    def of(cls, leaf_index: int, content: Mapping[str, object]) -> Expiry:
        """Of a statement.

        Raises:
            KeyError, TypeError, ValueError: it has another form than documented.
        """
        erased = content["erased"]
        if not isinstance(erased, Mapping):
            raise TypeError("erased is an object")
        first, last, count = (erased[name] for name in ("first", "last", "count"))
        if any(type(number) is not int for number in (first, last, count)):
            raise TypeError("leaf indices and counts are numbers")
        return cls(leaf_index, first, last, count, datetime.fromisoformat(str(content["before"])))


def covering(expiries: Iterable[Expiry], leaf_index: int) -> Expiry | None:
    """The first act that tells of the erasure of a leaf's statement, so far as leaf indices tell."""
    return next((one for one in expiries if one.first <= leaf_index <= one.last), None)
