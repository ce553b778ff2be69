"""Quotas that a change makes count apart: one rule made two gives its consumer twice as much.

A quota counts per rule and consumer, so no single cell shows it. What is looked for: a rule with a quota
whose purposes and fields are afterwards permitted under quotas as small, but not all under a single one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from broker.approve.rule import Effect, Rule
from broker.authoring.access import Side
from broker.authoring.conditions import Conditions
from broker.authoring.difference import Change, Direction, Entry

QUOTAS = ("calls_per_day", "rows_per_day", "calls_per_month", "rows_per_month")
_CHARGING = (Effect.PERMIT, Effect.DELEGATE)

_Atom = tuple[str, str, str]
"""Dataset, purpose, field."""


def split_quotas(old: Side, new: Side) -> Iterator[Entry]:
    """An entry for each rule and quota of ``old`` that counts apart in ``new``, by rule and quota."""
    before, after = _by_id(old), _by_id(new)
    for id_, rules in before.items():
        if [_reach(rule) for rule in rules] != [_reach(rule) for rule in after.get(id_, ())]:
            for quota in QUOTAS:
                if getattr(rules[0].limits, quota) is not None:
                    yield from _split(rules, quota, old, new)


def _by_id(side: Side) -> dict[str, list[Rule]]:
    """The rules that have a quota; one about a category is several under one id."""
    found: dict[str, list[Rule]] = {}
    for rule in side.bundle.rules:
        if rule.effect in _CHARGING and any(getattr(rule.limits, quota) is not None for quota in QUOTAS):
            found.setdefault(rule.id, []).append(rule)
    return found


def _reach(rule: Rule) -> object:
    quotas = tuple(getattr(rule.limits, quota) for quota in QUOTAS)
    return rule.dataset, rule.departments, rule.purposes, rule.fields, quotas


def _split(rules: Sequence[Rule], quota: str, old: Side, new: Side) -> Iterator[Entry]:
    limit = getattr(rules[0].limits, quota)
    apart: dict[tuple[tuple[_Atom, ...], tuple[str, ...]], list[str]] = {}
    named = [old.purposes.keys() if rule.departments is None else rule.departments for rule in rules]
    for department in sorted(frozenset[str]().union(*named)):
        bounded = {
            atom: ids
            for atom in _atoms(rules, department, old)
            if (ids := _bounding(atom, department, quota, limit, new)) is not None
        }
        if bounded and all(bounded.values()) and not frozenset.intersection(*bounded.values()):
            counting = tuple(sorted(frozenset[str]().union(*bounded.values())))
            apart.setdefault((tuple(bounded), counting), []).append(department)
    for (atoms, counting), departments in apart.items():
        datasets, purposes, fields = (tuple(sorted(set(names))) for names in zip(*atoms, strict=True))
        change = Change("quota", Direction.WEAKER, f"{quota} {limit}", f"{len(counting)} × {quota}")
        yield Entry(
            Direction.WEAKER,
            datasets[0],
            tuple(departments),
            purposes,
            fields,
            Conditions(),
            None,
            None,
            (change,),
            (rules[0].id,),
            counting,
        )


def _atoms(rules: Sequence[Rule], department: str, side: Side) -> list[_Atom]:
    """What the rules are about, for one department."""
    purposes = side.purposes.get(department, frozenset())
    return sorted(
        {
            (rule.dataset, purpose, name)
            for rule in rules
            if rule.departments is None or department in rule.departments
            for purpose in (purposes if rule.purposes is None else purposes & rule.purposes)
            for name in rule.fields
        }
    )


def _bounding(atom: _Atom, department: str, quota: str, limit: int, side: Side) -> frozenset[str] | None:
    """The rules whose quota is as small; None if nothing permits it, so that nothing needs to bound it."""
    dataset, purpose, name = atom
    about = side.bundle.about.get(dataset)
    permitting = [
        rule
        for rule in (about.rules if about and purpose in side.purposes.get(department, ()) else ())
        if rule.effect in _CHARGING
        and name in rule.fields
        and (rule.departments is None or department in rule.departments)
        and (rule.purposes is None or purpose in rule.purposes)
    ]
    if not permitting:
        return None
    bounds = {rule.id: getattr(rule.limits, quota) for rule in permitting}
    return frozenset(id_ for id_, bound in bounds.items() if bound is not None and bound <= limit)
