"""The deliveries that wait to be acknowledged, or are disputed, through one connection."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, or_, select

from broker.journal import Delivery, DeliveryFilter, DeliveryOnRecord
from broker.store import rows
from broker.store.prepared import insert_into
from broker.store.tables import DELIVERY, LEAF

_COLUMNS = ("due_at", "missing", "disputed")
_LISTED = select(LEAF, *(DELIVERY.c[name] for name in _COLUMNS)).join_from(
    DELIVERY, LEAF, DELIVERY.c.leaf_index == LEAF.c.leaf_index
)


@dataclass(frozen=True, slots=True)
class DeliveryTables:
    """A :class:`broker.journal.DeliveryTable`. Read anywhere; written only in an append transaction."""

    connection: Connection

    def among(self, leaves: Collection[int]) -> dict[int, Delivery]:
        query = select(DELIVERY).where(DELIVERY.c.leaf_index.in_(leaves))
        return {row["leaf_index"]: _delivery(row) for row in self.connection.execute(query).mappings()}

    def settle(self, changed: Mapping[int, Delivery | None]) -> None:
        if gone := [leaf for leaf, delivery in changed.items() if delivery is None]:
            self.connection.execute(delete(DELIVERY).where(DELIVERY.c.leaf_index.in_(gone)))
        if left := [_row(delivery) for delivery in changed.values() if delivery is not None]:
            statement = insert_into(DELIVERY, self.connection.dialect.name)
            latest = {name: statement.excluded[name] for name in _COLUMNS}
            self.connection.execute(statement.on_conflict_do_update(DELIVERY.primary_key, set_=latest), left)

    def listed(self, wanted: DeliveryFilter, after: int, limit: int) -> list[DeliveryOnRecord]:
        """At most ``limit`` matching deliveries of leaves above ``after``; oldest first."""
        query = _LISTED.where(DELIVERY.c.leaf_index > after, *_conditions(wanted))
        query = query.order_by(DELIVERY.c.leaf_index).limit(limit)
        return [_on_record(row) for row in self.connection.execute(query).mappings()]

    def untold(self, due_by: int, limit: int) -> list[DeliveryOnRecord]:
        """At most ``limit`` deliveries that were due by then (microseconds since 1970-01-01 UTC), while no
        leaf says so; the longest overdue first."""
        query = _LISTED.where(DELIVERY.c.due_at <= due_by, DELIVERY.c.missing.is_(None))
        query = query.order_by(DELIVERY.c.due_at).limit(limit)
        return [_on_record(row) for row in self.connection.execute(query).mappings()]

    def count(self, due_by: int) -> tuple[int, int]:
        """How many there are, and how many of them were due by then or are disputed."""
        overdue = func.count().filter(_is_overdue(due_by))
        total, late = self.connection.execute(select(func.count(), overdue).select_from(DELIVERY)).one()
        return total, late


def _conditions(wanted: DeliveryFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.consumer:
        yield LEAF.c.consumer == wanted.consumer
    if wanted.overdue_at is not None:
        yield _is_overdue(rows.microseconds(wanted.overdue_at))
    if wanted.party:
        yield or_(LEAF.c.consumer == wanted.party, LEAF.c.provider == wanted.party)
    if wanted.consumer_uri:
        yield LEAF.c.consumer_uri == wanted.consumer_uri


def _is_overdue(due_by: int) -> ColumnElement[bool]:
    return or_(DELIVERY.c.due_at <= due_by, DELIVERY.c.disputed.is_not(None))


def _row(delivery: Delivery) -> dict[str, object]:
    return {
        "leaf_index": delivery.leaf_index,
        "due_at": None if delivery.due_at is None else rows.microseconds(delivery.due_at),
        "missing": delivery.missing,
        "disputed": delivery.disputed,
    }


def _delivery(row: RowMapping) -> Delivery:
    due_at = None if row["due_at"] is None else rows.instant(row["due_at"])
    return Delivery(row["leaf_index"], due_at, row["missing"], row["disputed"])


def _on_record(row: RowMapping) -> DeliveryOnRecord:
    return DeliveryOnRecord(_delivery(row), rows.entry(row, b""))
