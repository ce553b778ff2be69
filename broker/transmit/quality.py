"""Checking every row read against the catalog: types, formats, required fields.

A row is bad when any field that was read fails, those read only to find or date it included. A bad row is
counted and never released, not even its sound fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import tzinfo
from itertools import compress
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from broker.arrow import Columns, arrow_type
from broker.formats import FORMATS
from broker.model import Dataset, Field, FieldType
from broker.transmit.conversion import converted
from broker.transmit.values import FEW, converted_values

Truths = npt.NDArray[np.bool_]
Column: TypeAlias = pa.Array | list[object]
"""A column of :func:`~broker.arrow.arrow_type`, of a few rows as Python values."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch after the check."""

    columns: Sequence[tuple[Field, Column]]
    """Every row read, in the catalog's types; null where a value did not fit."""
    sound: Sequence[bool]
    """One for each row: whether it keeps all the catalog's rules, and is not held back."""
    bad: int
    """How many break a rule."""
    held: int = 0
    """How many break none, but are held back: too few people share what they would tell."""

    @property
    def good_rows(self) -> int:
        """How many may be released."""
        return len(self.sound) - self.bad - self.held

    def without(self, rows: Set[int]) -> Checked:
        """The same with ``rows`` bad too."""
        sound = [truth and row not in rows for row, truth in enumerate(self.sound)]
        return Checked(self.columns, sound, sound.count(False))

    def passing(self, truths: Sequence[bool]) -> Checked:
        """The same with some of the sound rows held back; ``truths`` says of each whether it passes."""
        passes = iter(truths)
        sound = [truth and next(passes) for truth in self.sound]
        return Checked(self.columns, sound, self.bad, len(truths) - sum(truths))

    def values(self, name: str) -> list[object]:
        """One field of every row read."""
        return _values(self._column(name)[1])

    def texts(self, name: str) -> Column:
        """The same as texts, or null, in the form of the columns."""
        field, column = self._column(name)
        return column if field.type is FieldType.TEXT else _texts(column, field)

    def _column(self, name: str) -> tuple[Field, Column]:
        (found,) = [(field, column) for field, column in self.columns if field.name == name]
        return found

    def good(self) -> pa.RecordBatch:
        """The sound rows only; no byte of the others is in its buffers."""
        arrays = [_array(column, field) for field, column in self.columns]
        rows = pa.RecordBatch.from_arrays(arrays, names=[field.name for field, _ in self.columns])
        return rows.filter(pa.array(self.sound)) if self.bad or self.held else rows

    def good_values(self) -> Columns:
        """The sound rows only, as Python values."""
        columns = {field.name: _values(column) for field, column in self.columns}
        if not (self.bad or self.held):
            return columns
        return {name: list(compress(values, self.sound)) for name, values in columns.items()}


def check(batch: pa.RecordBatch, dataset: Dataset, zone: tzinfo) -> Checked:
    """``batch``, whose columns are named as the dataset's fields, in the catalog's types, each row judged.

    ``zone`` is that of times without offset. Whatever the data, nothing is raised.
    """
    fields = [dataset.fields[name] for name in batch.schema.names]
    if batch.num_rows <= FEW:
        return _check_values(fields, batch.columns, zone, batch.num_rows)
    sound = np.ones(batch.num_rows, np.bool_)
    columns: list[tuple[Field, Column]] = []
    for field, values in zip(fields, batch.columns, strict=True):
        column = converted(values, field.type, zone)
        _judge(sound, values, column, field)
        columns.append((field, column))
    return Checked(columns, sound.tolist(), len(sound) - int(np.count_nonzero(sound)))


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


def _check_values(fields: Sequence[Field], given: Sequence[pa.Array], zone: tzinfo, rows: int) -> Checked:
    """The same for a few rows, value by value."""
    bad: set[int] = set()
    columns: list[tuple[Field, Column]] = []
    for field, array in zip(fields, given, strict=True):
        values = converted_values(array, field.type, zone)
        bad.update(_bad(values, array, field))
        columns.append((field, values))
    return Checked(columns, [row not in bad for row in range(rows)], len(bad))


def _bad(values: list[object], given: pa.Array, field: Field) -> Iterator[int]:
    """The rows in which ``given``, now ``values``, breaks the rules of ``field``."""
    if None in values:
        was_null = given.is_null().to_pylist()
        for row, value in enumerate(values):
            if value is None and (field.required or not was_null[row]):
                yield row
    if field.format is not None:
        matches = FORMATS[field.format].matches
        texts = values if field.type is FieldType.TEXT else _texts(values, field)
        yield from (row for row, text in enumerate(texts) if text is not None and not matches(text))


def _texts(column: Column, field: Field) -> Column:
    texts = _array(column, field).cast(pa.string())
    return texts.to_pylist() if isinstance(column, list) else texts


def _array(column: Column, field: Field) -> pa.Array:
    return pa.array(column, arrow_type(field.type)) if isinstance(column, list) else column


def _values(column: Column) -> list[object]:
    return column if isinstance(column, list) else column.to_pylist()
