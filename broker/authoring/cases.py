"""``policy test``: every case decided as the broker would decide it, and compared with what it expects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from broker.approve.bundle import Bundle
from broker.approve.evaluate import evaluate
from broker.authoring.casefile import Case
from broker.authoring.expected import Difference, differences
from broker.authoring.facts import facts
from broker.model import Decision


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case."""

    case: Case
    decision: Decision
    differences: tuple[Difference, ...]
    """Empty for a case that passed."""

    @property
    def passed(self) -> bool:
        return not self.differences


def run_case(case: Case, bundle: Bundle) -> Result:
    """Decide the case's application by ``bundle``, at the case's own time."""
    decision = evaluate(case.application, case.grant, bundle, case.now, case.suspensions)
    return Result(case, decision, differences(case.expected, facts(decision)))


def run_cases(cases: Iterable[Case], bundle: Bundle) -> tuple[Result, ...]:
    return tuple(run_case(case, bundle) for case in cases)
