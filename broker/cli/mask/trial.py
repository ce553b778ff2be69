"""A plan bound to keys and tried on a file: what goes in, what comes out, what is lost on the way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.contract import KeyContext, Operator
from adapters.masking.keys import FieldKeys
from broker.bulk.plan import BulkField, BulkPlan
from broker.cli.mask.reading import Table
from broker.desensitize.column import PlannedColumn, masked_column
from broker.errors import SetUpError
from broker.formats import FORMATS
from broker.transmit.conversion import converted

KeysOf = Callable[[str], KeyContext]
"""Field domain → its keys."""


def throw_away_keys() -> KeysOf:
    """Keys that nobody has and that are gone at the end: tokens made with them are worth nothing."""

    @lru_cache
    def keys(_domain: str) -> KeyContext:
        return FieldKeys(0, secrets.token_bytes(32))

    return keys


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

    def __init__(self, plan: BulkPlan, operators: Mapping[str, Operator], keys: KeysOf) -> None:
        self.plan = plan
        self._zone = ZoneInfo(plan.zone)
        self._columns = {
            one.field.name: _planned(one, plan, operators, keys) for one in plan.fields if one.released
        }

    @property
    def columns(self) -> Sequence[str]:
        """The file's columns that the plan reads, each once."""
        return tuple(dict.fromkeys(one.column for one in self.plan.fields))

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
        typed = {one.field.name: self._typed(one, batch.column(one.column)) for one in self.plan.fields}
        given = pa.RecordBatch.from_arrays(list(typed.values()), list(typed))
        return [
            TriedColumn(one, batch.column(one.column), typed[one.field.name], self._after(one, given))
            for one in self.plan.fields
        ]

    def _typed(self, one: BulkField, values: pa.Array) -> pa.Array:
        typed = converted(values, one.field.type, self._zone)
        form = FORMATS.get(one.field.format or "")
        if form is None or not pa.types.is_string(typed.type) or form.holds_for(typed):
            return typed
        return pc.if_else(pc.fill_null(form.matches_all(typed), False), typed, pa.scalar(None, typed.type))

    def _after(self, one: BulkField, given: pa.RecordBatch) -> pa.Array | None:
        if not one.released:
            return None
        try:
            return self._columns[one.field.name].release(given)
        except Exception as error:  # noqa: BLE001 - an operator may be anybody's
            problem = type(error).__name__
        raise SetUpError(
            f"算子处理“{one.column}”时出错（{problem}），请用 sharebroker mask check 检查算子。",
            f"The operator failed on “{one.column}” ({problem}); look at it with sharebroker mask check.",
        )


def _planned(
    one: BulkField, plan: BulkPlan, operators: Mapping[str, Operator], keys: KeysOf
) -> PlannedColumn:
    if one.mask is None:
        return PlannedColumn(one.field.name, one.field.type, None)
    operator = operators[one.mask.operator]
    domain = one.field.domain or one.field.name
    return masked_column(
        one.field.name, one.field.type, one.mask, operator, lambda: keys(domain), plan.subject
    )
