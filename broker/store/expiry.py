"""Statements whose time is over: which they are, and their erasure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Select, delete, func, select, update

from broker.model import EntryKind, Particulars
from broker.store.rows import columns, microseconds
from broker.store.tables import ACT, LEAF, STATEMENT, SUBJECT_TAG


def expired(
    connection: Connection, before: datetime, kept: Collection[EntryKind], hold: Collection[str]
) -> tuple[int, int, int]:
    """How many statements recorded before that time there are, and their first and last leaf index (0 without
    any); but those of the ``kept`` kinds and of datasets on ``hold``."""
    found = _expired(before, kept, hold).subquery()
    index = found.c.leaf_index
    count, first, last = connection.execute(select(func.count(), func.min(index), func.max(index))).one()
    return count, first or 0, last or 0


def erase_expired(
    connection: Connection, before: datetime, kept: Collection[EntryKind], hold: Collection[str], most: int
) -> int:
    """Erases at most ``most`` of them, the oldest first, and what receipts are looked up by that only the
    statements told; gives how many."""
    query = _expired(before, kept, hold).order_by(LEAF.c.leaf_index).limit(most)
    indices = connection.execute(query).scalars().all()
    if indices:
        for table in (STATEMENT, ACT, SUBJECT_TAG):
            connection.execute(delete(table).where(table.c.leaf_index.in_(indices)))
        connection.execute(update(LEAF).where(LEAF.c.leaf_index.in_(indices)).values(columns(Particulars())))
    return len(indices)


def _expired(before: datetime, kept: Collection[EntryKind], hold: Collection[str]) -> Select[tuple[int]]:
    joined = LEAF.join(STATEMENT, LEAF.c.leaf_index == STATEMENT.c.leaf_index)
    query = select(LEAF.c.leaf_index).select_from(joined).where(LEAF.c.recorded_at < microseconds(before))
    query = query.where(LEAF.c.kind.not_in([kind.value for kind in kept]))
    return query.where(LEAF.c.dataset.not_in(list(hold))) if hold else query
