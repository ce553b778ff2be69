"""The delegations of officers, through one connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, or_, select

from broker.model import Delegation
from broker.store import rows
from broker.store.prepared import insert_into
from broker.store.tables import DELEGATION


@dataclass(frozen=True, slots=True)
class DelegationOnRecord:
    """A delegation with the leaf of its last act."""

    delegation: Delegation
    leaf_index: int


@dataclass(frozen=True, slots=True)
class DelegationTables:
    """Read anywhere; written only in an append transaction, where nobody else can."""

    connection: Connection

    def delegation(self, number: int) -> DelegationOnRecord | None:
        """The delegation of that number."""
        query = select(DELEGATION).where(DELEGATION.c.number == number)
        found = self.connection.execute(query).mappings().first()
        return None if found is None else _on_record(found)

    def next_number(self) -> int:
        """The number of the next delegation."""
        last: int | None = self.connection.scalar(select(func.max(DELEGATION.c.number)))
        return (last or 0) + 1

    def keep(self, one: Delegation, leaf_index: int) -> None:
        """Writes what an act left, whose leaf that is."""
        statement = insert_into(DELEGATION, self.connection.dialect.name)
        latest = {name: statement.excluded[name] for name in ("revoked_at", "leaf_index")}
        statement = statement.on_conflict_do_update(DELEGATION.primary_key, set_=latest)
        self.connection.execute(statement, row(one) | {"leaf_index": leaf_index})

    def in_force(self, now: datetime, delegate: str = "") -> list[DelegationOnRecord]:
        """Those that count at ``now``, unless a certificate was revoked; to ``delegate`` (SPIFFE id), if one
        is named."""
        at, columns = rows.microseconds(now), DELEGATION.c
        query = select(DELEGATION).where(
            columns.valid_from <= at, columns.valid_until > at, columns.revoked_at.is_(None)
        )
        if delegate:
            query = query.where(columns.delegate == delegate)
        found = self.connection.execute(query.order_by(columns.number)).mappings()
        return [_on_record(one) for one in found]

    def listed(self, party: str, before: int | None, limit: int) -> list[DelegationOnRecord]:
        """At most ``limit`` delegations from or to a department (empty: of all) below the number ``before``,
        newest first."""
        query, columns = select(DELEGATION), DELEGATION.c
        if party:
            query = query.where(or_(columns.department == party, columns.delegate_department == party))
        if before is not None:
            query = query.where(columns.number < before)
        found = self.connection.execute(query.order_by(columns.number.desc()).limit(limit)).mappings()
        return [_on_record(one) for one in found]


def row(one: Delegation) -> dict[str, object]:
    """The columns, all but the leaf."""
    return {
        "number": one.number,
        "officer": one.by,
        "department": one.by_department,
        "delegate": one.to,
        "delegate_department": one.to_department,
        "serial": f"{one.serial:x}",
        "valid_from": rows.microseconds(one.valid_from),
        "valid_until": rows.microseconds(one.valid_until),
        "revoked_at": None if one.revoked_at is None else rows.microseconds(one.revoked_at),
    }


def _on_record(found: RowMapping) -> DelegationOnRecord:
    revoked_at = found["revoked_at"]
    one = Delegation(
        number=found["number"],
        by=found["officer"],
        by_department=found["department"],
        to=found["delegate"],
        to_department=found["delegate_department"],
        valid_from=rows.instant(found["valid_from"]),
        valid_until=rows.instant(found["valid_until"]),
        serial=int(found["serial"], 16),
        revoked_at=None if revoked_at is None else rows.instant(revoked_at),
    )
    return DelegationOnRecord(one, found["leaf_index"])
