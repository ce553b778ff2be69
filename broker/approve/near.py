"""Why an application was decided as it was: the rules that decided or, where nothing permits, the nearest.

For the owners of rules and the authority alone (``docs/policy-language.md``, 7.2): the consumer learns the
decision's reasons and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.approve.conditions import FIXED, OF_THE_MOMENT, Condition, accepted
from broker.approve.coverage import undelegated
from broker.approve.evaluate import evaluate
from broker.approve.index import DatasetRules
from broker.approve.rule import Effect, Rule
from broker.model import Application, Decision, Grant, Suspension, Verdict

NEAREST = 5
"""So many near misses are told, unless asked for more or fewer."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition of a rule that an application does not meet, and what would have met it."""

    condition: Condition
    accepts: tuple[str, ...]
    """As :func:`broker.approve.conditions.accepted` gives it; of ``DELEGATION`` the scopes that would have to
    delegate, of ``WHOLE_DATASET`` nothing: subjects must be named."""
    told: bool = True
    """False: it could not be told, which counts as not met."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A permit or review that would have let the fields pass, had these conditions been met."""

    rule: Rule
    unmet: tuple[Unmet, ...]
    """At least one, in the order of :class:`Condition`."""


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
    """The decision on ``application``, and how it came about; arguments as of :func:`evaluate`."""
    decision = evaluate(application, grant, bundle, now, suspensions)
    about = bundle.about.get(application.dataset)
    plan = bundle.plans.of(application)
    if about is None or plan is None:
        return Explanation(decision, ())
    deciding = tuple([about.by_id[id_] for id_ in decision.rules])
    if decision.verdict is not Verdict.DENY or plan.barred is not None:
        return Explanation(decision, deciding)
    outcome = plan.outcome(application, now)
    if not outcome.uncovered or outcome.decision != decision:  # suspended, or outside its grant
        return Explanation(decision, deciding)
    misses = sorted(_misses(application, outcome.uncovered, about, bundle, now), key=_distance)
    return Explanation(decision, deciding, outcome.uncovered, tuple(misses[:nearest]))


def _distance(miss: NearMiss) -> tuple[int, str]:
    return len(miss.unmet), miss.rule.id


def _misses(
    asked: Application, uncovered: tuple[str, ...], about: DatasetRules, bundle: Bundle, now: datetime
) -> Iterator[NearMiss]:
    delegates = [
        rule
        for rule in about.rules
        if rule.effect is Effect.DELEGATE and not any(_unmet(rule, asked, asked.fields, bundle, now))
    ]
    for rule in about.rules:
        if rule.effect in (Effect.PERMIT, Effect.REVIEW):
            unmet = [*_unmet(rule, asked, uncovered, bundle, now)]
            unmet += _delegation(rule, uncovered, delegates, about)
            yield NearMiss(rule, tuple(unmet))


def _unmet(
    rule: Rule, asked: Application, fields: tuple[str, ...], bundle: Bundle, now: datetime
) -> Iterator[Unmet]:
    for condition in Condition:
        if condition is Condition.FIELDS:
            met, told = rule.fields.issuperset(fields), True
        elif condition in FIXED:
            met, told = FIXED[condition](rule, asked), True
        elif condition in OF_THE_MOMENT:
            met, told = _of_the_moment(condition, rule, asked, now)
        else:
            continue
        if not met:
            yield Unmet(condition, accepted(rule, condition, bundle.zone), told)


def _of_the_moment(condition: Condition, rule: Rule, asked: Application, now: datetime) -> tuple[bool, bool]:
    """Whether it is met, and whether that could be told."""
    try:
        return OF_THE_MOMENT[condition](rule, asked, now), True
    except Exception:  # noqa: BLE001 - whatever a condition fails with counts against release (4.2)
        return False, False


def _delegation(
    rule: Rule, fields: Sequence[str], delegates: Sequence[Rule], about: DatasetRules
) -> Iterator[Unmet]:
    lacking = {scope for field in fields for scope in undelegated(field, rule.scope, delegates, about)}
    if lacking:
        yield Unmet(Condition.DELEGATION, tuple([str(s) for s in about.written if s in lacking]))
