"""Matching (比对核验): whether the value is what the consumer says it is, in place of the value.

Each answer tells something, and many tell all: an office that may ask without end finds any value. So the
broker lets each consumer try only a few claims on a person and field in a day (``limits`` of the rule).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field

from adapters.masking.arrays import apart, plain_type, rebuilt, require
from adapters.masking.contract import (
    Beside,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
)

Ignored = Literal["width", "case", "spaces"]
_ACCEPTED: Mapping[str, TypeTest] = {
    "text": pa.types.is_string,
    "integer": pa.types.is_integer,
    "decimal": pa.types.is_decimal,
    "boolean": pa.types.is_boolean,
    "date": pa.types.is_date32,
    "timestamp": pa.types.is_timestamp,
}


def _as_tuple(written: object) -> object:
    """One word, or a list."""
    if isinstance(written, str):
        return (written,)
    return tuple(written) if isinstance(written, list) else written


class MatchParams(Params):
    """What makes no difference between two texts: full or half ``width`` (and other compatibility forms:
    Unicode UAX #15, NFKC), ``case``, ``spaces`` wherever they stand. By default everything does.
    """

    ignore: Annotated[tuple[Ignored, ...], BeforeValidator(_as_tuple), Field(max_length=3)] = ()


class Match:
    """Yes or no. Null when there is no value, or the consumer says nothing."""

    name: ClassVar[str] = "match"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "比对核验"
    summary: ClassVar[str] = "Answers whether the value is what the consumer claims, instead of showing it."
    params: ClassVar[type[Params]] = MatchParams
    properties: ClassVar[Properties] = Properties(beside=Beside.CLAIM)
    accepts: ClassVar[Mapping[str, TypeTest]] = _ACCEPTED
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("张三", "张三", "张三", "张三", None, None, ""),
            (True, False, False, None, None, None, False),
            beside=("张三", "张 三", "李四", None, "张三", None, "张三"),
        ),
        KnownAnswer(
            ("Ａb c", "ABC", "AB", None),
            (True, True, False, None),
            {"ignore": ("width", "case", "spaces")},
            beside=("aBC", "ａ\u3000ｂ\u00a0ｃ", "ABC", "ABC"),
        ),
        KnownAnswer((7, 7), (True, False), given=pa.int64(), beside=(7, 8)),
        KnownAnswer(
            (date(2001, 2, 3), date(2001, 2, 3), None),
            (True, False, None),
            given=pa.date32(),
            beside=(date(2001, 2, 3), date(2001, 3, 2), date(2001, 2, 3)),
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``bool``.

        Raises:
            TypeError: nobody can say ``values`` exactly, or they are no texts and something is to be ignored.
        """
        require(self.name, values, self.accepts)
        if MatchParams.model_validate(params).ignore and plain_type(values) != pa.string():
            raise TypeError(f"{self.name}: ignore is for texts; not {values}")
        return pa.bool_()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: there is no such thing to ignore.
        """
        ignored = frozenset(MatchParams.model_validate(params).ignore)

        def mask(pairs: pa.Array) -> pa.Array:
            values, claims = apart(pairs)
            require(self.name, values.type, self.accepts)
            if claims.type != values.type:
                raise TypeError(f"{self.name}: the claim is of another type than the value")
            return rebuilt(pc.equal(_compared(values, ignored), _compared(claims, ignored)))

        return mask


def _compared(texts: pa.Array, ignored: frozenset[str]) -> pa.Array:
    """The texts without what makes no difference. Arrow does it for one row too: Python may know another
    version of Unicode.
    """
    if "width" in ignored:
        texts = pc.utf8_normalize(texts, "NFKC")
    if "case" in ignored:
        texts = pc.utf8_lower(texts)
    if "spaces" in ignored:
        texts = pc.replace_substring_regex(texts, r"[\s\p{Z}]+", "")
    return texts
