"""An explanation says what was decided and nothing else, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.approve.bundle import Bundle, compile_bundle, load_bundle
from broker.approve.conditions import Condition
from broker.approve.evaluate import evaluate
from broker.approve.near import Unmet
from broker.approve.rule import Effect, Rule
from broker.authoring.applications import Asked, application
from broker.authoring.casefile import read_case_files, read_cases, under_approvals
from broker.authoring.explain import explain
from broker.authoring.facts import facts
from broker.authoring.lacking import Lacking
from broker.model import Application, Suspension, Target, Verdict
from broker.reasons import Reason
from tests.approve.worlds import APPLICATION, CATALOG, INSTANT, RULES

POLICIES = Path(__file__).parents[2] / "policies"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
CHINESE = re.compile("[\u4e00-\u9fff]")
OPENINGS = {
    Verdict.PERMIT: "同意共享：",
    Verdict.DENY: "不同意共享：",
    Verdict.REVIEW: "转人工审核：",
    Verdict.NEEDS_SUPPLEMENT: "待补正：",
}
ASKED = Asked("fund", "registry.marriage", ("status",), "withdrawal", legal_basis="条例 第一条")


@cache
def city() -> Bundle:
    """The sample city's."""
    return load_bundle(POLICIES, lambda *_: None)


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """Applications about the sample city, many of them near to a rule."""
    bundle = city()
    rule = draw(st.sampled_from(bundle.rules))
    catalog = bundle.catalog
    dataset = draw(st.just(rule.dataset) | st.sampled_from(sorted(catalog.datasets)))
    near = sorted(rule.fields & catalog.datasets[dataset].fields.keys())
    names = st.sampled_from(near or sorted(catalog.datasets[dataset].fields))
    any_name = st.sampled_from(sorted(catalog.datasets[dataset].fields))
    purposes, departments = sorted(catalog.purposes), sorted(catalog.departments)
    basis = sorted(rule.legal_basis or {""})
    return Asked(
        department=draw(st.sampled_from(sorted(rule.departments or departments) + departments[:2])),
        dataset=dataset,
        fields=tuple(draw(st.lists(names | any_name, min_size=1, max_size=3, unique=True))),
        purpose=draw(st.sampled_from(sorted(rule.purposes or purposes) + purposes[:1])),
        subjects=draw(st.sampled_from([1, 1, 3, 9, None])),
        case_no=draw(st.sampled_from(["", "1"])),
        legal_basis=draw(st.sampled_from([*basis, "", "他法"])),
        operator="1",
        service_item=draw(st.sampled_from(["", *sorted(catalog.service_items)])),
    )


@given(
    asked(),
    st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)),
    st.booleans(),
)
def test_explanation_never_disagrees_with_the_decision(asked: Asked, now: datetime, stopped: bool) -> None:
    """Whatever is asked: the same decision, its verdict first, a sentence for each of its reasons; and near
    rules only where nothing permits, each with something missing."""
    bundle, asks = city(), application(asked, city().catalog.city)
    suspensions = (Suspension(1, Target.DATASET, asked.dataset, "", "", NOW),) if stopped else ()
    said = explain(asks, None, bundle, now, suspensions)
    decision = evaluate(asks, None, bundle, now, suspensions)
    assert said.decision == decision
    assert said.said.zh.startswith(OPENINGS[decision.verdict])
    assert len(said.reasons) == len(decision.reasons) + len(decision.missing)
    assert [rule.id for rule in said.rules] == list(decision.rules)
    assert bool(said.near) <= (decision.verdict is Verdict.DENY and not decision.rules)
    assert all(miss.lacks for miss in said.near)
    lacks = [sentence for miss in said.near for sentence in miss.lacks]
    for sentence in (said.said, *said.reasons, *said.duties, *lacks):
        assert CHINESE.search(sentence.zh)
        assert sentence.en.strip()


@given(RULES, APPLICATION, INSTANT)
def test_every_world_has_its_words(rules: list[Rule], asks: Application, now: datetime) -> None:
    """Scopes, delegates, hours, expressions, grids and reviews too: nothing that can be decided, or come
    near, is without a sentence."""
    bundle = compile_bundle(CATALOG, rules, "hash")
    said = explain(asks, None, bundle, now)
    assert said.decision == evaluate(asks, None, bundle, now)
    for miss in said.near:
        assert len(miss.lacks) >= 1
    undecidable = any(why.reason is Reason.RULE_ERROR for why in said.decision.reasons)
    assert bool(said.troubles) is (undecidable and bool(said.rules))
    lacks = [sentence for miss in said.near for sentence in miss.lacks]
    for sentence in (said.said, *said.reasons, *said.duties, *said.troubles, *lacks):
        assert CHINESE.search(sentence.zh) or sentence.zh == sentence.en
        assert sentence.en.strip()


@given(asked())
def test_permit_names_every_duty(asked: Asked) -> None:
    """Nothing that a permit comes with is left out of its words."""
    asks = application(asked, city().catalog.city)
    said = explain(asks, None, city(), NOW)
    if said.decision.verdict is Verdict.PERMIT:
        known = facts(said.decision)
        words = " ".join(duty.en for duty in said.duties)
        for mask in said.decision.obligations.masks:
            assert f"{mask}: " in words
        for number in (known["retain_days"], known["rows_per_call"]):
            assert number is None or str(number) in words
        for charge in said.decision.charges:
            assert str(charge.limit) in words
        for scope in said.decision.row_scopes:
            assert scope.field in words


def test_wrong_purpose_is_told_beside_the_right_ones(bundle: Bundle) -> None:
    """What the application says, and what the nearest rule would have accepted."""
    said = explain(application(replace(ASKED, purpose="audit"), "t"), None, bundle, NOW)
    (miss,) = said.near
    assert [lacks.zh for lacks in miss.lacks] == ["使用场景是“审计”；规则 fund-withdrawal 许可“提取”"]
    assert [lacks.en for lacks in miss.lacks] == [
        "the purpose is audit; rule fund-withdrawal permits withdrawal"
    ]


ACCEPTS = {
    Condition.DEPARTMENT: ("fund", "counter"),
    Condition.FIELDS: ("registered_on",),
    Condition.PURPOSE: ("audit", "withdrawal"),
    Condition.LEGAL_BASIS: ("条例 第一条",),
    Condition.VALIDITY: ("2026-01-01", ""),
    Condition.STANDING: ("", "2026-10-31"),
    Condition.HOURS: ("09:00-12:00", "sat", "working"),
    Condition.SYSTEM: ("window-1", "window-2"),
    Condition.EXPRESSION: ("hour < 12",),
    Condition.WHOLE_DATASET: (),
    Condition.DELEGATION: ("national", "province"),
}


@pytest.mark.parametrize("condition", list(Condition))
@pytest.mark.parametrize("effect", [Effect.PERMIT, Effect.REVIEW])
def test_every_condition_has_its_words(condition: Condition, effect: Effect, bundle: Bundle) -> None:
    """Each says what the rule would have accepted, and names the rule."""
    rule = replace(bundle.rules[0], effect=effect)
    lacking = Lacking(rule, application(ASKED, "t"), ("status", "registered_on"), NOW, bundle)
    said = lacking.said(Unmet(condition, ACCEPTS[condition]))
    assert CHINESE.search(said.zh)
    assert "fund-withdrawal" in said.zh
    assert "fund-withdrawal" in said.en
    for name in ACCEPTS[condition]:
        if condition not in (Condition.DEPARTMENT, Condition.HOURS, Condition.DELEGATION):
            assert name in said.en
    untold = lacking.said(Unmet(condition, ACCEPTS[condition], told=False))
    assert "无法判定" in untold.zh


@pytest.mark.parametrize(
    ("case", "trouble"),
    [
        ("5-2-not-ranked", "行政区划：规则 demands/ranked 要求全部遮盖，规则 demands/unranked 要求只到市；"),
        ("5-2-other-parameters", "男方姓名：规则 demands/keeps-one 要求只留前 1 位，"),
        ("5-4-a-region-that-is-the-whole-country", "按辖区限定，需求方的辖区却是全国"),
        ("5-4-system-without-grids", "departments.yaml 里系统 counter 没有网格"),
        ("5-5-none-left", "婚姻状况：规则 demands/another-list 只给 离婚，规则 demands/one-list 只给 在婚；"),
    ],
)
def test_what_cannot_be_decided_is_told_to_the_owner(case: str, trouble: str) -> None:
    """Which rules, in what, and where to put it right."""
    folder = POLICIES.parent / "tests/approve/cases/05-demands"
    bundle = load_bundle(folder, lambda *_: None)
    (found,) = [one for one in read_cases(read_case_files(folder), bundle) if one.id == case]
    said = explain(found.application, found.grant, bundle, found.now)
    assert trouble in said.troubles[0].zh


def test_approval_that_was_never_given_is_told(bundle: Bundle) -> None:
    """It has no last day to name: neither in what is missing, nor in the rule's sentence."""
    said = explain(application(ASKED, "t"), None, under_approvals(bundle, {}), NOW)
    (miss,) = said.near
    assert [lacks.zh for lacks in miss.lacks] == ["规则 fund-withdrawal 没有预先审核同意"]
    assert "没有预先审核同意" in miss.rule.does.zh


def test_unknown_names_are_explained_too(bundle: Bundle) -> None:
    """A dataset or department that the catalog lacks is a decision to explain like any other."""
    for unknown in (replace(ASKED, dataset="registry.none"), replace(ASKED, department="nobody")):
        said = explain(application(unknown, "t"), None, bundle, NOW)
        assert said.decision.verdict is Verdict.DENY
        assert said.near == ()


def test_rules_are_shown_where_they_are_written(bundle: Bundle) -> None:
    """An officer can open the file at the line."""
    asks = application(replace(ASKED, case_no="1", operator="1", service_item="F-1"), "t")
    (rule,) = explain(asks, None, bundle, NOW).rules
    assert rule.at.file == "sharing/marriage.yaml"
    assert rule.at.line > 1
    assert rule.does.zh.startswith("登记局许可基金中心")


def test_bundle_without_rules_explains_too(bundle: Bundle) -> None:
    """Nothing is near where nothing is written."""
    empty = compile_bundle(bundle.catalog, (), "0" * 64)
    said = explain(application(ASKED, "t"), None, empty, NOW)
    assert [why.reason for why in said.decision.reasons] == ["NOTHING_PERMITS"]
    assert said.near == ()
