"""Dates moved (按人平移日期): by days that differ from person to person, and are secret.

All dates of one person move alike within one key context, so how long things took stays true. The context is
the field's domain: fields that shall move together must be given the same ``domain`` in the catalog. Whoever
knows one true date of a person knows how far that person's others moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from string import ascii_lowercase, ascii_uppercase
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from adapters.masking.arrays import FEW, TextBytes, apart, plain_type, require
from adapters.masking.cmac import cmac_many, cmac_with
from adapters.masking.contract import (
    Beside,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
    WholeNumber,
)

KEY_LABEL = "date_shift/aes-cmac-128"
_EPOCH = date(1970, 1, 1)
_FIRST, _LAST = (date(1900, 1, 1) - _EPOCH).days, (date(2099, 12, 31) - _EPOCH).days
"""These days, and whatever lies before or after them, are no dates but marks such as 长期 or a default. They
become null: a mark is known, so that moved it would tell how far its person's dates moved."""

_SECONDS = 86_400
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EMPTY = pa.scalar("", pa.string())
_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)


class DateShiftParams(Params):
    """The most days that a date moves, and the field that says whose it is, where the dataset has several."""

    days: WholeNumber = Field(ge=7, le=3650)
    subject: str = Field(default="", max_length=100)


class DateShift:
    """Moves a date by 1 to ``days`` days, earlier or later; never by none, which would show it.

    A person's move is AES-CMAC-128 (RFC 4493) of the identifier in UTF-8, its ASCII letters in capitals: the
    first 8 bytes, big-endian, modulo 2 × ``days``, counted from ``-days`` on with zero left out. Of a
    timestamp the time of day (UTC) stays as it is. Who is not known has no date: null.
    """

    name: ClassVar[str] = "date_shift"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "按人平移日期"
    summary: ClassVar[str] = "Moves all dates of one person by the same secret number of days."
    params: ClassVar[type[Params]] = DateShiftParams
    properties: ClassVar[Properties] = Properties(
        format_preserving=True, needs_key=True, beside=Beside.SUBJECT
    )
    accepts: ClassVar[Mapping[str, TypeTest]] = {
        "date": pa.types.is_date32,
        "timestamp": pa.types.is_timestamp,
    }
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            (date(2001, 2, 3), date(2001, 2, 13), date(2001, 2, 3), date(2001, 2, 3)),
            (date(2001, 3, 8), date(2001, 3, 18), date(2001, 6, 19), date(2001, 6, 19)),
            {"days": 180},
            pa.date32(),
            ("990101189901010015", "990101189901010015", "99010118990101004X", "99010118990101004x"),
        ),
        KnownAnswer(
            (
                date(1900, 1, 1),
                date(2099, 12, 31),
                date(9999, 12, 31),
                date(2001, 2, 3),
                date(2001, 2, 3),
                None,
            ),
            (None,) * 6,
            {"days": 180},
            pa.date32(),
            (*["990101189901010015"] * 3, None, "", "990101189901010015"),
        ),
        KnownAnswer(
            (datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC),),
            (datetime(2001, 3, 8, 4, 5, 6, 7, tzinfo=UTC),),
            {"days": 180},
            pa.timestamp("us", "UTC"),
            ("990101189901010015",),
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """The type of ``values``.

        Raises:
            TypeError: ``values`` is neither date nor timestamp.
        """
        require(self.name, values, self.accepts)
        return plain_type(values)

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Derives the key once.

        Raises:
            ValueError: ``days`` is out of bounds, or there are no keys.
        """
        days = DateShiftParams.model_validate(params).days
        if keys is None:
            raise ValueError(f"{self.name} needs a key")
        key = keys.derive(KEY_LABEL, 16)
        tag = cmac_with(key)

        def one(number: int | None, subject: str | None, units: int) -> int | None:
            if number is None or not subject or not _is_date(number // units):
                return None
            return number + _move(tag(subject.translate(_CAPITALS).encode()), days) * units

        def mask(pairs: pa.Array) -> pa.Array:
            dates, subjects = apart(pairs)
            require(self.name, dates.type, self.accepts)
            units = _units(dates.type)
            numbers = dates.cast(pa.int32() if units == 1 else pa.int64())
            if len(numbers) > FEW:
                return _many(key, numbers, subjects, days, units).cast(dates.type)
            few = [
                one(number, subject, units)
                for number, subject in zip(numbers.to_pylist(), subjects.to_pylist(), strict=True)
            ]
            return pa.array(few, numbers.type).cast(dates.type)

        return mask


def _units(column: pa.DataType) -> int:
    """How many of the column's units make a day."""
    return 1 if pa.types.is_date32(column) else _SECONDS * _PER_SECOND[column.unit]


def _is_date(day: int) -> bool:
    return _FIRST < day < _LAST


def _move(tag: bytes, days: int) -> int:
    """How many days the dates of a subject of such ``tag`` move."""
    drawn = int.from_bytes(tag[:8], "big") % (2 * days) - days
    return drawn + (drawn >= 0)


def _many(key: bytes, numbers: pa.Array, subjects: pa.Array, days: int, units: int) -> pa.Array:
    there = pc.fill_null(pc.and_(numbers.is_valid(), pc.not_equal(subjects, _EMPTY)), False)
    moved = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    day = moved // units
    rows = np.flatnonzero(there.to_numpy(zero_copy_only=False) & (day > _FIRST) & (day < _LAST))
    tags = cmac_many(key, _in_capitals(TextBytes.of(subjects)), rows)
    drawn = (tags[:, :8].copy().view(">u8").ravel() % np.uint64(2 * days)).astype(np.int64) - days
    moved[rows] += (drawn + (drawn >= 0)) * units
    unknown = np.ones(len(moved), np.bool_)
    unknown[rows] = False
    moved[unknown] = 0
    return pa.array(moved, pa.int64(), mask=unknown).cast(numbers.type)


def _in_capitals(texts: TextBytes) -> TextBytes:
    """By hand: ``pyarrow.compute.ascii_upper`` garbles a text array whose first offset is not 0, as what is
    cast from a slice of ``large_string`` may be (pyarrow 26).
    """
    small = (texts.data >= ord("a")) & (texts.data <= ord("z"))
    return replace(texts, data=texts.data ^ (small * np.uint8(ord("a") ^ ord("A"))))
