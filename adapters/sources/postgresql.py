"""How PostgreSQL's values are loaded: without padding, and as text where Python has no such value."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader


class _PaddedLoader(Loader):
    """``char(n)``: trailing blanks are padding, without meaning (PostgreSQL manual, 8.3)."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode().rstrip(" ")


class _TimeLoader(Loader):
    """``infinity`` or a year beyond 9999 stays text: one bad row must not hide the others."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        strict = psycopg.adapters.get_loader(oid, pq.Format.TEXT)
        if strict is None:
            raise psycopg.ProgrammingError("psycopg has no loader for this time")
        self._strict = strict(oid, context)

    def load(self, data: Buffer) -> object:
        try:
            return self._strict.load(data)
        except psycopg.DataError:
            return bytes(data).decode()


_LOADERS: dict[str, type[Loader]] = {
    "bpchar": _PaddedLoader,
    "date": _TimeLoader,
    "timestamp": _TimeLoader,
    "timestamptz": _TimeLoader,
}


def register_loaders(connection: Any, _record: object) -> None:
    """Use them on one psycopg connection; SQLAlchemy calls this for each that it opens."""
    for name, loader in _LOADERS.items():
        connection.adapters.register_loader(name, loader)
