"""Arrow arrays as the operators want them, and results that hold no byte of their input.

Arrow hides a value by a bit, an offset or an index and leaves its bytes in the buffers, which then travel
in the IPC message. So nothing here slices, nulls by bitmap or keeps a dictionary: results are built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.lib.stride_tricks import sliding_window_view

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.int32] | npt.NDArray[np.int64]

FEW = 32
"""Up to so many rows a Python loop beats the fixed cost of vectorised calls (2 to 7 µs each)."""

_MOST_BYTES = np.iinfo(np.int32).max
_TEXTS = (pa.string(), pa.large_string(), pa.string_view())


def plain_type(encoded: pa.DataType) -> pa.DataType:
    """The type without its encoding: a dictionary's values, and every kind of string as ``string``."""
    inner = encoded.value_type if pa.types.is_dictionary(encoded) else encoded
    return pa.string() if inner in _TEXTS else inner


def plain(values: pa.Array) -> pa.Array:
    """``values`` as their :func:`plain_type`. Buffers may still be shared with the input."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    wanted = plain_type(values.type)
    return values if values.type == wanted else values.cast(wanted)


def require(operator: str, given: pa.DataType, accepted: Mapping[str, Callable[[pa.DataType], bool]]) -> None:
    """Refuse a type that ``operator`` does not accept.

    Raises:
        TypeError: names the types it does accept.
    """
    if not any(accepts(plain_type(given)) for accepts in accepted.values()):
        raise TypeError(f"{operator} takes {', '.join(accepted)}; not {given}")


def apart(pairs: pa.Array) -> tuple[pa.Array, pa.Array]:
    """What an operator with something beside was given: the values and that, each :func:`plain`."""
    values, beside = pairs.flatten()  # as field() does not, it makes null what is null as a whole
    return plain(values), plain(beside)


def is_valid(values: pa.Array) -> Bools:
    """True where there is a value; shape (n,)."""
    if not values.null_count:
        return np.ones(len(values), np.bool_)
    valid: Bools = values.is_valid().to_numpy(zero_copy_only=False)
    return valid


def rebuilt(values: pa.Array) -> pa.Array:
    """A new array, without what a kernel computed from the bytes under a null."""
    if len(values) <= FEW:
        return pa.array(values.to_pylist(), values.type)
    return values.take(pa.array(np.arange(len(values)), pa.int64()))


@dataclass(frozen=True, slots=True)
class TextBytes:
    """Where each text of an array lies in its UTF-8 bytes; read-only views, array offset included."""

    starts: Positions
    lengths: Positions
    """In bytes, shape (n,). A null may have any length."""
    data: Bytes

    @classmethod
    def of(cls, texts: pa.Array) -> TextBytes:
        """Lay open an array of type ``string``."""
        _, offsets, data = texts.buffers()
        if len(texts) == 0 or data is None:
            nothing = np.zeros(len(texts), np.int64)
            return cls(nothing, nothing, np.zeros(0, np.uint8))
        ends = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4).astype(np.int64)
        return cls(ends[:-1], np.diff(ends), np.frombuffer(data, np.uint8))

    def window(self, rows: Positions, width: int) -> Bytes:
        """The first ``width`` bytes of each of ``rows``, all that long; shape (len(rows), width)."""
        if not width or not len(rows):
            return np.empty((len(rows), width), np.uint8)
        window: Bytes = sliding_window_view(self.data, width)[self.starts[rows]]
        return window


def one_width(texts: pa.Array) -> Bytes | None:
    """The bytes of a ``string`` array's valid texts, shape (valid, width); None unless all have one length.

    Most columns of numbers and codes do, and need no look at each row's place.
    """
    present = texts.drop_null() if texts.null_count else texts
    if len(present) == 0:
        return None
    _, offsets, data = present.buffers()
    ends = np.frombuffer(offsets, np.int32, len(present) + 1, present.offset * 4)
    width, remainder = divmod(int(ends[-1]) - int(ends[0]), len(present))
    if width == 0 or remainder or (np.diff(ends) != width).any():
        return None
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(-1, width)


def fixed_width_texts(characters: Bytes, valid: Bools) -> pa.Array:
    """Texts of one width; row i of ``characters`` (ASCII, shape (sum(valid), width)) is the i-th valid one.

    Raises:
        ValueError: more bytes than a ``string`` array can hold (2 GiB).
    """
    rows, width = characters.shape
    offsets: Offsets
    if rows < len(valid) or characters.size > _MOST_BYTES:
        offsets = offsets_of(valid * np.int64(width))
    else:
        offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return texts_of(offsets, np.ascontiguousarray(characters), valid)


def offsets_of(lengths: Positions) -> Positions:
    """Where each of texts of such ``lengths`` begins, and after them where the last ends; shape (n + 1,).

    Raises:
        ValueError: more bytes than a ``string`` array can hold (2 GiB).
    """
    offsets: Positions = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] > _MOST_BYTES:
        raise ValueError("too many rows for one array")
    return offsets


def texts_of(offsets: Offsets, data: Bytes, valid: Bools) -> pa.Array:
    """A ``string`` array of its buffers: UTF-8 ``data``, cut at ``offsets`` of :func:`offsets_of`."""
    return pa.StringArray.from_buffers(
        len(valid),
        pa.py_buffer(offsets.astype(np.int32, copy=False)),
        pa.py_buffer(data),
        pa.py_buffer(np.packbits(valid, bitorder="little")),
    )


@dataclass(frozen=True, slots=True)
class Each:
    """A :class:`~adapters.masking.contract.ValueMask` that ``one`` defines; null stays null."""

    one: Callable[[Any], object]
    """Raises TypeError for a value of a type that the operator does not accept."""
    many: Callable[[pa.Array], pa.Array]
    """The same of a whole array of a :func:`plain_type`."""
    result: pa.DataType

    def __call__(self, values: pa.Array) -> pa.Array:
        given = plain(values)
        if len(given) > FEW or pa.types.is_timestamp(given.type):  # slow and inexact as Python has them
            return self.many(given)
        return pa.array(self.of_values(given.to_pylist()), self.result)

    def of_values(self, values: Sequence[object]) -> list[object]:
        """As :meth:`~adapters.masking.contract.ValueMask.of_values`."""
        return [None if value is None else self.one(value) for value in values]


def text_mask(one: Callable[[str], str | None], many: Callable[[pa.Array], pa.Array]) -> Each:
    """A mask from text to text: ``one`` defines it, ``many`` does the same for a whole ``string`` array."""
    return Each(one, many, pa.string())
