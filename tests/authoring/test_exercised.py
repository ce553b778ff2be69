"""Coverage says which rules and conditions could be changed without any case noticing."""

from __future__ import annotations

from broker.approve.bundle import Bundle
from broker.approve.conditions import Condition
from broker.authoring.casefile import read_cases
from broker.authoring.cases import run_cases
from broker.authoring.exercised import RuleExercise, exercised, percent

FILE = """
format: share-cases/v1
at: "2026-11-23 10:00"
applications:
  one:
    department: fund
    dataset: registry.marriage
    fields: [status]
    purpose: withdrawal
    legal_basis: 条例 第一条
cases:
"""
SPEAKS = "  - {id: speaks, application: one, expect: {decision: needs_supplement}}\n"
ALONE = {
    Condition.DEPARTMENT: "with: {department: counter}",
    Condition.FIELDS: "with: {fields: [district]}",
    Condition.PURPOSE: "with: {purpose: audit}",
    Condition.LEGAL_BASIS: "with: {legal_basis: 他法}",
    Condition.VALIDITY: 'at: "2028-01-01 00:00"',
    Condition.WHOLE_DATASET: "with: {subjects: all}",
}


def alone(condition: Condition, more: str = "") -> str:
    expect = "expect: {decision: deny}"
    return (
        f"  - {{id: {condition.replace('_', '-')}, application: one, {ALONE[condition]}{more}, {expect}}}\n"
    )


def shown(cases: str, bundle: Bundle) -> RuleExercise:
    (rule,) = exercised(run_cases(read_cases({"a.yaml": (FILE + cases).encode()}, bundle)), bundle)
    return rule


def test_everything_is_exercised_by_one_case_each(bundle: Bundle) -> None:
    """A case in which the rule speaks, and one for each condition that fails alone, are all there is."""
    rule = shown(SPEAKS + "".join(map(alone, ALONE)), bundle)
    assert rule.spoke
    assert rule.conditions == dict.fromkeys(ALONE, True)
    assert rule.counted == (7, 7)
    assert percent([rule]) == 100


def test_nothing_is_exercised_by_nothing(bundle: Bundle) -> None:
    """Each condition is counted although no case comes near it."""
    cases = (
        "  - {id: x, application: one, with: {purpose: audit, legal_basis: 他法}, expect: {decision: deny}}\n"
    )
    rule = shown(cases, bundle)
    assert rule.counted == (0, 7)
    assert percent([rule]) == 0


def test_condition_that_fails_beside_another_is_not_exercised(bundle: Bundle) -> None:
    """Without the condition the rule would not have spoken either, so nothing of it was shown."""
    both = SPEAKS + alone(Condition.VALIDITY, ", with: {purpose: audit}")
    assert not any(shown(both, bundle).conditions.values())


def test_case_that_never_reaches_the_rules_shows_nothing(bundle: Bundle) -> None:
    """What is denied whatever the rules say exercises none of them."""
    for barred in ("suspended: everything", "with: {grant: none-such}", "with: {service_item: C-1}"):
        cases = f"  - {{id: x, application: one, {barred}, expect: {{decision: deny}}}}\n"
        assert not shown(cases, bundle).spoke


def test_nothing_to_exercise_is_all_of_it() -> None:
    """A folder without rules is covered by no cases."""
    assert percent([]) == 100
