"""What a worker is given to mask with: the plan's columns and the keys of their fields, never the keyring.

The same recipe masks in a process of the pool and in an executor of Spark. Where operators are installed in
another version, or take other parameters, than where the recipe was made, nothing is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.contract import Operator
from adapters.masking.keys import FieldKeys
from adapters.masking.registry import load_operators
from broker.bulk.plan import BulkField, BulkPlan
from broker.desensitize.column import PlannedColumn, masked_column
from broker.desensitize.plan import MaskPlan
from broker.errors import SetUpError
from broker.formats import FORMATS
from broker.model import Field, Mask
from broker.transmit.conversion import converted

BATCH_ROWS = 65_536
"""Rows read, masked and written at a time; operators run fastest on 8,000 to 64,000 values."""


class Keys(Protocol):
    """Where the keys of fields come from (:class:`broker.keys.keyring.Keyring`)."""

    def for_field(self, provider: str, consumer: str, purpose: str, domain: str) -> FieldKeys:
        """Keys for one field domain of one provider, consumer (department ids) and purpose."""
        ...

    def for_link(self, link: str, consumer: str, purpose: str, domain: str) -> FieldKeys:
        """Keys for one field domain of all that a link domain joins."""
        ...


@dataclass(frozen=True, slots=True)
class ColumnRecipe:
    """One field: where it is read, and how it is masked. Picklable."""

    field: Field
    column: str
    """Name in the file."""
    mask: Mask | None
    keys: FieldKeys | None
    released: bool
    said: Mapping[str, object]
    """Operator, version, digest of its parameters and key version, as a receipt's statement has them; empty
    for a field without mask."""
    link: str = ""
    """Name of the link domain that ``keys`` are of; empty: of none."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that masking a batch takes."""

    columns: tuple[ColumnRecipe, ...]
    subject: str
    """Field that says whom a row is about; empty: none does."""
    zone: str

    @property
    def masks(self) -> dict[str, Mapping[str, object]]:
        """What a statement says of each masked field."""
        return {one.field.name: one.said for one in self.columns if one.mask}


def recipe_of(plan: BulkPlan, operators: Mapping[str, Operator], keyring: Keys) -> Recipe:
    """The plan with its keys.

    Raises:
        SetUpError: the keyring cannot give a key.
    """
    columns = tuple(_with_keys(one, plan, operators, keyring) for one in plan.fields)
    return Recipe(columns, plan.subject, plan.zone)


class Masker:
    """A recipe bound to the operators installed here. Safe for use by several threads."""

    def __init__(self, recipe: Recipe) -> None:
        """
        Raises:
            SetUpError: an operator is not installed here, or another than the recipe was made with.
        """
        self._recipe = recipe
        self._zone = ZoneInfo(recipe.zone)
        operators = _installed(recipe)
        self._plan = MaskPlan.of(
            tuple(_planned(one, operators, recipe.subject) for one in recipe.columns if one.released)
        )
        if self._plan.operator_versions != recipe.masks:
            raise SetUpError(
                "此处安装的脱敏算子与制定计划处的版本或参数不同，请安装相同版本。",
                "The masking operators installed here differ from those the recipe was made with; "
                "install the same versions.",
            )

    @property
    def schema(self) -> pa.Schema:
        """Of what :meth:`mask` gives."""
        return self._plan.schema

    @property
    def columns(self) -> list[str]:
        """The columns of a file that are read."""
        return list(dict.fromkeys(one.column for one in self._recipe.columns))

    def mask(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, int]]:
        """The rows as they may be given out, and for each field how many values were not of its type or
        format and are null now. ``batch`` has :attr:`columns`, of any types.

        Raises:
            Failed: an operator failed.
        """
        bad: dict[str, int] = {}
        arrays = []
        for one in self._recipe.columns:
            given = batch.column(one.column)
            values = self.sound(given, one.field)
            if count := values.null_count - given.null_count:
                bad[one.field.name] = count
            arrays.append(values)
        names = [one.field.name for one in self._recipe.columns]
        return self._plan.apply(pa.RecordBatch.from_arrays(arrays, names=names)), bad

    def sound(self, given: pa.Array, field: Field) -> pa.Array:
        """``given`` in the field's type; null where a value is not of that type or format."""
        values = converted(given, field.type, self._zone)
        if field.format is None:
            return values
        form, texts = FORMATS[field.format], values.cast(pa.string())
        if form.holds_for(texts):
            return values
        return pc.if_else(form.matches_all(texts), values, pa.scalar(None, values.type))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _with_keys(
    one: BulkField, plan: BulkPlan, operators: Mapping[str, Operator], keyring: Keys
) -> ColumnRecipe:
    if one.mask is None:
        return ColumnRecipe(one.field, one.column, None, None, one.released, {})
    mask = Mask(one.mask.operator, dict(one.mask.params))  # a dict travels, a mapping proxy does not
    operator = operators[mask.operator]
    keys = None
    if operator.properties.needs_key:
        keys = _keys(one, plan, keyring)
    link = one.link.name if one.link else ""
    bare = ColumnRecipe(one.field, one.column, mask, keys, one.released, {}, link)
    planned = _planned(bare, operators, plan.subject).masked
    return replace(bare, said=dict(planned.said if planned else {}))


def _keys(one: BulkField, plan: BulkPlan, keyring: Keys) -> FieldKeys:
    """As an exchange has them."""
    domain = one.field.domain or one.field.name
    if one.link is None:
        return keyring.for_field(plan.provider, plan.consumer, plan.purpose, domain)
    return keyring.for_link(one.link.name, *one.link.apart(plan.consumer, plan.purpose), domain)


def _planned(one: ColumnRecipe, operators: Mapping[str, Operator], subject: str) -> PlannedColumn:
    if one.mask is None:
        return PlannedColumn(one.field.name, one.field.type, None)
    return masked_column(
        one.field.name,
        one.field.type,
        one.mask,
        operators[one.mask.operator],
        lambda: _held(one),
        subject,
        link=one.link,
    )


def _held(one: ColumnRecipe) -> FieldKeys:
    if one.keys is None:
        raise ValueError("a key is needed and the recipe has none")
    return one.keys


def _installed(recipe: Recipe) -> Mapping[str, Operator]:
    try:
        return load_operators(sorted({one.mask.operator for one in recipe.columns if one.mask}))
    except ValueError as error:
        raise SetUpError(
            f"脱敏算子无法载入：{error}", f"Masking operators cannot be loaded: {error}"
        ) from None
