"""Why an application was decided as it was: the rules that decided or, where nothing permits, the nearest.

For the owners of rules and the authority alone (``docs/policy-language.md``, 7.2): the consumer learns the
decision's reasons and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.approve.evaluate import settle
from broker.approve.ranking import NearMiss, Unmet
from broker.approve.rule import Rule
from broker.model import Application, Decision, Grant, Suspension

__all__ = ["NEAREST", "Explanation", "NearMiss", "Unmet", "explain"]

NEAREST = 5
"""So many near misses are told, unless asked for more or fewer."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, the rules that made it, and the rules that came near."""

    decision: Decision
    """Exactly that of :func:`broker.approve.evaluate.evaluate`."""
    deciding: tuple[Rule, ...]
    """The rules named in the decision, in its order: those that forbid, permit, review, ask or contradict."""
    uncovered: tuple[str, ...] = ()
    """The fields that nothing permits; empty unless that is why the decision is a denial."""
    near: tuple[NearMiss, ...] = ()
    """How rules came near to letting ``uncovered`` pass; fewest unmet conditions first, then by rule id."""


def explain(
    application: Application,
    grant: Grant | None,
    bundle: Bundle,
    now: datetime,
    suspensions: Sequence[Suspension] = (),
    nearest: int = NEAREST,
) -> Explanation:
    """The decision on ``application``, and how it came about; arguments as of
    :func:`broker.approve.evaluate.evaluate`."""
    decision, plan, outcome = settle(application, grant, bundle, now, suspensions)
    if plan is None or outcome is None:
        return Explanation(decision, ())
    if outcome.uncovered:
        near = bundle.plans.ranking(plan, outcome.uncovered).nearest(application, now, nearest)
        return Explanation(decision, (), outcome.uncovered, near)
    by_id = bundle.about[application.dataset].by_id
    return Explanation(decision, tuple([by_id[rule] for rule in decision.rules]))
