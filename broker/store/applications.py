"""The applications that people decide, through one connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, func, or_, select

from broker.filings import dumped, loaded
from broker.journal import ApplicationFilter, GrantOnRecord
from broker.model import FiledApplication, State
from broker.store import rows
from broker.store.prepared import insert_into
from broker.store.tables import ACT, APPLICATION, STATEMENT


@dataclass(frozen=True, slots=True)
class ApplicationTables:
    """Read anywhere; written only in an append transaction, where nobody else can."""

    connection: Connection

    def application(self, number: int) -> FiledApplication | None:
        """The application of that number, as its last act left it."""
        query = select(APPLICATION).where(APPLICATION.c.number == number)
        row = self.connection.execute(query).mappings().first()
        return None if row is None else _filed(row)

    def next_number(self) -> int:
        """The number of the next application."""
        last: int | None = self.connection.scalar(select(func.max(APPLICATION.c.number)))
        return (last or 0) + 1

    def keep(self, filed: FiledApplication, leaf_index: int) -> None:
        """Writes what an act left, whose leaf that is."""
        statement = insert_into(APPLICATION, self.connection.dialect.name)
        columns = {column.name: statement.excluded[column.name] for column in APPLICATION.c}
        del columns["number"]
        statement = statement.on_conflict_do_update(APPLICATION.primary_key, set_=columns)
        self.connection.execute(statement, row(filed) | {"leaf_index": leaf_index})

    def listed(self, wanted: ApplicationFilter, before: int | None, limit: int) -> list[FiledApplication]:
        """At most ``limit`` matching applications below the number ``before``, newest first."""
        query = select(APPLICATION).where(*_conditions(wanted))
        if before is not None:
            query = query.where(APPLICATION.c.number < before)
        query = query.order_by(APPLICATION.c.number.desc()).limit(limit)
        return [_filed(row) for row in self.connection.execute(query).mappings()]

    def active(self) -> dict[int, int]:
        """Number → version of the applications that are active grants."""
        query = select(APPLICATION.c.number, APPLICATION.c.version).where(
            APPLICATION.c.state == State.ACTIVE.value
        )
        return {row.number: row.version for row in self.connection.execute(query)}

    def on_record(self, number: int) -> GrantOnRecord | None:
        """An application with what its worth as a grant is judged by."""
        filed = self.application(number)
        if filed is None:
            return None
        leaves = [step.receipt for step in filed.steps if step.receipt is not None]
        last = self.connection.scalar(select(STATEMENT.c.content).where(STATEMENT.c.leaf_index == leaves[-1]))
        held = select(ACT.c.content).where(ACT.c.leaf_index.in_(leaves))
        return GrantOnRecord(filed, last or b"", tuple(self.connection.execute(held).scalars()))

    def due(self, now: datetime, limit: int) -> list[int]:
        """Numbers of at most ``limit`` applications that the broker has something to do about by ``now``;
        the longest due first."""
        query = select(APPLICATION.c.number).where(APPLICATION.c.wake_at <= rows.microseconds(now))
        query = query.order_by(APPLICATION.c.wake_at, APPLICATION.c.number).limit(limit)
        return list(self.connection.execute(query).scalars())


def row(filed: FiledApplication) -> dict[str, object]:
    """The columns that a record says, all but the leaf."""
    return {
        "number": filed.number,
        "version": filed.version,
        "state": filed.state.value,
        "consumer": filed.terms.consumer,
        "provider": filed.provider,
        "concerned": rows.listed(filed.concerned),
        "filed": int(filed.filed_at is not None),
        "overdue": int(filed.overdue),
        "wake_at": None if filed.wake_at is None else rows.microseconds(filed.wake_at),
        "content": dumped(filed),
    }


def _filed(row: RowMapping) -> FiledApplication:
    return loaded(row["content"], row["leaf_index"])


def _conditions(wanted: ApplicationFilter) -> Iterator[ColumnElement[bool]]:
    columns = APPLICATION.c
    if wanted.state is not None:
        yield columns.state == wanted.state.value
    if wanted.consumer:
        yield columns.consumer == wanted.consumer
    if wanted.provider:
        yield columns.provider == wanted.provider
    if wanted.overdue:
        yield columns.overdue == 1
    concerns = columns.concerned.contains(rows.listed([wanted.reader]), autoescape=True)
    yield or_(columns.filed == 1, concerns) if wanted.sees_filed else concerns
