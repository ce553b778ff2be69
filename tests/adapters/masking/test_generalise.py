"""Generalisation: years of dates in every form, regions of codes and resident ids."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.check_characters import RESIDENT_CHECKS, resident_check
from adapters.masking.resident_id import are_resident_ids, is_resident_id

IDS = ["990101189901010015", "990101189901010023", "99010118990101004X"]


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2024-02-29", 2024),
        ("20240229", 2024),
        ("2023-02-29", None),
        ("2023-13-01", None),
        ("2023-W01-1", None),
        ("0000-01-01", None),
        ("2023", None),
        ("２０２３-01-01", None),
        ("2023-01-01\n", None),
        ("1990年6月", None),
        ("", None),
        (None, None),
    ],
)
def test_year_of_a_text(bind, text, year, times) -> None:
    """Only a date that exists has a year; anything else becomes null."""
    assert bind("year")(pa.array([text] * times, pa.string())).to_pylist() == [year] * times


@given(st.lists(st.none() | st.dates(), max_size=10))
def test_year_of_a_date(bind, dates) -> None:
    """Dates, as dates and as texts, few or many, have the year the calendar says."""
    years = [None if day is None else day.year for day in dates]
    assert bind("year")(pa.array(dates, pa.date32())).to_pylist() == years
    assert bind("year")(pa.array(dates * 40, pa.date32())).to_pylist() == years * 40
    texts = pa.array([None if day is None else day.isoformat() for day in dates], pa.string())
    assert bind("year")(texts).to_pylist() == years


def test_year_of_a_moment_is_that_of_the_place(bind) -> None:
    """New Year in China comes eight hours before UTC's; a local time is taken as it stands."""
    moment = datetime(2025, 12, 31, 16, tzinfo=UTC)
    for unit in ("s", "us", "ns"):
        values = pa.array([moment, None], pa.timestamp(unit, "UTC"))
        assert bind("year")(values).to_pylist() == [2026, None]
        assert bind("year", zone="UTC")(values).to_pylist() == [2025, None]
    assert bind("year")(pa.array([moment.replace(tzinfo=None)], pa.timestamp("us"))).to_pylist() == [2025]


@pytest.mark.parametrize("zone", ["Atlantis/Capital", "", "../etc/passwd", "/etc/passwd"])
def test_unknown_zones_are_refused(bind, zone) -> None:
    """A zone that no calendar knows is found at bind."""
    with pytest.raises(ValueError, match="IANA"):
        bind("year", zone=zone)


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize(
    ("value", "province", "city", "district"),
    [
        ("990101", "990000", "990100", "990101"),
        ("990100", "990000", "990100", "990100"),
        ("998765", "990000", "998700", "998765"),
        ("990101189901010015", "990000", "990100", "990101"),
        ("99010118990101004X", "990000", "990100", "990101"),
        ("990101189901010016", None, None, None),
        ("990101189913010015", None, None, None),
        ("99010118990101004x", None, None, None),
        ("090101", None, None, None),
        ("99010", None, None, None),
        ("9901011", None, None, None),
        ("99010a", None, None, None),
        ("９９0101", None, None, None),
        ("区划码", None, None, None),
        ("星河市辖区代", None, None, None),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_regions(bind, value, province, city, district, times) -> None:
    """Codes and valid ids give the larger place, filled with zeros; invalid ones give nothing at all."""
    values = pa.array([value] * times, pa.string())
    for level, code in (("province", province), ("city", city), ("district", district)):
        assert bind("region", to=level)(values).to_pylist() == [code] * times


@given(
    st.lists(
        st.none() | st.sampled_from(IDS) | st.from_regex(r"[0-9]{6}", fullmatch=True) | st.text(), max_size=9
    )
)
def test_few_and_many_regions_agree(bind, values) -> None:
    """The vectorised form equals the definition on any mixture."""
    few = bind("region", to="city")(pa.array(values, pa.string())).to_pylist()
    assert bind("region", to="city")(pa.array(values * 40, pa.string())).to_pylist() == few * 40


@pytest.mark.parametrize("params", [{}, {"to": "street"}, {"to": None}, {"to": 2}])
def test_unknown_levels_are_refused(bind, params) -> None:
    """A region is generalised to a province, a city or a district."""
    with pytest.raises(ValueError, match="to"):
        bind("region", **params)


@given(
    st.sampled_from(IDS), st.dictionaries(st.integers(0, 17), st.sampled_from("0123456789Xx /:"), max_size=3)
)
def test_both_forms_of_the_id_check_agree(valid, changes) -> None:
    """GB 11643: the check of one text and of a column give the same verdict on near misses."""
    text = "".join(changes.get(place, character) for place, character in enumerate(valid))
    rows = np.frombuffer(text.encode(), np.uint8).reshape(1, 18)
    assert bool(are_resident_ids(rows)[0]) == is_resident_id(text)


@given(
    st.dates(min_value=date(1, 1, 1))
    | st.sampled_from(["19000229", "20000229", "20010229", "20010431", "00000101"])
)
def test_birth_dates_must_exist(day) -> None:
    """Ids with a right check character pass exactly when their date of birth is in the calendar."""
    body = "990101" + (day if isinstance(day, str) else day.strftime("%Y%m%d").zfill(8)) + "001"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    text = body + "10X98765432"[sum(w * int(d) for w, d in zip(weights, body, strict=True)) % 11]
    exists = not isinstance(day, str) or day == "20000229"
    assert is_resident_id(text) == exists
    assert bool(are_resident_ids(np.frombuffer(text.encode(), np.uint8).reshape(1, 18))[0]) == exists


def test_both_forms_of_the_id_check_know_leap_years() -> None:
    """1900 was no leap year and 2000 was one: id by id and in a column."""
    assert with_checks("99010119000229001", "99010120000229001", "99010120010229001") == [False, True, False]


@pytest.mark.parametrize("year", [0, 1, 1000, 1899, 1900, 1999, 2000, 2024, 9999])
def test_every_month_and_day_is_looked_up(year: int) -> None:
    """All months from 0 to 19 and days from 0 to 39 of a year: those of the calendar, and no other."""
    places = [(month, day) for month in range(20) for day in range(40)]
    found = with_checks(*[f"990101{year:04d}{month:02d}{day:02d}001" for month, day in places])
    assert found == [in_calendar(year, month, day) for month, day in places]


def in_calendar(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def with_checks(*bodies: str) -> list[bool]:
    """Whether the bodies, each with its right check character, are ids; the same in both forms."""
    ids = [body + RESIDENT_CHECKS[resident_check([int(digit) for digit in body])] for body in bodies]
    rows = np.frombuffer("".join(ids).encode(), np.uint8).reshape(-1, 18)
    found = are_resident_ids(rows).tolist()
    assert found == [is_resident_id(text) for text in ids]
    return found
