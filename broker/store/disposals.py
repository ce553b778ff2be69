"""Disposal orders, and the deliveries that wait for one, through one connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from broker.journal import Leaf
from broker.model import Disposal, DisposalCause, DisposalMethod, EntryKind, Holding, Retained
from broker.store.rows import instant, microseconds
from broker.store.tables import DISPOSAL, LEAF, RETAINED, STATEMENT

_OF = {"consumer": "consumer", "provider": "provider", "dataset": "dataset", "purpose": "purpose"} | {
    "grant_number": "grant"
}
"""Column → member of :class:`Holding`."""
_WAITS = and_(DISPOSAL.c.certificate.is_(None), DISPOSAL.c.missing.is_(None))

HANDING_OVER = (EntryKind.EXCHANGE, EntryKind.STREAM_OUTCOME, EntryKind.REDELIVERED)
"""Kinds of leaves that may tell of records handed over."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Holding with one last day that no order names yet."""

    of: Holding
    dispose_by: datetime
    first: int
    """No leaf before it is among them."""
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class WaitingFilter:
    """Of which deliveries; None means any."""

    consumer: str | None = None
    dataset: str | None = None
    purpose: str | None = None
    grant: str | None = None
    until: datetime | None = None
    """Only those with a last day that has ended by then."""


@dataclass(frozen=True, slots=True)
class DisposalFilter:
    """Which orders to list; empty means any. ``party`` is what the reader may see."""

    consumer: str = ""
    dataset: str = ""
    open: bool = False
    """Only those without certificate."""
    overdue_at: datetime | None = None
    """Only those without certificate that were due by then."""
    party: str = ""
    """Only those in which this department is provider or consumer."""


@dataclass(frozen=True, slots=True)
class DisposalTables:
    """Read anywhere; written only in an append transaction."""

    connection: Connection

    # ── deliveries that wait for an order ────────────────────────────────────────────────────────

    def waiting(self, wanted: WaitingFilter, limit: int) -> list[Waiting]:
        """At most ``limit`` of them, those of one :class:`Holding` together, by day."""
        names = [*_OF, "dispose_by"]
        query = select(RETAINED).where(*_wanted(wanted)).order_by(*(RETAINED.c[name] for name in names))
        return [_waiting(row) for row in self.connection.execute(query.limit(limit)).mappings()]

    def held(self, wanted: DisposalFilter, skip: int, limit: int) -> list[Waiting]:
        """At most ``limit`` of those of a consumer, dataset and party, after ``skip`` others; by their last
        day."""
        query = select(RETAINED).where(*_parties(RETAINED, wanted))
        query = query.order_by(RETAINED.c.dispose_by, *RETAINED.primary_key).offset(skip).limit(limit)
        return [_waiting(row) for row in self.connection.execute(query).mappings()]

    def grants(self) -> list[str]:
        """Numbers of the grants under which anything waits."""
        number = RETAINED.c.grant_number
        return list(self.connection.execute(select(number).where(number != "").distinct()).scalars())

    def among(self, waiting: Waiting, after: int, limit: int) -> list[tuple[int, bytes]]:
        """At most ``limit`` (leaf index, statement) above leaf ``after`` that may be among these deliveries,
        in ascending order: only the statement says whether they are."""
        its = {name: getattr(waiting.of, name) for name in ("consumer", "provider", "dataset", "purpose")}
        query = (
            select(LEAF.c.leaf_index, STATEMENT.c.content)
            .join_from(LEAF, STATEMENT, LEAF.c.leaf_index == STATEMENT.c.leaf_index)
            .where(LEAF.c.leaf_index > after, LEAF.c.leaf_index <= waiting.last)
            .where(LEAF.c.leaf_index >= waiting.first)
            .where(LEAF.c.kind.in_(HANDING_OVER), *(LEAF.c[name] == value for name, value in its.items()))
            .order_by(LEAF.c.leaf_index)
            .limit(limit)
        )
        return [(index, bytes(content)) for index, content in self.connection.execute(query)]

    def take(self, taken: Sequence[Waiting]) -> bool:
        """Takes them off the list, they being ordered; those that came since stay. False, and nothing is to
        be committed: somebody else has ordered some of them."""
        for one in taken:
            where = and_(*_is(one), RETAINED.c.first_leaf == one.first)
            if self.connection.execute(
                delete(RETAINED).where(where, RETAINED.c.last_leaf == one.last)
            ).rowcount:
                continue
            rest = {"first_leaf": one.last + 1, "deliveries": RETAINED.c.deliveries - one.count}
            if not self.connection.execute(
                update(RETAINED).where(where, RETAINED.c.last_leaf > one.last).values(rest)
            ).rowcount:
                return False
        return True

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    def put(self, disposal: Disposal) -> None:
        """Writes down a new order."""
        row = {column: getattr(disposal.of, member) for column, member in _OF.items()} | {
            "leaf_index": disposal.order,
            "cause": disposal.cause.value,
            "method": disposal.method.value,
            "deliveries": disposal.count,
            "ordered_at": microseconds(disposal.ordered_at),
            "due_at": microseconds(disposal.due_at),
            "exceptions": 0,
        }
        self.connection.execute(insert(DISPOSAL), row)

    def order(self, leaf_index: int) -> Disposal | None:
        """The order of a leaf."""
        query = select(DISPOSAL).where(DISPOSAL.c.leaf_index == leaf_index)
        row = self.connection.execute(query).mappings().first()
        return None if row is None else _disposal(row)

    def certified(self, order: int, certificate: int, exceptions: int) -> None:
        """Writes down which leaf certifies an order, which none did."""
        self._settle(order, certificate=certificate, exceptions=exceptions)

    def missed(self, order: int, missing: int) -> None:
        """Writes down which leaf says that an order has no certificate, which none said."""
        self._settle(order, missing=missing)

    def _settle(self, order: int, **values: int) -> None:
        self.connection.execute(update(DISPOSAL).where(DISPOSAL.c.leaf_index == order).values(values))

    def listed(self, wanted: DisposalFilter, before: int | None, limit: int) -> list[Disposal]:
        """At most ``limit`` matching orders of leaves below ``before``; newest first."""
        query = select(DISPOSAL).where(*_conditions(wanted))
        if before is not None:
            query = query.where(DISPOSAL.c.leaf_index < before)
        query = query.order_by(DISPOSAL.c.leaf_index.desc()).limit(limit)
        return [_disposal(row) for row in self.connection.execute(query).mappings()]

    def overdue(self, now: datetime, limit: int) -> list[Disposal]:
        """At most ``limit`` orders that were due by now and have no certificate, while no leaf says so; the
        longest overdue first."""
        query = select(DISPOSAL).where(_WAITS, DISPOSAL.c.due_at <= microseconds(now))
        query = query.order_by(DISPOSAL.c.due_at).limit(limit)
        return [_disposal(row) for row in self.connection.execute(query).mappings()]

    def count(self, now: datetime) -> tuple[int, int]:
        """How many orders have no certificate, and how many of them were due by now."""
        overdue = func.count().filter(DISPOSAL.c.due_at <= microseconds(now))
        query = select(func.count(), overdue).select_from(DISPOSAL).where(DISPOSAL.c.certificate.is_(None))
        total, late = self.connection.execute(query).one()
        return total, late


def retained_rows(leaves: Sequence[Leaf]) -> list[dict[str, object]]:
    """The rows of table ``retained`` for leaves that tell of records handed over, each row once."""
    found: dict[tuple[str, str, str, str, Retained], list[int]] = {}
    for leaf in leaves:
        entry = leaf.entry
        if entry.retained is None:
            continue
        key = (entry.consumer, entry.provider, entry.dataset, entry.purpose, entry.retained)
        if (counted := found.get(key)) is None:
            found[key] = [leaf.index, leaf.index, 1]
        else:
            counted[1] = leaf.index
            counted[2] += 1
    return [
        {
            "consumer": consumer,
            "provider": provider,
            "dataset": dataset,
            "purpose": purpose,
            "grant_number": retained.grant,
            "dispose_by": microseconds(retained.dispose_by),
            "first_leaf": first,
            "last_leaf": last,
            "deliveries": count,
        }
        for (consumer, provider, dataset, purpose, retained), (first, last, count) in found.items()
    ]


def _wanted(wanted: WaitingFilter) -> Iterator[ColumnElement[bool]]:
    columns = {"consumer": "consumer", "dataset": "dataset", "purpose": "purpose", "grant": "grant_number"}
    for member, column in columns.items():
        if (value := getattr(wanted, member)) is not None:
            yield RETAINED.c[column] == value
    if wanted.until is not None:
        yield RETAINED.c.dispose_by <= microseconds(wanted.until)


def _is(one: Waiting) -> Iterator[ColumnElement[bool]]:
    for column, member in _OF.items():
        yield RETAINED.c[column] == getattr(one.of, member)
    yield RETAINED.c.dispose_by == microseconds(one.dispose_by)


def _parties(table: Table, wanted: DisposalFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("consumer", "dataset"):
        if value := getattr(wanted, name):
            yield table.c[name] == value
    if wanted.party:
        yield or_(table.c.consumer == wanted.party, table.c.provider == wanted.party)


def _conditions(wanted: DisposalFilter) -> Iterator[ColumnElement[bool]]:
    yield from _parties(DISPOSAL, wanted)
    if wanted.open or wanted.overdue_at is not None:
        yield DISPOSAL.c.certificate.is_(None)
    if wanted.overdue_at is not None:
        yield DISPOSAL.c.due_at <= microseconds(wanted.overdue_at)


def _of(row: RowMapping) -> Holding:
    return Holding(**{member: row[column] for column, member in _OF.items()})


def _waiting(row: RowMapping) -> Waiting:
    dispose_by = instant(row["dispose_by"])
    return Waiting(_of(row), dispose_by, row["first_leaf"], row["last_leaf"], row["deliveries"])


def _disposal(row: RowMapping) -> Disposal:
    return Disposal(
        order=row["leaf_index"],
        of=_of(row),
        cause=DisposalCause(row["cause"]),
        method=DisposalMethod(row["method"]),
        count=row["deliveries"],
        ordered_at=instant(row["ordered_at"]),
        due_at=instant(row["due_at"]),
        certificate=row["certificate"],
        exceptions=row["exceptions"],
        missing=row["missing"],
    )
