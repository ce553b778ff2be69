"""Predicates (核验): the answer to one question of the policy's, in place of the value.

The question comes from the policy alone. A caller who could choose the value to compare with would find
any number by halving.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field, model_validator

from adapters.masking.arrays import plain, plain_type, rebuilt, require
from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
)

_ORDERED = {
    "integer": pa.types.is_integer,
    "decimal": pa.types.is_decimal,
    "date": pa.types.is_date32,
    "timestamp": pa.types.is_timestamp,
}
_COMPARABLE = {**_ORDERED, "text": pa.types.is_string, "boolean": pa.types.is_boolean}
_COMPARE: dict[str, Callable[[pa.Array, pa.Scalar], pa.Array]] = {
    "eq": pc.equal,
    "ne": pc.not_equal,
    "ge": pc.greater_equal,
    "gt": pc.greater,
    "le": pc.less_equal,
    "lt": pc.less,
    "in": pc.equal,
}
_ANSWER: dict[str, Callable[[Any, Any], bool]] = {
    **{name: getattr(operator, name) for name in ("eq", "ne", "ge", "gt", "le", "lt")},
    "in": operator.eq,
}
_COLUMN = {
    str: pa.string(), bool: pa.bool_(), int: pa.int64(), Decimal: pa.decimal256(76, 20), date: pa.date32(),
}  # fmt: skip
_EMPTY = pa.scalar("", pa.string())


def _as_texts(written: object) -> object:
    """What a policy may write as ``value``, as texts: the column's type decides what they mean."""
    if written is None:
        return ()
    items = written if isinstance(written, list | tuple) else (written,)
    return tuple(_as_text(item) for item in items)


def _as_text(item: object) -> object:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, date):  # a datetime is one
        return item.isoformat()
    return str(item) if isinstance(item, int | Decimal) else item


class PredicateParams(Params):
    """The question: ``eq ne ge gt le lt`` with one value, ``in`` with a list, ``exists`` with none."""

    op: Literal["eq", "ne", "ge", "gt", "le", "lt", "in", "exists"]
    value: Annotated[tuple[str, ...], BeforeValidator(_as_texts), Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _has_its_values(self) -> PredicateParams:
        if self.op == "exists" and self.value:
            raise ValueError("exists takes no value")
        if self.op == "in" and not self.value:
            raise ValueError("in takes a list of values")
        if self.op not in ("in", "exists") and len(self.value) != 1:
            raise ValueError(f"{self.op} takes one value")
        return self


class Predicate:
    """Yes or no. A null value gives null, save that ``exists`` gives false for it and for an empty text.

    Values fit the column: integers and decimals are compared exactly, dates are ``YYYY-MM-DD``, points in
    time ISO 8601 with their offset, booleans ``true`` or ``false``. Texts and booleans have no order.
    """

    name: ClassVar[str] = "predicate"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "核验"
    summary: ClassVar[str] = "Answers a question of the policy's about the value instead of showing it."
    params: ClassVar[type[Params]] = PredicateParams
    properties: ClassVar[Properties] = Properties(null=Becomes.ANSWER)
    accepts: ClassVar[Mapping[str, TypeTest]] = {"any": lambda _: True}
    """For ``exists``; a comparison takes what can be compared."""
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            (11999, 12000, 12001, None), (True, True, False, None), {"op": "le", "value": 12000}, pa.int64()
        ),
        KnownAnswer(("在婚", "离婚", None), (True, False, None), {"op": "in", "value": ("在婚", "再婚")}),
        KnownAnswer(("x", "", None), (True, False, False), {"op": "exists"}),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``bool``.

        Raises:
            TypeError: ``values`` cannot be compared so, or the policy's value does not fit them.
            ValueError: the parameters are wrong.
        """
        question = PredicateParams.model_validate(params)
        if question.op != "exists":
            _operands(question.op, question.value, plain_type(values))
        return pa.bool_()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: a value is missing, or there are too many.
        """
        question = PredicateParams.model_validate(params)
        return _Existence() if question.op == "exists" else _Comparison(question.op, question.value)


class _Existence:
    """Whether there is a value, and no empty text."""

    def __call__(self, values: pa.Array) -> pa.Array:
        given = plain(values)
        there = given.is_valid()
        if pa.types.is_string(given.type):
            there = pc.and_(there, pc.fill_null(pc.not_equal(given, _EMPTY), False))
        return rebuilt(there)

    def of_values(self, values: Sequence[object]) -> list[object]:
        return [value is not None and value != "" for value in values]


class _Comparison:
    """A value's answer beside those of the policy's; null has none."""

    def __init__(self, op: str, written: tuple[str, ...]) -> None:
        self._op, self._written = op, written
        self._of_kind: dict[type, tuple[object, ...]] = {}

    def __call__(self, values: pa.Array) -> pa.Array:
        compare, asked = _COMPARE[self._op], plain(values)
        first, *others = _operands(self._op, self._written, asked.type)
        answers = compare(asked, first)
        for other in others:
            answers = pc.or_(answers, compare(asked, other))
        return rebuilt(answers)

    def of_values(self, values: Sequence[object]) -> list[object]:
        return [None if value is None else self._answer(value) for value in values]

    def _answer(self, value: object) -> bool:
        operands = self._of_kind.get(type(value))
        if operands is None:
            scalars = _operands(self._op, self._written, _COLUMN.get(type(value), pa.null()))
            operands = self._of_kind[type(value)] = tuple(scalar.as_py() for scalar in scalars)
        return any(_ANSWER[self._op](value, operand) for operand in operands)


@lru_cache(maxsize=1024)
def _operands(op: str, written: tuple[str, ...], column: pa.DataType) -> tuple[pa.Scalar, ...]:
    require(f"predicate {op}", column, _COMPARABLE if op in ("eq", "ne", "in") else _ORDERED)
    try:
        return tuple(pa.scalar(_read(text, column), column) for text in written)
    except (ValueError, ArithmeticError):
        raise TypeError(f"predicate {op}: the value does not fit a column of {column}") from None


def _read(text: str, column: pa.DataType) -> object:
    """``text`` as a value of ``column``, by one fixed spelling per type.

    Raises:
        ValueError: it is spelled otherwise.
    """
    if pa.types.is_string(column):
        return text
    if pa.types.is_boolean(column):
        return {"true": True, "false": False}[_spelled(text, "true|false")]
    if pa.types.is_integer(column):
        return int(_spelled(text, "[+-]?[0-9]+"))
    if pa.types.is_decimal(column):
        return Decimal(_spelled(text, r"[+-]?[0-9]+(\.[0-9]+)?"))
    if pa.types.is_date(column):
        return date.fromisoformat(_spelled(text, "[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    moment = datetime.fromisoformat(text)
    if (moment.tzinfo is None) != (column.tz is None):
        raise ValueError("one of value and column has a time zone, the other has none")
    return moment


def _spelled(text: str, form: str) -> str:
    if not re.fullmatch(form, text):
        raise ValueError("another spelling is needed")
    return text
