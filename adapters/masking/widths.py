"""A column of texts taken apart by length in bytes, so that texts of one length are masked as a matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from adapters.masking.arrays import FEW, Bytes, Positions, TextBytes, is_valid

OfOneWidth = Callable[[Bytes], pa.Array | None]
"""Texts of one length, shape (n, width), to as many results; None where each must be looked at by itself."""

_WIDEST = 256
"""Longer texts (in bytes) are few, and go one by one."""
_ROWS_AT_ONCE = 16_384


def by_width(texts: pa.Array, one: Callable[[str], str | None], of_one_width: OfOneWidth) -> pa.Array:
    """``one`` of each text of a ``string`` array, by ``of_one_width`` where enough have the same length."""
    layout, valid = TextBytes.of(texts), is_valid(texts)
    widths = np.where(valid & (layout.lengths <= _WIDEST), layout.lengths, _WIDEST + 1)
    counts = np.bincount(widths, minlength=_WIDEST + 2)
    counts[-1] = 0
    absent, alone = np.flatnonzero(~valid), np.flatnonzero(valid & (counts[widths] <= FEW))
    groups = [absent, alone]
    parts = [pa.nulls(len(absent), pa.string()), _alone(texts, alone, one)]
    for width in np.flatnonzero(counts > FEW):
        rows = np.flatnonzero(widths == width)
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[first : first + _ROWS_AT_ONCE]
            masked = of_one_width(layout.window(some, int(width)))
            parts.append(_alone(texts, some, one) if masked is None else masked)
            groups.append(some)
    return _in_order(parts, groups)


def _alone(texts: pa.Array, rows: Positions, one: Callable[[str], str | None]) -> pa.Array:
    values = texts.take(pa.array(rows)).to_pylist()
    return pa.array([None if value is None else one(value) for value in values], pa.string())


def _in_order(parts: list[pa.Array], groups: list[Positions]) -> pa.Array:
    """The parts as one array, each result at the row that its group says."""
    rows, together = np.concatenate(groups), pa.concat_arrays(parts)
    if (rows[1:] > rows[:-1]).all():
        return together
    places = np.empty_like(rows)
    places[rows] = np.arange(len(rows))
    return together.take(pa.array(places))
