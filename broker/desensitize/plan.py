"""Step 3, desensitize: the obligations of a permit become one mask per field, bound to its key.

A plan is made once per exchange and applied to every batch, be it one row or a million. What it gives out
holds the fields of the application in their order, each masked as the policy says, and no byte of any
other field, row or value. Whatever goes wrong ends the exchange: there is no unmasked fallback.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyarrow as pa

from adapters.masking.contract import Beside, KeyContext, Operator
from broker.arrow import Columns
from broker.desensitize.column import PlannedColumn, masked_column, params_of, subject_of
from broker.desensitize.operand import operand_type
from broker.errors import BrokerError, Failed
from broker.model import MATCH, Approved, Dataset, Field, FieldType, LinkDomain, Mask
from broker.reasons import Reason, Sentence

T = TypeVar("T")


class KeyContexts(Protocol):
    """Where the masking keys come from (:class:`broker.keys.keyring.Keyring`)."""

    @property
    def version(self) -> int:
        """Of the master key in use."""
        ...

    def for_field(self, provider: str, consumer: str, purpose: str, domain: str) -> KeyContext:
        """Keys for one field domain of one provider, consumer (department ids) and purpose."""
        ...

    def for_link(self, link: str, consumer: str, purpose: str, domain: str) -> KeyContext:
        """Keys for one field domain of all that a link domain joins."""
        ...


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """The columns of the answer, in the order of the application."""

    columns: tuple[PlannedColumn, ...]
    schema: pa.Schema
    """Of what :meth:`apply` gives."""
    column_masks: Mapping[str, str]
    """Field → ``operator@version``, empty for a field released as it is."""
    operator_versions: Mapping[str, Mapping[str, object]]
    """What the statement says of each masked field."""

    @classmethod
    def of(cls, columns: tuple[PlannedColumn, ...]) -> MaskPlan:
        """The plan of these columns, in their order."""
        masked = {column.name: column.masked for column in columns if column.masked}
        return cls(
            columns,
            pa.schema([pa.field(column.name, column.released) for column in columns]),
            {column.name: column.masked.title if column.masked else "" for column in columns},
            {name: mask.said for name, mask in masked.items()},
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch as it may be released: the planned columns, masked, with :attr:`schema`.

        ``batch`` has a column for every planned field, of its :func:`~broker.arrow.arrow_type` (as a
        dictionary or another kind of string, if need be); further columns are left out.

        Raises:
            Failed: a column is missing or of another type, or an operator failed; nothing of its message is
                passed on, for it may quote a value.
        """
        arrays = [_guarded(column, lambda c: c.release(batch)) for column in self.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def apply_to_values(self, columns: Columns) -> Columns:
        """The same for rows as Python values; raises as :meth:`apply` does."""
        return {column.name: _guarded(column, lambda c: c.release_values(columns)) for column in self.columns}


def plan(approved: Approved, operators: Mapping[str, Operator], keys: KeyContexts) -> MaskPlan:
    """The mask plan of a permitted application.

    Raises:
        Failed: a field cannot be released as the permit demands: it is unknown or not shared, or its mask
            names no operator, has wrong parameters or does not fit the field's type.
    """
    return MaskPlan.of(
        tuple(_planned(name, approved, operators, keys) for name in approved.application.fields)
    )


def check_mask(
    operators: Mapping[str, Operator], field_type: FieldType, mask: Mask, subjects: Sequence[str] = ()
) -> Sentence | None:
    """What is wrong with masking a field of ``field_type`` so; None if nothing is.

    ``subjects`` are the dataset's subject fields; without them it is not asked whether the operator knows
    whom a row is about. For the policy loader, so that a bad mask is found when a policy is loaded and not
    when it is used.
    """
    operator = operators.get(mask.operator)
    if operator is None:
        return _no_operator(mask.operator, operators)
    try:
        params = params_of(operator, mask)
        operator.result_type(operand_type(field_type), params)
        operator.bind(params, _AnyKeys())
    except Exception as error:  # noqa: BLE001 - an operator may be anybody's; what it raises is a finding
        return _complaint(mask.operator, error)
    if subjects and operator.properties.beside is Beside.SUBJECT and not subject_of(mask, subjects):
        return Sentence(
            f"算子 {mask.operator} 须用 subject 写明按谁：{'、'.join(subjects)}",
            f"operator {mask.operator} needs subject, one of {', '.join(subjects)}",
        )
    if operator.properties.beside is Beside.CLAIM and mask.operator != MATCH:
        return Sentence(
            f"只有 {MATCH} 能得到需求方的主张，{mask.operator} 不能",
            f"what a consumer claims goes to {MATCH} alone, not to {mask.operator}",
        )
    return None


def _no_operator(name: str, operators: Collection[str]) -> Sentence:
    zh, en = f"没有脱敏算子 {name}", f"no masking operator {name}"
    if near := difflib.get_close_matches(name, operators, n=1):
        return Sentence(f"{zh}，是否指 {near[0]}？", f"{en}; did you mean {near[0]}?")
    return Sentence(f"{zh}，可用的有 {'、'.join(operators)}", f"{en}; there are {', '.join(operators)}")


def key_domain(dataset: Dataset, field: Field) -> str:
    """The field domain by which a field's keys are derived: its own where the catalog names none."""
    return field.domain or f"{dataset.id}.{field.name}"


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _AnyKeys:
    """Keys to bind with while a mask is only checked; nothing is ever masked with them."""

    version: int = 0

    def derive(self, label: str, length: int) -> bytes:
        return bytes(length)


def _complaint(operator: str, error: Exception) -> Sentence:
    """Which parameters are wrong and how, without the input values that pydantic appends.

    Operators speak English; what they say stands in the English half alone.
    """
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return Sentence(
            f"算子 {operator} 不适用于此类数据项，或参数值不合要求",
            f"operator {operator} does not fit the field, or its parameters are wrong: {error}",
        )
    found = errors(include_url=False, include_input=False)
    names = [".".join(map(str, one["loc"])) for one in found]
    said = "; ".join(": ".join((*map(str, one["loc"]), one["msg"])) for one in found)
    return Sentence(
        f"算子 {operator} 的参数缺少、多余或有误：{'、'.join(filter(None, names)) or '参数搭配'}",
        f"parameters of operator {operator} are wrong: {said}",
    )


def _planned(
    name: str, approved: Approved, operators: Mapping[str, Operator], keys: KeyContexts
) -> PlannedColumn:
    field = approved.dataset.fields.get(name)
    if field is None or not field.shared:
        raise Failed(Reason.MASKING_FAILED, about=name)
    mask = approved.decision.obligations.masks.get(name)
    if mask is None:
        return PlannedColumn(name, field.type, None)
    try:
        return _masked(field, mask, approved, operators, keys)
    except BrokerError:
        raise
    except Exception as error:  # noqa: BLE001 - an operator may be anybody's; any failure ends the exchange
        problem = type(error).__name__
    raise _failed(name, problem)


def _masked(
    field: Field, mask: Mask, approved: Approved, operators: Mapping[str, Operator], keys: KeyContexts
) -> PlannedColumn:
    link = approved.links.get(key_domain(approved.dataset, field))
    return masked_column(
        field.name,
        field.type,
        mask,
        operators[mask.operator],
        lambda: _key_context(field, approved, link, keys),
        subject_of(mask, approved.dataset.subject_fields),
        claimed=any(claim.field == field.name for claim in approved.application.claims),
        link=link.name if link else "",
    )


def _key_context(field: Field, approved: Approved, link: LinkDomain | None, keys: KeyContexts) -> KeyContext:
    domain, application = key_domain(approved.dataset, field), approved.application
    consumer, purpose = application.consumer.department, application.purpose
    if link is None:
        return keys.for_field(approved.dataset.department, consumer, purpose, domain)
    return keys.for_link(link.name, *link.apart(consumer, purpose), domain)


def _guarded(column: PlannedColumn, release: Callable[[PlannedColumn], T]) -> T:
    try:
        return release(column)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be released
        problem = type(error).__name__
    # Raised here and not in the handler, so that it carries no context: that may quote a value.
    raise _failed(column.name, problem)


def _failed(name: str, problem: str) -> Failed:
    failure = Failed(Reason.MASKING_FAILED, about=name)
    failure.add_note(f"field {name}: {problem}")
    return failure
