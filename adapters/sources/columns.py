"""Python values, as database drivers give them, to Arrow columns of the type the values have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa

_TYPES: dict[type, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    bytes: pa.binary(),
}


def batch_of(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pa.RecordBatch:
    """Rows as one batch under ``names``, in their order; a batch without rows has columns of type null."""
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.RecordBatch.from_arrays([_array(column) for column in columns], names=list(names))


def _array(values: Sequence[object]) -> pa.Array:
    """Typed by what is there. (Arrow's own inference costs 20 times as much for a single row.)"""
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if not kinds:
        return pa.nulls(len(values))
    try:
        return pa.array(values, _type_of(kinds, values))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([_text(value) for value in values], pa.string())


def _type_of(kinds: set[type], values: Sequence[object]) -> pa.DataType:
    if len(kinds) > 1:
        raise TypeError("no common type")
    (kind,) = kinds
    if kind in _TYPES:
        return _TYPES[kind]
    if kind is not datetime:
        raise TypeError("a type that only text can carry")
    aware = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
    if len(aware) > 1:
        raise TypeError("aware and naive times")
    return pa.timestamp("us", "UTC" if aware.pop() else None)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)
