"""Which rules, and which conditions of them, the cases exercise.

A rule is exercised by a case in which it speaks. A condition is exercised by a case in which it alone fails,
all others of its rule holding: without the condition, the rule would have spoken there. So what is exercised
cannot be taken out, or widened far enough, unnoticed (the independence of modified condition/decision
coverage, RTCA DO-178C).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from broker.approve.bundle import Bundle
from broker.approve.conditions import FIXED, OF_THE_MOMENT, Condition
from broker.approve.problem import Position
from broker.approve.rule import Rule
from broker.authoring.casefile import Case
from broker.authoring.cases import Result
from broker.model import CORE, Dataset, Verdict
from broker.reasons import Reason

_BARRED = frozenset(
    {
        Reason.DATASET_UNKNOWN,
        Reason.DEPARTMENT_UNKNOWN,
        Reason.SUSPENDED,
        Reason.DATASET_WITHHELD,
        Reason.FIELD_NOT_SHARED,
        Reason.CORE_LEVEL,
        Reason.SERVICE_ITEM_MISMATCH,
        Reason.GRANT_UNKNOWN,
    }
)
"""Denied whatever the rules say: no rule was asked."""
_WRITTEN = (
    Condition.DEPARTMENT,
    Condition.FIELDS,
    Condition.PURPOSE,
    Condition.LEGAL_BASIS,
    Condition.VALIDITY,
    Condition.HOURS,
    Condition.SYSTEM,
    Condition.EXPRESSION,
    Condition.WHOLE_DATASET,
)
"""Conditions that are the rule's own, written or by default (subjects must be named)."""


@dataclass(frozen=True, slots=True)
class RuleExercise:
    """What the cases show of one rule."""

    id: str
    at: Position
    spoke: bool
    """In at least one case."""
    conditions: Mapping[Condition, bool]
    """Of the rule's own conditions, whether one failed alone in at least one case."""

    @property
    def counted(self) -> tuple[int, int]:
        """How much of it is exercised, and how much there is."""
        shown = [self.spoke, *self.conditions.values()]
        return sum(shown), len(shown)


def exercised(results: Iterable[Result], bundle: Bundle) -> tuple[RuleExercise, ...]:
    """Every rule of the bundle, by id, and what the cases show of it."""
    cases: dict[str, list[Case]] = {}
    for result in results:
        if _asked_the_rules(result):
            cases.setdefault(result.case.application.dataset, []).append(result.case)
    ordered = sorted(bundle.rules, key=lambda rule: rule.id)
    return tuple(
        _exercise(id_, tuple(rules), cases, bundle) for id_, rules in groupby(ordered, key=lambda r: r.id)
    )


def percent(rules: Sequence[RuleExercise]) -> float:
    """The part that is exercised; 100 where there is nothing to exercise."""
    shown = sum(rule.counted[0] for rule in rules)
    there = sum(rule.counted[1] for rule in rules)
    return 100 * shown / there if there else 100.0


def share_line(rules: Sequence[RuleExercise]) -> str:
    """How much of the rules is exercised, as a line to be read."""
    shown, there = sum(rule.counted[0] for rule in rules), sum(rule.counted[1] for rule in rules)
    share = f"{percent(rules):.0f} %"
    return f"规则与条件覆盖 {share}（{shown}/{there}） / rules and conditions exercised: {share}"


def _exercise(
    id_: str, rules: Sequence[Rule], cases: Mapping[str, Sequence[Case]], bundle: Bundle
) -> RuleExercise:
    """``rules`` are those under one id: one, or one for each dataset of a category."""
    spoke, alone, own = False, set[Condition](), set[Condition]()
    for rule in rules:
        own |= set(_own(rule, bundle.catalog.datasets[rule.dataset]))
        for case in cases.get(rule.dataset, ()):
            failed = list(_failed(rule, case))
            spoke |= not failed
            if len(failed) == 1:
                alone.add(failed[0])
    return RuleExercise(id_, rules[0].at, spoke, {c: c in alone for c in _WRITTEN if c in own})


def _own(rule: Rule, dataset: Dataset) -> Iterator[Condition]:
    """The conditions that the rule restricts."""
    reachable = {name for name, field in dataset.fields.items() if field.shared and field.level != CORE}
    restricts = {
        Condition.DEPARTMENT: rule.departments is not None,
        Condition.FIELDS: not reachable <= rule.fields,
        Condition.PURPOSE: rule.purposes is not None,
        Condition.LEGAL_BASIS: rule.legal_basis is not None,
        Condition.VALIDITY: rule.valid_from is not None or rule.valid_until is not None,
        Condition.HOURS: rule.working_hours is not None,
        Condition.SYSTEM: rule.systems is not None,
        Condition.EXPRESSION: rule.expression is not None,
        Condition.WHOLE_DATASET: not rule.reaches(()),
    }
    return (condition for condition, given in restricts.items() if given)


def _failed(rule: Rule, case: Case) -> Iterator[Condition]:
    """The conditions that do not hold, or cannot be told."""
    for condition, holds in FIXED.items():
        if not holds(rule, case.application):
            yield condition
    for condition, holds_at in OF_THE_MOMENT.items():
        try:
            if not holds_at(rule, case.application, case.now):
                yield condition
        except Exception:  # noqa: BLE001 - what cannot be told shows nothing of the condition
            yield from (condition, condition)


def _asked_the_rules(result: Result) -> bool:
    decision = result.decision
    if result.case.application.grant and decision.verdict is Verdict.DENY:
        return False  # perhaps for the grant alone
    return not any(why.reason in _BARRED for why in decision.reasons)
