"""What comes of tokens turned back, byte for byte, so that the caller can recompute the receipt's digest."""

from __future__ import annotations

import orjson

Values = tuple[str | None, ...]
"""What each token stands for, in their order; None for what is no token of the field."""


def canonical(values: Values) -> bytes:
    """RFC 8785 JSON of an answer: ``{"values":["990101189901010015",null]}``."""
    return orjson.dumps({"values": values})
