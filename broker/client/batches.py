"""An Arrow IPC stream that comes in pieces, cut anywhere, and the record batches in it.

Arrow's own reader pulls its bytes and would block an event loop; this one is given them. It finds where a
message ends ("Encapsulated message format" of the Arrow columnar format 1.0) and leaves its content to Arrow.
Dictionaries are not taken: the broker sends none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from broker.errors import VerificationFailed

_MARK = 0xFFFFFFFF
_PREFIX = struct.Struct("<Ii")
"""The mark, and the size of the metadata, which is 0 at the end of the stream."""
_BODY_LENGTH = 3
"""Place of ``bodyLength`` among the fields of the table ``Message`` (Message.fbs)."""


class Batches:
    """Record batches of one stream; ``schema`` is None until it has come."""

    def __init__(self) -> None:
        self.schema: pa.Schema | None = None
        self._ended = False
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> Iterator[pa.RecordBatch]:
        """The batches that are complete with ``chunk``, the next bytes of the stream.

        Raises:
            VerificationFailed: the bytes are no such stream.
        """
        self._pending += chunk
        try:
            while (size := self._size()) is not None:
                message = bytes(memoryview(self._pending)[:size])
                del self._pending[:size]
                if self.schema is None:
                    self.schema = _schema(message)
                else:
                    yield _batch(message, self.schema)
        except (struct.error, pa.ArrowException, OSError, UnicodeError):
            raise _no_stream() from None

    def end(self) -> None:
        """Nothing more comes.

        Raises:
            VerificationFailed: the stream's end mark has not come.
        """
        if not self._ended:
            raise _no_stream()

    def _size(self) -> int | None:
        """Bytes of the message that comes next; None while not all of them are here."""
        if self._ended:
            if self._pending:
                raise _no_stream()
            return None
        if len(self._pending) < _PREFIX.size:
            return None
        mark, metadata = _PREFIX.unpack_from(self._pending)
        if mark != _MARK or metadata < 0:
            raise _no_stream()
        if metadata == 0:
            self._ended = True
            del self._pending[: _PREFIX.size]
            return self._size()
        start = _PREFIX.size + metadata
        if len(self._pending) < start:
            return None
        size = start + _body_length(memoryview(self._pending)[_PREFIX.size : start])
        return size if len(self._pending) >= size else None


def _schema(message: bytes) -> pa.Schema:
    schema = pa.ipc.read_schema(_message(message, "schema"))
    schema.names  # noqa: B018 - raises here, and not in the caller's code, when one is not UTF-8
    return schema


def _batch(message: bytes, schema: pa.Schema) -> pa.RecordBatch:
    batch = pa.ipc.read_record_batch(_message(message, "record batch"), schema)
    # It is used before the stream's digest can be checked, and bad offsets would read foreign memory.
    batch.validate(full=True)
    return batch


def _message(data: bytes, kind: str) -> pa.ipc.Message:
    message = pa.ipc.read_message(data)
    if message.type != kind:  # Arrow would read it as that kind all the same
        raise _no_stream()
    return message


def _body_length(metadata: memoryview) -> int:
    """``bodyLength`` in a flatbuffer whose root is a ``Message``; a field that is left out is 0."""
    (root,) = struct.unpack_from("<I", metadata)
    (back,) = struct.unpack_from("<i", metadata, root)
    vtable = root - back
    (vtable_size,) = struct.unpack_from("<H", metadata, vtable)
    entry = 4 + 2 * _BODY_LENGTH
    if entry >= vtable_size:
        return 0
    (offset,) = struct.unpack_from("<H", metadata, vtable + entry)
    (length,) = struct.unpack_from("<q", metadata, root + offset) if offset else (0,)
    if length < 0:
        raise _no_stream()
    return int(length)


def _no_stream() -> VerificationFailed:
    return VerificationFailed("流中不是有效的 Arrow 数据 / the stream holds no valid Arrow data")
