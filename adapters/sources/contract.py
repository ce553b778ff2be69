"""What a source of rows is. The broker knows sources by this contract and by entry point only.

A source is a class found under the entry point group ``sharebroker.sources``. It is read-only: it gets a
:class:`Query` made of names from the catalog and of values that are always bound as parameters, and gives
Arrow record batches of the asked columns and of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

import pyarrow as pa

ENTRY_POINT_GROUP = "sharebroker.sources"


class SourceError(Exception):
    """The source cannot be read. The message names table and cause, never a value."""


@dataclass(frozen=True, slots=True)
class Query:
    """One read, pushed down to the source: projection, subject filter and row scope.

    ``columns`` maps the catalog's field names to the source's column names; batches come back under the
    field names, in this order. A row matches when any of ``subject_columns`` equals any of ``subjects``
    (all rows when ``subjects`` is empty), every ``(column, prefix)`` of ``prefixes`` holds, and so does every
    ``(column, values)`` of ``within``: the column, as text, is one of the values, character by character.

    A source may add a row whose subject is damaged and may have been one of ``subjects``: nobody can say
    whom it is about, so it counts as bad and the answer as doubtful, where "none" could be wrong.
    """

    columns: Mapping[str, str]
    subject_columns: Sequence[str]
    subjects: Sequence[str]
    prefixes: Sequence[tuple[str, str]] = ()
    within: Sequence[tuple[str, Sequence[str]]] = ()
    order_by: Sequence[str] = ()
    """Source columns that make the order of rows the same at every read."""
    limit: int | None = None
    """Stop after so many rows."""


class Source(Protocol):
    """An open source; safe for use by several threads."""

    kind: ClassVar[str]

    def __init__(self, options: Mapping[str, str], base: str) -> None:
        """Open by the catalog's options (``url``, ``table``, ``path`` …); relative paths start at ``base``.

        Raises:
            SourceError: an option is missing or unknown, or the source is not there.
        """
        ...

    def read(self, query: Query, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``batch_rows`` rows; a column has the source's own type, or ``string`` where
        its values have no common one (what that means is the quality check's affair, not the source's).

        Raises:
            SourceError: it cannot be read.
        """
        ...

    def newest(self, column: str) -> datetime | None:
        """The newest time in ``column``, or None when there is none.

        Aware where the source knows the offset, else naive, in the provider's local time; a date counts
        from its midnight. What is no time is passed over.

        Raises:
            SourceError: it cannot be read.
        """
        ...

    def close(self) -> None:
        """Give back connections and files. Calls that still read, or are about to, are not disturbed."""
        ...
