"""The sample city's cases pass, exercise everything, and notice whatever rule or condition is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from broker.approve.bundle import Bundle, compile_bundle, load_bundle
from broker.approve.conditions import Condition
from broker.approve.rule import Rule
from broker.authoring.casefile import Case, read_case_files, read_cases
from broker.authoring.cases import run_cases
from broker.authoring.checks import cases_report
from broker.authoring.exercised import exercised, percent

POLICIES = Path(__file__).parents[2] / "policies"

TWICE_HELD = [
    "housing-fund-account-001/low-income-check whole_dataset",
    "natural-resources-property-001/housing-fund-withdrawal whole_dataset",
    "natural-resources-property-001/low-income-check whole_dataset",
    "public-security-vehicle-001/low-income-check whole_dataset",
    "tax-income-001/low-income-check whole_dataset",
]
"""The authority forbids what these do not permit: of registers of assets, the whole."""


@cache
def city() -> Bundle:
    """The sample city's."""
    return load_bundle(POLICIES, lambda *_: None)


@cache
def cases() -> tuple[Case, ...]:
    """Its cases."""
    return read_cases(read_case_files(POLICIES), city())


def without(rule: Rule, condition: Condition) -> Rule:
    """The rule, not asking for that any more."""
    match condition:
        case Condition.DEPARTMENT:
            return replace(rule, departments=None)
        case Condition.FIELDS:
            return replace(rule, fields=frozenset(city().catalog.datasets[rule.dataset].fields))
        case Condition.PURPOSE:
            return replace(rule, purposes=None)
        case Condition.LEGAL_BASIS:
            return replace(rule, legal_basis=None)
        case Condition.VALIDITY:
            return replace(rule, valid_from=None, valid_until=None)
        case Condition.HOURS:
            return replace(rule, working_hours=None)
        case Condition.SYSTEM:
            return replace(rule, systems=None)
        case Condition.WHOLE_DATASET:
            return replace(rule, rows=replace(rule.rows, whole_dataset=True))
        case _:
            return replace(rule, expression=None)


def weakened() -> Iterator[tuple[str, list[Rule]]]:
    """Every bundle that lacks one rule, or one condition of one rule."""
    for exercise in exercised(run_cases(cases()), city()):
        yield exercise.id, [rule for rule in city().rules if rule.id != exercise.id]
        for condition in exercise.conditions:
            rules = [without(rule, condition) if rule.id == exercise.id else rule for rule in city().rules]
            yield f"{exercise.id} {condition}", rules


def test_cases_pass_and_exercise_everything() -> None:
    """Each case, each rule, and each condition of each rule."""
    results = run_cases(cases())
    assert [result.case.name for result in results if not result.passed] == []
    assert percent(exercised(results, city())) == 100


def test_no_rule_or_condition_goes_missing_unnoticed() -> None:
    """What coverage counts as exercised, a case really holds in place: without it, one fails."""
    unnoticed = []
    for name, rules in weakened():
        bundle = compile_bundle(city().catalog, rules, city().hash)
        if all(result.passed for result in run_cases(replace(case, bundle=bundle) for case in cases())):
            unnoticed.append(name)
    assert unnoticed == TWICE_HELD


def test_a_proposal_says_how_its_cases_went() -> None:
    """Officers who approve see how many cases passed, which did not, and how much they exercise."""
    files = read_case_files(POLICIES)
    report = cases_report(files, city())
    assert report.passed
    assert "0 个不符" in report.said
    assert "覆盖 100 %" in report.said
    loose = [replace(rule, purposes=None) for rule in city().rules]
    weaker = cases_report(files, compile_bundle(city().catalog, loose, city().hash))
    assert not weaker.passed
    assert "✗ cases/newborn.yaml#parents-other-purpose" in weaker.said
