"""Redaction: nothing of the value is left, not even whether there was one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from adapters.masking.arrays import plain_type
from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
)

REDACTED = "***"


class RedactParams(Params):
    """None."""


class Redact:
    """Text becomes ``***`` on every row, absent or not; every other type becomes null."""

    name: ClassVar[str] = "redact"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "全部遮盖"
    summary: ClassVar[str] = "Replaces every text by *** and every other value by null."
    params: ClassVar[type[Params]] = RedactParams
    properties: ClassVar[Properties] = Properties(
        null=Becomes.MASKED, short=Becomes.MASKED, invalid=Becomes.MASKED
    )
    accepts: ClassVar[Mapping[str, TypeTest]] = {"any": lambda _: True}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(("张三", "", None), (REDACTED, REDACTED, REDACTED)),
        KnownAnswer((1, None), (None, None), given=pa.int64()),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """The type of ``values`` without its encoding."""
        return plain_type(values)

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: there are parameters.
        """
        RedactParams.model_validate(params)
        return _redact


def _redact(values: pa.Array) -> pa.Array:
    result = plain_type(values.type)
    if result == pa.string():
        return pa.array([REDACTED] * len(values), result)
    return pa.nulls(len(values), result)
