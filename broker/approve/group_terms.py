"""Reading what a rule demands of groups of rows: obligations ``k_anonymity`` and ``aggregate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from broker.approve.document import Node, ScalarNode
from broker.approve.grammar import MEASURES
from broker.approve.problem import FIELD, WORD, Code, Problems
from broker.approve.reach import Reach
from broker.approve.table import Table, known, texts
from broker.model import Aggregate, Below, Dataset, FieldType, KAnonymity, Measure, Obligations

_NUMBERS = (FieldType.INTEGER, FieldType.DECIMAL)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A field and what is told of it, as written."""

    field: ScalarNode
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class GroupTerms:
    """Both terms as written, whatever datasets the rule is about."""

    k_anonymity: KAnonymity | None = None
    quasi_identifiers: Sequence[ScalarNode] = ()
    aggregate: Aggregate | None = None
    by: Sequence[ScalarNode] = ()
    measured: Sequence[_Measured] = ()

    @classmethod
    def of(cls, k_anonymity: Table, aggregate: Table) -> GroupTerms:
        """The terms in these tables, whose fields are not looked up yet."""
        return cls(
            _k_anonymity(k_anonymity),
            k_anonymity.texts("quasi_identifiers"),
            _aggregate(aggregate),
            aggregate.texts("by"),
            [_measured(key, node, aggregate.problems) for key, node in aggregate.items("measures")],
        )

    def obligations(self, duties: Obligations, reach: Reach, problems: Problems) -> tuple[Obligations, ...]:
        """``duties`` for each dataset, with these terms; names of no field are reported."""
        if self.k_anonymity is None and self.aggregate is None:
            return (duties,) * len(reach)
        self._check_quasi_identifiers(reach, problems)
        return tuple(
            replace(duties, k_anonymity=self._gate(dataset), aggregate=self._totals(dataset, problems))
            for dataset, _ in reach
        )

    def _check_quasi_identifiers(self, reach: Reach, problems: Problems) -> None:
        """Not each dataset of a category need have all of them."""
        if reach:
            known(
                self.quasi_identifiers, {f for dataset, _ in reach for f in dataset.fields}, FIELD, problems
            )

    def _gate(self, dataset: Dataset) -> KAnonymity | None:
        if self.k_anonymity is None:
            return None
        fields = sorted(item.value for item in self.quasi_identifiers if item.value in dataset.fields)
        return replace(self.k_anonymity, quasi_identifiers=tuple(fields))

    def _totals(self, dataset: Dataset, problems: Problems) -> Aggregate | None:
        if self.aggregate is None:
            return None
        by = known(self.by, dataset.fields, FIELD, problems)
        known([one.field for one in self.measured], dataset.fields, FIELD, problems)
        for one in self.measured:
            field = dataset.fields.get(one.field.value)
            if field is not None and field.type not in _NUMBERS and set(one.measures) - {Measure.COUNT}:
                zh, en = (
                    "只有数值才有合计和平均，其他数据项只能写 count",
                    "only numbers have a sum or a mean; of others write count",
                )
                problems.add(one.field.at, Code.WRONG_FIELD_TYPE, zh, en)
        measures = sorted((one.field.value, one.measures) for one in self.measured)
        return replace(self.aggregate, by=tuple(sorted(by)), measures=tuple(measures))


def _k_anonymity(table: Table) -> KAnonymity | None:
    if not table.is_written:
        return None
    return KAnonymity((), table.count("k") or 0, table.word("below", Below, Below.SUPPRESS))


def _aggregate(table: Table) -> Aggregate | None:
    if not table.is_written:
        return None
    smallest, share = table.count("smallest_group") or 0, table.count("largest_share")
    return Aggregate((), (), smallest, share, table.flag("named_subjects"))


def _measured(key: ScalarNode, node: Node, problems: Problems) -> _Measured:
    words = known(texts(node, problems, MEASURES), list(Measure), WORD, problems)
    return _Measured(key, tuple(measure for measure in Measure if measure in words))
