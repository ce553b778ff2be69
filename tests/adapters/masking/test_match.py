"""Matching: what is ignored is what policy says, and nothing is told where nothing is claimed."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.contract import BESIDE, VALUE
from adapters.masking.match import Match, MatchParams


def told(value, claim, kind=None, ignore=(), rows=1):
    pairs = [pa.array([each] * rows, kind or pa.string()) for each in (value, claim)]
    mask = Match().bind(MatchParams(ignore=ignore), None)
    answers = mask(pa.StructArray.from_arrays(pairs, [VALUE, BESIDE])).to_pylist()
    assert answers == answers[:1] * rows
    return answers[0]


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize(
    ("value", "claim", "needed"),
    [
        ("张三", "张 三", {"spaces"}),
        ("张三", "张\u3000三", {"spaces"}),
        ("Zhang San", "ZHANG SAN", {"case"}),
        ("Ａ1", "A1", {"width"}),
        ("Ａ1", "ａ 1", {"width", "case", "spaces"}),
    ],
)
def test_differences_matter_unless_policy_says_otherwise(value, claim, needed, rows) -> None:
    """Each is ignored only where it is named, and then it alone makes no difference."""
    words = ("width", "case", "spaces")
    for chosen in ((), *[(word,) for word in words], words, tuple(word for word in words if word in needed)):
        assert told(value, claim, ignore=chosen, rows=rows) is (needed <= {*chosen})


@given(st.text(max_size=5), st.none() | st.text(max_size=5))
def test_exactly_equal_is_exactly_equal(value, claim) -> None:
    """Character by character; no claim, no answer."""
    assert told(value, claim) is (None if claim is None else value == claim)


def test_numbers_are_compared_as_numbers() -> None:
    """1.0 is 1.00."""
    assert told(Decimal("1.0"), Decimal("1.00"), pa.decimal256(76, 20)) is True


@pytest.mark.parametrize("kind", [pa.float64(), pa.binary(), pa.list_(pa.int8())])
def test_what_nobody_can_say_exactly_is_refused(kind: pa.DataType) -> None:
    """A floating point number equals nothing that a person writes."""
    with pytest.raises(TypeError, match="match takes"):
        Match().result_type(kind, MatchParams())


def test_only_texts_have_something_to_ignore() -> None:
    """The policy's author learns when it is loaded that it does not do what it says."""
    with pytest.raises(TypeError, match="ignore is for texts"):
        Match().result_type(pa.int64(), MatchParams(ignore=("case",)))
    with pytest.raises(ValueError, match="validation error"):
        MatchParams.model_validate({"ignore": "everything"})
