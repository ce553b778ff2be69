"""Categories: what is listed, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.category import MOST, Category, CategoryParams

TEXTS = st.text("ab", max_size=2)


def category(mapping: Mapping[object, object], otherwise: object = None):
    return Category().bind(CategoryParams.model_validate({"map": mapping, "otherwise": otherwise}), None)


@given(
    st.dictionaries(TEXTS, st.sampled_from(["x", "y"]), min_size=1),
    st.none() | st.just("z"),
    st.lists(st.none() | TEXTS),
)
def test_few_and_many_rows_agree_with_a_lookup(mapping, otherwise, values) -> None:
    """Null stays null, listed or not; nothing that is not listed is shown."""
    expected = [None if value is None else mapping.get(value, otherwise) for value in values]
    for times in (1, 40):
        given_ = pa.array(values * times, pa.string())
        assert category(mapping, otherwise)(given_).to_pylist() == expected * times


@pytest.mark.parametrize(
    ("kind", "mapping", "values", "expected"),
    [
        (pa.int64(), {1: "甲", "-2": "乙"}, [1, -2, 3], ["甲", "乙", None]),
        (pa.bool_(), {True: "有", "false": "无"}, [True, False, None], ["有", "无", None]),
    ],
)
@pytest.mark.parametrize("rows", [1, 40])
def test_numbers_and_truths_are_listed_as_written(kind, mapping, values, expected, rows) -> None:
    """With or without quotes."""
    assert category(mapping)(pa.array(values * rows, kind)).to_pylist() == expected * rows


@pytest.mark.parametrize(("value", "kind"), [("01", pa.int64()), ("x", pa.int64()), ("yes", pa.bool_())])
def test_what_can_never_be_is_told_when_the_policy_is_loaded(value: str, kind: pa.DataType) -> None:
    """A slip in the map would quietly put its values under ``otherwise``."""
    params = CategoryParams.model_validate({"map": {value: "甲"}})
    with pytest.raises(TypeError, match="could never be") as refused:
        Category().result_type(kind, params)
    assert value not in str(refused.value).split()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"map": {}},
        {"map": {"a": ""}},
        {"map": {"a": "x" * 65}},
        {"map": {"a" * 201: "x"}},
        {"map": {"a": "x"}, "otherwise": ""},
        {"map": {"a": None}},
        {"map": {str(number): "x" for number in range(MOST + 1)}},
    ],
)
def test_maps_have_bounds(params) -> None:
    """Also one that a policy's own limits let pass."""
    with pytest.raises(ValueError, match="validation error"):
        CategoryParams.model_validate(params)


def test_a_policy_s_own_mapping_is_taken() -> None:
    """It comes frozen, one within the other."""
    written = MappingProxyType({"map": MappingProxyType({"a": "x"})})
    assert dict(CategoryParams.model_validate(dict(written)).map) == {"a": "x"}
