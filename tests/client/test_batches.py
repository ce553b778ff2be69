"""An Arrow stream in pieces gives the batches that Arrow's own reader gives, or says that it is none."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.client.batches import Batches
from broker.errors import VerificationFailed

TYPES = {
    "text": pa.string(),
    "number": pa.int64(),
    "truth": pa.bool_(),
    "day": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "nothing": pa.null(),
}
SCHEMA = pa.schema(TYPES.items())


def stream(batches, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def read(pieces):
    reading = Batches()
    found = [batch for piece in pieces for batch in reading.feed(piece)]
    reading.end()
    return found, reading.schema


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


batches = st.lists(
    st.lists(
        st.fixed_dictionaries(
            {
                "text": st.none() | st.text(max_size=20),
                "number": st.none() | st.integers(-(2**63), 2**63 - 1),
                "truth": st.none() | st.booleans(),
                "day": st.none() | st.dates(),
                "instant": st.none(),
                "nothing": st.none(),
            }
        ),
        max_size=5,
    ).map(lambda rows: pa.RecordBatch.from_pylist(rows, SCHEMA)),
    max_size=4,
)


@settings(max_examples=60)
@given(batches, st.lists(st.integers(0, 2**16), max_size=20), st.sampled_from([None, "lz4", "zstd"]))
def test_any_cut_gives_the_batches(batches, places, compression):
    """However a stream is cut, its batches and its schema come out whole and in order."""
    found, schema = read(cut(stream(batches, compression=compression), places))
    assert schema == SCHEMA
    assert found == batches


def test_byte_by_byte():
    """The smallest pieces there are."""
    batch = pa.RecordBatch.from_pylist([{"text": "新生儿", "number": 1}], SCHEMA)
    data = stream([batch, batch])
    assert read([data[i : i + 1] for i in range(len(data))])[0] == [batch, batch]


def test_batches_come_as_soon_as_they_are_whole():
    """Nothing waits for the end of the stream."""
    batch = pa.RecordBatch.from_pylist([{"text": "a"}], SCHEMA)
    data, reading = stream([batch, batch]), Batches()
    seen = [len(list(reading.feed(data[i : i + 8]))) for i in range(0, len(data), 8)]
    assert sum(seen) == 2
    assert seen[-1] == 0  # by then only the end mark was missing


@pytest.mark.parametrize("missing", [1, 8, 9, 100])
def test_stream_without_its_end(missing):
    """A stream that is cut short does not end."""
    data = stream([pa.RecordBatch.from_pylist([{"text": "a" * 200}], SCHEMA)])
    with pytest.raises(VerificationFailed):
        read([data[:-missing]])


def test_bytes_after_the_end():
    """After the end mark nothing may come."""
    data = stream([])
    with pytest.raises(VerificationFailed):
        read([data, b"x"])
    with pytest.raises(VerificationFailed):
        read([data + data])


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_damage_is_no_crash(place, damage):
    """Whatever is written over whichever bytes, there are sound batches or VerificationFailed."""
    data = bytearray(stream([pa.RecordBatch.from_pylist([{"text": "a" * 50, "number": 7}] * 3, SCHEMA)] * 2))
    place %= len(data)
    data[place : place + len(damage)] = damage
    try:
        found, _ = read([bytes(data)])
    except VerificationFailed:
        return
    for batch in (b for b in found if b.num_rows < 100):  # more would only be nulls
        batch.to_pylist()


@given(st.binary(max_size=64))
def test_noise_is_no_stream(noise):
    """Bytes that never were a stream are refused."""
    with pytest.raises(VerificationFailed):
        read([noise])


def test_dictionaries_are_refused():
    """The broker sends none, and what is not understood is not let through."""
    schema = pa.schema([("d", pa.dictionary(pa.int32(), pa.string()))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([pa.array(["a", "b"]).dictionary_encode()], schema=schema))
    with pytest.raises(VerificationFailed):
        read([sink.getvalue().to_pybytes()])
