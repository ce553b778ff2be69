"""The conditions of a rule, one by one: whether each holds, and what it would have accepted.

Evaluation and explanation both read them here, so that they cannot disagree. The order is that of
``docs/policy-language.md``, 7.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from broker.approve.rule import NEVER, Rule, WorkingHours
from broker.model import Application
from broker.reasons import Reason


class Condition(StrEnum):
    """What a rule asks of an application."""

    DEPARTMENT = "department"
    FIELDS = "fields"
    PURPOSE = "purpose"
    LEGAL_BASIS = "legal_basis"
    VALIDITY = "validity"
    STANDING = "standing_approval"
    HOURS = "working_hours"
    SYSTEM = "system"
    EXPRESSION = "when_expr"
    WHOLE_DATASET = "whole_dataset"
    DELEGATION = "delegation"
    """Not of the rule itself: that a higher scope lets it count (3.5)."""


def _within(rule: Rule, now: datetime) -> bool:
    return (rule.valid_from is None or rule.valid_from <= now) and (
        rule.valid_until is None or now < rule.valid_until
    )


def _is_true(rule: Rule, asked: Application, now: datetime) -> bool:
    if rule.expression is None:
        return True
    answer = rule.expression.holds(asked, now)
    if not isinstance(answer, bool):
        raise TypeError("not a boolean")
    return answer


Fixed = Callable[[Rule, Application], bool]
OfTheMoment = Callable[[Rule, Application, datetime], bool]

FIXED: Mapping[Condition, Fixed] = {
    Condition.DEPARTMENT: lambda rule, asked: (
        rule.departments is None or asked.consumer.department in rule.departments
    ),
    Condition.FIELDS: lambda rule, asked: not rule.fields.isdisjoint(asked.fields),
    Condition.PURPOSE: lambda rule, asked: rule.purposes is None or asked.purpose in rule.purposes,
    Condition.LEGAL_BASIS: lambda rule, asked: rule.accepts_basis(asked.legal_basis),
    Condition.SYSTEM: lambda rule, asked: rule.systems is None or asked.consumer.name in rule.systems,
    Condition.WHOLE_DATASET: lambda rule, asked: rule.reaches(asked.subjects),
}
"""Conditions that every application of one shape meets, or none (see :mod:`broker.approve.plan`)."""

OF_THE_MOMENT: Mapping[Condition, OfTheMoment] = {
    Condition.VALIDITY: lambda rule, _, now: _within(rule, now),
    Condition.STANDING: lambda rule, _, now: rule.standing_until is None or now < rule.standing_until,
    Condition.HOURS: lambda rule, _, now: rule.working_hours is None or rule.working_hours.hold(now),
    Condition.EXPRESSION: _is_true,
}

"""Conditions that can change from one moment or application to the next; they raise if it cannot be told."""

CAUSES: Mapping[Condition, Reason] = {
    Condition.DEPARTMENT: Reason.NOTHING_PERMITS,
    Condition.FIELDS: Reason.FIELD_NOT_PERMITTED,
    Condition.PURPOSE: Reason.PURPOSE_NOT_PERMITTED,
    Condition.LEGAL_BASIS: Reason.LEGAL_BASIS_NOT_PERMITTED,
    Condition.VALIDITY: Reason.OUTSIDE_VALIDITY,
    Condition.STANDING: Reason.OUTSIDE_VALIDITY,
    Condition.HOURS: Reason.OUTSIDE_HOURS,
    Condition.SYSTEM: Reason.SYSTEM_NOT_PERMITTED,
    Condition.EXPRESSION: Reason.CONDITION_NOT_MET,
    Condition.WHOLE_DATASET: Reason.WHOLE_DATASET_NOT_PERMITTED,
    Condition.DELEGATION: Reason.NOT_DELEGATED,
}
"""What the consumer is told when no rule meets a condition, in the order of 7.1."""


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def unchanging(rules: Iterable[Rule], now: datetime, *also: datetime) -> tuple[datetime, datetime]:
    """The longest while around ``now`` when none of ``rules`` begins or ends and none of ``also`` lies but
    at its beginning: its first instant, and the first after it.
    """
    instants = [
        instant
        for rule in rules
        for instant in (rule.valid_from, rule.valid_until, rule.standing_until)
        if instant is not None
    ]
    instants += also
    begins = max([instant for instant in instants if instant <= now], default=FIRST)
    ends = min([instant for instant in instants if instant > now], default=LAST)
    return begins.astimezone(UTC), ends.astimezone(UTC)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKING = "working"
"""Stands for the working days of the calendar."""


def accepted(rule: Rule, condition: Condition, zone: ZoneInfo) -> tuple[str, ...]:
    """What ``rule`` would have accepted: names in ascending order, or for

    - ``VALIDITY`` and ``STANDING``: first and last day, ISO 8601, in ``zone``; empty where there is none, and
      nothing at all for an approval that was never given;
    - ``HOURS``: ranges such as ``09:00-12:00``, then days such as ``mon``, or ``working``;
    - ``EXPRESSION``: its source;
    - ``WHOLE_DATASET`` and ``DELEGATION``: nothing.
    """
    match condition:
        case Condition.DEPARTMENT:
            return _names(rule.departments)
        case Condition.FIELDS:
            return _names(rule.fields)
        case Condition.PURPOSE:
            return _names(rule.purposes)
        case Condition.LEGAL_BASIS:
            return _names(rule.legal_basis)
        case Condition.SYSTEM:
            return _names(rule.systems)
        case Condition.VALIDITY:
            return _first_day(rule.valid_from, zone), _last_day(rule.valid_until, zone)
        case Condition.STANDING:
            return () if rule.standing_until == NEVER else ("", _last_day(rule.standing_until, zone))
        case Condition.HOURS:
            return tuple(_times(rule.working_hours)) if rule.working_hours else ()
        case Condition.EXPRESSION:
            return (rule.expression.source,) if rule.expression else ()
        case _:
            return ()


def _names(names: frozenset[str] | None) -> tuple[str, ...]:
    return tuple(sorted(names or ()))


def _first_day(instant: datetime | None, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).date().isoformat() if instant else ""


def _last_day(end: datetime | None, zone: ZoneInfo) -> str:
    """``end`` is the first instant that is too late."""
    return _first_day(end - timedelta(microseconds=1), zone) if end else ""


def _times(wanted: WorkingHours) -> Iterator[str]:
    for first, last in wanted.hours:
        yield f"{_clock(first)}-{_clock(last)}"
    if wanted.weekdays is not None:
        yield from (_DAYS[day] for day in sorted(wanted.weekdays))
    if wanted.calendar is not None:
        yield WORKING


def _clock(at: time) -> str:
    return at.isoformat("minutes")
