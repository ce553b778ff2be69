"""How near the permits and reviews about one shape came to letting fields pass, the nearest first.

What a rule does not meet whatever the time is told once for the shape; what can change is asked of the
nearest few only.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from broker.approve.conditions import FIRST, FIXED, LAST, OF_THE_MOMENT, Condition, accepted, unchanging
from broker.approve.coverage import undelegated
from broker.approve.index import DatasetRules
from broker.approve.rule import Effect, Rule
from broker.model import Application

_KEPT = 16
"""So many of a shape's rules are kept ranked; where these do not settle it, all are ranked anew."""
_ORDER = {condition: place for place, condition in enumerate(Condition)}


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


_Unmet = tuple[tuple[Condition, bool, tuple[str, ...]], ...]
"""Of what can change: the conditions not met, whether that could be told, the scopes that do not delegate."""


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One rule, with the fixed conditions that the shape does not meet."""

    rule: Rule
    fixed: tuple[Condition, ...]
    is_settled: bool
    """Only its dates can change anything."""
    misses: dict[_Unmet, NearMiss] = field(default_factory=dict)
    """Made so far."""


class _Told(NamedTuple):
    """Near misses told before, and while they stay the same: from ``begins`` until before ``ends``."""

    nearest: int
    begins: datetime
    ends: datetime
    near: tuple[NearMiss, ...]


class Ranking:
    """The permits and reviews about one shape, as to the fields ``uncovered``, which nothing lets pass."""

    __slots__ = ("_about", "_asked", "_most", "_ranked", "_told", "_zone", "uncovered")

    def __init__(
        self,
        asked: Application,
        uncovered: tuple[str, ...],
        about: DatasetRules,
        zone: ZoneInfo,
        most: int | None = _KEPT,
    ) -> None:
        self._asked, self.uncovered, self._about, self._zone, self._most = asked, uncovered, about, zone, most
        ranked = [
            _Ranked(rule, tuple(_fixed(rule, asked, uncovered)), _is_settled(rule, about))
            for rule in about.rules
            if rule.effect in (Effect.PERMIT, Effect.REVIEW)
        ]
        ranked.sort(key=lambda one: (len(one.fixed), one.rule.id))
        self._ranked = ranked[:most]
        self._told = _Told(0, FIRST, LAST, ())

    def nearest(self, asked: Application, now: datetime, count: int) -> tuple[NearMiss, ...]:
        """The ``count`` rules with the fewest conditions that ``asked`` does not meet, then by id."""
        told = self._told
        if count == told.nearest and told.begins <= now < told.ends:
            return told.near
        delegates = [*_speaking_delegates(self._about, asked, now)]
        found: list[tuple[int, str, NearMiss]] = []
        looked_at: list[_Ranked] = []
        for one in self._ranked:
            if len(found) == count and (not count or (len(one.fixed), one.rule.id) > found[-1][:2]):
                break  # from here on nothing can come nearer
            looked_at.append(one)
            miss = self._miss(one, asked, delegates, now)
            insort(found, (len(miss.unmet), one.rule.id, miss))
            del found[count:]
        else:
            if len(self._ranked) == self._most:
                everything = Ranking(self._asked, self.uncovered, self._about, self._zone, None)
                return everything.nearest(asked, now, count)
        near = tuple([miss for _, _, miss in found])
        if all(one.is_settled for one in looked_at):
            self._told = _Told(count, *unchanging([one.rule for one in looked_at], now), near)
        return near

    def _miss(self, one: _Ranked, asked: Application, delegates: Sequence[Rule], now: datetime) -> NearMiss:
        if one.is_settled and one.rule.in_force(now):
            unmet: _Unmet = ()
        else:
            unmet = (*_changing(one.rule, asked, now), *self._delegation(one.rule, delegates))
        miss = one.misses.get(unmet)
        return miss if miss is not None else self._made(one, unmet)

    def _made(self, one: _Ranked, unmet: _Unmet) -> NearMiss:
        found = [Unmet(condition, accepted(one.rule, condition, self._zone)) for condition in one.fixed]
        for condition, told, scopes in unmet:
            found.append(Unmet(condition, scopes or accepted(one.rule, condition, self._zone), told))
        found.sort(key=lambda unmet: _ORDER[unmet.condition])
        miss = one.misses[unmet] = NearMiss(one.rule, tuple(found))
        return miss

    def _delegation(self, rule: Rule, delegates: Sequence[Rule]) -> _Unmet:
        lacking = {s for f in self.uncovered for s in undelegated(f, rule.scope, delegates, self._about)}
        scopes = tuple([str(scope) for scope in self._about.written if scope in lacking])
        return ((Condition.DELEGATION, True, scopes),) if scopes else ()


def _fixed(rule: Rule, asked: Application, uncovered: tuple[str, ...]) -> Iterator[Condition]:
    """The fixed conditions not met; that on fields is met by a rule that names all that is uncovered."""
    for condition, met in FIXED.items():
        if condition is Condition.FIELDS:
            if not rule.fields.issuperset(uncovered):
                yield condition
        elif not met(rule, asked):
            yield condition


def _changing(
    rule: Rule, asked: Application, now: datetime
) -> Iterator[tuple[Condition, bool, tuple[str, ...]]]:
    for condition, met in OF_THE_MOMENT.items():
        try:
            if not met(rule, asked, now):
                yield condition, True, ()
        except Exception:  # noqa: BLE001 - whatever a condition fails with counts against release (4.2)
            yield condition, False, ()


def _is_settled(rule: Rule, about: DatasetRules) -> bool:
    return rule.working_hours is None and rule.expression is None and not about.above(rule.scope)


def _speaking_delegates(about: DatasetRules, asked: Application, now: datetime) -> Iterator[Rule]:
    for rule in about.rules if len(about.written) > 1 else ():
        if (
            rule.effect is Effect.DELEGATE
            and all(met(rule, asked) for met in FIXED.values())
            and not any(_changing(rule, asked, now))
        ):
            yield rule
