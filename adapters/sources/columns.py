"""Python values, as database drivers give them, to Arrow columns of the type the values have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import pyarrow as pa

AWARE, NAIVE = "aware", "naive"
"""Kinds of ``datetime``; a value of another type has its type as kind."""
_TYPES: Mapping[object, pa.DataType] = {
    type(None): pa.null(),
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    bytes: pa.binary(),
    AWARE: pa.timestamp("us", "UTC"),
    NAIVE: pa.timestamp("us"),
}
_NO_COMMON_TYPE = (pa.ArrowException, TypeError, ValueError, OverflowError)


def batch_of(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pa.RecordBatch:
    """Rows as one batch under ``names``, in their order; a batch without rows has columns of type null."""
    if len(rows) == 1:
        with suppress(*_NO_COMMON_TYPE):
            return _single(names, rows[0])
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.RecordBatch.from_arrays([_array(column) for column in columns], names=list(names))


def _single(names: Sequence[str], row: Sequence[object]) -> pa.RecordBatch:
    """One row in one call: to ask Arrow for an array costs more than to convert a value."""
    kind = _struct(tuple(names), tuple(map(_kind, row)))
    return pa.RecordBatch.from_struct_array(pa.array([dict(zip(names, row, strict=True))], kind))


@lru_cache(maxsize=1024)
def _struct(names: tuple[str, ...], kinds: tuple[object, ...]) -> pa.DataType:
    return pa.struct([(name, _type_of({kind})) for name, kind in zip(names, kinds, strict=True)])


def _array(values: Sequence[object]) -> pa.Array:
    """Typed by what is there. (Arrow's own inference costs 20 times as much for a single row.)"""
    kinds = set(map(_kind, values))
    if len(kinds) > 1:
        kinds.discard(type(None))
    try:
        return pa.array(values, _type_of(kinds or {type(None)}))
    except _NO_COMMON_TYPE:
        return pa.array([_text(value) for value in values], pa.string())


def _kind(value: object) -> object:
    kind = type(value)
    if kind is datetime:
        return NAIVE if value.tzinfo is None else AWARE  # type: ignore[attr-defined]
    return kind


def _type_of(kinds: set[object]) -> pa.DataType:
    if len(kinds) > 1:
        raise TypeError("no common type")
    (kind,) = kinds
    if kind not in _TYPES:
        raise TypeError("a type that only text can carry")
    return _TYPES[kind]


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
