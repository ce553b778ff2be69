"""Statements whose time is over: which they are, and their erasure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from broker.model import EntryKind, Particulars
from broker.store.rows import columns, microseconds
from broker.store.tables import ACT, DELIVERY, LEAF, REQUEST, STATEMENT, SUBJECT_TAG


@dataclass(frozen=True, slots=True)
class Expiring:
    """What expires: statements recorded before ``before``, or before the time of their dataset or purpose,
    the earlier of both, where that has one of its own; but those kept."""

    before: datetime
    kept: frozenset[EntryKind]
    datasets: Mapping[str, datetime] = field(default_factory=dict)
    purposes: Mapping[str, datetime] = field(default_factory=dict)
    hold: frozenset[str] = frozenset()
    """Datasets that are kept."""
    hold_cases: frozenset[str] = frozenset()
    """Case numbers that are kept, with what consumers said of what they were given in them."""


def expired(connection: Connection, expiring: Expiring) -> tuple[int, int, int]:
    """How many statements expire, and their first and last leaf index (0 without any)."""
    found = _expired(expiring).subquery()
    index = found.c.leaf_index
    count, first, last = connection.execute(select(func.count(), func.min(index), func.max(index))).one()
    return count, first or 0, last or 0


def erase_expired(connection: Connection, expiring: Expiring, most: int) -> int:
    """Erases at most ``most`` of them, the oldest first, with what was signed for them, and what receipts are
    looked up by that only the statements told; gives how many."""
    query = _expired(expiring).order_by(LEAF.c.leaf_index).limit(most)
    indices = connection.execute(query).scalars().all()
    if indices:
        for table in (STATEMENT, ACT, SUBJECT_TAG):
            connection.execute(delete(table).where(table.c.leaf_index.in_(indices)))
        connection.execute(update(LEAF).where(LEAF.c.leaf_index.in_(indices)).values(columns(Particulars())))
    return len(indices)


def _expired(expiring: Expiring) -> Select[tuple[int]]:
    joined = LEAF.join(STATEMENT, LEAF.c.leaf_index == STATEMENT.c.leaf_index)
    query = select(LEAF.c.leaf_index).select_from(joined).where(_old(expiring))
    query = query.where(LEAF.c.kind.not_in([kind.value for kind in expiring.kept]))
    if expiring.hold:
        query = query.where(LEAF.c.dataset.not_in(list(expiring.hold)))
    return _without_cases(query, expiring.hold_cases) if expiring.hold_cases else query


def _old(expiring: Expiring) -> ColumnElement[bool]:
    own, old = [], []
    for column, times in ((LEAF.c.dataset, expiring.datasets), (LEAF.c.purpose, expiring.purposes)):
        if times:
            before = {name: microseconds(time) for name, time in times.items()}
            own.append(column.in_(list(before)))
            limit = case(before, value=column, else_=LEAF.c.recorded_at + 1)
            old.append(LEAF.c.recorded_at < limit)
    return and_(*old, or_(*own, LEAF.c.recorded_at < microseconds(expiring.before)))


def _without_cases(query: Select[tuple[int]], cases: frozenset[str]) -> Select[tuple[int]]:
    """Acknowledgements have no case number: that of the delivery, which their request id names, is theirs."""
    held = select(LEAF.c.leaf_index).where(LEAF.c.case_no.in_(list(cases)))
    ids = select(literal("acknowledgement/").concat(cast(LEAF.c.leaf_index, String))).where(
        LEAF.c.case_no.in_(list(cases))
    )
    signed = select(REQUEST.c.leaf_index).where(REQUEST.c.request_id.in_(ids))
    query = query.where(LEAF.c.leaf_index.not_in(held), LEAF.c.leaf_index.not_in(signed))
    for said in (DELIVERY.c.missing, DELIVERY.c.disputed):
        told = select(said).where(DELIVERY.c.leaf_index.in_(held), said.is_not(None))
        query = query.where(LEAF.c.leaf_index.not_in(told))
    return query
