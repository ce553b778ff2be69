"""When something holds, part by part: what a difference or a line of the matrix says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from zoneinfo import ZoneInfo

from broker.authoring.moments import (
    TRUTHS,
    Clock,
    Day,
    Period,
    Truth,
    joined_clocks,
    joined_periods,
    worked,
)
from broker.model import Application, Calendar


@dataclass(frozen=True, slots=True)
class Names:
    """Those of ``listed``; or, for ``but``, every other one."""

    listed: frozenset[str] = frozenset()
    but: bool = True

    def __contains__(self, name: str) -> bool:
        return (name in self.listed) is not self.but

    def __or__(self, other: Names) -> Names:
        match self.but, other.but:
            case True, True:
                return Names(self.listed & other.listed)
            case True, False:
                return Names(self.listed - other.listed)
            case False, True:
                return Names(other.listed - self.listed)
            case _:
                return Names(self.listed | other.listed, but=False)


ANY = Names()


@dataclass(frozen=True, slots=True)
class Conditions:
    """When something holds: each part covers it, and together they may cover a little more."""

    legal_basis: Names = ANY
    systems: Names = ANY
    periods: tuple[Period, ...] = ((None, None),)
    """Apart and in order."""
    days: frozenset[Day] | None = None
    """None: any."""
    clock: tuple[Clock, ...] = ((time(), None),)
    zone: ZoneInfo | None = None
    """Of days and clock, where they matter."""
    calendars: tuple[Calendar, ...] = ()
    """By which :attr:`Day.working` is told."""
    named: bool = True
    """When subjects are named."""
    whole: bool = True
    """When the whole dataset is asked for."""
    expressions: tuple[tuple[str, frozenset[Truth]], ...] = ()

    def cover(self, application: Application, now: datetime, truth: Mapping[str, Truth]) -> bool:
        """Whether ``application`` at ``now``, with each expression's ``truth``, is among what is covered."""
        return (
            application.legal_basis in self.legal_basis
            and application.consumer.name in self.systems
            and any((a is None or a <= now) and (b is None or now < b) for a, b in self.periods)
            and (self.named if application.subjects else self.whole)
            and self._covers_clock(now)
            and all(truth[source] in values for source, values in self.expressions)
        )

    def __or__(self, other: Conditions) -> Conditions:
        """What covers both, of one and the same group of rules."""
        truths = dict(other.expressions)
        both = [(source, found | truths[source]) for source, found in self.expressions if source in truths]
        return replace(
            self,
            legal_basis=self.legal_basis | other.legal_basis,
            systems=self.systems | other.systems,
            periods=joined_periods(self.periods + other.periods),
            days=None if self.days is None or other.days is None else self.days | other.days,
            clock=joined_clocks(self.clock + other.clock),
            named=self.named or other.named,
            whole=self.whole or other.whole,
            expressions=tuple((source, found) for source, found in both if len(found) < len(TRUTHS)),
        )

    def _covers_clock(self, now: datetime) -> bool:
        if self.zone is None:
            return True
        local = now.astimezone(self.zone)
        day = Day(local.weekday(), tuple(worked(calendar, local.date()) for calendar in self.calendars))
        clock = local.time()
        return (self.days is None or day in self.days) and any(
            first <= clock and (last is None or clock < last) for first, last in self.clock
        )
