"""A plan tried on a file: what goes in, what comes out and what is lost, just as a run would have it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from adapters.masking.contract import Operator
from adapters.masking.keys import FieldKeys
from broker.bulk.plan import BulkField, BulkPlan
from broker.bulk.recipe import Keys, Masker, recipe_of
from broker.cli.mask.reading import Table
from broker.errors import Failed, SetUpError


class ThrowAwayKeys:
    """Keys that nobody has and that are gone at the end: tokens made with them are worth nothing."""

    def __init__(self) -> None:
        self._key = cache(lambda _context: secrets.token_bytes(32))

    def for_field(self, provider: str, consumer: str, purpose: str, domain: str) -> FieldKeys:
        """The same for the same arguments, as long as this object lives."""
        return FieldKeys(0, self._key((provider, consumer, purpose, domain)))

    def for_link(self, link: str, consumer: str, purpose: str, domain: str) -> FieldKeys:
        """Likewise."""
        return FieldKeys(0, self._key(("link", link, consumer, purpose, domain)))


@dataclass(frozen=True, slots=True)
class TriedColumn:
    """One field over a batch, each array of shape (rows,)."""

    field: BulkField
    before: pa.Array
    """As it stands in the file."""
    typed: pa.Array
    """As the field's type; null where it is not of the type or format."""
    after: pa.Array | None
    """As it goes out; None for a field that does not."""


class Trial:
    """Masks batches of one file by a plan."""

    def __init__(self, plan: BulkPlan, operators: Mapping[str, Operator], keys: Keys) -> None:
        """
        Raises:
            SetUpError: the keys cannot be had.
        """
        self.plan = plan
        self._masker = Masker(recipe_of(plan, operators, keys))

    @property
    def columns(self) -> Sequence[str]:
        """The file's columns that the plan reads, each once."""
        return self._masker.columns

    def check_columns(self, table: Table) -> None:
        """Nothing, if the file has every column of the plan.

        Raises:
            SetUpError: it has not; says which is nearest.
        """
        table.require(self.columns)

    def on(self, batch: pa.RecordBatch) -> list[TriedColumn]:
        """What becomes of a batch that has :attr:`columns`.

        Raises:
            SetUpError: an operator failed; nothing of its message is passed on, for it may quote a value.
        """
        try:
            after, _ = self._masker.mask(batch)
        except Failed as error:
            field = error.about
        else:
            return [self._tried(one, batch, after) for one in self.plan.fields]
        raise SetUpError(
            f"算子处理数据项“{field}”时出错，请用 sharebroker mask check 检查算子。",
            f"The operator failed on the field “{field}”; look at it with sharebroker mask check.",
        )

    def _tried(self, one: BulkField, batch: pa.RecordBatch, after: pa.RecordBatch) -> TriedColumn:
        before = batch.column(one.column)
        released = after.column(one.field.name) if one.released else None
        return TriedColumn(one, before, self._masker.sound(before, one.field), released)
