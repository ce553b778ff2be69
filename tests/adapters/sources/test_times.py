"""Dates as people write them."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.times import in_iso, newest_of


def iso(text: str | None) -> str | None:
    (result,) = in_iso(pa.array([text], pa.string())).to_pylist()
    return result  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026/1/3", "2026-01-03"),
        ("2026.01.03", "2026-01-03"),
        ("2026-1-3", "2026-01-03"),
        ("2026年1月3日", "2026-01-03"),
        ("2026 年 1 月 3 日", "2026-01-03"),
        ("2026/1/3 日前", "2026/1/3 日前"),
        ("2026年11月23日 8:05:09", "2026-11-23 08:05:09"),
        ("2026/1/3T8:05", "2026-01-03 08:05"),
        ("2026/1/3 08:05+08:00", "2026-01-03 08:05+08:00"),
        ("2026/1/3 08:05-0130", "2026-01-03 08:05-0130"),
        ("2026-01-03", "2026-01-03"),
        ("20260103", "20260103"),
        ("1/3/2026", "1/3/2026"),
        ("26/1/3", "26/1/3"),
        ("2026年1月", "2026年1月"),
        ("2026-1-234", "2026-1-234"),
        ("12026/1/3", "12026/1/3"),
        ("", ""),
        (None, None),
    ],
)
def test_spellings(written: str | None, expected: str | None) -> None:
    """Year first, four digits: that can be meant in one way only; everything else stays as it is."""
    assert iso(written) == expected


@given(
    st.dates(date(1000, 1, 1)),
    st.sampled_from(["{}/{}/{}", "{}-{}-{}", "{}.{}.{}", "{}年{}月{}日", "{}/{:02}/{:02}", "{}.{:02}.{}"]),
)
def test_every_day_in_every_spelling(day: date, spelling: str) -> None:
    """What is written as a day is that day."""
    assert iso(spelling.format(day.year, day.month, day.day)) == day.isoformat()


@given(st.text(st.sampled_from("0123456789-/.年月日 T:+Z"), max_size=24))
def test_rewriting_twice_is_rewriting_once(text: str) -> None:
    """What has been rewritten is ISO 8601 already."""
    assert iso(iso(text)) == iso(text)


def test_the_newest_among_what_is_no_time() -> None:
    """Garbage is passed over; a date counts from its midnight."""
    assert newest_of(["zzz", None, "2026年1月3日", "2025-01-01"]) == datetime(2026, 1, 3)
    assert newest_of([date(2026, 1, 3)]) == datetime(2026, 1, 3)
    assert newest_of(["x"]) is None
