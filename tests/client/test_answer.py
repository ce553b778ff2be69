"""An answer as a table and as the frames of pandas and polars."""

import sys
from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from broker.client.answer import Exchanged
from broker.errors import SetUpError, VerificationFailed
from broker.model import Receipt, Verdict
from broker.transmit.watermark import watermark_of

RECEIPT = Receipt(b"{}", 1, 2, (), "")
MASKS = {"name": "partial@1", "flats": "", "married": "", "registered_on": "year@1", "email": ""}


def exchanged(*records, masks=MASKS):
    return Exchanged("1", Verdict.PERMIT, (), (), RECEIPT, records=list(records), masks=masks)


ANSWER = exchanged(
    {"name": "张*", "flats": 2, "married": True, "registered_on": "2019"},
    {"name": "欧阳**", "married": False},
)


def test_table_has_a_column_for_every_released_field():
    """Columns stand in the order released, typed as their values came; what no record has is null."""
    table = ANSWER.table()
    assert table.schema == pa.schema(
        {
            "name": pa.string(),
            "flats": pa.int64(),
            "married": pa.bool_(),
            "registered_on": pa.string(),
            "email": pa.null(),
        }.items()
    )
    assert table.to_pylist() == [{name: record.get(name) for name in MASKS} for record in ANSWER.records]


def test_table_of_no_records():
    """Nothing found has columns and no rows; a refusal, which released no field, has neither."""
    assert exchanged().table().column_names == list(MASKS)
    assert exchanged().table().num_rows == 0
    assert exchanged(masks={}).table().num_columns == 0


def test_integers_too_large_for_json_make_their_column_text():
    """Such integers come as text (RFC 8785), and none of the column may lose a digit."""
    column = exchanged({"n": 1}, {"n": str(2**53)}, {}, masks={"n": ""}).table()["n"]
    assert column.to_pylist() == ["1", "9007199254740992", None]


def test_column_of_mixed_kinds_is_refused():
    """Text and truth in one column is nothing that a catalog could have typed."""
    with pytest.raises(VerificationFailed):
        exchanged({"n": True}, {"n": "yes"}, masks={"n": ""}).table()


def test_pandas_keeps_integers_beside_missing_ones():
    """pandas would make floats of them, and an identifier with a decimal point is none."""
    frame = ANSWER.to_pandas()
    assert frame["flats"].dtype == pd.ArrowDtype(pa.int64())
    assert frame["flats"].to_list() == [2, pd.NA]
    assert frame["name"].to_list() == ["张*", "欧阳**"]
    assert len(exchanged(masks={}).to_pandas()) == 0


MARKS = {
    "sharebroker.consumer": "spiffe://xinghe/department/housing_fund/system/counter",
    "sharebroker.purpose": "p",
    "sharebroker.request_id": "1",
}


def test_watermark_goes_with_the_table(tmp_path):
    """Into the schema, from there into a file, and into a pandas frame."""
    marked = replace(ANSWER, watermark=MARKS)
    table = marked.table()
    assert watermark_of(table.schema) == MARKS
    pq.write_table(table, tmp_path / "answer.parquet")
    assert watermark_of(pq.read_schema(tmp_path / "answer.parquet")) == MARKS
    assert marked.to_pandas().attrs == MARKS
    assert marked.to_polars().height == 2
    assert ANSWER.to_pandas().attrs == {}
    assert ANSWER.table().schema.metadata is None


@pytest.mark.parametrize(
    "marks",
    [{}, {"sharebroker.purpose": "p"}, {b"\xff": b"\xff"}, {b"sharebroker.consumer": b"\xff"}],
    ids=repr,
)
def test_stream_without_its_watermark_is_refused(script, steps, caller, terms, marks):
    """Data that must be marked and are not, or otherwise, count for nothing."""
    broker = script(steps.watermarked(marks))
    with pytest.raises(VerificationFailed, match="watermark"):
        caller.stream(broker.address, **terms)


def test_stream_with_its_watermark(script, steps, caller, terms):
    """Batches and tables have it, and the stream tells it."""
    broker = script(steps.watermarked(None))
    stream, table = caller.stream(broker.address, **terms)
    assert stream.duties.watermark
    assert stream.watermark == watermark_of(table.schema)
    assert stream.watermark["sharebroker.request_id"] == stream.request_id
    assert caller.stream(broker.address, into="to_pandas", **terms)[1].attrs["sharebroker.purpose"] == "p"


def test_polars():
    """The same in polars."""
    frame = ANSWER.to_polars()
    assert frame.schema["flats"] == pl.Int64
    assert frame["flats"].to_list() == [2, None]
    assert exchanged(masks={}).to_polars().is_empty()


def test_stream_has_the_catalogs_types(script, steps, caller, terms):
    """A stream's dates are dates, in Arrow, pandas and polars."""
    broker = script(steps.permit_stream)
    _, table = caller.stream(broker.address, **terms)
    assert table.schema == steps.batch.schema
    assert table["paid_on"].to_pylist()[:40] == [date(2026, 1, 1) + timedelta(n) for n in range(40)]
    frame = caller.stream(broker.address, into="to_pandas", **terms)[1]
    assert frame["paid_on"].dtype == pd.ArrowDtype(pa.date32())
    assert caller.stream(broker.address, into="to_polars", **terms)[1].schema["paid_on"] == pl.Date


@pytest.mark.parametrize("extra", ["pandas", "polars"])
def test_missing_extra_is_named(monkeypatch, extra):
    """Who has not installed the extra is told which one, and how."""
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(SetUpError) as missing:
        getattr(ANSWER, f"to_{extra}")()
    assert f"sharebroker[{extra}]" in missing.value.zh
    assert f"sharebroker[{extra}]" in missing.value.en
