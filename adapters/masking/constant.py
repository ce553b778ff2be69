"""A constant: the same text on every row, whatever stood there, and whether anything did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
)


class ConstantParams(Params):
    """The text."""

    value: str = Field(min_length=1, max_length=64)


class Constant:
    """Every row, absent or not, becomes the text."""

    name: ClassVar[str] = "constant"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "固定值"
    summary: ClassVar[str] = "Replaces every value by one text of the policy's."
    params: ClassVar[type[Params]] = ConstantParams
    properties: ClassVar[Properties] = Properties(
        null=Becomes.MASKED, short=Becomes.MASKED, invalid=Becomes.MASKED
    )
    accepts: ClassVar[Mapping[str, TypeTest]] = {"any": lambda _: True}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(("张三", "", None), ("保密", "保密", "保密"), {"value": "保密"}),
        KnownAnswer((1, None), ("-", "-"), {"value": "-"}, pa.int64()),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``."""
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: the text is empty or longer than 64 characters.
        """
        value = ConstantParams.model_validate(params).value
        return lambda values: pa.array([value] * len(values), pa.string())
