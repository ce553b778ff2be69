"""``policy test``: what a case expects is compared with what the broker would decide."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from broker.approve.bundle import Bundle
from broker.authoring.casefile import read_cases
from broker.authoring.cases import Result, run_cases
from broker.authoring.facts import facts, written
from broker.authoring.junit import junit

FILE = """
format: share-cases/v1
at: "2026-11-23 10:00"
applications:
  one:
    department: fund
    dataset: registry.marriage
    fields: [status, registered_on]
    purpose: withdrawal
    legal_basis: 条例 第一条
    service_item: F-1
    case_no: C-1
    operator: "1"
cases:
"""
WHOLE = """
  - id: whole
    application: one
    expect:
      decision: permit
      rules: [registry-marriage-001/fund-withdrawal]
      reasons: none
      missing: none
      masks: {registered_on: {year: {}}}
      retain_days: 30
      acknowledge_hours: none
      duties: none
      commitments: none
      rows_per_call: 10
      minimum_group_size: none
      matches_per_day: none
      k_anonymity: none
      aggregate: none
      row_scopes: [{district: "9901"}]
      quotas:
        calls/registry-marriage-001/fund-withdrawal/fund/2026-11-23: 100
        rows/registry-marriage-001/fund-withdrawal/fund/2026-11-23: 500
      reviews: none
"""


def run(cases: str, bundle: Bundle) -> tuple[Result, ...]:
    return run_cases(read_cases({"a.yaml": (FILE + cases).encode()}, bundle))


def test_case_that_states_every_fact_passes(bundle: Bundle) -> None:
    """Each fact of a decision can be expected, and nothing of a decision escapes the format."""
    (result,) = run(WHOLE, bundle)
    assert result.passed, result.differences
    assert set(result.case.expected) == set(facts(result.decision))


@pytest.mark.parametrize(
    ("right", "wrong", "fact"),
    [
        ("decision: permit", "decision: review", "decision"),
        ("rules: [registry-marriage-001/fund-withdrawal]", "rules: none", "rules"),
        ("reasons: none", "reasons: [SUSPENDED]", "reasons"),
        ("missing: none", "missing: [CASE_NO_MISSING]", "missing"),
        ("{registered_on: {year: {}}}", "{registered_on: {year: {from: 1}}}", "masks"),
        ("retain_days: 30", "retain_days: none", "retain_days"),
        ("duties: none", "duties: [watermark]", "duties"),
        ("rows_per_call: 10", "rows_per_call: 11", "rows_per_call"),
        ('{district: "9901"}', "{district: [9901]}", "row_scopes"),
        ("2026-11-23: 500", "2026-11-24: 500", "quotas"),
        ("reviews: none", "reviews: [{departments: [fund]}]", "reviews"),
    ],
)
def test_any_other_fact_fails_and_is_named(right: str, wrong: str, fact: str, bundle: Bundle) -> None:
    """A fact that is not as expected fails the case, and only that one is shown."""
    assert right in WHOLE
    (result,) = run(WHOLE.replace(right, wrong), bundle)
    assert [difference.fact for difference in result.differences] == [fact]


def test_reason_may_be_expected_whatever_it_is_about(bundle: Bundle) -> None:
    """A code alone stands for any reason of that code, not for reasons of other codes, nor for none."""
    asked = "  - {id: x, application: one, with: {fields: [wife_id, district]}, expect: %s}"
    for reasons, passes in (
        ("FIELD_NOT_PERMITTED", True),
        ("FIELD_NOT_PERMITTED wife_id, FIELD_NOT_PERMITTED district", True),
        ("FIELD_NOT_PERMITTED wife_id", False),
        ("FIELD_NOT_PERMITTED, SUSPENDED", False),
    ):
        (result,) = run(asked % f"{{decision: deny, reasons: [{reasons}]}}", bundle)
        assert result.passed is passes, reasons


def test_what_is_got_can_be_pasted_into_the_case(bundle: Bundle) -> None:
    """Facts are shown in the notation of case files: pasted back, the case passes."""
    (result,) = run("  - {id: x, application: one, expect: {decision: permit}}", bundle)
    pasted = ", ".join(f"{name}: {written(fact)}" for name, fact in facts(result.decision).items())
    (again,) = run(f"  - {{id: x, application: one, expect: {{{pasted}}}}}", bundle)
    assert again.passed, again.differences


def test_junit_report_holds_every_case(bundle: Bundle) -> None:
    """A server that reads JUnit sees each case with its place, and what differed."""
    broken = WHOLE.replace("id: whole", "id: bent").replace("retain_days: 30", "retain_days: 31")
    report = Xml.fromstring(junit(run(WHOLE + broken, bundle)))  # noqa: S314 - our own report
    (suite,) = report
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("a.yaml", "2", "1")
    whole, bent = suite
    assert (whole.get("name"), len(whole)) == ("whole", 0)
    assert bent.get("line") is not None
    assert bent[0].text == "retain_days: 期望 expected 31, 实际 got 30"
