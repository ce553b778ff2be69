"""Output files are a function of their rows, whatever pieces these come in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.bulk import outputs
from broker.bulk.outputs import Form, write_rows

ROWS = pa.record_batch({"a": [("长" * (n % 5)) or None for n in range(200)], "b": list(range(200))})


def _pieces(cuts: list[int]) -> Iterator[pa.RecordBatch]:
    places = [0, *sorted(cuts), len(ROWS)]
    return (ROWS.slice(a, b - a) for a, b in pairwise(places))


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 200), max_size=12), rows=st.integers(1, 250), size=st.integers(1, 1_500))
def test_bytes_depend_on_the_rows_alone(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], rows: int, size: int
) -> None:
    """Groups end by rows or by bytes of text, at the same rows however these were cut before."""
    folder = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs, "GROUP_ROWS", rows)
        patch.setattr(outputs, "GROUP_BYTES", size)
        whole = write_rows(folder / "whole", Form.PARQUET, ROWS.schema, [ROWS])
        cut = write_rows(folder / "cut", Form.PARQUET, ROWS.schema, _pieces(cuts))
    assert whole == cut
    assert pq.read_table(folder / "cut").to_batches()[0].num_rows <= 200
    assert pq.read_table(folder / "cut") == pa.table(ROWS)
    groups = pq.ParquetFile(folder / "cut").metadata
    assert all(groups.row_group(n).num_rows <= rows for n in range(groups.num_row_groups))
    longest = 15
    for group in pq.ParquetFile(folder / "cut").iter_batches(250, row_groups=[0]):
        assert sum(len(text.encode()) for text in group["a"].drop_null().to_pylist()) < size + longest


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    """Whoever looks sees a whole file or none."""

    def broken() -> Iterator[pa.RecordBatch]:
        yield ROWS
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_rows(tmp_path / "a", Form.PARQUET, ROWS.schema, broken())
    assert not list(tmp_path.iterdir())
