"""A constant: the same whatever stood there, and short enough to be one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from adapters.masking.constant import Constant, ConstantParams


def test_every_row_is_the_text() -> None:
    """Values, nulls and nothing at all look alike, up to 64 characters."""
    mask = Constant().bind(ConstantParams(value="字" * 64), None)
    assert mask(pa.array(["a", None, ""])).to_pylist() == ["字" * 64] * 3
    assert mask(pa.array([], pa.int64())).to_pylist() == []


@pytest.mark.parametrize("params", [{}, {"value": ""}, {"value": "字" * 65}, {"value": 1}, {"value": None}])
def test_what_is_no_constant_is_refused(params: dict[str, object]) -> None:
    """An empty text, one too long, or none."""
    with pytest.raises(ValueError, match="value"):
        ConstantParams.model_validate(params)
