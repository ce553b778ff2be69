"""Generalisation (泛化): a date becomes its year, a place the larger place it lies in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator

from adapters.masking.arrays import Each, TextBytes, fixed_width_texts, is_valid, rebuilt, require, text_mask
from adapters.masking.contract import BoundMask, KeyContext, KnownAnswer, Params, Properties, TypeTest
from adapters.masking.resident_id import LENGTH, are_resident_ids, is_resident_id

_DATED = {"date": pa.types.is_date, "timestamp": pa.types.is_timestamp, "text": pa.types.is_string}
_DATE_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
_CODE_FORM = re.compile(r"[1-9][0-9]{5}")
_CODE = 6
_KEPT = {"province": 2, "city": 4, "district": 6}


class YearParams(Params):
    """The calendar in which a point in time has its year; dates and local times are their own."""

    zone: str = "Asia/Shanghai"

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (OSError, ValueError) as error:
            raise ValueError("zone is no IANA time zone") from error
        except KeyError:
            raise ValueError("zone is no IANA time zone") from None
        return zone


class Year:
    """The year of a date, of a timestamp, or of a text ``YYYY-MM-DD`` or ``YYYYMMDD``; else null."""

    name: ClassVar[str] = "year"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "年份泛化"
    summary: ClassVar[str] = "Replaces a date by its year."
    params: ClassVar[type[Params]] = YearParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = _DATED
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(("2001-02-03", "20010203", "2001-02-30", "2001", None), (2001, 2001, None, None, None)),
        KnownAnswer((date(2001, 2, 3), None), (2001, None), given=pa.date32()),
        KnownAnswer((datetime(2001, 12, 31, 16, tzinfo=UTC),), (2002,), given=pa.timestamp("us", "UTC")),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``int64``.

        Raises:
            TypeError: ``values`` is neither date, timestamp nor text.
        """
        require(self.name, values, _DATED)
        return pa.int64()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: ``zone`` is unknown.
        """
        zone = YearParams.model_validate(params).zone

        def many(dates: pa.Array) -> pa.Array:
            require(self.name, dates.type, _DATED)
            if pa.types.is_string(dates.type):
                return _years_of_texts(dates)
            if pa.types.is_timestamp(dates.type) and dates.type.tz is not None:
                dates = dates.cast(pa.timestamp(dates.type.unit, tz=zone))
            return rebuilt(pc.year(dates))

        place = ZoneInfo(zone)

        def one(value: str | date) -> int | None:
            if isinstance(value, datetime) and value.tzinfo is not None:
                return value.astimezone(place).year
            return value.year if isinstance(value, date) else _year(value)

        return Each(one, many, pa.int64())


def _years_of_texts(texts: pa.Array) -> pa.Array:
    """Each distinct text is read once: a column holds few different dates."""
    encoded = texts.dictionary_encode()
    years = [_year(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(years, pa.int64()).take(encoded.indices)


def _year(text: str) -> int | None:
    if not _DATE_FORM.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).year
    except ValueError:
        return None


class RegionParams(Params):
    """The level to which a region is generalised."""

    to: Literal["province", "city", "district"]


class Region:
    """The GB/T 2260 code of the province, city or district in which a region lies, filled up with zeros.

    Takes six-digit codes and well-formed resident ids (GB 11643, whose first six digits are the place of
    first registration). Anything else becomes null.
    """

    name: ClassVar[str] = "region"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "行政区划泛化"
    summary: ClassVar[str] = "Replaces a region code or a resident id by its province, city or district."
    params: ClassVar[type[Params]] = RegionParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = {"text": pa.types.is_string}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("990101", "990101189901010015", "990101189901010016", "99010", None),
            ("990100", "990100", None, None, None),
            {"to": "city"},
        ),
        KnownAnswer(("990101",), ("990000",), {"to": "province"}),
        KnownAnswer(("990101",), ("990101",), {"to": "district"}),
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
            ValueError: ``to`` is no level.
        """
        kept = _KEPT[RegionParams.model_validate(params).to]

        def one(text: str) -> str | None:
            if not _CODE_FORM.fullmatch(text) and not is_resident_id(text):
                return None
            return text[:kept].ljust(_CODE, "0")

        return text_mask(one, lambda texts: _regions(texts, kept))


def _regions(texts: pa.Array, kept: int) -> pa.Array:
    layout = TextBytes.of(texts)
    valid = is_valid(texts)
    codes = np.flatnonzero(valid & (layout.lengths == _CODE))
    ids = np.flatnonzero(valid & (layout.lengths == LENGTH))
    digits = layout.window(codes, _CODE)
    codes = codes[((digits >= ord("0")) & (digits <= ord("9"))).all(axis=1) & (digits[:, 0] != ord("0"))]
    ids = ids[are_resident_ids(layout.window(ids, LENGTH))]
    rows = np.sort(np.concatenate((codes, ids)))
    regions = np.full((len(rows), _CODE), ord("0"), np.uint8)
    regions[:, :kept] = layout.window(rows, kept)
    known = np.zeros(len(texts), np.bool_)
    known[rows] = True
    return fixed_width_texts(regions, known)
