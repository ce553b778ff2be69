"""Values masked one by one: what a column of them would give, or the column's own way."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from adapters.masking.arrays import Each
from broker.desensitize.singly import are_exactly, few, singly
from broker.model import FieldType


def each(one) -> Each:
    return Each(one, lambda values: values, pa.string())


def test_a_mask_without_that_way_has_none() -> None:
    """A plain function, a point in time and a result that is a number with digits keep to Arrow."""
    assert singly(lambda values: values, FieldType.TEXT, pa.string()) is None
    assert singly(each(str), FieldType.TIMESTAMP, pa.string()) is None
    assert singly(each(str), FieldType.TEXT, pa.decimal256(76, 20)) is None


def test_values_of_other_types_are_left_to_arrow() -> None:
    """A truth is no whole number and a subclass no plain text: Arrow decides what they are."""
    assert are_exactly(["a", None], FieldType.TEXT)
    assert are_exactly([date(2001, 2, 3)], FieldType.DATE)
    assert not are_exactly([True], FieldType.INTEGER)
    assert not are_exactly(["a", 1], FieldType.TEXT)


def test_a_decimal_is_a_number_to_the_mask() -> None:
    """Two spellings of one amount look alike to an operator; what is no number is null."""
    mask = singly(each(lambda number: str(number.normalize())), FieldType.DECIMAL, pa.string())
    assert mask is not None
    assert list(mask(["1.0", "1.00", "x", None])) == ["1", "1", None, None]


def test_a_broken_promise_releases_nothing() -> None:
    """Another type or number of results than promised is an error, as it is of a column."""
    mask = singly(each(len), FieldType.TEXT, pa.string())
    assert mask is not None
    with pytest.raises(TypeError, match="another type"):
        mask(["secret"])

    class Longer:
        def of_values(self, values):
            return [*values, None]

    longer = singly(Longer(), FieldType.TEXT, pa.string())  # type: ignore[arg-type]
    assert longer is not None
    with pytest.raises(ValueError, match="another number"):
        longer(["secret"])


@pytest.mark.parametrize(
    ("values", "kind"),
    [(["张三", "", "a"], pa.string()), (["张三", None], pa.string()), ([1, None], pa.int64())],
)
def test_few_are_an_array_of_them(values, kind) -> None:
    """However a few values are laid out, Arrow finds them."""
    laid = few(values, kind)
    laid.validate(full=True)
    assert laid.equals(pa.array(values, kind))
