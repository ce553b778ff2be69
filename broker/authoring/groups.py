"""What rules demand of groups of rows (``docs/policy-language.md``, 5.8 to 5.10): compared, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from broker.approve.rule import Rule
from broker.model import Aggregate, Below, Dataset, KAnonymity, Measure, Obligations
from broker.reasons import Sentence

_WHOLE = 100
"""Percent: as much as no largest share at all."""
_MEASURES = {
    Measure.SUM: ("合计", "sum"),
    Measure.MEAN: ("平均", "mean"),
    Measure.COUNT: ("有值行数", "count"),
}


class CannotBeMetError(Exception):
    """Permits that contradict one another, or demand totals in which a field has no part."""


# ── together ─────────────────────────────────────────────────────────────────────────────────────


def gate_of(rules: Sequence[Rule]) -> KAnonymity | None:
    """What ``rules`` demand together, whichever quasi-identifiers are asked for."""
    gates = [rule.obligations.k_anonymity for rule in rules if rule.obligations.k_anonymity]
    names = sorted({name for gate in gates for name in gate.quasi_identifiers})
    if not names:
        return None
    refuse = any(gate.below is Below.REFUSE for gate in gates)
    return KAnonymity(tuple(names), max(gate.k for gate in gates), Below.REFUSE if refuse else Below.SUPPRESS)


def aggregate_of(name: str, rules: Sequence[Rule]) -> Aggregate | None:
    """The totals in which alone the field ``name`` is released.

    Raises:
        CannotBeMetError: there are none.
    """
    found = [rule.obligations.aggregate for rule in rules if rule.obligations.aggregate]
    if not found:
        return None
    first = found[0]
    if any((one.by, one.measures) != (first.by, first.measures) for one in found):
        raise CannotBeMetError
    if name not in first.by and name not in first.measured:
        raise CannotBeMetError
    return Aggregate(
        first.by,
        first.measures,
        max(one.smallest_group for one in found),
        min([one.largest_share for one in found if one.largest_share is not None], default=None),
        all(one.named_subjects for one in found),
    )


# ── compared ─────────────────────────────────────────────────────────────────────────────────────


def demands_no_more(narrow: Obligations, wide: Obligations) -> bool:
    """Whether what ``narrow`` demands of groups is demanded by ``wide`` anyway."""
    return gate_demands_no_more(narrow.k_anonymity, wide.k_anonymity) and totals_demand_no_more(
        narrow.aggregate, wide.aggregate
    )


def gate_demands_no_more(narrow: KAnonymity | None, wide: KAnonymity | None) -> bool:
    """Whether ``wide`` holds back all that ``narrow`` does."""
    if narrow is None or wide is None:
        return narrow is None
    return (
        set(narrow.quasi_identifiers) <= set(wide.quasi_identifiers)
        and narrow.k <= wide.k
        and (narrow.below is Below.SUPPRESS or wide.below is Below.REFUSE)
    )


def totals_demand_no_more(narrow: Aggregate | None, wide: Aggregate | None) -> bool:
    """Whether ``wide`` tells no more than ``narrow`` does; of totals otherwise grouped nobody knows."""
    if narrow is None or wide is None:
        return narrow is None
    return (
        (narrow.by, narrow.measures) == (wide.by, wide.measures)
        and narrow.smallest_group <= wide.smallest_group
        and (narrow.largest_share or _WHOLE) >= (wide.largest_share or _WHOLE)
        and (narrow.named_subjects or not wide.named_subjects)
    )


# ── in words ─────────────────────────────────────────────────────────────────────────────────────


def words(obligations: Obligations, dataset: Dataset) -> Iterator[Sentence]:
    """What is demanded of groups of rows of ``dataset``."""
    if (gate := obligations.k_anonymity) is not None:
        yield _gate_words(gate, dataset)
    if (totals := obligations.aggregate) is not None:
        yield _totals_words(totals, dataset)


def _named(fields: Sequence[str], dataset: Dataset) -> tuple[str, str]:
    return "、".join(dataset.fields[name].title for name in fields), ", ".join(fields)


def _gate_words(gate: KAnonymity, dataset: Dataset) -> Sentence:
    names = _named(gate.quasi_identifiers, dataset)
    refuse = gate.below is Below.REFUSE
    return Sentence(
        f"{names[0]}都相同的不足 {gate.k} 人，{'就全部不给' if refuse else '这些行略去'}",
        f"{'nothing is released if any row looks' if refuse else 'rows are left out that look'} "
        f"like those of fewer than {gate.k} people in {names[1]}",
    )


def _totals_words(totals: Aggregate, dataset: Dataset) -> Sentence:
    by = _named(totals.by, dataset)
    measured = [
        (
            f"{dataset.fields[field].title}的{'、'.join(_MEASURES[one][0] for one in measures)}",
            f"{' and '.join(_MEASURES[one][1] for one in measures)} of {field}",
        )
        for field, measures in totals.measures
    ]
    listed_zh = "、".join(["行数", *[zh for zh, _ in measured]])
    zh = f"只给按{by[0]}分组的{listed_zh}，不足 {totals.smallest_group} 人的组不给"
    en = (
        f"only totals by {by[1]}: {', '.join(['rows', *[en for _, en in measured]])}; "
        f"no group of fewer than {totals.smallest_group} people"
    )
    if totals.largest_share is not None:
        zh += f"，一人占合计超过 {totals.largest_share}% 的组不给"
        en += f", nor one in which one of them makes up more than {totals.largest_share} % of a sum"
    if totals.named_subjects:
        zh, en = f"{zh}，可写明查询对象", f"{en}; also over named subjects"
    return Sentence(zh, en)
