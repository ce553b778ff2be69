"""Expressions that always say the same are found by trying; of others nothing is claimed."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from broker.approve.bundle import Bundle, load_bundle
from broker.approve.expression import compile_expression
from broker.approve.rule import Effect, Expression, Rows
from broker.authoring.constant import Trials, variables
from tests.approve.conftest import BASE, check_mask

ZONE = ZoneInfo("Asia/Shanghai")
UNTOLD: frozenset[bool | None] = frozenset()


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(BASE, check_mask)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 < 2", {True}),
        ("weekday > 7", {False}),
        ("hour >= 0 && minute < 60", {True}),
        ("hour == 8 && minute == 59 && weekday == 7", {True, False}),
        ('department == "fund"', {True}),  # the rule names no other
        ('department == "counter"', {False}),
        ('purpose in ["withdrawal", "audit"]', {True}),
        ('dataset.startsWith("registry.")', {True}),
        ("whole_dataset", {False}),  # the rule asks for named subjects
        ("1 / (weekday - weekday) == 1", {None}),
        ('operator == "hour < 24"', UNTOLD),  # anything may be written there
        ("subject_count > 0", UNTOLD),
        ("now.getFullYear() == 2026", UNTOLD),
        ('case_no.matches("^department$") || true', UNTOLD),
    ],
)
def test_what_an_expression_can_say(source: str, said: set[bool | None], bundle: Bundle) -> None:
    """Over what the rule leaves open everything is tried; of what may be anything nothing is claimed."""
    expression = compile_expression(source, ZONE, bundle.catalog)
    assert isinstance(expression, Expression)
    (rule,) = bundle.rules
    assert Trials(bundle.catalog).outcomes(replace(rule, expression=expression)) == said


def test_what_a_rule_reaches_is_what_is_tried(bundle: Bundle) -> None:
    """The same expression may be constant in one rule and not in another, asked of one after the other."""
    expression = compile_expression('department == "fund" && !whole_dataset', ZONE, bundle.catalog)
    assert isinstance(expression, Expression)
    narrow = replace(bundle.rules[0], expression=expression)
    whole = replace(narrow, rows=Rows(whole_dataset=True))
    trials = Trials(bundle.catalog)
    assert trials.outcomes(narrow) == {True}
    assert trials.outcomes(whole) == {True, False}
    assert trials.outcomes(replace(narrow, departments=None)) == {True, False}
    assert trials.outcomes(replace(narrow, effect=Effect.DENY)) == {True, False}
    assert trials.outcomes(replace(narrow, expression=None)) == UNTOLD


def test_names_in_texts_are_no_variables() -> None:
    """Quotes of every kind, members and functions are told apart from variables."""
    source = "a == 'x y' && b.c.size(d) > 1 && \"e\\\"f\" != r'g' // h\n && true"
    assert variables(source) == {"a", "b", "d"}
