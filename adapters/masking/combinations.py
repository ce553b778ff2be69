"""The distinct combinations of a table's columns, and how many rows have each: all that risk is figured from.

Counted batch by batch, so that a file of any length takes the memory of its distinct combinations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from adapters.masking.arrays import plain
from adapters.masking.classes import Codes, TooManyClasses, class_codes

_ROWS = "rows"
_FEWEST = 1 << 16
"""So many combinations are put by before they are merged with those known."""


@dataclass(frozen=True, slots=True)
class Combinations:
    """Columns of distinct rows, each of shape (combinations,), and how often each row stands in the table."""

    columns: Mapping[str, pa.Array]
    rows: Codes

    def classes(self, names: Sequence[str]) -> Codes:
        """For each combination the number of its equivalence class by these columns; one class by none."""
        if not names:
            return np.zeros(len(self.rows), np.int64)
        return class_codes([self.columns[name] for name in names])

    def class_sizes(self, names: Sequence[str]) -> Codes:
        """How many rows of the table are in each class, shape (classes,)."""
        return weighed(self.classes(names), self.rows)

    def instead(self, name: str, values: pa.Array) -> Combinations:
        """The same with other values in one column; combinations may then no longer be distinct."""
        return replace(self, columns={**self.columns, name: values})


def weighed(codes: Codes, rows: Codes) -> Codes:
    """How many rows each code has in all, shape (codes.max() + 1,)."""
    return np.bincount(codes, weights=rows).astype(np.int64)  # exact below 2^53 rows


class CombinationCounter:
    """Counts combinations over batches whose columns keep their types. Not safe for several threads."""

    def __init__(self, names: Sequence[str], most: int) -> None:
        """``names`` of the columns to count; ``most`` is the number of combinations that may be held."""
        self._names, self._most = list(names), most
        self._known: pa.Table | None = None
        self._new: list[pa.Table] = []
        self._waiting = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch that has a column for every name.

        Raises:
            TooManyClasses: there are more combinations than may be held.
        """
        columns = [plain(batch.column(name)) for name in self._names]
        found = pa.table(columns, self._names).group_by(self._names).aggregate([([], "count_all")])
        self._new.append(found.rename_columns([*self._names, _ROWS]))
        self._waiting += found.num_rows
        if self._waiting > max(_FEWEST, 0 if self._known is None else self._known.num_rows):
            self._merge()

    def counted(self) -> Combinations:
        """What was counted so far.

        Raises:
            ValueError: nothing was.
            TooManyClasses: as :meth:`add`.
        """
        self._merge()
        if self._known is None or not self._known.num_rows:
            raise ValueError("no rows were counted")
        columns = {name: self._known[name].combine_chunks() for name in self._names}
        return Combinations(columns, self._known[_ROWS].to_numpy().astype(np.int64))

    def _merge(self) -> None:
        tables = [*([] if self._known is None else [self._known]), *self._new]
        self._new, self._waiting = [], 0
        if not tables:
            return
        merged = pa.concat_tables(tables).group_by(self._names).aggregate([(_ROWS, "sum")])
        if merged.num_rows > self._most:
            raise TooManyClasses(f"more than {self._most} combinations")
        self._known = merged.rename_columns([*self._names, _ROWS])
