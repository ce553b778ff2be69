from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.arrow import arrow_type
from broker.formats import FEW
from broker.model import FieldType
from broker.transmit.conversion import converted
from broker.transmit.values import converted_values

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YEAR = datetime(2025, 12, 31, 16, tzinfo=UTC)
"""Midnight of 2026-01-01 in Shanghai."""

FITS: dict[FieldType, list[tuple[Any, Any]]] = {
    FieldType.TEXT: [("甲", "甲"), ("", ""), ("a\nb", "a\nb"), (7, "7")],
    FieldType.INTEGER: [
        (7, 7),
        ("007", 7),
        ("-7", -7),
        (7.0, 7),
        (Decimal("7"), 7),
        ("9" * 18, 10**18 - 1),
        ("-1,234", -1234),
    ],
    FieldType.DECIMAL: [
        ("1.50", "1.50"),
        ("1,234,567.50", "1234567.50"),
        ("-0.5", "-0.5"),
        (Decimal("1.50"), "1.50"),
        (3, "3"),
        (12.5, "12.5"),
        (0.1, "0.1"),
    ],
    FieldType.BOOLEAN: [
        (True, True),
        (0, False),
        (1, True),
        ("true", True),
        ("False", False),
        ("0", False),
        ("是", True),
        ("否", False),
        ("Y", True),
        ("n", False),
    ],
    FieldType.DATE: [
        (date(2026, 1, 1), date(2026, 1, 1)),
        ("2026-01-01", date(2026, 1, 1)),
        ("20260101", date(2026, 1, 1)),
        (datetime(2026, 1, 1), date(2026, 1, 1)),
        ("0001-01-01", date(1, 1, 1)),
        ("2026/1/1", date(2026, 1, 1)),
        ("2026.01.1", date(2026, 1, 1)),
        ("2026-1-1", date(2026, 1, 1)),
        ("2026年1月1日", date(2026, 1, 1)),
        ("2026-01-01 00:00:00", date(2026, 1, 1)),
        ("2026/1/1 0:00", date(2026, 1, 1)),
    ],
    FieldType.TIMESTAMP: [
        (NEW_YEAR, NEW_YEAR),
        ("2025-12-31T16:00:00Z", NEW_YEAR),
        ("2026-01-01 00:00:00+08:00", NEW_YEAR),
        ("2026-01-01 00:00:00.000000+0800", NEW_YEAR),
        ("2026-01-01T00:00:00", NEW_YEAR),
        ("2026-01-01 00:00", NEW_YEAR),
        ("2026-01-01", NEW_YEAR),
        ("2026/1/1", NEW_YEAR),
        ("2026年1月1日 0:00:00", NEW_YEAR),
        ("2026/1/1 0:00:00+08:00", NEW_YEAR),
        (datetime(2026, 1, 1), NEW_YEAR),
        (date(2026, 1, 1), NEW_YEAR),
        ("1986-06-01 00:00:00", datetime(1986, 5, 31, 15, tzinfo=UTC)),  # Shanghai had summer time then
    ],
}
DOES_NOT_FIT: dict[FieldType, list[Any]] = {
    FieldType.TEXT: ["张\ufffd", b"bytes", 1.5, True, date(2026, 1, 1)],
    FieldType.INTEGER: [
        "7.0",
        "seven",
        " 7",
        "0x7",
        "",
        "٧",
        7.5,
        float("nan"),
        float("inf"),
        1e300,
        True,
        "9" * 19,
    ],
    FieldType.DECIMAL: [
        "1e3",
        "1,00.00",
        "1.000,00",
        "1，000",
        "NaN",
        "+1",
        ".5",
        "",
        float("nan"),
        float("inf"),
        1e300,
        True,
        b"1",
    ],
    FieldType.BOOLEAN: [2, -1, "yes", "是的", "真", "", 1.0, date(2026, 1, 1)],
    FieldType.DATE: [
        "2023-02-30",
        "3-2-2023",
        "23-2-3",
        "2023-2-30",
        "2023年2月",
        "2023-02-03 08:00:00",
        "20230230",
        "02/03/2023",
        "1 Feb",
        "",
        "0000-01-01",
        "infinity",
        20260101,
        datetime(2026, 1, 1, 0, 0, 1),
        NEW_YEAR,
    ],
    FieldType.TIMESTAMP: [
        "2023-02-30 00:00:00Z",
        "2023-02-30 00:00:00",
        "2026-01-01 24:00:00",
        "2026-01-01 00:00:60Z",
        "2026-01-01Z",
        "0001-01-01T00:00:00+08:00",  # the year before the first
        "9999-12-31T23:59:59-08:00",
        "now",
        "",
        1767225600,
        True,
    ],
}


@pytest.mark.parametrize("repeated", [1, FEW + 1])
@pytest.mark.parametrize(
    ("kind", "value", "expected"), [(k, *pair) for k, pairs in FITS.items() for pair in pairs]
)
def test_what_fits(kind: FieldType, value: Any, expected: Any, repeated: int) -> None:
    """Each form with one meaning only becomes the catalog's type, in short columns and in long."""
    result = converted(pa.array([value, None] * repeated), kind, SHANGHAI)
    assert result.type == arrow_type(kind)
    assert result.to_pylist() == [expected, None] * repeated


@pytest.mark.parametrize("repeated", [1, FEW + 1])
@pytest.mark.parametrize(
    ("kind", "value"), [(k, value) for k, values in DOES_NOT_FIT.items() for value in values]
)
def test_what_does_not_fit(kind: FieldType, value: Any, repeated: int) -> None:
    """What could be meant in more than one way, or in none, becomes null."""
    result = converted(pa.array([value, None] * repeated), kind, SHANGHAI)
    assert result.type == arrow_type(kind)
    assert result.to_pylist() == [None, None] * repeated


@pytest.mark.parametrize("kind", FieldType)
def test_a_bad_value_does_not_spoil_its_neighbours(kind: FieldType) -> None:
    """In a column of texts each value is judged alone."""
    fits = [(value, expected) for value, expected in FITS[kind] if isinstance(value, str)]
    bad = [value for value in DOES_NOT_FIT[kind] if isinstance(value, str)]
    for repeated in (1, FEW):
        texts = pa.array([*bad, *(value for value, _ in fits)] * repeated, pa.string())
        expected = [*[None] * len(bad), *(wanted for _, wanted in fits)] * repeated
        assert converted(texts, kind, SHANGHAI).to_pylist() == expected


arrays = st.one_of(
    st.lists(st.none() | st.text(st.sampled_from("0123456789-+.:TZ eE /x甲\ufffd"), max_size=26)),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)).map(lambda v: pa.array(v, pa.int64())),
    st.lists(st.none() | st.floats()).map(lambda v: pa.array(v, pa.float64())),
    st.lists(st.none() | st.booleans()).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.none() | st.binary(max_size=4)).map(lambda v: pa.array(v, pa.binary())),
    st.lists(st.none() | st.integers(-(2**31), 2**31 - 1)).map(lambda v: pa.array(v, pa.date32())),
    st.tuples(
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
        st.sampled_from(["s", "ms", "us", "ns"]),
        st.sampled_from([None, "UTC", "+08:00"]),
    ).map(lambda v: pa.array(v[0], pa.timestamp(v[1], v[2]))),
    st.lists(st.none() | st.lists(st.integers(0, 9))).map(lambda v: pa.array(v, pa.list_(pa.int64()))),
    st.lists(st.none() | st.text(max_size=3)).map(lambda v: pa.array(v, pa.string()).dictionary_encode()),
    st.integers(0, 3).map(pa.nulls),
)


@given(values=arrays, kind=st.sampled_from(FieldType))
def test_nothing_raises(values: Any, kind: FieldType) -> None:
    """Whatever a source gives, it becomes the catalog's type or null, and Python can read it."""
    values = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    result = converted(values, kind, SHANGHAI)
    assert (result.type, len(result)) == (arrow_type(kind), len(values))
    assert result.null_count >= values.null_count
    result.to_pylist()
    result.validate(full=True)


@given(values=arrays, kind=st.sampled_from(FieldType))
def test_a_few_values_are_read_as_a_column_is(values: Any, kind: FieldType) -> None:
    """Value by value or all at once: the result is the same."""
    values = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    assert converted_values(values, kind, SHANGHAI) == converted(values, kind, SHANGHAI).to_pylist()


times = st.builds(
    "{:%Y-%m-%d}{}{}{}".format,
    st.dates(),
    st.sampled_from([" ", "T"]),
    st.builds(lambda t: t.isoformat(), st.times())
    | st.sampled_from(["08:00", "23:59:59.1", "00:00:00.123456"]),
    st.sampled_from(["", "Z", "+08:00", "-1400", "+0530", "+14", "+00:00"]),
)


@given(texts=st.lists(times, max_size=3), kind=st.sampled_from([FieldType.TIMESTAMP, FieldType.DATE]))
@pytest.mark.parametrize("zone", [SHANGHAI, ZoneInfo("America/New_York"), ZoneInfo("UTC")], ids=str)
def test_a_few_times_are_read_as_a_column_is(texts: list[str], kind: FieldType, zone: ZoneInfo) -> None:
    """Offsets, fractions, summer time and the first and last years included."""
    column = pa.array(texts, pa.string())
    assert converted_values(column, kind, zone) == converted(column, kind, zone).to_pylist()


@pytest.mark.parametrize(
    ("kind", "value"),
    [(k, v) for k, pairs in FITS.items() for v, _ in pairs]
    + [(k, v) for k, all_ in DOES_NOT_FIT.items() for v in all_],
)
def test_one_value_is_read_as_in_a_column(kind: FieldType, value: Any) -> None:
    """Every form in the tables above, those that go by value and those that go by column."""
    column = pa.array([value, None])
    assert converted_values(column, kind, SHANGHAI) == converted(column, kind, SHANGHAI).to_pylist()
