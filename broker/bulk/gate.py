"""The gate of k-anonymity over the masked rows of all files together: counted first, passed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.classes import ClassCounter, TooManyClasses
from broker.bulk.plan import Gate
from broker.errors import SetUpError
from broker.model import Below

MOST_CLASSES = 10_000_000
"""More would only be single rows, and their count would no longer fit into memory."""


class Refused(Exception):
    """The run is refused by what the plan demands of the data; ``zh`` and ``en`` say which."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh, self.en = zh, en
        super().__init__(f"{zh}\n{en}")


@dataclass(frozen=True, slots=True)
class Figures:
    """What the manifest says of the gate."""

    k: int
    quasi_identifiers: tuple[str, ...]
    classes: int
    smallest: int
    """Rows of the smallest class there was; 0 where there were no rows."""
    suppressed_classes: int
    suppressed_rows: int


class Counted:
    """The classes of all rows."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._counter = ClassCounter(MOST_CLASSES)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a masked batch.

        Raises:
            SetUpError: there are too many classes to count.
        """
        try:
            self._counter.add(self._columns(batch))
        except TooManyClasses:
            raise SetUpError(
                f"准标识符的取值组合超过 {MOST_CLASSES:,} 种，几乎每行都独一无二；请加强脱敏或减少准标识符。",
                f"The quasi-identifiers have more than {MOST_CLASSES:,} combinations, so nearly every row is "
                "alone; mask them more strictly or name fewer.",
            ) from None

    def figures(self) -> Figures:
        """How many classes are below k.

        Raises:
            Refused: some are, and the plan says refuse.
        """
        counts = self._counter.counts
        small = counts.filter(pc.less(counts, self.gate.k))
        rows = pc.sum(small).as_py() or 0
        if rows and self.gate.below is Below.REFUSE:
            raise Refused(
                f"有 {rows:,} 行所在的组不足 {self.gate.k} 行，按计划不予输出。",
                f"{rows:,} rows are in classes of fewer than {self.gate.k}; the plan says refuse.",
            )
        smallest = pc.min(counts).as_py() or 0
        return Figures(self.gate.k, self.gate.quasi_identifiers, len(counts), smallest, len(small), rows)

    def passed(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows whose class has k at least, in their order."""
        for batch in rows:
            yield batch.filter(pc.greater_equal(self._counter.sizes(self._columns(batch)), self.gate.k))

    def _columns(self, batch: pa.RecordBatch) -> list[pa.Array]:
        return [batch.column(name) for name in self.gate.quasi_identifiers]
