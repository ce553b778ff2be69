"""``policy test``: every case decided as the broker would decide it, and compared with what it expects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broker.approve.evaluate import evaluate
from broker.approve.near import explain
from broker.authoring.casefile import Case
from broker.authoring.expected import Difference, differences
from broker.authoring.facts import facts, near_facts
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


def run_case(case: Case) -> Result:
    """Decide the case's application, at the case's own time."""
    decision = evaluate(case.application, case.grant, case.bundle, case.now, case.suspensions)
    got = facts(decision)
    if "near" in case.expected:
        explained = explain(case.application, case.grant, case.bundle, case.now, case.suspensions)
        got["near"] = near_facts(explained.near)
    return Result(case, decision, differences(case.expected, got))


def passed_line(results: Sequence[Result]) -> str:
    """How many there are, how many are as expected, how many not."""
    passed = sum(result.passed for result in results)
    failed = len(results) - passed
    return (
        f"{len(results)} 个用例：{passed} 个符合，{failed} 个不符 / "
        f"{len(results)} cases: {passed} passed, {failed} failed"
    )


def run_cases(cases: Iterable[Case]) -> tuple[Result, ...]:
    """Every case, in the order given."""
    return tuple(map(run_case, cases))
