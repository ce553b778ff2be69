"""Categories (类目映射): each of the values that a policy lists becomes the category it puts it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field, StringConstraints

from adapters.masking.arrays import Each, plain_type, require
from adapters.masking.contract import BoundMask, KeyContext, KnownAnswer, Params, Properties, TypeTest

MOST = 1_000
"""Values in one map."""

_ACCEPTED: Mapping[str, TypeTest] = {
    "text": pa.types.is_string,
    "integer": pa.types.is_integer,
    "boolean": pa.types.is_boolean,
}


def _as_text(written: object) -> object:
    """A policy's whole numbers and truths, as the texts that they are written with."""
    if isinstance(written, bool):
        return "true" if written else "false"
    return str(written) if isinstance(written, int) else written


_Value = Annotated[str, BeforeValidator(_as_text), StringConstraints(max_length=200)]
_Category = Annotated[str, BeforeValidator(_as_text), StringConstraints(min_length=1, max_length=64)]


class CategoryParams(Params):
    """Value → category, and the category of all others; without one they become null."""

    map: Mapping[_Value, _Category] = Field(min_length=1, max_length=MOST)
    otherwise: _Category | None = None


class Category:
    """The category of a value, as text. Integers are listed in decimal, booleans as ``true``, ``false``."""

    name: ClassVar[str] = "category"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "类目映射"
    summary: ClassVar[str] = "Replaces each value by the category that the policy lists it under."
    params: ClassVar[type[Params]] = CategoryParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = _ACCEPTED
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("初婚", "再婚", "丧偶", "", None),
            ("已婚", "已婚", "其他", "其他", None),
            {"map": {"初婚": "已婚", "再婚": "已婚"}, "otherwise": "其他"},
        ),
        KnownAnswer(("初婚", "丧偶", None), ("已婚", None, None), {"map": {"初婚": "已婚"}}),
        KnownAnswer((1, 2, 3), ("甲", "甲", None), {"map": {"1": "甲", "2": "甲"}}, pa.int64()),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is neither text, integer nor boolean, or could never be one that is listed.
        """
        require(self.name, values, self.accepts)
        column = plain_type(values)
        for value in CategoryParams.model_validate(params).map:
            if not _is_spelled(value, column):
                raise TypeError(f"{self.name}: a value of the map could never be one of {column}")
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: the map is empty or too long, or a category is.
        """
        written = CategoryParams.model_validate(params)
        categories, otherwise = dict(written.map), written.otherwise
        listed = pa.array(categories, pa.string())
        given = pa.array([*categories.values(), otherwise], pa.string())
        unlisted = pa.scalar(len(listed), pa.int32())

        def one(value: object) -> str | None:
            return categories.get(value if isinstance(value, str) else str(value).lower(), otherwise)

        def many(column: pa.Array) -> pa.Array:
            require(self.name, column.type, self.accepts)
            texts = column.cast(pa.string())
            places = pc.fill_null(pc.index_in(texts, value_set=listed), unlisted)
            return given.take(pc.if_else(texts.is_valid(), places, pa.scalar(None, pa.int32())))

        return Each(one, many, pa.string())


def _is_spelled(value: str, column: pa.DataType) -> bool:
    """Whether ``value`` is how Arrow writes some value of ``column``."""
    try:
        return bool(pa.scalar(value).cast(column).cast(pa.string()).as_py() == value)
    except pa.ArrowInvalid:
        return False
