"""Partial display: what stays, what is filled, and the bounds that could show too much."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.partial import Partial, PartialParams


@pytest.mark.parametrize(
    ("value", "start", "end", "shown"),
    [
        ("990101189901010015", 1, 1, "9****************5"),
        ("15400000000", 3, 4, "154****0000"),
        ("欧阳明月", 2, 0, "欧阳**"),
        ("𠮷野家", 1, 0, "𠮷**"),
        ("张三", 1, 1, "**"),
        ("张", 1, 1, "*"),
        ("张三丰", 1, 1, "张*丰"),
        ("abcd", 0, 1, "***d"),
        ("abc", 3, 0, "***"),
        ("", 1, 1, ""),
        (None, 1, 1, None),
    ],
)
@pytest.mark.parametrize("rows", [1, 40])
def test_examples(bind, value, start, end, shown, rows) -> None:
    """Characters, not bytes, are counted; short values are filled and neither shown nor stretched."""
    masked = bind("partial", keep_start=start, keep_end=end)(pa.array([value] * rows, pa.string()))
    assert masked.to_pylist() == [shown] * rows


@given(
    st.lists(st.none() | st.text(max_size=12), max_size=12),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_few_and_many_rows_agree_and_hide_all_but_the_ends(bind, values, start, end) -> None:
    """The vectorised mask equals the definition, keeps the length, and shows at most the ends asked for."""
    if start + end == 0:
        start = 1
    mask = bind("partial", keep_start=start, keep_end=end, fill="•")
    few = mask(pa.array(values, pa.string())).to_pylist()
    assert mask(pa.array(values * 40, pa.string())).to_pylist() == few * 40
    for value, shown in zip(values, few, strict=True):
        if value is None:
            assert shown is None
        elif len(value) <= start + end:
            assert shown == "•" * len(value)
        else:
            hidden = len(value) - start - end
            assert shown == value[:start] + "•" * hidden + value[start + hidden :]


@pytest.mark.parametrize(
    "params",
    [
        {"keep_start": -1, "keep_end": 1},
        {"keep_start": 1, "keep_end": -1},
        {"keep_start": 5, "keep_end": -5},
        {"keep_start": 5, "keep_end": -1},
        {"keep_start": -1, "keep_end": 5},
        {"keep_end": 65},
        {"keep_start": 65},
        {"keep_start": "-1"},
        {"keep_start": "1.0"},
        {"keep_start": 1.0},
        {"keep_start": True},
        {"keep_start": None},
        {"keep_start": 0, "keep_end": 0},
        {},
        {"keep_start": 1, "fill": ""},
        {"keep_start": 1, "fill": "**"},
        {"keep_start": 1, "fill": "0"},
        {"keep_start": 1, "fill": "某"},
        {"keep_start": 1, "fill": " "},
        {"keep_start": 1, "fill": "\u200b"},
    ],
)
def test_bounds_and_fills_that_could_show_or_invent_data_are_refused(params) -> None:
    """Negative, crossed or absent bounds and fills that could pass for data never become a mask."""
    with pytest.raises(ValueError, match="validation error"):
        PartialParams.model_validate(params)


def test_bind_trusts_no_constructor() -> None:
    """Parameters built past their validation are refused at bind, not when the mask runs."""
    for params in (PartialParams.model_construct(keep_start=-3, keep_end=1), PartialParams.model_construct()):
        with pytest.raises(ValueError, match="validation error"):
            Partial().bind(params, None)


def test_numbers_may_be_written_as_text(bind) -> None:
    """A policy's YAML hands every scalar over as text."""
    assert bind("partial", keep_start="1", keep_end="0")(pa.array(["张三丰"])).to_pylist() == ["张**"]


@pytest.mark.parametrize(("start", "end"), [(1, 1), (3, 0), (0, 2), (2, 3)])
@pytest.mark.parametrize(
    "column",
    [
        ["ab", "abc", "abcde", "", None],
        ["甲", "甲乙", "甲乙丙丁", "𠮷野家", None],
        ["abc", "abc", None],
        ["甲a", "bcde"],
        ["abcd", "ab", "abcdef"],
        ["", None],
    ],
)
def test_widths_of_all_kinds(bind, column, start, end) -> None:
    """A column of one width and of several, in ASCII or not, with nulls: each row as it is alone."""
    mask = bind("partial", keep_start=start, keep_end=end)
    alone = [mask(pa.array([value], pa.string()))[0].as_py() for value in column]
    for value, shown in zip(column, alone, strict=True):
        assert value is None or len(shown) == len(value)
        assert value is None or len(value) > start + end or set(shown) <= {"*"}
    assert mask(pa.array(column * 40, pa.string())).to_pylist() == alone * 40


@given(
    st.lists(st.none() | st.text("甲乙丙〇·•", max_size=7), min_size=1, max_size=9),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from("*·•＊𝄞"),
    st.integers(0, 3),
)
def test_chinese_columns(bind, ipc_bytes, values, start, end, fill, offset) -> None:
    """Characters of three bytes, alone or beside others, any slice, nulls, fills of one to four bytes."""
    mask = bind("partial", keep_start=start or 1, keep_end=end, fill=fill)
    column = pa.array(["甲" * 3] * offset + values * 40, pa.string()).slice(offset)
    shown = mask(column)
    shown.validate(full=True)
    assert shown.to_pylist() == mask.of_values(values) * 40
    secret = mask(pa.array(["某" * 4 + "秘" + "某" * 4] * 40 + [None], pa.string()))
    assert "秘".encode() not in ipc_bytes(secret)


@pytest.mark.parametrize("text", ["éa某", "aé某", "abc某某", "𠮷éa", "某é𠮷", "aaa"])
@pytest.mark.parametrize("bounds", [{"keep_start": 1}, {"keep_end": 1}, {"keep_start": 1, "keep_end": 1}])
def test_lengths_of_threes_that_are_none(bind, text, bounds) -> None:
    """Bytes that divide by three but not into characters of three, in a Chinese column or throughout."""
    mask = bind("partial", **bounds)
    for column in ([text, "欧阳明月"] * 20, ["欧阳明月", "某某某", text] * 20, [text, text * 2] * 20):
        assert mask(pa.array(column)).to_pylist() == mask.of_values(column)


def test_bytes_under_a_null(bind) -> None:
    """What an array holds under its nulls is neither looked at nor shown, nor is room left for it."""
    whole = pa.array(["某某某", "秘密秘密", "甲乙"] * 20)
    _, offsets, data = whole.buffers()
    valid = pa.py_buffer(np.packbits([True, False, True] * 20, bitorder="little"))
    shown = bind("partial", keep_start=1)(pa.Array.from_buffers(pa.string(), 60, [valid, offsets, data]))
    assert shown.to_pylist() == ["某**", None, "甲*"] * 20
    assert shown.buffers()[2].to_pybytes() == "某**甲*".encode() * 20


def test_bounds_up_to_64(bind) -> None:
    """The most that may be kept, at either end."""
    text = "x" * 64 + "secret" + "y" * 64
    assert bind("partial", keep_start=64, keep_end=64)(pa.array([text])).to_pylist() == [
        "x" * 64 + "******" + "y" * 64
    ]
