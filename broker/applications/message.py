"""The terms of an application as the wire has them, and back: broker and client sign and compare the same."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from broker.model import Paper, RowScope, SharingMode, Terms, UseScope
from broker.v1 import application_pb2

DEPARTMENTS, DATASETS = "departments/", "datasets/"


def terms_of(message: application_pb2.ApplicationTerms) -> Terms:
    """The terms of a message. Fields, papers and values come in ascending order; nothing else is changed or
    checked, and what is no resource name keeps what it is, which then is of nothing."""
    return Terms(
        consumer=message.consumer.removeprefix(DEPARTMENTS),
        dataset=message.dataset.removeprefix(DATASETS),
        fields=tuple(sorted(message.fields)),
        purpose=message.purpose,
        legal_basis=message.legal_basis,
        scenario=message.scenario,
        scope=UseScope(
            whole=message.scope.whole,
            rows=tuple(RowScope(row.field, values=tuple(sorted(row.values))) for row in message.scope.rows),
        ),
        mode=_mode(message.mode),
        rows_per_call=message.rows_per_call or None,
        rows_total=message.rows_total or None,
        valid_from=_time(message, "valid_from_time"),
        valid_until=_time(message, "valid_until_time"),
        operator=message.operator,
        papers=tuple(
            sorted(
                (Paper(paper.kind, paper.name, paper.digest) for paper in message.papers),
                key=lambda paper: (paper.kind, paper.name),
            )
        ),
    )


def terms_message(terms: Terms) -> application_pb2.ApplicationTerms:
    """The inverse of :func:`terms_of`."""
    return application_pb2.ApplicationTerms(
        consumer=f"{DEPARTMENTS}{terms.consumer}",
        dataset=f"{DATASETS}{terms.dataset}",
        fields=terms.fields,
        purpose=terms.purpose,
        legal_basis=terms.legal_basis,
        scenario=terms.scenario,
        scope=application_pb2.UseScope(
            whole=terms.scope.whole,
            rows=[application_pb2.RowBound(field=row.field, values=row.values) for row in terms.scope.rows],
        ),
        mode=f"SHARING_MODE_{terms.mode.name}" if terms.mode else "SHARING_MODE_UNSPECIFIED",
        rows_per_call=terms.rows_per_call or 0,
        rows_total=terms.rows_total or 0,
        valid_from_time=timestamp(terms.valid_from),
        valid_until_time=timestamp(terms.valid_until),
        operator=terms.operator,
        papers=[
            application_pb2.Paper(kind=one.kind, name=one.name, digest=one.digest) for one in terms.papers
        ],
    )


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time as the wire has it; None stays None."""
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _mode(value: int) -> SharingMode | None:
    """None also for one of a later version of the contract: it is then asked for, not guessed."""
    try:
        name = application_pb2.SharingMode.Name(value)
    except ValueError:
        return None
    return SharingMode.__members__.get(name.removeprefix("SHARING_MODE_"))


def _time(message: application_pb2.ApplicationTerms, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)  # out of bounds, which its microseconds then say
