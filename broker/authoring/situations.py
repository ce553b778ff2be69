"""The situations in which an application can reach rules: what is left of their conditions to the moment of
the call (legal basis, system, time, whole dataset, expression), split where any of them splits it.

Two situations in which the same rules speak are one. So a handful stand for all that can happen, and what
holds in each holds always: access is compared without trying applications one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from itertools import product
from typing import Any, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from broker.approve.rule import Effect, Rule, WorkingHours
from broker.authoring.conditions import Conditions, Names
from broker.authoring.moments import (
    TRUTHS,
    Clock,
    Day,
    Period,
    Truth,
    days_in,
    joined_clocks,
    joined_periods,
    periods_between,
    within,
)

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a rule's conditions to the moment of the call."""

    against: bool
    """A deny or a review: speaks when it cannot be told whether it does."""
    legal_basis: frozenset[str] | None
    systems: frozenset[str] | None
    period: Period
    working_hours: WorkingHours | None
    expression: str | None
    whole_dataset: bool

    def takes_basis(self, basis: str | None) -> bool:
        """Whether ``basis`` fits, None being one that no rule lists."""
        return self.legal_basis is None or basis in self.legal_basis

    def takes_system(self, name: str | None) -> bool:
        return self.systems is None or name in self.systems

    @staticmethod
    def of(rule: Rule) -> Left:
        against = rule.effect in (Effect.DENY, Effect.REVIEW)
        ends = [end for end in (rule.valid_until, rule.standing_until) if end is not None]
        return Left(
            against,
            rule.legal_basis,
            rule.systems,
            (rule.valid_from, min(ends, default=None)),
            rule.working_hours,
            rule.expression.source if rule.expression else None,
            against or rule.rows.whole_dataset,
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """Which of the conditions given hold, as bits, and when that is so."""

    holding: int
    """Those that speak."""
    untold: int
    """Of them the denies and reviews that cannot be told."""
    tag: Any
    """That of the system which calls."""
    mixed: bool
    """It takes an expression of one side to be true and one of the other not, of which nobody knows whether
    that can be."""
    when: Conditions


Tags = Mapping[str, Any]
"""Systems to be told apart, by name; those not in it have the tag None."""


def situations(lefts: Sequence[Left], tags: Tags, sides: Sequence[int] = ()) -> list[Situation]:
    """Every situation that any of ``lefts`` tells from another, in which at least one of them holds.

    Of an application that gives its legal basis. ``sides`` says of each of ``lefts`` whose it is, as bits
    (1 old, 2 new), to know expressions that only one has.
    """
    space = _Space(lefts, tags, sides)
    return [situation for situation in space.situations() if situation.holding]


_Values = tuple[frozenset[Any], ...]
"""For each dimension walked so far, the values that lead to a point."""


class _Point(NamedTuple):
    """Which conditions hold so far, as bits."""

    holding: int
    forced: int = 0
    """Those of denies and reviews that cannot be told; they hold unless they are known not to."""
    tag: Hashable = None
    private: Truth | Literal["none", "mixed"] = "none"
    """What the expressions that only one side has are, all of them."""


class _Step(NamedTuple):
    """One way on from any point: what still holds, what is forced, or another tag."""

    true: int
    unknown: int = 0
    tag: Hashable = None


_OTHER = None
"""Any name but those that a condition lists."""


class _Space:
    """Walks one dimension after the other, keeping one point for all values that make no difference."""

    def __init__(self, lefts: Sequence[Left], tags: Tags, sides: Sequence[int]) -> None:
        self._lefts = lefts
        self._tags = tags
        self._sides = sides or [3] * len(lefts)
        self._against = sum(left.against << i for i, left in enumerate(lefts))
        self._bases = sorted(frozenset[str]().union(*[left.legal_basis or () for left in lefts]))
        self._systems = sorted(frozenset(tags).union(*[left.systems or () for left in lefts]))
        hours = [left.working_hours for left in lefts if left.working_hours]
        self._zones = list(dict.fromkeys(each.zone for each in hours))
        self._calendars = list(dict.fromkeys(each.calendar for each in hours if each.calendar))
        self._by_day = bool(self._calendars) or any(each.weekdays is not None for each in hours)
        self._expressions = sorted({left.expression for left in lefts if left.expression})
        owners = [self._owners(source) for source in self._expressions]
        apart = 1 in owners and 2 in owners
        self._private = {
            source for source, owner in zip(self._expressions, owners, strict=True) if apart and owner != 3
        }

    def situations(self) -> Iterator[Situation]:
        points: dict[_Point, _Values] = {_Point((1 << len(self._lefts)) - 1): ()}
        for steps in (self._basis_steps(), self._system_steps(), self._subject_steps(), self._time_steps()):
            points = _walk(points, _merged(steps), self._against)
        for source in self._expressions:
            points = self._judge(points, source)
        ends: dict[tuple[int, int, Hashable, bool], _Values] = {}
        for point, values in points.items():
            mixed = point.private == "mixed" or len(self._zones) > 1
            untold = point.forced & ~point.holding
            _join(ends, (point.holding | untold, untold, point.tag, mixed), values)
        for (holding, untold, tag, mixed), values in ends.items():
            yield Situation(holding, untold, tag, mixed, self._conditions(values))

    def _bits(self, takes: Callable[[Left, str | None], bool], name: str | None) -> int:
        return sum(takes(left, name) << i for i, left in enumerate(self._lefts))

    def _owners(self, source: str) -> int:
        """Whose expression it is, as bits."""
        owners = 0
        for left, side in zip(self._lefts, self._sides, strict=True):
            owners |= side if left.expression == source else 0
        return owners

    # ── the dimensions ───────────────────────────────────────────────────────────────────────────

    def _basis_steps(self) -> Iterator[tuple[_Step, _Values]]:
        for basis in (*self._bases, _OTHER):
            yield _Step(self._bits(Left.takes_basis, basis)), (frozenset([basis]),)

    def _system_steps(self) -> Iterator[tuple[_Step, _Values]]:
        for name in (*self._systems, _OTHER):
            tag = self._tags.get(name) if name else None
            yield _Step(self._bits(Left.takes_system, name), tag=tag), (frozenset([name]),)

    def _subject_steps(self) -> Iterator[tuple[_Step, _Values]]:
        yield _Step((1 << len(self._lefts)) - 1), (frozenset([True]),)
        yield _Step(sum(left.whole_dataset << i for i, left in enumerate(self._lefts))), (frozenset([False]),)

    def _time_steps(self) -> Iterator[tuple[_Step, _Values]]:
        """Period, then day and clock in each zone: which days there are depends on the period."""
        for period in periods_between(left.period for left in self._lefts):
            inside = [(i, left) for i, left in enumerate(self._lefts) if within(period, left.period)]
            for moment in product(*[self._moments(zone, period) for zone in self._zones]) if inside else ():
                true = unknown = 0
                for i, left in inside:
                    holds = self._works(left.working_hours, moment)
                    true |= (holds is True) << i
                    unknown |= (holds is None) << i
                parts = (frozenset([part]) for each in moment for part in each)
                yield _Step(true, unknown), (frozenset([period]), *parts)

    def _moments(self, zone: ZoneInfo, period: Period) -> list[tuple[Day, Clock]]:
        hours = [left.working_hours for left in self._lefts if left.working_hours]
        cuts = sorted(
            {time(), *(cut for each in hours if each.zone == zone for pair in each.hours for cut in pair)}
        )
        days = days_in(period, zone, self._calendars) if self._by_day else [Day(0)]
        return list(product(days, zip(cuts, [*cuts[1:], None], strict=True)))

    def _works(self, hours: WorkingHours | None, moment: Sequence[tuple[Day, Clock]]) -> Truth:
        """As :meth:`WorkingHours.hold` judges."""
        if hours is None:
            return True
        day, (first, _) = moment[self._zones.index(hours.zone)]
        if hours.weekdays is not None and day.weekday not in hours.weekdays:
            return False
        if hours.hours and not any(a <= first and (first < b or b == time()) for a, b in hours.hours):
            return False
        return hours.calendar is None or day.working[self._calendars.index(hours.calendar)]

    def _judge(self, points: dict[_Point, _Values], source: str) -> dict[_Point, _Values]:
        """The expression, true, false, or failing: then what is against release speaks."""
        concerned = sum((left.expression == source) << i for i, left in enumerate(self._lefts))
        found: dict[_Point, _Values] = {}
        for point, values in points.items():
            for truth in TRUTHS:
                holding, forced = point.holding, point.forced
                if truth is None:
                    forced |= holding & concerned & self._against
                elif not truth:
                    forced &= ~concerned
                after = point._replace(
                    holding=holding if truth else holding & ~concerned,
                    forced=forced,
                    private=_private(point.private, truth) if source in self._private else point.private,
                )
                _join(found, after, (*values, frozenset([truth])))
        return found

    # ── back to words ────────────────────────────────────────────────────────────────────────────

    def _conditions(self, values: _Values) -> Conditions:
        bases, systems, subjects, periods, *rest = values
        hours, truths = rest[: 2 * len(self._zones)], rest[2 * len(self._zones) :]
        days, clock = (hours[0], hours[1]) if len(self._zones) == 1 else (None, None)
        return Conditions(
            legal_basis=_names(bases, self._bases),
            systems=_names(systems, self._systems),
            periods=joined_periods(periods),
            days=frozenset(days) if days and self._by_day else None,
            clock=joined_clocks(clock) if clock else ((time(), None),),
            zone=self._zones[0] if days else None,
            calendars=tuple(self._calendars) if days else (),
            named=True in subjects,
            whole=False in subjects,
            expressions=tuple(
                (source, found)
                for source, found in zip(self._expressions, truths, strict=True)
                if len(found) < len(TRUTHS)
            ),
        )


def _walk(points: dict[_Point, _Values], steps: dict[_Step, _Values], against: int) -> dict[_Point, _Values]:
    found: dict[_Point, _Values] = {}
    for point, values in points.items():
        for step, more in steps.items():
            after = _Point(
                point.holding & step.true,
                point.forced | point.holding & step.unknown & against,
                point.tag if step.tag is None else step.tag,
            )
            _join(found, after, (*values, *more))
    return found


def _merged(steps: Iterable[tuple[_Step, _Values]]) -> dict[_Step, _Values]:
    found: dict[_Step, _Values] = {}
    for step, values in steps:
        _join(found, step, values)
    return found


def _join(found: dict[K, _Values], key: K, values: _Values) -> None:
    seen = found.get(key)
    found[key] = values if seen is None else tuple(a | b for a, b in zip(seen, values, strict=True))


def _private(before: Truth | str, truth: Truth) -> Truth | Literal["none", "mixed"]:
    return truth if before in ("none", truth) else "mixed"


def _names(found: frozenset[Hashable], listed: Sequence[str]) -> Names:
    if _OTHER in found:
        return Names(frozenset(listed) - found)
    return Names(frozenset(str(name) for name in found), but=False)
