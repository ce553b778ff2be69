"""One column of an answer: a field as it is, or an operator bound to it.

Made the same way for an exchange, a bulk file and a gateway, so that a value is masked alike wherever it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
import pyarrow as pa

from adapters.masking.contract import BESIDE, VALUE, Beside, BoundMask, KeyContext, Operator, Params
from broker.arrow import Columns, arrow_type, plain, rebuilt
from broker.claims import claim_column
from broker.desensitize.operand import operand, operand_type, released, released_type
from broker.desensitize.singly import FEW, Singly, are_exactly, few, singly
from broker.model import FieldType, Mask


@dataclass(frozen=True, slots=True)
class PlannedMask:
    """An operator bound to one field, and what the statement says of it."""

    operator: str
    version: str
    params_sha256: str
    """Of the parameters, defaults included, as JSON with sorted keys."""
    key_version: int | None
    """Version of the master key; None for an operator without key."""
    result: pa.DataType
    mask: BoundMask
    link: str = ""
    """The link domain by which its results join; empty for none."""
    singly: Singly | None = None
    """The same from Python values to Python values; None where the operator has no such way."""
    beside: str = ""
    """Column that the operator must see beside the value (:class:`~adapters.masking.contract.Beside`)."""
    claimed: bool = False
    """That column holds what is claimed of the field, in its type; otherwise texts."""

    @property
    def title(self) -> str:
        """``operator@version``."""
        return f"{self.operator}@{self.version}"

    @property
    def said(self) -> Mapping[str, object]:
        """What the statement says of it."""
        return {
            "operator": self.operator,
            "version": self.version,
            "params_sha256": self.params_sha256,
            "key_version": self.key_version,
            **({"link_domain": self.link} if self.link else {}),
        }


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """One column of the answer."""

    name: str
    type: FieldType
    masked: PlannedMask | None

    @property
    def released(self) -> pa.DataType:
        """The column's type in the answer."""
        return released_type(self.masked.result) if self.masked else arrow_type(self.type)

    @property
    def beside(self) -> str:
        """Column that must be at hand beside this one; empty: none."""
        return self.masked.beside if self.masked else ""

    @property
    def _type_beside(self) -> pa.DataType:
        return arrow_type(self.type) if self.masked and self.masked.claimed else pa.string()

    def release(self, batch: pa.RecordBatch) -> pa.Array:
        """The column as it may be released, of a batch that has it and the one beside it.

        Raises:
            Exception: whatever the operator raises; TypeError or ValueError when ``values`` are not of the
                field's type or the operator breaks its contract.
        """
        clear = plain(batch.column(self.name), arrow_type(self.type))
        if self.masked is None:
            return rebuilt(clear)
        if self.masked.singly and len(clear) <= FEW:
            return few(self.masked.singly(clear.to_pylist()), self.masked.result)
        beside = plain(batch.column(self.beside), self._type_beside) if self.beside else None
        return rebuilt(released(self._result(clear, beside, self.masked)))

    def release_values(self, columns: Columns) -> Sequence[object]:
        """The same for Python values; they hide nothing, so what is not masked stays as it is."""
        values = columns[self.name]
        if self.masked is None:
            return values
        if self.masked.singly and are_exactly(values, self.type):
            return self.masked.singly(values)
        beside = pa.array(columns[self.beside], self._type_beside) if self.beside else None
        clear = pa.array(values, arrow_type(self.type))
        result: list[object] = released(self._result(clear, beside, self.masked)).to_pylist()
        return result

    def _result(self, clear: pa.Array, beside: pa.Array | None, masked: PlannedMask) -> pa.Array:
        given = operand(clear, self.type)
        if beside is not None:
            beside = operand(beside, self.type) if masked.claimed else beside
            given = pa.StructArray.from_arrays([given, beside], [VALUE, BESIDE])
        result = masked.mask(given)
        if not isinstance(result, pa.Array) or result.type != masked.result:
            raise TypeError("the operator gave another type than it promised")
        if len(result) != len(clear):
            raise ValueError("the operator gave another number of values than it was given")
        result.validate()
        return result


def masked_column(
    name: str,
    field_type: FieldType,
    mask: Mask,
    operator: Operator,
    keys: Callable[[], KeyContext],
    subject: str,
    *,
    claimed: bool = False,
    link: str = "",
) -> PlannedColumn:
    """``mask`` bound to a field.

    ``keys`` is asked only if the operator needs a key. ``subject`` is the column that says whom a row is
    about; empty where several do. ``claimed``: there is a :func:`~broker.claims.claim_column`. ``link`` names
    the link domain whose keys these are, if any.

    Raises:
        ValueError: the parameters are wrong, or the operator must know what is not at hand.
        TypeError: the operator does not fit the field's type.
    """
    params = params_of(operator, mask)
    context = keys() if operator.properties.needs_key else None
    result = operator.result_type(operand_type(field_type), params)
    bound = operator.bind(params, context)
    masked = PlannedMask(
        operator=operator.name,
        version=operator.version,
        params_sha256=params_sha256(params),
        key_version=None if context is None else context.version,
        result=result,
        mask=bound,
        link=link if context else "",
        singly=singly(bound, field_type, result),
        beside=_beside(operator, subject, claim_column(name) if claimed else ""),
        claimed=operator.properties.beside is Beside.CLAIM,
    )
    return PlannedColumn(name, field_type, masked)


def params_of(operator: Operator, mask: Mask) -> Params:
    """The mask's parameters by the operator's own model.

    Raises:
        ValueError: they do not fit it.
    """
    return operator.params.model_validate(dict(mask.params))


def params_sha256(params: Params) -> str:
    """What the statement says of parameters: SHA-256 of them, defaults included, as JSON with sorted keys."""
    written = orjson.dumps(params.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(written).hexdigest()


def subject_of(mask: Mask, subjects: Sequence[str]) -> str:
    """Which of a dataset's subject fields says whom a row is about, to ``mask``; empty where nothing does."""
    named = mask.params.get("subject") or (subjects[0] if len(subjects) == 1 else "")
    return str(named) if named in subjects else ""


def _beside(operator: Operator, subject: str, claim: str) -> str:
    match operator.properties.beside:
        case Beside.NOTHING:
            return ""
        case Beside.SUBJECT if subject:
            return subject
        case Beside.CLAIM if claim:
            return claim
    raise ValueError(f"{operator.name} must know {operator.properties.beside}, which is not at hand")
