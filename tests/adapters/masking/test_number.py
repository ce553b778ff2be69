"""Numbers made coarser: each result equals what exact arithmetic says, and bounds come from policy alone."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.number import Bucket, BucketParams, Clip, ClipParams, Round, RoundParams

EXACT = pa.decimal256(76, 20)
NUMBERS = st.lists(st.none() | st.decimals(-(10**14), 10**14, places=4), min_size=1, max_size=40)


@given(NUMBERS, st.integers(2, 10**6), st.integers(-(10**6), 10**6))
def test_a_bucket_holds_its_number(numbers, width: int, origin: int) -> None:
    """Lower bound ≤ number < upper bound, of the width, and a multiple of it away from the origin."""
    mask = Bucket().bind(BucketParams(width=width, origin=origin), None)
    for number, text in zip(numbers, mask(pa.array(numbers, EXACT)).to_pylist(), strict=True):
        assert (text is None) == (number is None)
        if text is not None:
            low, high = map(int, text[1:-1].split(","))
            assert low <= number < high == low + width
            assert (low - origin) % width == 0


@given(NUMBERS, st.integers(2, 10**6))
def test_round_is_exact(numbers, to: int) -> None:
    """The nearest multiple, ties away from zero, as decimal arithmetic has it; for integers too."""
    mask = Round().bind(RoundParams(to=to), None)

    def nearest(number: Decimal) -> int:
        return int((number / to).quantize(Decimal(1), ROUND_HALF_UP)) * to

    expected = [None if number is None else nearest(number) for number in numbers]
    assert mask(pa.array(numbers, EXACT)).to_pylist() == expected
    whole = [None if number is None else int(number) for number in numbers]
    expected = [None if number is None else nearest(Decimal(number)) for number in whole]
    assert mask(pa.array(whole, pa.int64())).to_pylist() == expected


@given(NUMBERS, st.integers(-1000, 0), st.integers(1, 1000))
def test_clip_keeps_within_bounds(numbers, low: int, high: int) -> None:
    """What is beyond becomes the bound, what lies between stays to the last digit, null stays null."""
    result = Clip().bind(ClipParams(low=low, high=high), None)(pa.array(numbers, EXACT)).to_pylist()
    assert result == [None if number is None else min(max(number, low), high) for number in numbers]


def test_what_is_clipped_is_gone_from_the_buffers(ipc_bytes) -> None:
    """An amount beyond the bound has left the bytes that travel."""
    secret = 0x5EC2E75EC2E7
    values = pa.array([secret, 1, None] * 40, pa.int64()).slice(1)
    sent = ipc_bytes(Clip().bind(ClipParams(high=100), None)(values))
    assert secret.to_bytes(6, "little") not in sent


@pytest.mark.parametrize("params", [{}, {"low": 5, "high": 5}, {"low": 6, "high": 5}, {"width": 1}])
def test_bounds_that_bound_nothing_are_refused(params: dict[str, int]) -> None:
    """Crossed, equal, absent or misspelt bounds are an error when the policy is read."""
    with pytest.raises(ValueError, match=r"clip|low|width"):
        ClipParams.model_validate(params)


@pytest.mark.parametrize(("model", "params"), [(BucketParams, {"width": 1}), (RoundParams, {"to": 1})])
def test_widths_that_hide_nothing_are_refused(model, params) -> None:
    """A bucket of nothing, or rounding to one, is no mask."""
    with pytest.raises(ValueError, match="greater than or equal"):
        model.model_validate(params)


@pytest.mark.parametrize("model", [BucketParams(width=7), RoundParams(to=7), ClipParams(low=-50, high=50)])
def test_what_a_null_or_a_slice_hides_is_gone(model) -> None:
    """Whatever stood under a null, or beyond what can be counted, has left the buffers, few rows or many."""
    operator = {BucketParams: Bucket, RoundParams: Round, ClipParams: Clip}[type(model)]()
    secret = 0x5EC2E7
    for rows in (3, 99):
        whole = pa.array([secret] * rows)
        hidden = pa.Array.from_buffers(
            whole.type, rows, [pa.py_buffer(bytes(rows // 8 + 1)), *whole.buffers()[1:]]
        )
        result = operator.bind(model, None)(hidden)
        assert result.null_count == rows
        assert not any(any(buffer.to_pybytes()) for buffer in result.buffers() if buffer)
    beyond = Round().bind(RoundParams(to=1000), None)(pa.array([10**15 + 600] * 40))
    assert not any(any(buffer.to_pybytes()) for buffer in beyond.buffers() if buffer)


EDGES = [10**15, 10**15 + 1, -(10**15), -(10**15) - 1, 10**15 + 6, 2**62, -(2**63), 2**63 - 1, 0, -1, None]


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize("to", [2, 5, 7, 1000])
def test_edges_of_what_can_be_counted(times: int, to: int) -> None:
    """Up to 10^15 from zero a number is masked, beyond it is null; in whole numbers as in decimals."""
    for operator, params in ((Round(), RoundParams(to=to)), (Bucket(), BucketParams(width=to))):
        mask = operator.bind(params, None)
        whole = mask(pa.array(EDGES * times, pa.int64())).to_pylist()
        exact = mask(pa.array([n if n is None else Decimal(n) for n in EDGES] * times, EXACT)).to_pylist()
        assert whole == exact
        assert [value is None for value in whole[5:8]] == [True] * 3
        assert whole[8] is not None
    assert Bucket().bind(BucketParams(width=2), None)(pa.array([2**63] * 40, pa.uint64())).null_count == 40
