"""Numbers that a spreadsheet has rounded."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.sources.rounded import Rounded

digits = st.integers(10**14, 10**19 - 1)


@example(number=2499999999999999744, shown=15, cut=True)  # as a float it is a unit further away
@given(number=digits, shown=st.integers(1, 15), cut=st.booleans())
def test_a_number_is_found_by_what_is_left_of_it(number: int, shown: int, cut: bool) -> None:
    """Excel cuts off, other programs round, a CSV may show a few digits only: it is found all the same."""
    kept = int(str(number)[:15].ljust(len(str(number)), "0")) if cut else number
    text = f"{float(kept):.{shown - 1}e}"
    assert Rounded(pa.array([None, "x", text])).row(str(number)) == 2


@given(number=digits, other=digits)
def test_others_are_not_found(number: int, other: int) -> None:
    """What differs in the digits that are left is somebody else."""
    text = f"{float(number):.14e}"
    unit = 10 ** (len(str(number)) - 15)
    if abs(number - other) > 4 * unit:
        assert Rounded(pa.array([text])).row(str(other)) is None


@pytest.mark.parametrize(
    "text", ["990101189901010015", "1e5", "1E+14x", "E+17", "0E+17", "1.1E+31", "", "甲"]
)
def test_what_is_not_rounded(text: str) -> None:
    """An id, a small number and any other text are what they are."""
    assert len(Rounded(pa.array([text]))) == 0


def test_only_numbers_can_have_been_rounded() -> None:
    """Whoever's id ends in X is in no rounded cell."""
    rounded = Rounded(pa.array(["9.90101E+17"]))
    assert rounded.row("99010118990101004X") is None
    assert rounded.row("９９０１０１１８９９０１０１００１５") is None
    assert rounded.row("990101189901010015") == 0
