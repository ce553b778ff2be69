"""The Arrow form of the catalog's types, and columns that carry what they show and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from broker.model import FieldType

Columns = Mapping[str, Sequence[object]]
"""Rows as Python values, field by field, all of one length; what :func:`arrow_type` gives as a list."""

_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.DECIMAL: pa.string(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.date32(),
    FieldType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}
_TEXTS = (pa.string(), pa.large_string(), pa.string_view())
_FEW = 32
"""Up to so many rows a Python list beats the fixed cost of Arrow's ``take``."""
# Not by ``pa.array``, which looks for pandas: to import it takes a process longer than all the rest.
_FIRST = pa.Array.from_buffers(pa.int64(), _FEW, [None, pa.py_buffer(np.arange(_FEW, dtype=np.int64))])


def arrow_type(field_type: FieldType) -> pa.DataType:
    """The type in which a field is checked, masked and released. Decimals are text, digit for digit."""
    return _TYPES[field_type]


def plain_type(encoded: pa.DataType) -> pa.DataType:
    """The type without its encoding: a dictionary's values, and every kind of string as ``string``."""
    inner = encoded.value_type if pa.types.is_dictionary(encoded) else encoded
    return pa.string() if inner in _TEXTS else inner


def plain(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    """``values`` as ``wanted``: dictionaries are decoded, and any kind of string becomes ``string``.

    Raises:
        TypeError: ``values`` are of another type.
    """
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values.type == wanted:
        return values
    if values.type not in _TEXTS or wanted != pa.string():
        raise TypeError(f"expected {wanted}, not {values.type}")
    return values.cast(wanted)


def rebuilt(values: pa.Array) -> pa.Array:
    """A new array with the same values (of a plain type) and no other byte.

    A slice or a null hides values without removing them from the buffers, and an IPC message carries the
    buffers.
    """
    if len(values) > _FEW:
        return values.take(pa.array(np.arange(len(values)), pa.int64()))
    if pa.types.is_timestamp(values.type):  # slow, and inexact beyond microseconds, as Python values
        return values.take(_FIRST.slice(0, len(values)))
    return pa.array(values.to_pylist(), values.type)
