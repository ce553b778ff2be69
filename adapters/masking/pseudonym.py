"""Pseudonyms (去标识化假名, never 匿名化): a keyed token in place of the value.

Without the key a token cannot be recomputed, whereas a plain hash of an id or a phone number falls to
brute force in minutes. Tokens of one key context join records; those of different consumers, purposes or
field domains do not. A token is 16 bytes, since 8 would collide within a country's population.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.arrays import (
    Bytes,
    Each,
    TextBytes,
    fixed_width_texts,
    is_valid,
    one_width,
    require,
)
from adapters.masking.cmac import cmac_many, cmac_of_one_width, cmac_with
from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
)

KEY_LABEL = "pseudonym/aes-cmac-128"
_ACCEPTED = {"text": pa.types.is_string, "integer": pa.types.is_integer, "date": pa.types.is_date}
_EMPTY = pa.scalar("", pa.string())
_WIDEST = 1024
"""Wider values (in bytes) are few; no column is laid out for them."""
_ROWS_AT_ONCE = 4096


class PseudonymParams(Params):
    """None: consumer, purpose and field domain are in the key."""


class Pseudonym:
    """AES-CMAC-128 (RFC 4493) of a type tag and the value's text, in 32 lowercase hexadecimal digits.

    The message is one byte (``T`` text, ``I`` integer, ``D`` date), then the value in UTF-8: text as it
    stands, integers in decimal, dates as ``YYYY-MM-DD``. Null stays null.
    """

    name: ClassVar[str] = "pseudonym"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "去标识化假名"
    summary: ClassVar[str] = (
        "Replaces a value by a keyed token; for one consumer and purpose equal values match."
    )
    params: ClassVar[type[Params]] = PseudonymParams
    properties: ClassVar[Properties] = Properties(
        linkable=True, needs_key=True, short=Becomes.MASKED, invalid=Becomes.MASKED
    )
    accepts: ClassVar[Mapping[str, TypeTest]] = _ACCEPTED
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("990101189901010015", None, ""),
            ("a7eb28f170f473dcfe5327aafd3a6046", None, "24cd62362fff8524d715b4d3f2f80e27"),
        ),
        KnownAnswer((7, None), ("ed911bfad82d2aece7ed895e1ffdb3fe", None), given=pa.int64()),
        KnownAnswer((date(2001, 2, 3),), ("4e18ffe0fd3e8cd778b29dcb49be3d81",), given=pa.date32()),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is neither text, integer nor date.
        """
        require(self.name, values, _ACCEPTED)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Derives the key once.

        Raises:
            ValueError: there are parameters, or no keys.
        """
        PseudonymParams.model_validate(params)
        if keys is None:
            raise ValueError("pseudonym needs a key")
        key = keys.derive(KEY_LABEL, 16)
        cmac = cmac_with(key)
        return Each(
            lambda value: cmac(_message(value)).hex(),
            lambda values: _many(key, *_tagged(values)),
            pa.string(),
        )


def _message(value: object) -> bytes:
    match value:
        case str():
            return b"T" + value.encode()
        case bool() | datetime():
            pass
        case int() | date():
            return (b"I" if isinstance(value, int) else b"D") + str(value).encode()
    raise TypeError(f"{Pseudonym.name} takes {', '.join(_ACCEPTED)}; not {type(value).__name__}")


def _tagged(values: pa.Array) -> tuple[str, pa.Array]:
    """The type's tag and the values as text."""
    require(Pseudonym.name, values.type, _ACCEPTED)
    if pa.types.is_string(values.type):
        return "T", values
    if pa.types.is_integer(values.type):
        return "I", values.cast(pa.string())
    return "D", values.cast(pa.date32()).cast(pa.string())


def _many(key: bytes, tag: str, texts: pa.Array) -> pa.Array:
    valid, messages = is_valid(texts), one_width(texts)
    if messages is not None and messages.shape[1] <= _WIDEST:
        return fixed_width_texts(_hexadecimal(cmac_of_one_width(key, tag.encode(), messages)), valid)
    tagged = pc.binary_join_element_wise(pa.scalar(tag, pa.string()), texts, _EMPTY)
    tokens = cmac_many(key, TextBytes.of(tagged), np.flatnonzero(valid))
    return fixed_width_texts(_hexadecimal(tokens), valid)


def _hexadecimal(tokens: Bytes) -> Bytes:
    """Two digits for each byte; shapes (n, 16) and (n, 32)."""
    digits = np.empty(tokens.shape, "<u2")
    for first in range(0, len(tokens), _ROWS_AT_ONCE):
        # A byte is spread over two, its halves in the order of writing; a half over 9 becomes a letter.
        both = tokens[first : first + _ROWS_AT_ONCE].astype("<u2")
        halves = (both >> 4 | both << 8) & 0x0F0F
        digits[first : first + _ROWS_AT_ONCE] = halves + 0x3030 + ((halves + 0x0606) >> 4 & 0x0101) * 39
    return digits.view(np.uint8)
