"""One field added up by group: exact sums, and who makes up how much of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.classes import Codes
from broker.desensitize.column import PlannedColumn
from broker.desensitize.operand import NUMBER, operand
from broker.errors import Failed, TooSmall
from broker.model import FieldType, Measure
from broker.reasons import Reason

MOST_PEOPLE = 1_000_000
"""People whose shares of a sum are kept at most, for each subject field; some 300 bytes each."""
_MOST = pa.scalar(Decimal(10) ** 36, NUMBER)
"""Values are smaller in magnitude: as many as can be counted then add up to less than NUMBER holds."""
_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)
_PLACES = Decimal("0.000001")
_ZERO = Decimal()
_WHOLE = 100


class FieldSums:
    """The measures of one column of the answer. Sums and means are decimals, which travel as text."""

    def __init__(
        self, column: PlannedColumn, measures: Sequence[Measure], largest_share: int | None, subjects: int
    ) -> None:
        """``subjects`` is how many subject fields there are.

        Raises:
            Failed: the column, as released, holds no numbers to be added up.
        """
        self._column, self._measures, self._largest_share = column, measures, largest_share
        self._sums: dict[int, Decimal] = {}
        self._counts: Codes = np.zeros(0, np.int64)
        self._magnitudes: dict[int, Decimal] = {}
        self._shares: list[dict[tuple[int, str], Decimal]] = [{} for _ in range(subjects)]
        kind = column.released
        if self._adds_up and not (
            pa.types.is_integer(kind) or (column.type is FieldType.DECIMAL and kind == pa.string())
        ):
            raise Failed(Reason.MASKING_FAILED, about=column.name)

    @property
    def name(self) -> str:
        """The field's."""
        return self._column.name

    @property
    def schema(self) -> dict[str, pa.DataType]:
        """Names and types of what :meth:`result` gives."""
        return {
            f"{measure}({self.name})": pa.int64() if measure is Measure.COUNT else pa.string()
            for measure in self._measures
        }

    def add(self, codes: Codes, values: pa.Array, people: Sequence[pa.Array]) -> None:
        """Add values of the groups ``codes``; ``people`` are whom each row is about, by subject field.

        Raises:
            TooSmall: there are too many people.
            Failed: a value is no number, or too large a one.
        """
        self._counts = grown(self._counts, codes[np.asarray(values.is_valid())])
        if not self._adds_up:
            return
        numbers = self._numbers(values)
        _add(self._sums, codes, numbers)
        if self._largest_share is not None:
            self._add_shares(codes, pc.abs(numbers), people)

    def dominated(self) -> set[int]:
        """Groups in which one person makes up more than the largest share of all magnitudes."""
        if self._largest_share is None:
            return set()
        return {
            code
            for shares in self._shares
            for (code, _), share in shares.items()
            if share * _WHOLE > self._magnitudes[code] * self._largest_share
        }

    def result(self, codes: Sequence[int]) -> Mapping[str, pa.Array]:
        """The measures of the groups ``codes``, which all have a value."""
        counts = [int(self._counts[code]) for code in codes]
        sums = [self._sums.get(code, _ZERO) for code in codes]
        means = [
            _EXACT.quantize(_EXACT.divide(total, Decimal(count)), _PLACES)
            for total, count in zip(sums, counts, strict=True)
        ]
        made = {Measure.COUNT: counts, Measure.SUM: map(_written, sums), Measure.MEAN: map(_written, means)}
        names = zip(self.schema.items(), self._measures, strict=True)
        return {name: pa.array(made[measure], kind) for (name, kind), measure in names}

    @property
    def _adds_up(self) -> bool:
        return Measure.SUM in self._measures or Measure.MEAN in self._measures

    def _numbers(self, values: pa.Array) -> pa.Array:
        """As :data:`NUMBER`."""
        numbers = (
            values.cast(NUMBER) if pa.types.is_integer(values.type) else operand(values, FieldType.DECIMAL)
        )
        too_large = pc.any(pc.greater_equal(pc.abs(numbers), _MOST)).as_py()
        if too_large or numbers.null_count != values.null_count:
            raise Failed(Reason.MASKING_FAILED, about=self.name)
        return numbers

    def _add_shares(self, codes: Codes, magnitudes: pa.Array, people: Sequence[pa.Array]) -> None:
        _add(self._magnitudes, codes, magnitudes)
        for shares, who in zip(self._shares, people, strict=True):
            summed = (
                pa.table({"code": pa.array(codes), "who": who, "value": magnitudes})
                .group_by(["code", "who"], use_threads=False)
                .aggregate([("value", "sum")])
                .to_pydict()
            )
            for code, person, total in zip(summed["code"], summed["who"], summed["value_sum"], strict=True):
                if person is not None and total is not None:
                    shares[code, person] = _EXACT.add(shares.get((code, person), _ZERO), total)
            if len(shares) > MOST_PEOPLE:
                raise TooSmall(Reason.TOO_MANY_CLASSES)


def grown(counts: Codes, codes: Codes) -> Codes:
    """``counts`` and, of each of ``codes``, how often it is there."""
    more = np.bincount(codes, minlength=len(counts)).astype(np.int64)
    more[: len(counts)] += counts
    return more


def _add(sums: dict[int, Decimal], codes: Codes, numbers: pa.Array) -> None:
    summed = (
        pa.table({"code": pa.array(codes), "value": numbers})
        .group_by("code", use_threads=False)
        .aggregate([("value", "sum")])
        .to_pydict()
    )
    for code, total in zip(summed["code"], summed["value_sum"], strict=True):
        if total is not None:
            sums[code] = _EXACT.add(sums.get(code, _ZERO), total)


def _written(number: Decimal) -> str:
    """Plain, without zeros at the end: ``1200``, ``0.5``."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
