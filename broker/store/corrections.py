"""The corrections that consumers have asked for, through one connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, select, update

from broker.model import Correction, CorrectionFilter, CorrectionOnRecord, DataError, Settlement
from broker.store.rows import instant, microseconds
from broker.store.tables import CORRECTION, LEAF

_ANSWER = LEAF.alias("answer")
_LISTED = (
    select(
        CORRECTION,
        *(LEAF.c[name] for name in ("consumer", "consumer_uri", "provider", "dataset", "purpose")),
        LEAF.c.recorded_at.label("reported_at"),
        _ANSWER.c.recorded_at.label("answered_at"),
    )
    .join_from(CORRECTION, LEAF, CORRECTION.c.leaf_index == LEAF.c.leaf_index)
    .join(_ANSWER, CORRECTION.c.answered == _ANSWER.c.leaf_index, isouter=True)
)


@dataclass(frozen=True, slots=True)
class CorrectionTables:
    """Read anywhere; written only in an append transaction."""

    connection: Connection

    def get(self, leaf_index: int) -> CorrectionOnRecord | None:
        """The correction that a leaf reports."""
        found = self._read(_LISTED.where(CORRECTION.c.leaf_index == leaf_index))
        return found[0] if found else None

    def about(self, receipt: int) -> list[Correction]:
        """The corrections of one receipt, oldest first."""
        query = _LISTED.where(CORRECTION.c.receipt == receipt).order_by(CORRECTION.c.leaf_index)
        return [found.correction for found in self._read(query)]

    def put(self, correction: Correction) -> None:
        """A new one."""
        self.connection.execute(CORRECTION.insert().values(_row(correction)))

    def settle(self, correction: Correction) -> None:
        """What has become of one."""
        query = update(CORRECTION).where(CORRECTION.c.leaf_index == correction.leaf_index)
        self.connection.execute(query.values(_row(correction)))

    def listed(self, wanted: CorrectionFilter, before: int | None, limit: int) -> list[CorrectionOnRecord]:
        """At most ``limit`` matching corrections of leaves below ``before``; newest first."""
        query = _LISTED.where(*_conditions(wanted))
        if before is not None:
            query = query.where(CORRECTION.c.leaf_index < before)
        return self._read(query.order_by(CORRECTION.c.leaf_index.desc()).limit(limit))

    def unanswered(self, due_by: datetime, limit: int) -> list[CorrectionOnRecord]:
        """At most ``limit`` corrections that were due by then, while no leaf says so; the longest overdue
        first."""
        query = _LISTED.where(
            CORRECTION.c.due_at <= microseconds(due_by),
            CORRECTION.c.answered.is_(None),
            CORRECTION.c.overdue.is_(None),
        )
        return self._read(query.order_by(CORRECTION.c.due_at).limit(limit))

    def untold(self, after: int, limit: int) -> list[CorrectionOnRecord]:
        """At most ``limit`` corrected ones, of leaves above ``after``, of which those who received the value
        are not told yet; oldest first."""
        query = _LISTED.where(
            CORRECTION.c.settlement == Settlement.CORRECTED.value,
            CORRECTION.c.told.is_(None),
            CORRECTION.c.leaf_index > after,
        )
        return self._read(query.order_by(CORRECTION.c.leaf_index).limit(limit))

    def waiting(self, consumer: str) -> int:
        """How many of a department's corrections have no answer."""
        query = select(func.count()).select_from(
            CORRECTION.join(LEAF, CORRECTION.c.leaf_index == LEAF.c.leaf_index)
        )
        found = query.where(CORRECTION.c.answered.is_(None), LEAF.c.consumer == consumer)
        return int(self.connection.scalar(found) or 0)

    def reported(self, dataset: str, since: datetime, until: datetime) -> list[CorrectionOnRecord]:
        """Those of a dataset that were reported from ``since`` to before ``until``, oldest first."""
        query = _LISTED.where(
            LEAF.c.dataset == dataset,
            LEAF.c.recorded_at >= microseconds(since),
            LEAF.c.recorded_at < microseconds(until),
        )
        return self._read(query.order_by(CORRECTION.c.leaf_index))

    def _read(self, query: Select[Any]) -> list[CorrectionOnRecord]:
        return [_on_record(row) for row in self.connection.execute(query).mappings()]


def _conditions(wanted: CorrectionFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("dataset", "consumer", "provider"):
        if value := getattr(wanted, name):
            yield LEAF.c[name] == value
    if wanted.open_only or wanted.overdue_at is not None:
        yield CORRECTION.c.answered.is_(None)
    if wanted.overdue_at is not None:
        yield CORRECTION.c.due_at <= microseconds(wanted.overdue_at)
    if wanted.party:
        yield (LEAF.c.consumer == wanted.party) | (LEAF.c.provider == wanted.party)
    if wanted.reporter:
        yield LEAF.c.consumer_uri == wanted.reporter


def _row(correction: Correction) -> dict[str, object]:
    settlement = correction.settlement
    return {
        "leaf_index": correction.leaf_index,
        "receipt": correction.receipt,
        "error": correction.error.value,
        "field_names": " ".join(correction.fields),
        "due_at": microseconds(correction.due_at),
        "settlement": None if settlement is None else settlement.value,
        "answered": correction.answered,
        "overdue": correction.overdue,
        "told": correction.told,
        "held": correction.held or None,
        "request_mac": correction.request_mac or None,
    }


def _on_record(row: RowMapping) -> CorrectionOnRecord:
    settlement, answered_at = row["settlement"], row["answered_at"]
    correction = Correction(
        leaf_index=row["leaf_index"],
        receipt=row["receipt"],
        error=DataError(row["error"]),
        fields=tuple(row["field_names"].split()),
        due_at=instant(row["due_at"]),
        settlement=None if settlement is None else Settlement(settlement),
        answered=row["answered"],
        overdue=row["overdue"],
        told=row["told"],
        held=bytes(row["held"] or b""),
        request_mac=bytes(row["request_mac"] or b""),
    )
    return CorrectionOnRecord(
        correction,
        consumer=row["consumer"],
        provider=row["provider"],
        dataset=row["dataset"],
        purpose=row["purpose"],
        reporter=row["consumer_uri"],
        reported_at=instant(row["reported_at"]),
        answered_at=None if answered_at is None else instant(answered_at),
    )
