"""Partial display (部分遮盖): some characters at either end stay, the rest becomes a fill character.

No national standard fixes how many characters may stay. A resident id shown with its first 6 and last 4
leaves about 2,500 candidates, and 33 when the birth year is known: prefer 1 + 1, or a pseudonym.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from adapters.masking.arrays import Bytes, fixed_width_texts, is_valid, one_width, require, text_mask
from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
    WholeNumber,
)

_EMPTY = pa.scalar("", pa.string())
_NO_CHARACTERS = pa.scalar(0, pa.int32())
_NOT_ASCII = 0x80
_ROWS_AT_ONCE = 4096


class PartialParams(Params):
    """Characters (Unicode code points) kept at the start and at the end, and what replaces the others."""

    keep_start: WholeNumber = Field(default=0, ge=0, le=64)
    keep_end: WholeNumber = Field(default=0, ge=0, le=64)
    fill: str = "*"

    @field_validator("fill")
    @classmethod
    def _cannot_pass_for_data(cls, fill: str) -> str:
        if len(fill) != 1 or fill.isalnum() or fill.isspace() or not fill.isprintable():
            raise ValueError("fill is one visible character, neither letter nor digit")
        return fill

    @model_validator(mode="after")
    def _keeps_something(self) -> PartialParams:
        if self.keep_start + self.keep_end == 0:
            raise ValueError("nothing is kept: use redact, which hides the length as well")
        return self


class Partial:
    """Keeps both ends of a text. The result has as many characters as the value.

    A value no longer than ``keep_start + keep_end`` is filled throughout: it is never shown and never
    stretched. Null stays null.
    """

    name: ClassVar[str] = "partial"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "部分遮盖"
    summary: ClassVar[str] = "Keeps characters at the start and the end of a text and fills the rest."
    params: ClassVar[type[Params]] = PartialParams
    properties: ClassVar[Properties] = Properties(short=Becomes.MASKED, invalid=Becomes.MASKED)
    accepts: ClassVar[Mapping[str, TypeTest]] = {"text": pa.types.is_string}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("13800138000", "1380013", "张三丰", "", None),
            ("138****8000", "*******", "***", "", None),
            {"keep_start": 3, "keep_end": 4},
        ),
        KnownAnswer(("张三丰", "张"), ("张##", "#"), {"keep_start": 1, "fill": "#"}),
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
            ValueError: a bound is negative or over 64, nothing is kept, or ``fill`` could pass for data.
        """
        bounds = PartialParams.model_validate(params)
        start, end, fill = bounds.keep_start, bounds.keep_end, bounds.fill

        def one(text: str) -> str:
            hidden = len(text) - start - end
            if hidden <= 0:
                return fill * len(text)
            return text[:start] + fill * hidden + text[len(text) - end :]

        return text_mask(one, lambda texts: _many(texts, start, end, fill))


def _many(texts: pa.Array, start: int, end: int, fill: str) -> pa.Array:
    characters = one_width(texts) if fill.isascii() else None
    if characters is not None and characters.max() < _NOT_ASCII:
        return fixed_width_texts(_filled(characters, start, end, fill), is_valid(texts))
    return _any_width(texts, start, end, fill)


def _filled(characters: Bytes, start: int, end: int, fill: str) -> Bytes:
    """Each row of ASCII ``characters``, shape (n, width), filled between the ends that stay."""
    rows, width = characters.shape
    kept = np.zeros(width, np.uint8)
    if width > start + end:
        kept[:start] = kept[width - end :] = 0xFF
    # The same pattern over many rows at once: a row is too short to be worth a loop of its own.
    some = min(rows, _ROWS_AT_ONCE)
    shown, filler = np.tile(kept, some), np.tile(~kept & np.uint8(ord(fill)), some)
    given = characters.reshape(-1)
    result = np.empty_like(given)
    for first in range(0, len(given), len(shown)):
        part = slice(first, first + len(shown))
        size = len(given[part])
        np.bitwise_and(given[part], shown[:size], out=result[part])
        np.bitwise_or(result[part], filler[:size], out=result[part])
    return result.reshape(rows, width)


def _any_width(texts: pa.Array, start: int, end: int, fill: str) -> pa.Array:
    lengths = pc.utf8_length(texts)
    hidden = pc.subtract(lengths, pa.scalar(start + end, lengths.type))
    short = pc.less_equal(hidden, _NO_CHARACTERS)
    showable = pc.if_else(short, _EMPTY, texts)
    parts = [pc.binary_repeat(pa.scalar(fill, pa.string()), pc.if_else(short, lengths, hidden))]
    if start:
        parts.insert(0, pc.utf8_slice_codeunits(showable, 0, start))
    if end:  # a slice from -0 would be the whole text
        parts.append(pc.utf8_slice_codeunits(showable, -end))
    return pc.binary_join_element_wise(*parts, _EMPTY)
