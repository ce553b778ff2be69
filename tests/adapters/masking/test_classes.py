"""Equivalence classes over Arrow columns."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.masking.classes import ClassCounter, CrowdCounter, TooManyClasses, class_codes, class_sizes

KINDS = (
    (pa.string(), st.sampled_from(("", "甲", "乙", "a", "a\x00"))),
    (pa.large_string(), st.sampled_from(("甲", "乙"))),
    (pa.string_view(), st.sampled_from(("甲", "a text longer than twelve bytes"))),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(("甲", "乙"))),
    (pa.int64(), st.integers(-2, 2) | st.sampled_from((2**62, -(2**62)))),
    (pa.float64(), st.sampled_from((0.0, 1.5, -1.5))),
    (pa.decimal128(20, 2), st.sampled_from((Decimal("1.00"), Decimal("1.10"), Decimal("-1.10")))),
    (pa.date32(), st.sampled_from((date(1990, 1, 1), date(1991, 1, 1)))),
    (pa.timestamp("us", "UTC"), st.sampled_from((datetime(1990, 1, 1), datetime(1991, 1, 1)))),
    (pa.bool_(), st.booleans()),
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """One to four columns of any of the types, of up to 40 rows, with nulls."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    rows = draw(st.integers(0, 40))
    columns = [
        pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), of) for of, values in kinds
    ]
    return pa.table(columns, names=[str(i) for i in range(len(columns))])


def plainly(table: pa.Table) -> list[int]:
    """The same by a dict of tuples."""
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    counted = Counter(rows)
    return [counted[row] for row in rows]


@given(tables())
@settings(max_examples=80, deadline=None)
def test_sizes_are_those_of_a_plain_dict(table: pa.Table) -> None:
    """Whatever the types and nulls, a row's class has as many rows as a dict of tuples says."""
    assert class_sizes(table.columns).to_pylist() == plainly(table)


@given(tables(), st.lists(st.integers(0, 40), max_size=4))
@settings(max_examples=80, deadline=None)
def test_batches_count_as_the_whole(table: pa.Table, cuts: list[int]) -> None:
    """However a table is cut, counting batch by batch tells the sizes of the whole."""
    bounds = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    pieces = [table[a:b] for a, b in pairwise(bounds)]
    counter = ClassCounter(1000)
    for piece in pieces:
        counter.add(piece.columns)
    told = [size for piece in pieces for size in counter.sizes(piece.columns).to_pylist()]
    assert told == plainly(table)
    assert sum(counter.counts.to_pylist()) == len(table)
    assert len(counter) == len(set(class_codes(table.columns).tolist()))


@given(tables())
@settings(max_examples=50, deadline=None)
def test_offsets_and_chunks_change_nothing(table: pa.Table) -> None:
    """A slice of a longer array and an array in chunks give the classes of the rows they show."""
    doubled = pa.concat_tables([table, table])
    assert class_sizes(doubled[len(table) :].columns).to_pylist() == plainly(table)
    arrays = [column.combine_chunks() for column in doubled.columns]
    assert class_sizes([a.slice(len(table)) for a in arrays]).to_pylist() == plainly(table)


def test_a_class_never_counted_has_no_rows() -> None:
    """What was not in any batch counted is of size 0, in one column or in their combination."""
    counter = ClassCounter(10)
    counter.add([pa.array(["a", "b"]), pa.array([1, 2])])
    assert counter.sizes(
        [pa.array(["a", "b", "a", "c", None]), pa.array([1, 1, None, 1, 1])]
    ).to_pylist() == [1, 0, 0, 0, 0]
    assert ClassCounter(10).sizes([pa.array(["a"])]).to_pylist() == [0]


def test_numbers_that_look_alike_are_one_value() -> None:
    """Every NaN is one value and so are both zeros, of any width; null is another."""
    for kind in (pa.float64(), pa.float32(), pa.float16()):
        floats = pa.array([float("nan"), -float("nan"), 0.0, -0.0, None], kind)
        assert class_sizes([floats]).to_pylist() == [2, 2, 2, 2, 1]


def test_too_many_classes_are_said() -> None:
    """Beyond its bound a counter raises, rather than to forget a class."""
    counter = ClassCounter(2)
    counter.add([pa.array([1, 2, 2])])
    with pytest.raises(TooManyClasses):
        counter.add([pa.array([3])])


def test_what_cannot_be_compared_is_refused() -> None:
    """Nested values, no columns, ragged columns and a changed type raise."""
    with pytest.raises(TypeError):
        class_sizes([pa.array([[1]])])
    with pytest.raises(ValueError, match="no columns"):
        class_sizes([])
    with pytest.raises(ValueError, match="one length"):
        class_sizes([pa.array([1]), pa.array([1, 2])])
    counter = ClassCounter(2)
    counter.add([pa.array([1])])
    with pytest.raises(ValueError, match="changed its type"):
        counter.sizes([pa.array(["1"])])


PEOPLE = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from("甲乙丙丁") | st.none(), st.sampled_from("子丑寅") | st.none()
    ),
    max_size=60,
)


@given(PEOPLE, st.integers(1, 4), st.integers(1, 20))
@settings(max_examples=150, deadline=None)
def test_a_crowd_is_of_distinct_people_in_every_column(
    rows: list[tuple[int, str | None, str | None]], enough: int, step: int
) -> None:
    """However cut into batches, a class is crowded when each column has so many different people of it."""
    counter = CrowdCounter(10, enough)

    def columns(part: list[tuple[int, str | None, str | None]]) -> list[pa.Array]:
        kinds = (pa.int64(), pa.string(), pa.string())
        return [pa.array([row[i] for row in part], kind) for i, kind in enumerate(kinds)]

    for start in range(0, len(rows), step):
        kind, *people = columns(rows[start : start + step])
        counter.add([kind], people)
    expected = {
        kind: all(len({row[i] for row in rows if row[0] == kind and row[i]}) >= enough for i in (1, 2))
        for kind, _, _ in rows
    }
    assert counter.crowded([pa.array([*expected, 9], pa.int64())]).tolist() == [*expected.values(), False]
    assert counter.full.tolist() == list(expected.values())


def test_a_crowd_counts_within_bounds() -> None:
    """Too many classes raise, and ragged columns; nobody is enough."""
    counter = CrowdCounter(1, 1)
    assert not counter.crowded([pa.array([1])]).any()
    with pytest.raises(TooManyClasses):
        counter.add([pa.array([1, 2])], [pa.array(["a", "a"])])
    with pytest.raises(ValueError, match="one length"):
        CrowdCounter(1, 1).add([pa.array([1, 1])], [pa.array(["a"])])
    with pytest.raises(ValueError, match="at least one"):
        CrowdCounter(1, 0).add([pa.array([1])], [pa.array(["a"])])
