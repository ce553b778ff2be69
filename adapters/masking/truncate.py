"""Truncation (截断): the first characters, and not how many there were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from adapters.masking.arrays import rebuilt, require, text_mask
from adapters.masking.contract import (
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
    WholeNumber,
)

_NOTHING = pa.scalar(None, pa.string())


class TruncateParams(Params):
    """Characters (Unicode code points) that stay."""

    keep: WholeNumber = Field(ge=1, le=64)


class Truncate:
    """The first ``keep`` characters of a longer text; one that is no longer would stay whole, so it becomes
    null."""

    name: ClassVar[str] = "truncate"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "截断"
    summary: ClassVar[str] = "Keeps the first characters of a text and drops the rest."
    params: ClassVar[type[Params]] = TruncateParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = {"text": pa.types.is_string}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("星河市东城区甲路一号", "星河市东城区", "", None),
            ("星河市东城区", None, None, None),
            {"keep": 6},
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is not text.
        """
        require(self.name, values, self.accepts)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: ``keep`` is out of bounds.
        """
        keep = TruncateParams.model_validate(params).keep

        def many(texts: pa.Array) -> pa.Array:
            longer = pc.greater(pc.utf8_length(texts), keep)
            return rebuilt(pc.if_else(longer, pc.utf8_slice_codeunits(texts, 0, keep), _NOTHING))

        return text_mask(lambda text: text[:keep] if len(text) > keep else None, many)
