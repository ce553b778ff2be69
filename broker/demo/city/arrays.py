"""Vectorised text and numbers: numpy draws in, Arrow columns out, no Python loop over rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Days = NDArray[np.datetime64]
"""``datetime64[D]``."""
Ints = NDArray[np.int64]


def digits(values: Ints, width: int) -> NDArray[np.uint8]:
    """Decimal digits of each value, (n, width), most significant first, zero-padded."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // powers % 10).astype(np.uint8)


def ascii_text(characters: NDArray[np.uint8]) -> pa.Array:
    """Strings of equal length from their ASCII codes, (n, width)."""
    n, width = characters.shape
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(characters)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(data))


def numbered(values: Ints, width: int) -> pa.Array:
    """Each value as text, zero-padded to ``width``."""
    return ascii_text(digits(values, width) + np.uint8(ord("0")))


def pick(words: Sequence[str], indices: NDArray[np.integer]) -> pa.Array:
    """``words[i]`` for each index."""
    return pa.array(words, pa.string()).take(pa.array(indices))


def join(*parts: pa.Array | str) -> pa.Array:
    """Concatenate text columns and constants, row by row."""
    return pc.binary_join_element_wise(*parts, "")


def hundredths(values: Ints) -> pa.Array:
    """Non-negative decimals with two places, from their hundredths."""
    low_and_high = np.stack([values.astype(np.int64), np.zeros(len(values), np.int64)], axis=1)
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(values), [None, pa.py_buffer(low_and_high)])


def dates(days: Days, null: Bools | None = None) -> pa.Array:
    """``date32``, null where ``null`` says so."""
    return pa.array(days, pa.date32(), mask=null)


def span(years: NDArray[np.floating]) -> NDArray[np.timedelta64]:
    """Whole days in so many mean Gregorian years."""
    days: NDArray[np.timedelta64] = np.floor(years * 365.2425).astype("timedelta64[D]")
    return days


def between(rng: np.random.Generator, first: Days, last: Days) -> Days:
    """A day from ``first`` to ``last`` (inclusive) for each pair; ``first`` where they are crossed."""
    room = np.maximum((last - first).astype(np.int64), 0) + 1
    days: Days = first + np.floor(rng.random(len(first)) * room).astype("timedelta64[D]")
    return days
