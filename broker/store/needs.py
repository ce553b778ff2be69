"""The list of needs, through one connection."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from broker.journal import Leaf, NeedOnRecord
from broker.model import Need
from broker.reasons import Reason
from broker.store.prepared import insert_into
from broker.store.rows import instant, microseconds
from broker.store.tables import NEED


@dataclass(frozen=True, slots=True)
class NeedTables:
    """A :class:`broker.journal.NeedTable`. Read anywhere; written only in an append transaction."""

    connection: Connection

    def known(self, keys: Collection[str]) -> set[str]:
        return set(self.connection.scalars(select(NEED.c.key).where(NEED.c.key.in_(keys))))

    def record(self, leaves: Sequence[Leaf]) -> None:
        statement = insert_into(NEED, self.connection.dialect.name)
        latest = {name: statement.excluded[name] for name in ("cause", "last_leaf", "last_at")}
        statement = statement.on_conflict_do_update(
            NEED.primary_key, set_={"applications": NEED.c.applications + 1, **latest}
        )
        for leaf in leaves:  # one by one: two of a batch may be of the same need
            if leaf.entry.need is not None:
                self.connection.execute(statement, _row(leaf, leaf.entry.need))

    def listed(self, consumer: str, before: int | None, limit: int) -> list[NeedOnRecord]:
        """At most ``limit`` needs, of one department if it is named, that leaves below ``before`` began;
        newest first."""
        query = select(NEED).order_by(NEED.c.first_leaf.desc()).limit(limit)
        if consumer:
            query = query.where(NEED.c.consumer == consumer)
        if before is not None:
            query = query.where(NEED.c.first_leaf < before)
        return [_need(row) for row in self.connection.execute(query).mappings()]


def _row(leaf: Leaf, need: Need) -> dict[str, object]:
    at = microseconds(leaf.entry.recorded_at)
    return {
        "key": need.key,
        "consumer": need.consumer,
        "dataset": need.dataset,
        "purpose": need.purpose,
        "field_names": " ".join(need.fields),
        "cause": need.cause.value,
        "applications": 1,
        "first_leaf": leaf.index,
        "last_leaf": leaf.index,
        "first_at": at,
        "last_at": at,
    }


def _need(row: RowMapping) -> NeedOnRecord:
    return NeedOnRecord(
        Need(
            row["consumer"],
            row["dataset"],
            row["purpose"],
            tuple(row["field_names"].split(" ")),
            Reason(row["cause"]),
        ),
        applications=row["applications"],
        first_leaf=row["first_leaf"],
        last_leaf=row["last_leaf"],
        first_at=instant(row["first_at"]),
        last_at=instant(row["last_at"]),
    )
