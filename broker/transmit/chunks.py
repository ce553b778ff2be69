"""A stream on its way out: Arrow record batches become the chunks of one Arrow IPC stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pyarrow as pa


class IpcChunks:
    """Writes batches of one schema; all chunks concatenated are one Arrow IPC stream with its end mark.

    ``digest`` is SHA-256(nonce ‖ every chunk given so far), so it says at any moment what was handed over;
    ``count`` and ``bytes`` say how much that is.
    """

    def __init__(self, schema: pa.Schema, chunk_bytes: int, nonce: bytes) -> None:
        self._chunk_bytes = chunk_bytes
        self._digest = hashlib.sha256(nonce)
        self.count = self.bytes = 0
        self._pending = bytearray()
        self._writer = pa.ipc.new_stream(_Sink(self._pending), schema)

    @property
    def digest(self) -> bytes:
        return self._digest.digest()

    def write(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        """Chunks that are full once ``batch`` is written."""
        self._writer.write_batch(batch)
        yield from self._cut(self._chunk_bytes)

    def finish(self) -> Iterator[bytes]:
        """What remains, ending with the stream's end mark."""
        self._writer.close()
        yield from self._cut(1)

    def _cut(self, least: int) -> Iterator[bytes]:
        while len(self._pending) >= least:
            chunk = bytes(self._pending[: self._chunk_bytes])
            del self._pending[: self._chunk_bytes]
            self._digest.update(chunk)
            self.count += 1
            self.bytes += len(chunk)
            yield chunk


class _Sink:
    """What Arrow writes into: a file whose content can be taken away while it grows."""

    closed = False

    def __init__(self, pending: bytearray) -> None:
        self._pending = pending

    def write(self, data: bytes) -> int:
        self._pending += memoryview(data).cast("B")
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True
