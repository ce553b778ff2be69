"""What ``fsck`` finds: something wrong, named by table, row and column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``column`` is empty when it is the row itself, ``row`` when it is the table.

    Rows are named by their keys; no other value of a row is repeated.
    """

    table: str
    row: str
    column: str
    zh: str
    en: str


def row_name(keys: Mapping[str, object]) -> str:
    """``tile_index=3 level=0``: a row by its key, printable whatever is in it."""
    return " ".join(f"{name}={_printable(value)}" for name, value in keys.items())


def leaf_name(index: object) -> str:
    """A row of ``leaf`` or ``statement``."""
    return row_name({"leaf_index": index})


def tile_name(level: object, index: object) -> str:
    """A row of ``tile``."""
    return row_name({"level": level, "tile_index": index})


def _printable(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else ascii(text)
