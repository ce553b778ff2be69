"""What a unary answer is, byte for byte, so that the consumer can recompute the digest in its receipt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson

from broker.arrow import Columns
from broker.model import AnswerStatus

Value = str | int | bool
Record = dict[str, Value]
"""Field id → value; a field without a value is absent."""

MOST_INTEGER = 2**53 - 1
"""RFC 8785 §3.2.2.3 (I-JSON): larger integers are no exact JSON numbers, and stand as text."""


def records_of(columns: Columns) -> list[Record]:
    """The rows of masked columns, in their order.

    Dates are ISO 8601, instants RFC 3339 in UTC with ``Z``, decimals the text they are.

    Raises:
        TypeError: a value of another type; a float has no one text.
    """
    rows = zip(*columns.values(), strict=True)
    return [
        {name: _written(value) for name, value in zip(columns, row, strict=True) if value is not None}
        for row in rows
    ]


def canonical_answer(
    status: AnswerStatus,
    subject_statuses: Sequence[AnswerStatus],
    records: Sequence[Mapping[str, Value]],
    record_subjects: Sequence[Sequence[int]],
) -> bytes:
    """RFC 8785 JSON of an answer::

        {"records":[{"subjects":[0],"values":{"status":"married"}}],"status":"found","subjects":["found"]}

    Raises:
        ValueError: a field id is not ASCII.
        TypeError: an integer is beyond :data:`MOST_INTEGER`.
    """
    # RFC 8785 §3.2.3 sorts names by UTF-16, orjson by UTF-8; for ASCII that is the same.
    if not all(name.isascii() for values in records for name in values):
        raise ValueError("field ids are ASCII")
    content = {
        "status": status,
        "subjects": subject_statuses,
        "records": [
            {"subjects": subjects, "values": values}
            for values, subjects in zip(records, record_subjects, strict=True)
        ],
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


def answer_digest(nonce: bytes, data: bytes) -> bytes:
    """SHA-256(nonce ‖ data): only who knows the nonce can guess at the data."""
    return hashlib.sha256(nonce + data).digest()


def _written(value: object) -> Value:
    write = _WRITERS.get(type(value))
    if write is None:
        raise TypeError(f"a record holds no {type(value).__name__}")
    return write(value)


def _integer(value: int) -> Value:
    return value if -MOST_INTEGER <= value <= MOST_INTEGER else str(value)


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError("a record holds no time without zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


_WRITERS: Mapping[type, Callable[[Any], Value]] = {
    str: str,
    bool: bool,
    int: _integer,
    date: date.isoformat,
    datetime: _instant,
}
