"""Checking every row read against the catalog: types, formats, required fields.

A row is bad when any field that was read fails, those read only to find or date it included. A bad row is
counted and never released, not even its sound fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from broker.formats import FORMATS
from broker.model import Dataset, Field
from broker.transmit.conversion import converted

Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch after the check."""

    rows: pa.RecordBatch
    """Every row read, in the catalog's types; null where a value did not fit."""
    sound: Truths
    """Shape (rows,): which of them keep all the catalog's rules."""

    @property
    def bad(self) -> int:
        """How many do not."""
        return len(self.sound) - int(np.count_nonzero(self.sound))

    def good(self) -> pa.RecordBatch:
        """The sound rows only; no byte of the others is in its buffers."""
        return self.rows if self.sound.all() else self.rows.filter(pa.array(self.sound))


def check(batch: pa.RecordBatch, dataset: Dataset, zone: tzinfo) -> Checked:
    """``batch``, whose columns are named as the dataset's fields, in the catalog's types, each row judged.

    ``zone`` is that of times without offset. Whatever the data, nothing is raised.
    """
    sound = np.ones(batch.num_rows, np.bool_)
    columns = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        field = dataset.fields[name]
        column = converted(values, field.type, zone)
        _judge(sound, values, column, field)
        columns.append(column)
    return Checked(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), sound)


def _judge(sound: Truths, values: pa.Array, column: pa.Array, field: Field) -> None:
    """Clear ``sound`` where ``values``, now ``column``, break the rules of ``field``."""
    if column.null_count and (field.required or column.null_count > values.null_count):
        missing = np.asarray(column.is_null())
        sound &= ~missing if field.required else ~(missing & np.asarray(values.is_valid()))
    if field.format is not None:
        texts = column if column.type == pa.string() else column.cast(pa.string())
        form = FORMATS[field.format]
        if not form.holds_for(texts):
            sound &= np.asarray(pc.fill_null(form.matches_all(texts), True))
