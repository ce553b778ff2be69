"""Leaves found by what the vault or the log says of them: by their times, by their kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from broker.journal import Leaf
from broker.model import EntryKind
from broker.store import rows
from broker.store.tables import LEAF, STATEMENT

MOST_AT_ONCE = 500
"""Times that one query asks for, leaves that one gives."""

_LEAVES = select(LEAF, STATEMENT.c.content).join_from(
    LEAF, STATEMENT, LEAF.c.leaf_index == STATEMENT.c.leaf_index, isouter=True
)


class Searches:
    """What is committed, within one connection. Erased statements are empty."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def dated(self, times: Collection[datetime]) -> Iterator[Leaf]:
        """The leaves recorded at exactly these times."""
        wanted = sorted({rows.microseconds(time) for time in times})
        for start in range(0, len(wanted), MOST_AT_ONCE):
            yield from self._found(LEAF.c.recorded_at.in_(wanted[start : start + MOST_AT_ONCE]))

    def redelivered(self, since: datetime, until: datetime) -> Iterator[Leaf]:
        """What was delivered again and recorded from ``since`` to before ``until``."""
        yield from self._found(
            LEAF.c.recorded_at >= rows.microseconds(since),
            LEAF.c.recorded_at < rows.microseconds(until),
            LEAF.c.kind == EntryKind.REDELIVERED.value,
        )

    def of_kind(self, kind: EntryKind, start: int, consumer_uri: str = "") -> Iterator[Leaf]:
        """The leaves of a kind from index ``start`` on, in order; of one caller, if one is named."""
        conditions = [LEAF.c.kind == kind.value]
        if consumer_uri:
            conditions.append(LEAF.c.consumer_uri == consumer_uri)
        while True:
            query = _LEAVES.where(LEAF.c.leaf_index >= start, *conditions)
            page = self._read(query.order_by(LEAF.c.leaf_index).limit(MOST_AT_ONCE))
            yield from page
            if len(page) < MOST_AT_ONCE:
                return
            start = page[-1].index + 1

    def until(self, time: datetime | None) -> Iterator[Leaf]:
        """The leaves recorded until ``time``, or all of them, in order."""
        latest = [] if time is None else [LEAF.c.recorded_at <= rows.microseconds(time)]
        start = 0
        while True:
            query = _LEAVES.where(LEAF.c.leaf_index >= start, *latest)
            page = self._read(query.order_by(LEAF.c.leaf_index).limit(MOST_AT_ONCE))
            yield from page
            if len(page) < MOST_AT_ONCE:
                return
            start = page[-1].index + 1

    def _found(self, *conditions: ColumnElement[bool]) -> Iterator[Leaf]:
        yield from self._read(_LEAVES.where(*conditions).order_by(LEAF.c.leaf_index))

    def _read(self, query: Select[Any]) -> list[Leaf]:
        return [rows.leaf(row) for row in self._connection.execute(query).mappings()]
