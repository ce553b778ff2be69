"""What can be told of all applications of one shape, told once.

Most of a decision does not depend on the subjects, the case or the person, but on the *shape*: who asks,
with which system, for which fields of which dataset, for what purpose, on what basis. A :class:`Plan` is made
for a shape when it is first met: the rules about it and, for a :class:`Span` of time in which no rule begins
or ends and the day does not change, the outcome. What is left for each call is to look the plan up and to ask
the conditions that can change within a span (working hours, expressions).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from broker.approve.conditions import CAUSES, FIRST, FIXED, OF_THE_MOMENT, Condition, unchanging
from broker.approve.demands import has_quota
from broker.approve.generations import Generations
from broker.approve.index import DatasetRules
from broker.approve.ranking import Ranking
from broker.approve.rule import Effect, Rule
from broker.approve.verdict import Case, Outcome, Speaking
from broker.model import CORE, Application, Catalog, Dataset, Decision, SharingAttribute, Verdict, Why
from broker.reasons import Reason

_CHANGING = (Condition.HOURS, Condition.EXPRESSION)
_ORDER = {condition: place for place, condition in enumerate(Condition)}
_MOST_PLANS, _MOST_RANKINGS = 4096, 1024
"""Kept in each of two generations; measured, 11 MB when full, and as much again of rankings."""
_MOST_OUTCOMES = 64
"""Outcomes kept for one span: rules whose hours or expressions differ could make very many."""


_PERMITTING = (Effect.PERMIT, Effect.REVIEW)
_AGAINST = (Effect.DENY, Effect.REVIEW)


class State(NamedTuple):
    """What hours and expression of a rule say of one application."""

    unmet: Condition | None
    """The first that is not known to hold; None: both hold."""
    untold: bool
    """Neither is known not to hold, but not both can be told."""


_MET = State(None, False)


@dataclass(frozen=True, slots=True)
class Span:
    """A while in which only hours and expressions change what rules say of a shape."""

    begins: datetime
    ends: datetime
    """First instant after it."""
    settled: tuple[Rule, ...]
    """They speak."""
    changing: tuple[Rule, ...]
    """They speak if their hours and expressions hold."""
    outcomes: dict[tuple[State, ...], Outcome] = field(default_factory=dict)


_NEVER = Span(FIRST, FIRST, (), ())


class Plan:
    """Decides applications of one shape; safe for use by threads, which at worst do the same work twice."""

    __slots__ = (
        "_about",
        "_asked",
        "_candidates",
        "_catalog",
        "_hash",
        "_ranking",
        "_span",
        "_zone",
        "barred",
    )

    def __init__(
        self, asked: Application, about: DatasetRules, catalog: Catalog, zone: ZoneInfo, hash_: str
    ) -> None:
        """``asked`` is any application of the shape; of its other parts nothing is kept."""
        self._asked = _shape_of(asked)
        self._about, self._catalog, self._zone, self._hash = about, catalog, zone, hash_
        self._candidates = sorted(
            (
                rule
                for rule in about.about(asked.consumer.department)
                if (rule.purposes is None or asked.purpose in rule.purposes)
                and not rule.fields.isdisjoint(asked.fields)
                and rule.accepts_basis(asked.legal_basis)
            ),
            key=lambda rule: rule.id,
        )
        self._span = _NEVER
        reasons = tuple(_barred(self._asked, about.dataset, catalog))
        self.barred = Decision(Verdict.DENY, hash_, (), reasons) if reasons else None
        """What no rule can change (2.3 to 2.6)."""

    def outcome(self, asked: Application, now: datetime) -> Outcome:
        """What the rules come to for ``asked``, of this shape, at ``now`` (aware)."""
        span = self._span
        if not span.begins <= now < span.ends:
            span = self._span = self._span_at(now)
        states = tuple([_state(rule, asked, now) for rule in span.changing]) if span.changing else ()
        found = span.outcomes.get(states)
        if found is None:
            found = self._outcome(span, states, now)
            if len(span.outcomes) < _MOST_OUTCOMES:
                span.outcomes[states] = found
        return found

    def ranking(self, uncovered: tuple[str, ...]) -> Ranking:
        """The permits and reviews about this shape by how near they come to letting ``uncovered`` pass."""
        return Ranking(self._asked, uncovered, self._about, self._zone)

    def _span_at(self, now: datetime) -> Span:
        is_charged = any(has_quota(rule) for rule in self._candidates)
        day = _day(now, self._zone) if is_charged else ()
        in_force = [rule for rule in self._candidates if rule.in_force(now)]
        return Span(
            *unchanging(self._candidates, now, *day),
            tuple([rule for rule in in_force if not _changes(rule) and not self._unfit(rule)]),
            tuple([rule for rule in in_force if _changes(rule)]),
        )

    def _outcome(self, span: Span, states: Sequence[State], now: datetime) -> Outcome:
        told = dict(zip([rule.id for rule in span.changing], states, strict=True))
        speaking, untold = list(span.settled), []
        for rule, state in zip(span.changing, states, strict=True):
            if self._unfit(rule):
                continue
            if state.untold:
                untold.append(rule)
            if state.unmet is None or (state.untold and rule.effect in _AGAINST):
                speaking.append(rule)
        speaking.sort(key=lambda rule: rule.id)
        gathered = Speaking.of(speaking, untold)
        case = Case(self._asked, self._about, self._catalog, self._hash, now.astimezone(self._zone))
        return case.outcome(gathered, lambda: self._nearest(told, now))

    def _unfit(self, rule: Rule) -> bool:
        """Whether it cannot speak about the shape, whatever the time."""
        return not all(FIXED[c](rule, self._asked) for c in (Condition.SYSTEM, Condition.WHOLE_DATASET))

    def _nearest(self, told: Mapping[str, State], now: datetime) -> Reason:
        """Why nothing speaks: the condition that the rule which comes furthest does not meet (7.1)."""
        unmet = [
            self._first_unmet(rule, told.get(rule.id, _MET), now)
            for rule in self._about.about(self._asked.consumer.department)
            if rule.effect in _PERMITTING
        ]
        furthest = max(unmet, key=_ORDER.__getitem__, default=Condition.DEPARTMENT)
        return CAUSES[furthest]

    def _first_unmet(self, rule: Rule, state: State, now: datetime) -> Condition:
        for condition in Condition:
            if condition in FIXED:
                met = FIXED[condition](rule, self._asked)
            elif condition in _CHANGING:
                met = condition is not state.unmet
            else:
                met = OF_THE_MOMENT[condition](rule, self._asked, now)
            if not met:
                return condition
        return Condition.DELEGATION


class Plans:
    """The plans made so far, of which only the last few thousand are kept.

    Names that are not in the catalog and bases that no rule names make no new shapes.
    """

    def __init__(
        self,
        about: Mapping[str, DatasetRules],
        catalog: Catalog,
        zone: ZoneInfo,
        hash_: str,
        most: int = _MOST_PLANS,
    ) -> None:
        self._about, self._catalog, self._zone, self._hash = about, catalog, zone, hash_
        rules = [rule for of in about.values() for rule in of.rules]
        self._bases = frozenset({""}.union(*[rule.legal_basis for rule in rules if rule.legal_basis]))
        self._items = frozenset({"", *catalog.service_items})
        self._plans: Generations[object, Plan] = Generations(most)
        self._rankings: Generations[tuple[Plan, tuple[str, ...]], Ranking] = Generations(_MOST_RANKINGS)

    def __len__(self) -> int:
        return len(self._plans)

    def of(self, asked: Application) -> Plan | None:
        """The plan of the application's shape; None when dataset or department is unknown."""
        consumer, basis, item = asked.consumer, asked.legal_basis, asked.service_item
        shape = (
            asked.dataset,
            consumer.department,
            consumer.name,
            asked.purpose,
            asked.fields,
            basis if basis in self._bases else None,
            item if item in self._items else None,
            not asked.subjects,
        )
        return self._plans.get(shape) or self._made(shape, asked)

    def ranking(self, plan: Plan, uncovered: tuple[str, ...]) -> Ranking:
        """As the plan's own, kept for the next time."""
        ranking = self._rankings.get((plan, uncovered))
        if ranking is None:
            ranking = plan.ranking(uncovered)
            self._rankings.put((plan, uncovered), ranking)
        return ranking

    def _made(self, shape: object, asked: Application) -> Plan | None:
        about = self._about.get(asked.dataset)
        if about is None or asked.consumer.department not in self._catalog.departments:
            return None
        plan = Plan(asked, about, self._catalog, self._zone, self._hash)
        if asked.purpose in self._catalog.purposes and about.dataset.fields.keys() >= {*asked.fields}:
            self._plans.put(shape, plan)
        return plan


def _shape_of(asked: Application) -> Application:
    """``asked`` without what plans must not depend on, nor keep."""
    subjects = ("",) if asked.subjects else ()
    return replace(
        asked,
        request_id="",
        subjects=subjects,
        case_no="",
        operator="",
        grant="",
        signed_digest=b"",
        signed=None,
        claims=(),
        commitments=(),
    )


def _barred(asked: Application, dataset: Dataset, catalog: Catalog) -> Iterable[Why]:
    """What no rule can change (2.3 to 2.6): all reasons of the first kind that there is."""
    if dataset.sharing_attribute is SharingAttribute.WITHHELD:
        return [Why(Reason.DATASET_WITHHELD)]
    fields = dataset.fields
    if unshared := [f for f in asked.fields if f not in fields or not fields[f].shared]:
        return [Why(Reason.FIELD_NOT_SHARED, field) for field in unshared]
    if core := [f for f in asked.fields if fields[f].level == CORE]:
        return [Why(Reason.CORE_LEVEL, field) for field in core]
    if asked.service_item:  # when it is missing, it is asked for
        item = catalog.service_items.get(asked.service_item)
        wanted = (asked.consumer.department, asked.purpose)
        if item is None or (item.department, item.purpose) != wanted:
            return [Why(Reason.SERVICE_ITEM_MISMATCH)]
    return []


def _changes(rule: Rule) -> bool:
    return rule.working_hours is not None or rule.expression is not None


def _state(rule: Rule, asked: Application, now: datetime) -> State:
    unmet: Condition | None = None
    untold = False
    for condition in _CHANGING:
        try:
            if OF_THE_MOMENT[condition](rule, asked, now):
                continue
        except Exception:  # noqa: BLE001 - whatever a condition fails with counts against release (4.2)
            untold = True
        else:
            return State(unmet or condition, False)
        unmet = unmet or condition
    return State(unmet, untold)


def _day(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the local day of ``now`` begins and ends."""
    today = datetime.combine(now.astimezone(zone).date(), time(), zone)
    return today.astimezone(UTC), (today + timedelta(days=1)).astimezone(UTC)
