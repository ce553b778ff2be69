"""Dates moved by person: never by none, alike for all of one person, and no mark gives the move away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.conformance import KnownKeys
from adapters.masking.contract import BESIDE, VALUE
from adapters.masking.shift import DateShift, DateShiftParams

PEOPLE = [f"99010118990101{number:04}" for number in range(500)]
DAYS = st.dates(date(1900, 1, 2), date(2099, 12, 30))


def shift(days: int = 30, context: str = "ours"):
    return DateShift().bind(DateShiftParams(days=days), KnownKeys(context))


def moved(mask, dates, people, kind=None):
    pairs = [pa.array(dates, kind or pa.date32()), pa.array(people, pa.string())]
    return mask(pa.StructArray.from_arrays(pairs, [VALUE, BESIDE])).to_pylist()


@pytest.mark.parametrize("days", [7, 30, 3650])
def test_everybody_moves_and_nobody_too_far(days: int) -> None:
    """To both sides, by any number of days within the bounds, and never by none, which shows the date."""
    day = date(2000, 2, 29)
    moves = [(other - day).days for other in moved(shift(days), [day] * len(PEOPLE), PEOPLE)]
    assert 0 not in moves
    assert max(map(abs, moves)) <= days
    assert min(moves) < 0 < max(moves)
    if days == 7:
        assert {*moves} == {*range(-7, 8)} - {0}


@given(st.lists(st.tuples(DAYS, st.sampled_from(PEOPLE)), min_size=1, max_size=20))
def test_few_and_many_rows_agree_and_intervals_stay_true(rows) -> None:
    """How long anything of one person took is as before; the vectorised mask equals the definition."""
    mask, (dates, people) = shift(), zip(*rows, strict=True)
    few = moved(mask, dates, people)
    assert moved(mask, dates * 40, people * 40) == few * 40
    moves = {who: after - before for who, before, after in zip(people, dates, few, strict=True)}
    assert all(after - before == moves[who] for who, before, after in zip(people, dates, few, strict=True))


def test_another_context_moves_otherwise() -> None:
    """Two consumers cannot agree on how far anybody moved."""
    day = [date(2000, 1, 1)] * len(PEOPLE)
    same = [
        a == b
        for a, b in zip(moved(shift(), day, PEOPLE), moved(shift(context="x"), day, PEOPLE), strict=True)
    ]
    assert sum(same) < len(same) / 10


@pytest.mark.parametrize("rows", [1, 40])
def test_marks_and_strangers_get_nothing(rows: int) -> None:
    """A mark such as 9999-12-31 moved by a secret number of days tells that number."""
    marks = [date(1, 1, 1), date(1900, 1, 1), date(2099, 12, 31), date(9999, 12, 31)]
    assert moved(shift(), marks * rows, [PEOPLE[0]] * 4 * rows) == [None] * 4 * rows
    days = [date(2000, 1, 1)] * 2 * rows
    assert moved(shift(), days, [None, ""] * rows) == [None] * 2 * rows
    last = moved(shift(3650), [date(2099, 12, 30)] * rows, PEOPLE[1:2] * rows)
    assert None not in last


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_time_of_day_stays(unit: str, rows: int) -> None:
    """A timestamp moves by whole days, as the date of that person does; also one before 1970."""
    for moment in (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)):
        (after, *_) = moved(shift(), [moment] * rows, PEOPLE[:1] * rows, pa.timestamp(unit, "UTC"))
        (day, *_) = moved(shift(), [moment.date()] * rows, PEOPLE[:1] * rows)
        assert after - moment == day - moment.date() != timedelta()


def test_a_subject_is_the_same_in_lower_case() -> None:
    """A source that writes an id's X so must not move its person otherwise."""
    mask, day = shift(), [date(2000, 1, 1)]
    upper, lower = (moved(mask, day * 40, [who] * 40) for who in ("99010118990101004X", "99010118990101004x"))
    assert upper == lower
    assert upper[:1] == moved(mask, day, ["99010118990101004x"])


@pytest.mark.parametrize("days", [0, -7, 6, 3651, None, True, "1.5"])
def test_bounds_that_hide_nothing_are_refused(days: object) -> None:
    """A move of a few days shows the date to whoever knows about when it was."""
    with pytest.raises(ValueError, match="validation error"):
        DateShiftParams.model_validate({"days": days})
