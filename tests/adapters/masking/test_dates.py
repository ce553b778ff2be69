"""Dates made coarser: as the calendar has it, on the day that policy names."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.dates import AgeBand, AgeBandParams, Month, MonthParams

DATES = st.lists(st.none() | st.dates(), min_size=1, max_size=40)


@given(DATES)
def test_month_is_the_calendars(days) -> None:
    """The first seven characters of the ISO date, whatever the century."""
    expected = [None if day is None else day.isoformat()[:7] for day in days]
    assert Month().bind(MonthParams(), None)(pa.array(days, pa.date32())).to_pylist() == expected


@given(DATES, st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(2, 100))
def test_age_band_holds_the_age(days, at: date, width: int) -> None:
    """The age in full years on the day; before birth and beyond 150 years nobody has one."""
    bands = AgeBand().bind(AgeBandParams(at=at, width=width), None)(pa.array(days, pa.date32())).to_pylist()
    for day, band in zip(days, bands, strict=True):
        age = -1 if day is None else at.year - day.year - ((at.month, at.day) < (day.month, day.day))
        assert (band is None) == (not 0 <= age < 150)
        if band is not None:
            first, last = map(int, band.split("-"))
            assert first <= age <= last == first + width - 1
            assert first % width == 0


@pytest.mark.parametrize("params", [{}, {"at": "2026-02-30"}, {"at": "2026-01-01", "width": 1}, {"at": 5}])
def test_a_band_needs_a_day_and_a_width(params) -> None:
    """Without a day the age would change by itself; a band of one year is the age."""
    with pytest.raises(ValueError, match=r"at|width"):
        AgeBandParams.model_validate(params)
