"""Predicates: exact answers, null for null, and questions that fit the column or are refused."""

from __future__ import annotations

import operator as python
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.predicate import Predicate, PredicateParams

DECIMAL = pa.decimal256(76, 20)
MOMENT = pa.timestamp("us", "UTC")
OPS = {"eq": python.eq, "ne": python.ne, "ge": python.ge, "gt": python.gt, "le": python.le, "lt": python.lt}
amounts = st.decimals(-10_000, 10_000, allow_nan=False, places=4)


@given(st.lists(st.none() | amounts, max_size=10), amounts, st.sampled_from(list(OPS)))
def test_decimals_are_compared_exactly(bind, values, bound, op) -> None:
    """Every comparison equals that of exact decimals, few rows or many; null gives null."""
    mask = bind("predicate", op=op, value=str(bound))
    expected = [None if value is None else OPS[op](value, bound) for value in values]
    assert mask(pa.array(values, DECIMAL)).to_pylist() == expected
    assert mask(pa.array(values * 40, DECIMAL)).to_pylist() == expected * 40


def test_a_float_would_have_erred(bind) -> None:
    """0.1 + 0.2 is 0.3, and the 16 digits of a large amount count to the last."""
    values = pa.array([Decimal("0.1") + Decimal("0.2"), Decimal("9007199254740993.01")], DECIMAL)
    assert bind("predicate", op="eq", value="0.3")(values).to_pylist() == [True, False]
    assert bind("predicate", op="gt", value="9007199254740993")(values).to_pylist() == [False, True]


@pytest.mark.parametrize(
    ("values", "params", "answers"),
    [
        (pa.array(["married", "single", None]), {"op": "eq", "value": "married"}, [True, False, None]),
        (pa.array(["married", "single", None]), {"op": "ne", "value": "married"}, [False, True, None]),
        (pa.array(["a", "b", "c", None]), {"op": "in", "value": ["a", "c"]}, [True, False, True, None]),
        (pa.array(["01", "1"]), {"op": "eq", "value": 1}, [False, True]),
        (pa.array([1, 2, None]), {"op": "in", "value": [2, 3]}, [False, True, None]),
        (pa.array([1, 2, None], pa.int16()), {"op": "lt", "value": "2"}, [True, False, None]),
        (pa.array([True, False, None]), {"op": "eq", "value": True}, [True, False, None]),
        (pa.array([True, False, None]), {"op": "eq", "value": "false"}, [False, True, None]),
        (pa.array([date(2020, 1, 1), None]), {"op": "le", "value": "2020-01-01"}, [True, None]),
        (pa.array([date(2020, 1, 1), None]), {"op": "lt", "value": date(2020, 1, 1)}, [False, None]),
        (
            pa.array([datetime(2019, 12, 31, 16, tzinfo=UTC), None], MOMENT),
            {"op": "eq", "value": "2020-01-01T00:00:00+08:00"},
            [True, None],
        ),
        (pa.array(["a", "", None]), {"op": "exists"}, [True, False, False]),
        (pa.array([0, None]), {"op": "exists"}, [True, False]),
        (pa.array([Decimal(0), None], DECIMAL), {"op": "exists"}, [True, False]),
    ],
)
@pytest.mark.parametrize("times", [1, 40])
def test_examples(bind, values, params, answers, times) -> None:
    """Each operation on each type it is for."""
    column = pa.concat_arrays([values] * times)
    assert bind("predicate", **params)(column).to_pylist() == answers * times


@pytest.mark.parametrize(
    ("column", "params"),
    [
        (pa.string(), {"op": "ge", "value": "5"}),
        (pa.bool_(), {"op": "lt", "value": "true"}),
        (pa.bool_(), {"op": "eq", "value": "yes"}),
        (pa.int64(), {"op": "eq", "value": "1.5"}),
        (pa.int64(), {"op": "eq", "value": "9223372036854775808"}),
        (pa.int64(), {"op": "in", "value": ["1", "x"]}),
        (DECIMAL, {"op": "ge", "value": "1e3"}),
        (DECIMAL, {"op": "ge", "value": "NaN"}),
        (DECIMAL, {"op": "ge", "value": "0." + "1" * 21}),
        (DECIMAL, {"op": "ge", "value": "１"}),
        (pa.date32(), {"op": "ge", "value": "2020-02-30"}),
        (pa.date32(), {"op": "ge", "value": "2020"}),
        (MOMENT, {"op": "ge", "value": "2020-01-01T00:00:00"}),
        (pa.int64(), {"op": "eq", "value": "1_000"}),
        (pa.int64(), {"op": "eq", "value": "１２"}),
        (DECIMAL, {"op": "eq", "value": "1e3"}),
        (MOMENT, {"op": "ge", "value": "yesterday"}),
        (pa.timestamp("us"), {"op": "ge", "value": "2020-01-01T00:00:00+08:00"}),
        (pa.float64(), {"op": "eq", "value": "1"}),
        (pa.list_(pa.int64()), {"op": "eq", "value": "1"}),
    ],
)
def test_questions_that_do_not_fit_the_column_are_refused(column, params) -> None:
    """A value of another type, or an order where there is none, is found before any row is read."""
    question = PredicateParams.model_validate(params)
    with pytest.raises(TypeError, match=r"^predicate"):
        Predicate().result_type(column, question)
    with pytest.raises(TypeError, match=r"^predicate"):
        Predicate().bind(question, None)(pa.nulls(1, column))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"op": "like", "value": "a%"},
        {"op": "eq"},
        {"op": "eq", "value": ["a", "b"]},
        {"op": "in", "value": []},
        {"op": "in"},
        {"op": "exists", "value": "a"},
        {"op": "ge", "value": 0.1},
        {"op": "eq", "value": {"a": "b"}},
        {"op": "in", "value": [["a"]]},
    ],
)
def test_incomplete_questions_are_refused(bind, params) -> None:
    """Each operation takes exactly its values; a float is not exact and is refused."""
    with pytest.raises(ValueError, match="validation error"):
        bind("predicate", **params)
