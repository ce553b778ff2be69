from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from adapters.sources import files
from adapters.sources.conformance import read
from adapters.sources.contract import Query, SourceError
from adapters.sources.files import FileSource

ALL = Query({"id": "id", "v": "v"}, ("id",), ())


def csv_source(folder: Path, content: str | bytes, **options: str) -> FileSource:
    path = folder / "register.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return FileSource({"path": "register.csv", "format": "csv"} | options, str(folder))


def test_csv_is_text(tmp_path: Path) -> None:
    """Nothing is guessed: zeros, dates, truths and exponents stay as written; an empty cell is null."""
    source = csv_source(tmp_path, 'id,v\n007,2026-01-01\n1e5,true\nNULL,\n"",NA\n')
    assert read(source, ALL) == [
        {"id": "007", "v": "2026-01-01"},
        {"id": "1e5", "v": "true"},
        {"id": "NULL", "v": None},
        {"id": None, "v": "NA"},
    ]
    assert read(source, Query({"v": "v"}, ("id",), ("007",))) == [{"v": "2026-01-01"}]
    assert read(source, Query({"v": "v"}, ("id",), ("7",))) == []


def test_csv_in_the_encoding_of_older_systems(tmp_path: Path) -> None:
    """With ``encoding: gb18030`` legacy exports are read; a byte order mark is no part of the first name."""
    source = csv_source(tmp_path, "id,v\n1,张三\n".encode("gb18030"), encoding="gb18030")
    assert read(source, Query({"v": "v"}, ("id",), ("1",))) == [{"v": "张三"}]
    marked = csv_source(tmp_path, "\ufeffid,v\n1,张三\n")
    assert read(marked, Query({"v": "v"}, ("id",), ("1",))) == [{"v": "张三"}]


@pytest.mark.parametrize("content", ["id,v\n1\n", "id,id\n1,2\n", "", b"id,v\n1,\xff\n"], ids=repr)
def test_a_broken_csv_is_not_an_empty_one(tmp_path: Path, content: str | bytes) -> None:
    """A file that cannot be read as a whole is an error, without a word of its content."""
    source = csv_source(tmp_path, content)
    with pytest.raises(SourceError, match=r"^register\.csv: \w+$"):
        read(source, ALL)


@pytest.mark.parametrize("resident", [files.MOST_RESIDENT_BYTES, 0], ids=["kept", "scanned"])
def test_a_replaced_file_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: int) -> None:
    """The next read after a replacement sees the new rows and the new age."""
    monkeypatch.setattr(files, "MOST_RESIDENT_BYTES", resident)
    source = csv_source(tmp_path, "id,v\n1,2026-01-01\n")
    assert read(source, Query({"v": "v"}, ("id",), ("1",))) == [{"v": "2026-01-01"}]
    assert source.newest("v") == datetime(2026, 1, 1)
    (tmp_path / "next").write_text("id,v\n1,2026-01-02\n")
    os.replace(tmp_path / "next", tmp_path / "register.csv")
    assert read(source, Query({"v": "v"}, ("id",), ("1",))) == [{"v": "2026-01-02"}]
    assert source.newest("v") == datetime(2026, 1, 2)


def test_a_file_that_vanished(tmp_path: Path) -> None:
    """Once read and then gone, a file is an error and not the rows it had."""
    source = csv_source(tmp_path, "id,v\n1,2\n")
    assert len(read(source, ALL)) == 1
    (tmp_path / "register.csv").unlink()
    for attempt in (lambda: read(source, ALL), lambda: source.newest("v")):
        with pytest.raises(SourceError, match=r"^register\.csv: FileNotFoundError$"):
            attempt()


@pytest.mark.parametrize("resident", [files.MOST_RESIDENT_BYTES, 0], ids=["kept", "scanned"])
@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_subjects_of_any_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: int, kind: pa.DataType
) -> None:
    """A subject column may be stored as numbers or as a dictionary; it is compared as text."""
    monkeypatch.setattr(files, "MOST_RESIDENT_BYTES", resident)
    ids = pa.array(["3", None, "12", "3"]).cast(pa.int64()).cast(pa.string()).cast(kind)
    table = pa.table(
        {"id": ids, "v": ["a", "b", "c", "d"], "on": [date(2026, 1, day) for day in range(1, 5)]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "register.parquet", row_group_size=2)
    source = FileSource({"path": "register.parquet", "format": "parquet"}, str(tmp_path))
    assert [row["v"] for row in read(source, Query({"v": "v"}, ("id",), ("3", "9")))] == ["a", "d"]
    assert [row["v"] for row in read(source, Query({"v": "v"}, (), (), (("id", "1"),)))] == ["c"]
    assert source.newest("on") == datetime(2026, 1, 4)


def test_the_newest_time_among_garbage(tmp_path: Path) -> None:
    """Garbled times sort last but do not hide the newest; nanoseconds are cut."""
    source = csv_source(tmp_path, "id,v\n1,unknown\n2,2026-01-01 00:00:00\n3,\n4,zzz\n")
    assert source.newest("v") == datetime(2026, 1, 1)
    stamps = pa.array([1, 1_767_225_600_000_000_001, None], pa.timestamp("ns"))
    pyarrow.parquet.write_table(pa.table({"v": stamps}), tmp_path / "t.parquet")
    typed = FileSource({"path": "t.parquet", "format": "parquet"}, str(tmp_path))
    assert typed.newest("v") == datetime(2026, 1, 1)


def test_an_empty_file_with_a_header(tmp_path: Path) -> None:
    """No rows is an answer, and no age."""
    source = csv_source(tmp_path, "id,v\n")
    assert read(source, Query({"v": "v"}, ("id",), ("1",))) == read(source, ALL) == []
    assert source.newest("v") is None


@pytest.mark.parametrize(
    "options",
    [
        {"path": "missing.csv", "format": "csv"},
        {"path": ".", "format": "csv"},
        {"path": "there.csv", "format": "ods"},
        {"path": "there.csv", "format": "parquet", "encoding": "gbk"},
        {"path": "there.csv", "format": "parquet", "header_row": "1"},
        {"path": "there.csv", "format": "csv", "sheet": "a"},
        {"path": "there.csv", "format": "csv", "header_row": "0"},
        {"path": "there.csv", "format": "csv", "header_row": "3-2"},
        {"path": "there.csv", "format": "csv", "header_row": "1-9"},
        {"path": "there.csv", "format": "csv", "tidy": "yes"},
        {"path": "there.csv"},
        {"path": "there.csv", "format": "csv", "delimiter": ";"},
    ],
    ids=str,
)
def test_options_are_strict(tmp_path: Path, options: dict[str, str]) -> None:
    """What is missing, unknown or not there is refused when the source is opened."""
    (tmp_path / "there.csv").write_text("id\n")
    with pytest.raises(SourceError):
        FileSource(options, str(tmp_path))


ID = "990101189901010015"


def test_an_untidy_file_is_read_by_its_options(tmp_path: Path) -> None:
    """Header in the third row, full-width digits, a blank row and a total: found by the plain id."""
    wide = ID.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789"})
    content = f"登记表,\n\nid,v\n{wide},甲\n,\n'1,乙\n合计,2\n".encode("gb18030")
    options = {"encoding": "gb18030", "header_row": "3", "tidy": "true", "skip_totals": "true"}
    source = csv_source(tmp_path, content, **options)
    assert source.columns() == ["id", "v"]
    assert read(source, ALL) == [{"id": ID, "v": "甲"}, {"id": "1", "v": "乙"}]
    assert read(source, Query({"v": "v"}, ("id",), (ID,))) == [{"v": "甲"}]


def test_a_row_that_does_not_fit_its_header(tmp_path: Path) -> None:
    """More cells than names: an error without a word of the file, instead of values in the wrong columns."""
    source = csv_source(tmp_path, "id,v\n1,2\n1,secret,3\n", header_row="1")
    with pytest.raises(SourceError, match=r"^register\.csv: row 3 has more cells than the header has names$"):
        read(source, ALL)


def test_rounded_ids_are_found_by_whoever_they_may_be(tmp_path: Path) -> None:
    """The row comes as it is, so the answer about that person is doubtful and not "none"."""
    source = csv_source(tmp_path, f"id,v\n{ID},1\n9.90101E+17,2\n9.90101E+17,3\n")
    assert [row["id"] for row in read(source, Query({"id": "id"}, ("id",), (ID,)))] == [ID, "9.90101E+17"]
    other = Query({"id": "id"}, ("id",), ("990101200001010013",))
    assert [row["id"] for row in read(source, other)] == ["9.90101E+17"]  # one is enough to doubt
    assert read(source, Query({"id": "id"}, ("id",), ("990201200001010013", "99010118990101004X"))) == []


@pytest.mark.parametrize("resident", [files.MOST_RESIDENT_BYTES, 0], ids=["kept", "scanned"])
def test_the_files_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: int) -> None:
    """``modified_column`` dates every row, kept or scanned, ordered or not, and a replaced file anew."""
    monkeypatch.setattr(files, "MOST_RESIDENT_BYTES", resident)
    source = csv_source(tmp_path, "id,v\n1,a\n2,b\n", modified_column="t")
    assert source.columns() == ["id", "v"]
    for moment in (1_767_225_600, 1_767_312_000):
        os.utime(tmp_path / "register.csv", (moment, moment))
        expected = datetime.fromtimestamp(moment, UTC)
        for query in (
            Query({"t": "t", "v": "v"}, ("id",), ("2",)),
            Query({"t": "t", "v": "v"}, ("id",), ("2",), order_by=("v",)),
            Query({"t": "t", "v": "v"}, (), (), (("id", "2"),)),
        ):
            assert read(source, query) == [{"t": expected, "v": "b"}]
        assert source.newest("t") == expected
    taken = csv_source(tmp_path, "id,v\n1,a\n", modified_column="v")
    if resident:
        with pytest.raises(SourceError, match="is a column of the file already"):
            read(taken, ALL)


def test_the_newest_of_dates_as_people_write_them(tmp_path: Path) -> None:
    """Neither a missing zero nor another spelling hides the newest."""
    source = csv_source(tmp_path, "id,v\n1,2026/9/30\n2,2026年10月1日\n3,2026-2-28 8:00\n4,26/12/31\n")
    assert source.newest("v") == datetime(2026, 10, 1)
