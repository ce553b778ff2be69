"""Approve: which rules came near, and what they would have accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

from broker.approve.bundle import compile_bundle
from broker.approve.conditions import Condition
from broker.approve.near import Explanation, NearMiss, Unmet, explain
from broker.approve.rule import Effect, Rule, WorkingHours
from broker.model import Scope
from tests.approve.worlds import CALENDAR, CATALOG, FAILING, FUTURE, NOW, PAST, ZONE, application

RULE = Rule(
    id="pol/near",
    effect=Effect.PERMIT,
    dataset="p.d",
    fields=frozenset("ab"),
    departments=frozenset("x"),
    purposes=frozenset("v"),
    valid_from=PAST,
    valid_until=FUTURE,
)


def explained(*rules: Rule, nearest: int = 5, **changes: object) -> Explanation:
    return explain(application(**changes), None, compile_bundle(CATALOG, rules, "hash"), NOW, (), nearest)


def test_nearest_rule_tells_what_it_wanted() -> None:
    """Asked for one purpose, the rule for another is near, with the purposes it accepts and nothing else."""
    rule = replace(RULE, purposes=frozenset({"v", "w"}))
    assert explained(rule).near == (NearMiss(rule, (Unmet(Condition.PURPOSE, ("v", "w")),)),)


def test_each_condition_tells_what_it_accepts() -> None:
    """Names in order, days of the zone, hours, the source of an expression, and whether it could be told."""
    hours = WorkingHours(ZONE, ((time(9), time(11, 30)),), frozenset({0, 4}), CALENDAR)
    rule = replace(
        RULE,
        departments=frozenset("y"),
        fields=frozenset("b"),
        systems=frozenset({"t", "r"}),
        legal_basis=frozenset({"law 2"}),
        valid_until=NOW - timedelta(days=1),
        standing_until=NOW,
        working_hours=hours,
        expression=FAILING,
    )
    (miss,) = explained(rule, subjects=(), fields=("a", "b")).near
    assert miss.unmet == (
        Unmet(Condition.DEPARTMENT, ("y",)),
        Unmet(Condition.FIELDS, ("b",)),
        Unmet(Condition.PURPOSE, ("v",)),
        Unmet(Condition.LEGAL_BASIS, ("law 2",)),
        Unmet(Condition.VALIDITY, ("2026-10-25", "2026-11-23")),
        Unmet(Condition.STANDING, ("", "2026-11-24")),
        Unmet(Condition.HOURS, ("09:00-11:30", "mon", "fri", "working")),
        Unmet(Condition.SYSTEM, ("r", "t")),
        Unmet(Condition.EXPRESSION, ("failing",), told=False),
        Unmet(Condition.WHOLE_DATASET, ()),
    )


def test_fewest_unmet_conditions_come_first() -> None:
    """One unmet condition comes before two, then the id decides, and only so many are told."""
    lapsed = replace(RULE, id="pol/z-lapsed", purposes=None, valid_until=NOW)
    far = replace(RULE, id="pol/a-far", departments=frozenset("y"))
    assert [miss.rule.id for miss in explained(far, RULE, lapsed).near] == [
        "pol/near",
        "pol/z-lapsed",
        "pol/a-far",
    ]
    assert [miss.rule.id for miss in explained(far, RULE, lapsed, nearest=1).near] == ["pol/near"]
    many = [replace(RULE, id=f"pol/{number:03}", departments=frozenset("y")) for number in range(99)]
    latest = replace(lapsed, id="pol/zz")
    assert [miss.rule.id for miss in explained(*many, latest, nearest=2).near] == ["pol/zz", "pol/000"]
    assert len(explained(*many, nearest=99).near) == 99


def test_what_is_not_delegated_names_the_scopes_that_would_have_to() -> None:
    """A county's permit about a city's dataset lacks nothing but the city's word."""
    county = replace(RULE, purposes=None, scope=Scope.COUNTY)
    assert explained(county).near == (NearMiss(county, (Unmet(Condition.DELEGATION, ("city",)),)),)
    delegate = replace(RULE, id="pol/delegate", effect=Effect.DELEGATE, purposes=None)
    assert explained(county, delegate).deciding == (delegate, county)


def test_denials_by_a_rule_have_no_near_misses() -> None:
    """Where something forbids, it is told; that a permit is missing as well is not the point."""
    deny = replace(RULE, id="pol/deny", effect=Effect.DENY, purposes=None)
    assert explained(deny, RULE) == Explanation(explained(deny, RULE).decision, (deny,))


def test_near_misses_change_with_the_rules() -> None:
    """What was told of a shape before a rule lapsed is not told afterwards, nor the other way round."""
    compiled = compile_bundle(CATALOG, [RULE], "hash")
    for now, unmet in ((NOW, 1), (FUTURE, 2)) * 2:
        (miss,) = explain(application(), None, compiled, now).near
        assert len(miss.unmet) == unmet
