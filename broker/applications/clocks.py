"""Which limits run for an application: pure, from the record and the bundle in force.

A limit begins with the event that makes somebody's turn: an application is accepted, or goes on to the next
stage. While it needs supplement no limit of a reviewer runs, for what is incomplete was not received: with
the complete papers the whole limit begins (《行政许可法》第三十二条 says so of applications for permits). An
extension makes the limit that runs longer, from the same beginning. A limit that was counted over a year
whose notice is not in yet is counted again whenever somebody is reminded of it, and before it is called
missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from broker.approve.bundle import Bundle
from broker.limits import days
from broker.limits.days import Certainty, Due
from broker.limits.stages import stages as stages_of
from broker.model import (
    Act,
    Clock,
    FiledApplication,
    SharingAttribute,
    Stage,
    State,
    TimeLimits,
)

STOPPED: Mapping[str, Any] = MappingProxyType(
    {"clock": None, "due_at": None, "due_provisional": False, "remind_at": None}
)
"""Members of an application in which no limit runs."""


def stages(filed: FiledApplication, bundle: Bundle) -> tuple[Stage, ...]:
    """The stages of its review, in order."""
    return tuple(stage for stage, _ in stages_of(_limits(filed, bundle), _attribute(filed, bundle)))


def most_extension(filed: FiledApplication, bundle: Bundle) -> int:
    """The most working days that the answer may take longer: none where nothing but the answer about data
    shared under conditions is waited for (Art. 21)."""
    conditional = _attribute(filed, bundle) is not SharingAttribute.UNCONDITIONAL
    return _limits(filed, bundle).extension if conditional and filed.stage is Stage.ANSWER else 0


def wound(filed: FiledApplication, bundle: Bundle, now: datetime) -> FiledApplication:
    """The application, which an act has just brought where it is, with the limits that run from here on."""
    last, extension = filed.steps[-1], filed.extension
    if last.act is Act.EXTEND and filed.clock is not None and extension is not None:
        more = min(extension.working_days, _limits(filed, bundle).extension)
        clock: Clock | None = replace(filed.clock, working_days=filed.clock.working_days + more)
    else:
        limit = _limit(filed, bundle)
        clock = None if limit is None else Clock(now, limit)
    return _set(filed, clock, bundle, now)


def reminded(filed: FiledApplication, bundle: Bundle, now: datetime) -> FiledApplication:
    """The application, of whose limit somebody was just reminded, with the time of the next reminder; and
    with the limit itself as the calendar now has it."""
    return _set(filed, filed.clock, bundle, now)


def _set(filed: FiledApplication, clock: Clock | None, bundle: Bundle, now: datetime) -> FiledApplication:
    if clock is None:
        return replace(filed, **STOPPED)
    due = days.due(clock.since, clock.working_days, bundle.catalog.calendar, bundle.zone)
    upcoming = [at for at in _reminders(due, _limits(filed, bundle), bundle) if at > now]
    return replace(
        filed,
        clock=clock,
        due_at=due.at,
        due_provisional=due.certainty is not Certainty.EXACT,
        remind_at=min(upcoming, default=None),
    )


def _reminders(due: Due, limits: TimeLimits, bundle: Bundle) -> Iterator[datetime]:
    """So long before the end as the jurisdiction says, and on the last day; and when a year begins whose
    notice was not in, to count again."""
    for before in (*limits.remind_before, 0):
        yield days.reminder(due.at, before, bundle.catalog.calendar, bundle.zone)
    for year in due.years:
        yield datetime(year, 1, 1, tzinfo=bundle.zone)


def _limit(filed: FiledApplication, bundle: Bundle) -> int | None:
    """Working days for whoever's turn it is; None: as long as it takes."""
    limits = _limits(filed, bundle)
    if filed.state is State.NEEDS_SUPPLEMENT:
        return limits.supplement
    if filed.state is not State.UNDER_REVIEW:
        return None
    by_stage = dict(stages_of(limits, _attribute(filed, bundle)))
    most = by_stage.get(filed.stage or Stage.ANSWER, limits.conditional_reply)
    if filed.stage is Stage.CONFORMITY:
        return most
    stricter = (review.within_working_days for review in filed.reviews)
    return min([most, *(sooner for sooner in stricter if sooner is not None)])


def _limits(filed: FiledApplication, bundle: Bundle) -> TimeLimits:
    return bundle.catalog.limits_of(filed.provider)


def _attribute(filed: FiledApplication, bundle: Bundle) -> SharingAttribute:
    """Of a dataset that the catalog has no longer: as of most."""
    dataset = bundle.catalog.datasets.get(filed.terms.dataset)
    return SharingAttribute.CONDITIONAL if dataset is None else dataset.sharing_attribute
