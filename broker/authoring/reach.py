"""How two rules about one dataset relate: whether one speaks wherever the other does, or demands no more.

Both are sufficient conditions: they say yes only where it is certain, from the conditions of
``docs/policy-language.md`` §1, §3 and §5 alone. What cannot be told (an expression, a year without calendar)
counts against release (§4.2), and is taken into account.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import ge, le

from broker.approve.rule import Effect, Rule, WorkingHours
from broker.authoring import groups

Names = frozenset[str] | None
"""A set of names; None holds everything."""
_REFUSING = (Effect.DENY, Effect.REVIEW)

_LIMITS: tuple[tuple[str, Callable[[int, int], bool]], ...] = (
    ("rows_per_call", le),
    ("subjects_per_call", le),
    ("calls_per_day", le),
    ("rows_per_day", le),
    ("calls_per_month", le),
    ("rows_per_month", le),
    ("matches_per_subject_per_day", le),
    ("minimum_group_size", ge),
)
_DUTIES = ("signed_application", "no_onward_sharing", "watermark", "notify_subject", "countersignature")


def holds(wide: Names, narrow: Names) -> bool:
    """Whether every name of ``narrow`` is in ``wide``."""
    return wide is None or (narrow is not None and narrow <= wide)


def meet(one: Names, other: Names) -> bool:
    """Whether some name is in both."""
    return one is None or other is None or not one.isdisjoint(other)


def ends(rule: Rule) -> datetime | None:
    """The first instant at which the rule no longer speaks, None if never."""
    given = [instant for instant in (rule.valid_until, rule.standing_until) if instant is not None]
    return min(given, default=None)


def reaches_as_far(wide: Rule, narrow: Rule) -> bool:
    """Whether ``wide`` speaks about every application that ``narrow`` speaks about."""
    return (
        wide.dataset == narrow.dataset
        and narrow.fields <= wide.fields
        and _reaches_outside_fields(wide, narrow)
    )


def reaches_but_fields(wide: Rule, narrow: Rule) -> frozenset[str]:
    """The fields of ``narrow`` that ``wide`` always speaks about too, if in all else it reaches as far."""
    shared = wide.fields & narrow.fields
    return shared if shared and _reaches_outside_fields(wide, narrow) else frozenset()


def _reaches_outside_fields(wide: Rule, narrow: Rule) -> bool:
    return (
        holds(wide.departments, narrow.departments)
        and holds(wide.purposes, narrow.purposes)
        and holds(wide.systems, narrow.systems)
        and _accepts_every_basis(wide, narrow)
        and _lasts_as_long(wide, narrow)
        and (wide.effect in _REFUSING or wide.rows.whole_dataset or not _asks_whole(narrow))
        and _told_as_often(wide, narrow)
    )


def _asks_whole(rule: Rule) -> bool:
    return rule.rows.whole_dataset or rule.effect in _REFUSING


def _accepts_every_basis(wide: Rule, narrow: Rule) -> bool:
    """A basis not given yet fits any rule but a deny (§1)."""
    if wide.legal_basis is None:
        return True
    return holds(wide.legal_basis, narrow.legal_basis) and (
        wide.effect is not Effect.DENY or narrow.effect is Effect.DENY
    )


def _lasts_as_long(wide: Rule, narrow: Rule) -> bool:
    begins, last, narrow_last = wide.valid_from, ends(wide), ends(narrow)
    return (begins is None or (narrow.valid_from is not None and begins <= narrow.valid_from)) and (
        last is None or (narrow_last is not None and narrow_last <= last)
    )


def _told_as_often(wide: Rule, narrow: Rule) -> bool:
    """Hours and expression. Of what cannot be told (§4.2) a rule with fewer conditions tells no less."""
    told = wide.expression is None or wide.expression == narrow.expression
    return told and _within(wide.working_hours, narrow.working_hours)


def _within(wide: WorkingHours | None, narrow: WorkingHours | None) -> bool:
    if wide is None or wide == narrow:
        return True
    if narrow is None or wide.zone != narrow.zone or wide.calendar not in (None, narrow.calendar):
        return False
    if wide.weekdays is not None and (narrow.weekdays is None or not narrow.weekdays <= wide.weekdays):
        return False
    if not wide.hours:
        return True
    return bool(narrow.hours) and all(
        any(first <= begin and end <= last for first, last in wide.hours) for begin, end in narrow.hours
    )


def demands_no_more(narrow: Rule, wide: Rule) -> bool:
    """Whether all that ``narrow`` demands (§5.1) is demanded by ``wide`` anyway, wherever both speak."""
    masks, others = narrow.obligations.masks, wide.obligations.masks
    return (
        all(mask == others.get(field) for field, mask in masks.items() if field in narrow.fields)
        and all(
            _as_strict(getattr(narrow.limits, name), getattr(wide.limits, name), strict)
            for name, strict in _LIMITS
        )
        and _as_strict(narrow.obligations.retain_days, wide.obligations.retain_days, le)
        and _as_strict(narrow.obligations.acknowledge_hours, wide.obligations.acknowledge_hours, le)
        and all(getattr(wide.obligations, duty) or not getattr(narrow.obligations, duty) for duty in _DUTIES)
        and set(narrow.obligations.commitments) <= set(wide.obligations.commitments)
        and groups.demands_no_more(narrow.obligations, wide.obligations)
        and _same_rows(narrow, wide)
        and narrow.review == wide.review
    )


def _as_strict(narrow: int | None, wide: int | None, strict: Callable[[int, int], bool]) -> bool:
    return narrow is None or (wide is not None and strict(wide, narrow))


def _same_rows(narrow: Rule, wide: Rule) -> bool:
    one, other = narrow.rows, wide.rows
    return (
        (other.own_region or not one.own_region)
        and (other.own_grid or not one.own_grid)
        and all(
            field in other.lists and set(other.lists[field]) <= set(values)
            for field, values in one.lists.items()
        )
    )


def has_quota(rule: Rule) -> bool:
    """Whether it counts calls or rows over a day or month."""
    limits = rule.limits
    return any(
        bound is not None
        for bound in (
            limits.calls_per_day,
            limits.rows_per_day,
            limits.calls_per_month,
            limits.rows_per_month,
        )
    )


def speak_together(one: Rule, other: Rule) -> bool:
    """Whether both speak about some application for named subjects; never claimed of rules with two different
    expressions."""
    return (
        one.dataset == other.dataset
        and not one.fields.isdisjoint(other.fields)
        and meet(one.departments, other.departments)
        and meet(one.purposes, other.purposes)
        and meet(one.systems, other.systems)
        and meet(one.legal_basis, other.legal_basis)
        and _overlap(one, other)
        and (one.expression is None or other.expression is None or one.expression == other.expression)
        and (
            one.working_hours is None
            or other.working_hours is None
            or _within(one.working_hours, other.working_hours)
            or _within(other.working_hours, one.working_hours)
        )
    )


def may_speak_together(one: Rule, other: Rule) -> bool:
    """Whether it cannot be excluded that both speak about one application."""
    return (
        one.dataset == other.dataset
        and meet(one.departments, other.departments)
        and meet(one.purposes, other.purposes)
        and meet(one.systems, other.systems)
        and _overlap(one, other)
    )


def _overlap(one: Rule, other: Rule) -> bool:
    begins = [rule.valid_from for rule in (one, other) if rule.valid_from is not None]
    stops = [stop for stop in (ends(one), ends(other)) if stop is not None]
    return not begins or not stops or max(begins) < min(stops)
