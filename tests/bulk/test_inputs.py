"""Files to mask: found, cut into parts that together are the whole, refused where nobody can read them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.bulk import inputs
from broker.bulk.grammar import Encoding
from broker.bulk.inputs import InputFile, batches, find_inputs, survey
from broker.errors import SetUpError

CELLS = st.text(st.sampled_from('a,"\n\r 中é'), max_size=6)


def _file(path: Path, content: bytes, encoding: Encoding = Encoding.UTF8) -> InputFile:
    path.write_bytes(content)
    (file,) = find_inputs(path, encoding)
    return file


def _rows(file: InputFile, columns: list[str]) -> list[tuple[str | None, ...]]:
    surveyed = survey(file, columns)
    found = [batch for part in surveyed.parts for batch in batches(file, part, columns, surveyed)]
    return [row for batch in found for row in zip(*batch.to_pydict().values(), strict=True)]


@settings(max_examples=50)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=12),
    block=st.integers(1, 40),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_parts_of_a_csv_are_all_its_rows_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], block: int, end: str
) -> None:
    """Line breaks and quotation marks within cells end no row, wherever a block ends."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end).writerows([("x", "编号"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "CSV_BLOCK", block)
        file = _file(tmp_path_factory.mktemp("csv") / "a.csv", text.getvalue().encode("utf-8-sig"))
        found = _rows(file, ["编号", "x"])
    assert found == [(second or None, first or None) for first, second in rows]


def test_gbk_is_read_as_the_plan_says_and_never_guessed(tmp_path: Path) -> None:
    """The same bytes without the word in the plan are refused, with the word to write."""
    content = "编号,姓名\n1,张三\n2,\n".encode("gbk")
    assert _rows(_file(tmp_path / "a.csv", content, Encoding.GB18030), ["姓名"]) == [("张三",), (None,)]
    with pytest.raises(SetUpError, match="encoding: gb18030"):
        survey(_file(tmp_path / "a.csv", content), ["姓名"])


def test_a_huge_cell_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell far longer than a block stays one cell."""
    monkeypatch.setattr(inputs, "CSV_BLOCK", 1_000)
    long = "长" * 500_000
    assert _rows(_file(tmp_path / "a.csv", f'x\n"{long}"\n1\n'.encode()), ["x"]) == [(long,), ("1",)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"\n1,2\n", "no header"),
        (b"x,y\n1,2\n", "no column"),
        (b"a,b,a\n1,2,3\n", "several columns"),
        (b'a,b\n1,"2\n3,4\n', "never closed"),
        (b'a,b\n1,5"6"7\n', "not doubled"),
        (b"a,b\n1,2,SECRET\n", "another number of cells"),
        (b"a,b\n1,\xff\n", "not UTF-8"),
    ],
)
def test_a_csv_that_means_nothing_sure_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """The message names the file and never quotes it."""
    with pytest.raises(SetUpError, match=said) as refused:
        _rows(_file(tmp_path / "a.csv", content), ["a", "b"])
    assert "a.csv" in str(refused.value)
    assert "SECRET" not in str(refused.value)


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    """Cut at the end, cut in the middle with its end put back, and not Parquet at all."""
    whole = io.BytesIO()
    pq.write_table(pa.table({"a": [f"{n:09}" for n in range(5_000)]}), whole, compression="none")
    content = whole.getvalue()
    for broken in (content[:-20], b"", b"a,b\n1,2\n"):
        with pytest.raises(SetUpError, match="no complete Parquet"):
            survey(_file(tmp_path / "a.parquet", broken), ["a"])
    damaged = bytearray(content)
    damaged[4:40] = bytes(36)
    with pytest.raises(SetUpError, match="row group 0"):
        _rows(_file(tmp_path / "a.parquet", bytes(damaged)), ["a"])


def test_columns_with_dots_encodings_and_neighbours_are_found_by_name(tmp_path: Path) -> None:
    """A dictionary, a name with a dot, and a nested column beside them."""
    table = pa.table(
        {"a.b": ["x", "y"], "a": [{"b": 1}, {"b": 2}], "d": pa.array(["p", "q"]).dictionary_encode()}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (file,) = find_inputs(tmp_path / "a.parquet")
    assert _rows(file, ["d", "a.b"]) == [("p", "x"), ("q", "y")]


def test_files_are_found_by_name_and_no_file_is_left_out_in_silence(tmp_path: Path) -> None:
    """Below the folder too; what Spark leaves behind is no data; anything else is refused."""
    for name in ("b.csv", "a/c.parquet", "_SUCCESS", ".a.csv", "_temporary/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in find_inputs(tmp_path)] == ["a/c.parquet", "b.csv"]
    (tmp_path / "b.parquet").touch()
    with pytest.raises(SetUpError, match="by its ending only"):
        find_inputs(tmp_path)
    (tmp_path / "b.parquet").rename(tmp_path / "b.xlsx")
    with pytest.raises(SetUpError, match=r"neither \.parquet nor \.csv"):
        find_inputs(tmp_path)
    with pytest.raises(SetUpError, match="no Parquet or CSV"):
        find_inputs(tmp_path / "nowhere")


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    """Another size or time than when the run began."""
    file = _file(tmp_path / "a.csv", b"a\n1\n")
    (tmp_path / "a.csv").write_bytes(b"a\n1\n2\n")
    with pytest.raises(SetUpError, match="changed while"):
        survey(file, ["a"])
