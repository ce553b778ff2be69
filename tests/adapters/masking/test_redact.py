"""Redaction: a constant, so that not even presence shows."""

from __future__ import annotations

import pyarrow as pa
import pytest


@pytest.mark.parametrize("rows", [0, 3, 90])
def test_every_row_looks_the_same(bind, ipc_bytes, rows) -> None:
    """Two columns of any texts and nulls give the same bytes; other types give nulls of the type."""
    mask = bind("redact")
    full, empty = pa.array(["秘密"] * rows, pa.string()), pa.nulls(rows, pa.string())
    assert mask(full).to_pylist() == ["***"] * rows
    assert ipc_bytes(mask(full)) == ipc_bytes(mask(empty))
    for values in (pa.array(range(rows), pa.int64()), pa.array(range(rows), pa.date32())):
        masked = mask(values)
        assert masked.type == values.type
        assert ipc_bytes(masked) == ipc_bytes(pa.nulls(rows, values.type))
