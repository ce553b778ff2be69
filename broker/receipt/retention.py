"""Statements whose time is over: erased, for good, and a leaf of the log says so.

Leaves, hashes and tiles stay, so every proof that somebody keeps goes on holding; of the statement itself
only whoever has its receipt can still show it. What the log needs to be understood at all never expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from broker.model import Entry, EntryKind
from broker.receipt.log import append_alone
from broker.receipt.statement import retention
from broker.store.store import Store

KEPT = frozenset(
    {
        EntryKind.GENESIS,
        EntryKind.EPOCH,
        EntryKind.CERTIFICATE_CHAIN,
        EntryKind.LOG_KEY,
        EntryKind.RETENTION,
        EntryKind.SUBJECT_FORGOTTEN,
    }
)
"""Acts of the log and of policy: what stays is decided under them. And what a vault must forget again that is
restored from a backup, however old; it names nobody."""

AT_ONCE = 1000
"""Statements erased in one transaction, for which the brokers wait."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What expires: statements recorded before ``before``, but those of datasets on hold."""

    years: int
    before: datetime
    hold: frozenset[str] = frozenset()

    @classmethod
    def at(cls, now: datetime, years: int, hold: frozenset[str]) -> Rule:
        """The rule as it is on the day of ``now``: whole years, from the same day of the calendar."""
        day = 28 if (now.month, now.day) == (2, 29) else now.day
        return cls(years, now.replace(year=now.year - years, day=day), hold)


@dataclass(frozen=True, slots=True)
class Due:
    """Statements to erase; ``first`` and ``last`` are leaf indices, without meaning when there are none."""

    count: int
    first: int
    last: int


def due(store: Store, rule: Rule) -> Due:
    """What the rule would erase now."""
    return Due(*store.expired(rule.before, KEPT, rule.hold))


def erase(store: Store, rule: Rule, now: datetime, *, actor: str, reason: str) -> tuple[Due, int | None]:
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
                at = max(now, transaction.head.recorded_at)
                told = (found.first, found.last, found.count)
                content = retention(
                    told, at, years=rule.years, before=rule.before, hold=rule.hold, actor=actor, reason=reason
                )
                leaf_index = append_alone(transaction, store, Entry(EntryKind.RETENTION, content, at))
            erased = transaction.erase_expired(rule.before, KEPT, rule.hold, AT_ONCE)
        left = left - erased if erased else 0
    return found, leaf_index
