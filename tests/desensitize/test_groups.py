"""The k-anonymity gate and totals: whatever the data, nothing of too few is let out, and sums are exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.masking.contract import KeyContext
from adapters.masking.registry import load_operators
from broker.desensitize.column import PlannedColumn, masked_column
from broker.desensitize.gate import AnonymityGate
from broker.desensitize.plan import MaskPlan
from broker.desensitize.totals import ROWS, Totals
from broker.errors import BrokerError, Changed, Failed, TooSmall
from broker.model import Aggregate, Below, FieldType, KAnonymity, Mask, Measure
from broker.reasons import Reason

OPERATORS = load_operators(("region", "bucket", "redact"))
Row = tuple[str | None, str | None, str | None, str | None, int | None, str]
SCHEMA = pa.schema(
    [
        ("district", pa.string()),
        ("sex", pa.string()),
        ("who", pa.string()),
        ("spouse", pa.string()),
        ("number", pa.int64()),
        ("amount", pa.string()),
    ]
)
ROW = st.tuples(
    st.sampled_from(("990101", "990102", "990201")) | st.none(),
    st.sampled_from("男女") | st.none(),
    st.sampled_from(("A", "B", "C", "D", "E", "x", "X")) | st.none(),
    st.sampled_from(("F", "G", "H", "I")) | st.none(),
    st.integers(-(2**63), 2**63 - 1) | st.none(),
    st.decimals(-1000, 10**12, places=2).map(str) | st.just("0.00000000000000000001"),
)
ROWS_OF = st.lists(ROW, max_size=60)
CITY = {"990101": "990100", "990102": "990100", "990201": "990200", None: None}


def no_key() -> KeyContext:
    """None of these operators has a key."""
    raise AssertionError


MASKED_DISTRICT = masked_column(
    "district", FieldType.TEXT, Mask("region", {"to": "city"}), OPERATORS["region"], no_key, ""
)
PLAN = MaskPlan.of(
    (
        MASKED_DISTRICT,
        PlannedColumn("sex", FieldType.TEXT, None),
        PlannedColumn("number", FieldType.INTEGER, None),
        PlannedColumn("amount", FieldType.DECIMAL, None),
    )
)


def batches(rows: Sequence[Row], size: int) -> Iterator[pa.RecordBatch]:
    """The rows in batches; slices, as sources may give them."""
    whole = pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)
    for start in range(0, len(rows), size):
        yield whole.slice(start, size)


def people(rows: Sequence[Row]) -> int:
    """The fewest distinct subjects in either column."""
    return min(len({row[i].upper() for row in rows if row[i]}) for i in (2, 3))  # type: ignore[union-attr]


def by_look(rows: Sequence[Row]) -> dict[object, list[Row]]:
    """Rows by what they look like after masking."""
    found: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        found[CITY[row[0]], row[1]].append(row)
    return found


def gate(k: int, below: Below = Below.SUPPRESS) -> AnonymityGate:
    return AnonymityGate(KAnonymity(("district", "sex"), k, below), PLAN, ("who", "spouse"))


# ── k-anonymity ──────────────────────────────────────────────────────────────────────────────────


@given(ROWS_OF, st.integers(2, 4), st.integers(1, 30))
@settings(max_examples=120, deadline=None)
def test_whatever_the_data_no_released_class_is_of_too_few(rows: list[Row], k: int, size: int) -> None:
    """Exactly the rows of classes with k people in each subject field pass, however they are cut."""
    guard = gate(k)
    for batch in batches(rows, size):
        guard.count(batch)
    guard.open()
    passed = [truth for batch in batches(rows, size) for truth in guard.passing(batch)]
    guard.close()
    released = [row for row, truth in zip(rows, passed, strict=True) if truth]
    assert all(people(alike) >= k for alike in by_look(released).values())
    kept = {look for look, alike in by_look(rows).items() if people(alike) >= k}
    assert released == [row for row in rows if (CITY[row[0]], row[1]) in kept]


@given(ROWS_OF, ROWS_OF, st.integers(2, 3))
@settings(max_examples=120, deadline=None)
def test_a_source_that_changed_between_lets_nobody_out_unsaid(
    before: list[Row], after: list[Row], k: int
) -> None:
    """What came since may pass only into classes that were counted; if one of these ended too small, the end
    says so."""
    guard = gate(k)
    for batch in batches(before, 10):
        guard.count(batch)
    passed = [truth for batch in batches(after, 10) for truth in guard.passing(batch)]
    released = [row for row, truth in zip(after, passed, strict=True) if truth]
    counted = {look for look, alike in by_look(before).items() if people(alike) >= k}
    assert {(CITY[row[0]], row[1]) for row in released} <= counted
    if all(people(alike) >= k for alike in by_look(released).values()):
        guard.close()
    else:
        with pytest.raises(Changed) as raised:
            guard.close()
        assert raised.value.reason is Reason.CHANGED_WHILE_READ


def refusal(guard: AnonymityGate, rows: Sequence[Row]) -> Reason | None:
    """Why a gate that has counted ``rows`` does not open."""
    for batch in batches(rows, 10):
        guard.count(batch)
    try:
        guard.open()
    except BrokerError as error:
        return error.reason
    return None


CROWD: list[Row] = [("990101", "男", who, spouse, 1, "1.10") for who, spouse in ("AF", "BG", "CH")]
LONER: Row = ("990201", "女", "D", "I", 1, "1.10")


def test_or_nothing_at_all() -> None:
    """One class that is too small refuses everything, before it opens; later it is a change."""
    assert refusal(gate(3, Below.REFUSE), [*CROWD, LONER]) is Reason.CLASS_TOO_SMALL
    guard = gate(3, Below.REFUSE)
    assert refusal(guard, CROWD) is None
    with pytest.raises(Changed):
        guard.passing(next(batches([LONER], 1)))


def test_one_person_many_times_is_one() -> None:
    """Rows are not people: one about whom there are five hides nobody."""
    rows: list[Row] = [("990101", "男", "A", spouse, 1, "1") for spouse in "FGHI"]
    assert refusal(gate(2, Below.REFUSE), rows) is Reason.CLASS_TOO_SMALL


def test_what_cannot_be_counted_is_not_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """More classes than are held refuse all."""
    monkeypatch.setattr("broker.desensitize.gate.MOST_CLASSES", 1)
    guard = gate(2)
    with pytest.raises(TooSmall) as raised:
        guard.count(next(batches([*CROWD, LONER], 9)))
    assert raised.value.reason is Reason.TOO_MANY_CLASSES


# ── totals ───────────────────────────────────────────────────────────────────────────────────────

ALL = (Measure.SUM, Measure.MEAN, Measure.COUNT)
WANTED = Aggregate(("district", "sex"), (("amount", ALL), ("number", ALL)), 2)


def totals(wanted: Aggregate, rows: Sequence[Row], size: int = 10) -> Totals:
    found = Totals(wanted, PLAN, ("who", "spouse"))
    for batch in batches(rows, size):
        found.add(batch)
    return found


@given(ROWS_OF, st.integers(2, 3), st.integers(1, 30))
@settings(max_examples=120, deadline=None)
def test_totals_are_exact_and_of_enough(rows: list[Row], smallest: int, size: int) -> None:
    """Each group of enough people, who all have the values, is there once, in order, and no other."""
    wanted = Aggregate(WANTED.by, WANTED.measures, smallest)
    found = totals(wanted, rows, size)
    table = found.result()
    assert table.schema == found.schema
    assert list(found.column_masks) == table.schema.names
    groups = {
        look: alike
        for look, alike in by_look(rows).items()
        if people(alike) >= smallest and people([row for row in alike if row[4] is not None]) >= smallest
    }
    assert found.released == table.num_rows == len(groups)
    assert found.suppressed == len(rows) - sum(map(len, groups.values()))
    given_out = [(row["district"], row["sex"]) for row in table.to_pylist()]
    assert given_out == sorted(given_out, key=lambda look: [(part is None, part or "") for part in look])
    row: dict[str, Any]
    for row in table.to_pylist():
        alike = groups[row["district"], row["sex"]]
        assert row[ROWS] == len(alike)
        for name, place in (("number", 4), ("amount", 5)):
            values: list[Fraction] = [Fraction(each[place]) for each in alike if each[place] is not None]  # type: ignore[arg-type]
            assert row[f"count({name})"] == len(values)
            assert Fraction(row[f"sum({name})"]) == sum(values)
            off = Fraction(row[f"mean({name})"]) - sum(values, Fraction()) / len(values)
            assert abs(off) <= Fraction(1, 2 * 10**6)


def test_groups_come_in_the_order_of_their_values() -> None:
    """Whichever was met first, so that the same data give the same bytes; a missing value last."""
    looks = ((None, "男"), ("990201", "女"), ("990101", None), ("990101", "男"))
    rows: list[Row] = [
        (district, sex, who, spouse, 1, "1") for district, sex in looks for who, spouse in ("AF", "BG")
    ]
    given_out = [(row["district"], row["sex"]) for row in totals(WANTED, rows).result().to_pylist()]
    assert given_out == [("990100", "男"), ("990100", None), ("990200", "女"), (None, "男")]


def test_means_are_rounded_half_to_even() -> None:
    """Six places, the same whichever way the rows come; zeros at the end are not written."""
    rows: list[Row] = [
        ("990101", "男", who, spouse, number, amount)
        for who, spouse, number, amount in (("A", "F", 1, "0.000001"), ("B", "G", 2, "0.000002"))
    ]
    for order in (rows, rows[::-1]):
        (row,) = totals(WANTED, order).result().to_pylist()
        assert (row["mean(amount)"], row["sum(amount)"]) == ("0.000002", "0.000003")
        assert (row["mean(number)"], row["sum(number)"]) == ("1.5", "3")


def test_nobody_makes_up_most_of_a_sum() -> None:
    """One person's share counts over all of that person's rows, and by magnitude."""
    rows: list[Row] = [
        *[("990101", "男", who, spouse, 1, "10") for who, spouse in ("AF", "BG", "CH")],
        ("990101", "男", "a", "F", 1, "-15"),  # A: 25 of 45
    ]
    for share, told in ((56, 1), (55, 0)):
        wanted = Aggregate(("district", "sex"), (("amount", (Measure.MEAN,)),), 3, share)
        found = totals(wanted, rows)
        assert found.result().num_rows == told
        assert found.suppressed == (0 if told else 4)
    counts_only = Aggregate(("district", "sex"), (("amount", (Measure.COUNT,)),), 3, 1)
    assert totals(counts_only, rows).result().num_rows == 1


def test_only_what_is_asked_for_is_told() -> None:
    """A measured field that is not asked for has no column; without rows there is a schema all the same."""
    plan = MaskPlan.of(tuple(c for c in PLAN.columns if c.name in ("district", "sex")))
    found = Totals(WANTED, plan, ("who",))
    assert found.result().schema.names == ["district", "sex", ROWS]
    assert found.result().num_rows == 0


@pytest.mark.parametrize("amount", ["1E+3", "9" * 40, "0.000000000000000000001"])
def test_what_cannot_be_added_exactly_ends_it(amount: str) -> None:
    """No value is left out of a sum unsaid."""
    with pytest.raises(Failed) as raised:
        totals(WANTED, [("990101", "男", "A", "F", 1, amount)])
    assert raised.value.about == "amount"


def test_a_mask_that_leaves_no_numbers_has_no_sum() -> None:
    """Of ranges there is no total; their count there is."""

    def of(measure: Measure) -> list[str]:
        masked: Any = masked_column(
            "number", FieldType.INTEGER, Mask("bucket", {"width": 10}), OPERATORS["bucket"], no_key, ""
        )
        wanted = Aggregate(("sex",), (("number", (measure,)),), 2)
        names: list[str] = Totals(wanted, MaskPlan.of((PLAN.columns[1], masked)), ("who",)).schema.names
        return names

    assert of(Measure.COUNT) == ["sex", "count(number)", ROWS]
    with pytest.raises(Failed):
        of(Measure.SUM)
