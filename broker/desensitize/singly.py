"""A few values masked without Arrow, whose fixed cost would be most of the work on a single record."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from datetime import date
from itertools import accumulate
from types import NoneType

import pyarrow as pa

from adapters.masking.contract import BoundMask
from broker.desensitize.operand import number
from broker.model import FieldType

FEW = 32
"""Up to so many rows values one by one are faster than a column."""

Singly = Callable[[Sequence[object]], Sequence[object]]
"""From a field's values, those of :func:`are_exactly` or null, to the values released."""

_KINDS = {
    FieldType.TEXT: str,
    FieldType.INTEGER: int,
    FieldType.DECIMAL: str,
    FieldType.BOOLEAN: bool,
    FieldType.DATE: date,
}
"""A point in time is not among them: as Python has it, it is slow, and coarser than a column of them."""
_TEXT = pa.string()
_RESULTS = {_TEXT: str, pa.int64(): int, pa.bool_(): bool}


def are_exactly(values: Sequence[object], field_type: FieldType) -> bool:
    """Whether each is null or of the one Python type of the field, no subclass of it."""
    return set(map(type, values)) <= {_KINDS.get(field_type), NoneType}


def few(values: Sequence[object], result: pa.DataType) -> pa.Array:
    """An array of a few values released. Texts without null are laid out here sooner than by Arrow."""
    if result != _TEXT or None in values:
        return pa.array(values, result)
    written = [str(value).encode() for value in values]
    ends = array("i", accumulate(map(len, written), initial=0))
    return pa.StringArray.from_buffers(len(written), pa.py_buffer(ends), pa.py_buffer(b"".join(written)))


def singly(mask: BoundMask, field_type: FieldType, result: pa.DataType) -> Singly | None:
    """What masks values of ``field_type`` as ``mask`` does a column; None unless it is a
    :class:`~adapters.masking.contract.ValueMask` of such a field, with such a result.

    What it gives raises ValueError or TypeError where the operator breaks its contract.
    """
    of_values = getattr(mask, "of_values", None)
    if of_values is None or result not in _RESULTS or field_type not in _KINDS:
        return None
    kinds = {_RESULTS[result], NoneType}

    def released(values: Sequence[object]) -> Sequence[object]:
        given = [number(text) for text in values] if field_type is FieldType.DECIMAL else values  # type: ignore[arg-type]
        results: list[object] = of_values(given)
        if len(results) != len(values):
            raise ValueError("the operator gave another number of values than it was given")
        if not set(map(type, results)) <= kinds:
            raise TypeError("the operator gave another type than it promised")
        return results

    return released
