"""Columns in Arrow: the type of each field, and arrays that carry only what they show."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from broker.arrow import arrow_type, plain, rebuilt
from broker.model import FieldType

VALUES = {
    FieldType.TEXT: ["某甲", "", "secret-b", "secret-c"],
    FieldType.INTEGER: [1, -2, 3, 4],
    FieldType.DECIMAL: ["1.50", "0.10", "9007199254740993.01", "7"],
    FieldType.BOOLEAN: [True, False, True, True],
    FieldType.DATE: [date(2001, 2, 3), date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1)],
    FieldType.TIMESTAMP: [datetime(2026, 1, 2, 3, 4, 5, n, tzinfo=UTC) for n in range(4)],
}


@pytest.mark.parametrize("field_type", FieldType)
@pytest.mark.parametrize("times", [1, 40])
def test_rebuilt_keeps_values_and_drops_every_other_byte(field_type: FieldType, times: int) -> None:
    """What a slice or a null hides is gone from the buffers; what they show is unchanged."""
    values = pa.array(VALUES[field_type] * times, arrow_type(field_type))
    assert rebuilt(values).equals(values)
    assert rebuilt(values.slice(1, 2)).to_pylist() == values.to_pylist()[1:3]
    none = pa.py_buffer(bytes(len(values) // 8 + 1))
    nulled = pa.Array.from_buffers(values.type, len(values), [none, *values.buffers()[1:]])
    fresh = rebuilt(nulled)
    assert fresh.null_count == len(values)
    assert not any(any(buffer.to_pybytes()) for buffer in fresh.buffers() if buffer is not None)


@pytest.mark.parametrize("times", [1, 40])
def test_rebuilt_drops_texts_that_are_not_shown(times: int) -> None:
    """No byte of a row before, after or under a null stays."""
    texts = pa.array(["secret-a", "shown", "secret-b", "shown", "secret-c"] * times)
    bits = np.packbits(np.arange(len(texts)) % 5 % 2 == 1, bitorder="little")
    nulled = pa.Array.from_buffers(texts.type, len(texts), [pa.py_buffer(bits), *texts.buffers()[1:]])
    for hidden in (nulled, nulled.slice(1), nulled.dictionary_encode().dictionary_decode()):
        assert b"secret" not in rebuilt(hidden).buffers()[2].to_pybytes()


def test_plain_undoes_encodings_only() -> None:
    """Text in any encoding becomes text; no value is ever converted from one type to another."""
    texts = pa.array(["a", None, "b"])
    for encoded in (
        texts,
        texts.cast(pa.large_string()),
        texts.cast(pa.string_view()),
        texts.dictionary_encode(),
        texts.cast(pa.large_string()).dictionary_encode(),
    ):
        assert plain(encoded, pa.string()).equals(texts)
    for other, wanted in (
        (pa.array([1]), pa.string()),
        (pa.array(["1"]), pa.int64()),
        (pa.array([1], pa.int32()), pa.int64()),
        (pa.array([datetime(2026, 1, 1)], pa.timestamp("us")), pa.timestamp("us", "UTC")),
    ):
        with pytest.raises(TypeError, match="expected"):
            plain(other, wanted)
