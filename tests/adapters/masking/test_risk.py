"""Figures of risk, each beside its definition worked out plainly."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.masking.classes import TooManyClasses, class_codes
from adapters.masking.combinations import CombinationCounter
from adapters.masking.risk import (
    Anonymity,
    disclosure,
    journalist,
    journalist_by_size,
    prosecutor,
)

SIZES = np.array([1, 1, 2, 4, 12], np.int64)

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=40
)


def counted(rows, names, cuts=(), most=1_000):
    """The combinations of ``rows``, counted in the batches that ``cuts`` make of them."""
    table = pa.table([list(column) for column in zip(*rows, strict=True)], names)
    counter = CombinationCounter(names, most)
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in pairwise(bounds):
        for batch in table.slice(start, end - start).combine_chunks().to_batches():
            counter.add(batch)
    return counter.counted()


def test_the_figures_of_a_small_table():
    """Five classes of 1, 1, 2, 4 and 12 rows, by the definitions of El Emam's guide."""
    assert Anonymity.of(SIZES) == Anonymity(rows=20, classes=5, k=1, unique=2)
    risk = prosecutor(SIZES, 0.3)
    assert (risk.highest, risk.average) == (1.0, 5 / 20)
    assert risk.above == 4 / 20
    assert prosecutor(SIZES, 0.5).above == 2 / 20, "exactly at the threshold is not above it"


def test_a_population_lowers_the_risk_and_a_poor_register_does_not_raise_it():
    """1/F by the population; where a register lacks people of the table, the table itself is the bound."""
    risk = journalist(SIZES, np.array([10, 5, 20, 2, 0], np.int64), 0.15)
    assert risk.highest == 1 / 4
    assert risk.average == pytest.approx((1 / 10 + 1 / 5 + 2 / 20 + 4 / 4 * 1 + 12 / 12) / 20)
    assert risk.above == (1 + 4) / 20


@pytest.mark.parametrize("times", [1, 1.05, 1.5, 1.99, 2.01, 3, 20, 1_000_000])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 63, 64, 65, 300])
def test_expected_inverse_is_its_integral(size, times):
    """With a population's size alone, whichever way it is worked out: beside plain numerical integration."""
    people = round(size * times)
    ratio = people / size - 1
    u = np.linspace(-60 / size, 0, 400_001)
    expected = np.trapezoid(np.exp(u * size) / (1 + ratio * np.exp(u)), u)
    assert journalist_by_size(np.array([size]), people, 0.5).highest == pytest.approx(expected, rel=1e-5)


def test_expected_inverse_is_that_of_the_negative_binomial():
    """And beside the distribution itself: 1/F · C(F-1, f-1) π^f (1-π)^(F-f), summed over F."""
    size, fraction = 3, 0.4
    chances = [
        math.comb(people - 1, size - 1) * fraction**size * (1 - fraction) ** (people - size) / people
        for people in range(size, 200)
    ]
    sizes = np.array([3, 1], np.int64)
    found = journalist_by_size(sizes, 10, 0.9)
    alone = journalist_by_size(sizes[1:], 10, 0.9)
    assert alone.highest < 1
    assert found.average * 4 == pytest.approx(3 * sum(chances) + found.highest)


def test_a_population_smaller_than_the_table_is_refused():
    """Then it is not the population that the table comes from."""
    with pytest.raises(ValueError, match="fewer people"):
        journalist_by_size(SIZES, 19, 0.2)


@given(ROWS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_disclosure_is_what_its_definitions_say(rows, ordered):
    """l, entropy l, t and α beside loops over exact fractions."""
    combinations = counted(rows, ["a", "b", "c"])
    found = disclosure(
        combinations.classes(["a", "b"]),
        np.unique(combinations.columns["c"].to_numpy(), return_inverse=True)[1],
        combinations.rows,
        ordered=ordered,
    )
    within = defaultdict(Counter)
    for a, b, c in rows:
        within[a, b][c] += 1
    whole = Counter(c for _, _, c in rows)
    assert found.distinct == min(map(len, within.values()))
    assert found.alpha == pytest.approx(max(max(c.values()) / c.total() for c in within.values()))
    assert found.entropy == pytest.approx(
        min(
            math.exp(-sum(n / c.total() * math.log(n / c.total()) for n in c.values()))
            for c in within.values()
        )
    )
    assert found.closeness == pytest.approx(float(max(_distance(c, whole, ordered) for c in within.values())))


def _distance(within, whole, ordered):
    """The earth mover's distance from a class to the table, as fractions."""
    values = sorted(whole)
    gaps = [Fraction(within[v], within.total()) - Fraction(whole[v], whole.total()) for v in values]
    if not ordered:
        return sum(map(abs, gaps)) / 2
    return sum(abs(sum(gaps[: i + 1])) for i in range(len(values))) / max(1, len(values) - 1)


def test_a_pair_that_comes_twice_counts_once():
    """Two spellings of one value are one value: of 2,000 and 2000 nobody has anything to choose."""
    classes, values, rows = np.array([0, 0, 1]), np.array([0, 0, 1]), np.array([1, 2, 1])
    found = disclosure(classes, values, rows, ordered=False)
    assert (found.distinct, found.alpha, found.entropy) == (1, 1.0, 1.0)


@given(ROWS, st.lists(st.integers(0, 40), max_size=4), st.sets(st.sampled_from("abc")))
@settings(max_examples=80, deadline=None)
def test_batches_count_as_the_whole(rows, cuts, chosen):
    """However a file is cut into batches, its classes by any columns have the sizes they have as a whole."""
    names = sorted(chosen)
    sizes = counted(rows, ["a", "b", "c"], cuts).class_sizes(names)
    plainly = Counter(tuple(row["abc".index(name)] for name in names) for row in rows)
    assert sorted(sizes.tolist()) == sorted(plainly.values())


def test_nulls_and_long_counts_are_merged():
    """A null is a value of its own, and what is put by is merged with what is known."""
    counter = CombinationCounter(["x"], 200_000)
    for start in (0, 50_000, 100_000, 0):
        numbers = [None, *range(start, start + 50_000)]
        counter.add(pa.record_batch([pa.array(numbers, pa.int64())], ["x"]))
    combinations = counter.counted()
    assert Anonymity.of(combinations.class_sizes(["x"])) == Anonymity(200_004, 150_001, 1, 100_000)
    assert max(combinations.rows) == 4


def test_other_values_make_other_classes():
    """A column that is made coarser, or left out, leaves larger classes of the same rows."""
    combinations = counted([("a", 1, 0), ("a", 2, 0), ("b", 3, 0)], ["a", "b", "c"])
    assert sorted(combinations.class_sizes(["a", "b"])) == [1, 1, 1]
    assert sorted(combinations.class_sizes(["a"])) == [1, 2]
    assert combinations.class_sizes([]).tolist() == [3]
    coarser = combinations.instead("b", pa.array([0, 0, 0]))
    assert sorted(coarser.class_sizes(["a", "b"])) == [1, 2]


def test_too_many_combinations_are_refused():
    """Memory has a bound: what would pass it ends the count instead."""
    with pytest.raises(TooManyClasses):
        counted([(str(i), 0, 0) for i in range(20)], ["a", "b", "c"], most=10)


def test_no_rows_are_no_figure():
    """Of nothing there is no k."""
    with pytest.raises(ValueError, match="no rows"):
        CombinationCounter(["a"], 10).counted()
    assert class_codes([pa.array(["x"])]).tolist() == [0]
