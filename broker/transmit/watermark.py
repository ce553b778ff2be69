"""The watermark of a permit that demands one: what is handed over says for whom, what for, under which call.

It is metadata beside the data, in the open: who finds the table somewhere learns whom to ask. It is no secret
mark, and who wants to can take it away.
"""

from __future__ import annotations

import pyarrow as pa

CONSUMER, PURPOSE, REQUEST = "sharebroker.consumer", "sharebroker.purpose", "sharebroker.request_id"
MARKS = (CONSUMER, PURPOSE, REQUEST)
"""Keys of the schema metadata (Arrow) of a watermarked table."""


def watermark(consumer_uri: str, purpose: str, request_id: str) -> dict[str, str]:
    """The marks of one exchange; ``consumer_uri`` is the SPIFFE id of who asked."""
    return {CONSUMER: consumer_uri, PURPOSE: purpose, REQUEST: request_id}


def watermark_of(schema: pa.Schema) -> dict[str, str]:
    """The marks in a schema; empty when it has none."""
    marks = schema.metadata or {}
    return {name: marks[key].decode(errors="replace") for name in MARKS if (key := name.encode()) in marks}
