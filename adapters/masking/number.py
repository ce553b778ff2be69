"""Numbers made coarser: the bucket they lie in, a rounded amount, bounds that nothing goes beyond.

A range that a consumer could choose would find any number by halving; here it comes from policy alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from adapters.masking.arrays import Bools, Each, is_valid, plain, plain_type, rebuilt, require
from adapters.masking.contract import (
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
    WholeNumber,
)

_NUMBERS: Mapping[str, TypeTest] = {"integer": pa.types.is_integer, "decimal": pa.types.is_decimal}
_MOST = 10**15
"""Numbers further from zero become null: none that an office counts is, and sums of two stay in 64 bits."""

_LEAST = np.iinfo(np.int64).min
"""Has no absolute value of its type."""
_EXACT = pa.decimal256(76, 20)
Whole = npt.NDArray[np.int64]


class BucketParams(Params):
    """Width of the buckets, and where one of them begins."""

    width: WholeNumber = Field(ge=2)
    origin: WholeNumber = 0


class Bucket:
    """The half-open interval (ISO 31-11) in which a number lies, as text: ``[10000,20000)``."""

    name: ClassVar[str] = "bucket"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "分档"
    summary: ClassVar[str] = "Replaces a number by the interval in which it lies."
    params: ClassVar[type[Params]] = BucketParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = _NUMBERS
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            (0, 9999, 10000, -1, None, 10**16),
            ("[0,10000)", "[0,10000)", "[10000,20000)", "[-10000,0)", None, None),
            {"width": 10000},
            pa.int64(),
        ),
        KnownAnswer(
            (Decimal("17.99"), Decimal("18.00")), ("[0,18)", "[18,36)"), {"width": 18}, pa.decimal256(76, 20)
        ),
        KnownAnswer((4, 5), ("[-5,5)", "[5,15)"), {"width": 10, "origin": 5}, pa.int8()),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is no number.
        """
        require(self.name, values, self.accepts)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: the width is not positive.
        """
        bounds = BucketParams.model_validate(params)

        def one(number: int | Decimal) -> str | None:
            floor = math.floor(number)
            low = (floor - bounds.origin) // bounds.width * bounds.width + bounds.origin
            return name(low) if abs(floor) <= _MOST else None

        def name(low: int) -> str:
            return f"[{low},{low + bounds.width})"

        def many(values: pa.Array) -> pa.Array:
            numbers, known = _whole(values)
            lows = (numbers - bounds.origin) // bounds.width * bounds.width + bounds.origin
            # There are few buckets, so that each is written once.
            encoded = pa.array(lows, mask=~known).dictionary_encode()
            return pa.array(map(name, encoded.dictionary.to_pylist()), pa.string()).take(encoded.indices)

        return Each(one, many, pa.string())


class RoundParams(Params):
    """What the result is a multiple of."""

    to: WholeNumber = Field(ge=2)


class Round:
    """The nearest multiple, away from zero when two are equally near; a whole number, also of a decimal."""

    name: ClassVar[str] = "round"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "取整"
    summary: ClassVar[str] = "Rounds a number to a multiple."
    params: ClassVar[type[Params]] = RoundParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = _NUMBERS
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            (449, 450, -450, 0, None, -(10**16)), (400, 500, -500, 0, None, None), {"to": 100}, pa.int64()
        ),
        KnownAnswer(
            (Decimal("450"), Decimal("449.99"), Decimal("-449.99"), Decimal("-450.01")),
            (500, 400, -400, -500),
            {"to": 100},
            pa.decimal256(76, 20),
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``int64``.

        Raises:
            TypeError: ``values`` is no number.
        """
        require(self.name, values, self.accepts)
        return pa.int64()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: ``to`` is less than 2.
        """
        to = RoundParams.model_validate(params).to
        exact = pa.scalar(Decimal(to)).cast(_EXACT)

        def one(number: int | Decimal) -> int | None:
            above, below = number.as_integer_ratio()
            size = (2 * abs(above) + to * below) // (2 * to * below) * to
            return (size if above >= 0 else -size) if size <= _MOST else None

        def many(values: pa.Array) -> pa.Array:
            if pa.types.is_integer(values.type):
                numbers, known = _whole(values, _MOST + to)
                sizes = (np.abs(numbers) + to // 2) // to * to
                known &= sizes <= _MOST
                numbers = np.where(known, np.sign(numbers) * sizes, 0)
            else:
                numbers, known = _whole(pc.round_to_multiple(_exact(values), exact, "half_towards_infinity"))
            return pa.array(numbers, pa.int64(), mask=~known)

        return Each(one, many, pa.int64())


class ClipParams(Params):
    """The least and the greatest number that shows."""

    low: WholeNumber | None = None
    high: WholeNumber | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> ClipParams:
        if self.low is None and self.high is None:
            raise ValueError("clip takes low, high, or both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low is below high")
        return self


class Clip:
    """Top and bottom coding: what is beyond a bound becomes the bound; what lies between stays."""

    name: ClassVar[str] = "clip"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "上下限截取"
    summary: ClassVar[str] = "Replaces numbers beyond a bound by the bound."
    params: ClassVar[type[Params]] = ClipParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = _NUMBERS
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer((-1, 5, 101, None), (0, 5, 100, None), {"low": 0, "high": 100}, pa.int64()),
        KnownAnswer(
            (Decimal("100.5"), Decimal("99.5")),
            (Decimal("100"), Decimal("99.5")),
            {"high": 100},
            pa.decimal256(76, 20),
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """That of ``values``.

        Raises:
            TypeError: ``values`` is no number.
        """
        require(self.name, values, self.accepts)
        return plain_type(values)

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: there is no bound, or the lower is not below the upper.
        """
        bounds = ClipParams.model_validate(params)

        def mask(values: pa.Array) -> pa.Array:
            numbers = plain(values)
            for bound, element_wise in (
                (bounds.low, pc.max_element_wise),
                (bounds.high, pc.min_element_wise),
            ):
                if bound is not None:
                    limit = pa.scalar(bound).cast(numbers.type)
                    numbers = element_wise(numbers, limit, skip_nulls=False)
            return rebuilt(numbers)

        return mask


def _exact(values: pa.Array) -> pa.Array:
    numbers = plain(values)
    return numbers.cast(_EXACT) if numbers.type != _EXACT else numbers


def _whole(values: pa.Array, most: int = _MOST) -> tuple[Whole, Bools]:
    """The largest whole number not above each value, and which rows have one near enough; 0 elsewhere."""
    if pa.types.is_integer(values.type) and values.type != pa.uint64():
        integers: Whole = values.cast(pa.int64()).fill_null(0).to_numpy()
        known = is_valid(values) & (np.abs(integers) <= most) & (integers != _LEAST)
        return np.where(known, integers, 0), known
    floors = pc.floor(_exact(values))
    inside = pc.less_equal(pc.abs(floors), pa.scalar(Decimal(most)).cast(_EXACT))
    known = pc.fill_null(inside, False).to_numpy(zero_copy_only=False)
    whole = pc.if_else(pa.array(known), floors, pa.scalar(Decimal(0)).cast(_EXACT)).cast(pa.int64())
    return whole.to_numpy(zero_copy_only=False), known
