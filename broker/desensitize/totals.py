"""Only totals of groups are released, never a row: ``docs/policy-language.md``, 5.9.

Rows are added batch by batch, as released (after masking), in the memory of the groups. A group in which
too few people have a part is left out, and one in which a single person makes up most of a sum: the others
could tell that person's value from it (the dominance rule; Hundepool et al., *Statistical Disclosure
Control*, Wiley 2012, chapter 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.classes import Codes, CrowdCounter
from broker.desensitize.gate import MOST_CLASSES, counted, people_of
from broker.desensitize.plan import MaskPlan
from broker.desensitize.sums import FieldSums, grown
from broker.model import Aggregate, Approved

ROWS = "count(rows)"
"""Column that says how many rows a group has."""


def totals_of(approved: Approved, plan: MaskPlan) -> Totals | None:
    """The totals that the permit demands in place of rows; ``plan`` masks its fields.

    Raises:
        Failed: a field, once it is masked, holds no numbers to be added up.
    """
    wanted = approved.decision.obligations.aggregate
    return None if wanted is None else Totals(wanted, plan, approved.dataset.subject_fields)


class Totals:
    """Takes batches of sound rows in the catalog's types, with the plan's fields and the subject fields."""

    def __init__(self, wanted: Aggregate, plan: MaskPlan, subject_fields: Sequence[str]) -> None:
        self._plan, self._subjects = plan, tuple(subject_fields)
        self._by = [name for name in plan.fields if name in wanted.by]
        self._sums = [
            FieldSums(column, measures, wanted.largest_share, len(self._subjects))
            for column in plan.columns
            if (measures := wanted.measured.get(column.name)) is not None
        ]
        self._crowds = CrowdCounter(MOST_CLASSES, wanted.smallest_group)
        self._groups: list[pa.Table] = []
        """The values that make each group, in the order in which they were met."""
        self._rows: Codes = np.zeros(0, np.int64)
        self.released = self.suppressed = 0
        """Groups given out, and rows of groups left out; known once there is a :meth:`result`."""

    @property
    def schema(self) -> pa.Schema:
        """Of what :meth:`result` gives."""
        return pa.schema([*self._by_schema, *self._sum_types.items(), (ROWS, pa.int64())])

    @property
    def column_masks(self) -> dict[str, str]:
        """Column → ``operator@version`` that masked what it is made of, empty for none."""
        masks = self._plan.column_masks
        of_sums = {column: masks[sums.name] for sums in self._sums for column in sums.schema}
        return {**{name: masks[name] for name in self._by}, **of_sums, ROWS: ""}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add up rows.

        Raises:
            TooSmall: there are too many groups, or people, to be told apart.
            Failed: a field cannot be masked, or a value is no number.
        """
        masked, people = self._plan.apply(batch), people_of(batch, self._subjects)
        by = masked.select(self._by)
        codes = counted(lambda: self._crowds.add(by.columns, [*people, *self._with_values(masked, people)]))
        known = len(self._rows)
        self._rows = grown(self._rows, codes)
        first_rows = np.unique(codes, return_index=True)[1]
        new = first_rows[codes[first_rows] >= known]
        self._groups.append(pa.Table.from_batches([by]).take(pa.array(new, pa.int64())))
        for sums in self._sums:
            sums.add(codes, masked.column(sums.name), people)

    def result(self) -> pa.RecordBatch:
        """One row for each group that may be told, in the order of the values that make it."""
        dominated = set().union(*[sums.dominated() for sums in self._sums])
        told = [code for code in np.flatnonzero(self._crowds.full).tolist() if code not in dominated]
        self.released = len(told)
        self.suppressed = int(self._rows.sum() - self._rows[told].sum())
        groups = pa.concat_tables([self._by_schema.empty_table(), *self._groups])
        table = groups.take(pa.array(told, pa.int64()))
        for sums in self._sums:
            for name, column in sums.result(told).items():
                table = table.append_column(name, column)
        table = table.append_column(ROWS, pa.array(self._rows[told], pa.int64()))
        order = pc.sort_indices(table, [(name, "ascending") for name in self._by])
        columns = [column.combine_chunks() for column in table.take(order).columns]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    @property
    def _by_schema(self) -> pa.Schema:
        return pa.schema([self._plan.schema.field(name) for name in self._by])

    @property
    def _sum_types(self) -> dict[str, pa.DataType]:
        return {name: kind for sums in self._sums for name, kind in sums.schema.items()}

    def _with_values(self, masked: pa.RecordBatch, people: Sequence[pa.Array]) -> Iterator[pa.Array]:
        """Of each measured field the people that have a value of it: they too must be enough."""
        for sums in self._sums:
            valid = masked.column(sums.name).is_valid()
            for who in people:
                yield pc.if_else(valid, who, pa.scalar(None, pa.string()))
