"""What an operator is given of a field: its values in the type that says what they are.

Decimals travel as text so that no digit is lost. To an operator they are numbers, or ``1.0`` and ``1.00``
would differ and a partial mask would show digits of an amount.
"""

from __future__ import annotations

import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from broker.arrow import arrow_type, plain, plain_type
from broker.model import FieldType

NUMBER = pa.decimal256(76, 20)
"""Exact for 56 digits before the point and 20 after it."""
_SPELLING = r"[+-]?[0-9]{1,56}(\.[0-9]{1,20})?"
_NUMBER = re.compile(_SPELLING)
_NO_TEXT = pa.scalar(None, pa.string())
_FEW = 32
"""Up to so many rows a Python loop beats the fixed cost of Arrow's regular expressions."""


def operand_type(field_type: FieldType) -> pa.DataType:
    """The type of the operand for fields of ``field_type``."""
    return NUMBER if field_type is FieldType.DECIMAL else arrow_type(field_type)


def operand(values: pa.Array, field_type: FieldType) -> pa.Array:
    """The operand for a column of :func:`~broker.arrow.arrow_type`; a text that is no such number is null."""
    if field_type is not FieldType.DECIMAL:
        return values
    if len(values) <= _FEW:
        return pa.array([number(text) for text in values.to_pylist()], NUMBER)
    spelled = pc.match_substring_regex(values, f"^{_SPELLING}$")
    return pc.if_else(spelled, values, _NO_TEXT).cast(NUMBER)


def number(text: str | None) -> Decimal | None:
    """The operand for one decimal as it travels; None for a text that is no such number."""
    return Decimal(text) if text is not None and _NUMBER.fullmatch(text) else None


def released_type(result: pa.DataType) -> pa.DataType:
    """The type in which an operator's result is released: without encoding, and numbers as text again."""
    return pa.string() if result == NUMBER else plain_type(result)


def released(result: pa.Array) -> pa.Array:
    """An operator's result in the type in which it is released; its buffers may hold more than it shows."""
    wanted = released_type(result.type)
    return result.cast(wanted) if result.type == NUMBER else plain(result, wanted)
