"""What is done with rows before they are released, so that nobody is told apart; ``desensitize`` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa


class Gate(Protocol):
    """Holds back rows of too few people (policy language, 5.8): first all are counted, then they pass.

    Batches are sound rows of every field read. All methods may raise a BrokerError: nothing more is released.
    """

    def count(self, batch: pa.RecordBatch) -> None:
        """Count rows that could be released."""
        ...

    def open(self) -> None:
        """All rows are counted."""
        ...

    def passing(self, batch: pa.RecordBatch) -> Sequence[bool]:
        """Of each row whether it may be released."""
        ...

    def close(self) -> None:
        """The last row has passed."""
        ...


class Totals(Protocol):
    """Takes the place of rows (5.9): what is added up is released once, at the end."""

    @property
    def released(self) -> int:
        """Groups given out; 0 before the end."""
        ...

    @property
    def suppressed(self) -> int:
        """Rows of groups left out; 0 before the end."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Of what :meth:`result` gives."""
        ...

    @property
    def column_masks(self) -> Mapping[str, str]:
        """Column → ``operator@version`` that masked what it is made of, empty for none."""
        ...

    def add(self, batch: pa.RecordBatch) -> None:
        """Add up sound rows of every field read."""
        ...

    def result(self) -> pa.RecordBatch:
        """The totals of the groups that may be told."""
        ...
