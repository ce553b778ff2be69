"""Dates made coarser: the month, or the age band on a day that policy names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field

from adapters.masking.arrays import Each, is_valid, require
from adapters.masking.contract import (
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
    WholeNumber,
)

_DATES: Mapping[str, TypeTest] = {"date": pa.types.is_date}
_OLDEST = 150
"""Ages beyond that, and before birth, are slips of the keyboard."""


def _as_day(written: object) -> object:
    return date.fromisoformat(written) if isinstance(written, str) else written


class MonthParams(Params):
    """None."""


class Month:
    """The month of a date, as text ``YYYY-MM`` (GB/T 7408.1)."""

    name: ClassVar[str] = "month"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "月份泛化"
    summary: ClassVar[str] = "Replaces a date by its year and month."
    params: ClassVar[type[Params]] = MonthParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = _DATES
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            (date(2001, 2, 3), date(987, 12, 31), None), ("2001-02", "0987-12", None), given=pa.date32()
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is no date.
        """
        require(self.name, values, self.accepts)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: there are parameters.
        """
        MonthParams.model_validate(params)

        def many(values: pa.Array) -> pa.Array:
            months = values.cast(pa.date32()).to_numpy(zero_copy_only=False).astype("datetime64[M]")
            # A column has few months, so that each is written once.
            encoded = pa.array(months.astype(np.int64), mask=~is_valid(values)).dictionary_encode()
            distinct = encoded.dictionary.to_numpy().astype("datetime64[M]")
            names = pa.array(np.datetime_as_string(distinct).tolist(), pa.string())
            return names.take(encoded.indices)

        return Each(lambda day: day.isoformat()[:7], many, pa.string())


class AgeBandParams(Params):
    """Width of the bands in years, and the day on which the age counts."""

    at: Annotated[date, BeforeValidator(_as_day)]
    width: WholeNumber = Field(default=10, ge=2, le=100)


class AgeBand:
    """The band in which the age lies that somebody born on a date has on a day: ``30-39``; else null."""

    name: ClassVar[str] = "age_band"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "年龄段"
    summary: ClassVar[str] = "Replaces a date of birth by the age band on a day that the policy names."
    params: ClassVar[type[Params]] = AgeBandParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = _DATES
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            (date(1990, 1, 1), date(1990, 1, 2), date(2020, 2, 29), date(2026, 1, 2), date(1800, 1, 1), None),
            ("30-39", "30-39", "0-9", None, None, None),
            {"at": "2026-01-01"},
            pa.date32(),
        ),
        KnownAnswer(
            (date(2008, 1, 1), date(2008, 1, 2)),
            ("18-35", "0-17"),
            {"at": "2026-01-01", "width": 18},
            pa.date32(),
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is no date.
        """
        require(self.name, values, self.accepts)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: ``at`` is no day, or the width is out of bounds.
        """
        bounds = AgeBandParams.model_validate(params)
        bands = [_band(age - age % bounds.width, bounds.width) for age in range(_OLDEST)]
        names = pa.array(bands, pa.string())
        month_and_day = bounds.at.month * 100 + bounds.at.day

        def one(born: date) -> str | None:
            age = bounds.at.year - born.year - (born.month * 100 + born.day > month_and_day)
            return bands[age] if 0 <= age < _OLDEST else None

        def many(values: pa.Array) -> pa.Array:
            born = values.cast(pa.date32())
            had_birthday = pc.less_equal(
                pc.add(pc.multiply(pc.month(born), 100), pc.day(born)), pa.scalar(month_and_day, pa.int64())
            )
            ages = pc.subtract(pa.scalar(bounds.at.year, pa.int64()), pc.year(born))
            ages = pc.subtract(ages, pc.if_else(had_birthday, 0, 1))
            known = pc.and_(pc.greater_equal(ages, 0), pc.less(ages, _OLDEST))
            whole = pc.fill_null(pc.if_else(known, ages, None), 0).to_numpy(zero_copy_only=False)
            missing = ~pc.fill_null(known, False).to_numpy(zero_copy_only=False)
            return names.take(pa.array(whole, mask=missing))

        return Each(one, many, pa.string())


def _band(first: int, width: int) -> str:
    return f"{first}-{first + width - 1}"
