from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model import Dataset, FieldType
from broker.transmit.quality import check

SHANGHAI = ZoneInfo("Asia/Shanghai")
ROW: dict[str, Any] = {
    "husband_id": "990101189901010015",
    "wife_id": None,
    "status": "married",
    "children": "2",
    "registered_on": "2020-02-29",
    "district": "990101",
    "updated_at": "2026-11-23 08:00:00+08:00",
}


def batch(*changes: dict[str, Any]) -> pa.RecordBatch:
    """One row for each of ``changes`` to :data:`ROW`, all as text."""
    kinds = pa.schema([(name, pa.string()) for name in ROW])
    return pa.RecordBatch.from_pylist([ROW | change for change in changes], schema=kinds)


def test_a_sound_row(dataset: Dataset) -> None:
    """A row that keeps every rule comes out in the catalog's types."""
    checked = check(batch({}), dataset, SHANGHAI)
    assert checked.bad == 0
    row = checked.good().to_pylist()[0]
    assert row["children"] == 2
    assert row["registered_on"].isoformat() == "2020-02-29"
    assert row["updated_at"].isoformat() == "2026-11-23T00:00:00+00:00"


@pytest.mark.parametrize(
    "change",
    [
        {"husband_id": "990101189901010016"},
        {"husband_id": None},
        {"wife_id": "99010118990101004x"},
        {"status": None},
        {"status": "\ufffd\ufffd"},
        {"children": "two"},
        {"registered_on": "2023-02-30"},
        {"district": "9901"},
        {"updated_at": "yesterday"},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", [2, 100])
def test_one_failing_field_makes_the_row_bad(dataset: Dataset, change: dict[str, Any], rows: int) -> None:
    """Wrong check character, missing, damaged, impossible: the row is bad, its neighbours are not."""
    checked = check(batch(*[{}] * (rows - 1), change), dataset, SHANGHAI)
    assert list(checked.sound) == [True] * (rows - 1) + [False]
    assert checked.bad == 1
    assert checked.good().num_rows == rows - 1


@pytest.mark.parametrize("rows", [2, 100])
@pytest.mark.parametrize("type_", [FieldType.INTEGER, FieldType.DECIMAL])
def test_numbers_have_formats_too(dataset: Dataset, type_: FieldType, rows: int) -> None:
    """Of a number its digits are judged: an amount is none that no account holds."""
    amount = replace(dataset.fields["children"], type=type_, format="amount")
    priced = replace(dataset, fields={**dataset.fields, "children": amount})
    sound, odd = {"children": "-12"}, {"children": "1234567890123456"}
    checked = check(batch(*[sound] * (rows - 1), odd), priced, SHANGHAI)
    assert list(checked.sound) == [True] * (rows - 1) + [False]


def test_an_optional_field_may_be_null(dataset: Dataset) -> None:
    """Only a required field needs a value."""
    nothing = dict.fromkeys(ROW) | {"husband_id": ROW["husband_id"], "status": "married"}
    assert check(batch(nothing), dataset, SHANGHAI).bad == 0


def test_no_byte_of_a_bad_row_is_left(dataset: Dataset) -> None:
    """What is handed on holds nothing of the rows that were taken out, not even in its buffers."""
    bad = {"husband_id": "secret-id", "status": "secret-status", "district": "secret-district"}
    good = check(batch({}, bad, {}), dataset, SHANGHAI).good()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, good.schema) as writer:
        writer.write_batch(good)
    assert b"secret" not in sink.getvalue().to_pybytes()
    assert not any(b"secret" in buffer.to_pybytes() for c in good.columns for buffer in c.buffers() if buffer)


@given(rows=st.lists(st.fixed_dictionaries({}, optional={n: st.none() | st.text(max_size=20) for n in ROW})))
def test_whatever_the_data_nothing_is_raised(dataset: Dataset, rows: list[dict[str, Any]]) -> None:
    """Every row is judged, and good and bad are all there are."""
    checked = check(batch(*rows), dataset, SHANGHAI)
    assert checked.good().num_rows + checked.bad == len(rows)
