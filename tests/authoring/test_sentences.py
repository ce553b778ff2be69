"""Rules in words: complete, in both languages, in the catalog's names."""

from __future__ import annotations

from dataclasses import fields as parts_of
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from broker.approve.rule import Consent, Effect, Expression, Limits, Rows, Rule, WorkingHours
from broker.authoring.sentences import consumers, mask_words, sentence
from broker.demo.setup import load_shipped
from broker.model import Calendar, Catalog, Mask, Obligations, ReviewBy

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_shipped(POLICIES).catalog


@pytest.fixture
def rule() -> Rule:
    """A permit that says as little as one may."""
    return Rule("p/r", Effect.PERMIT, "civil_affairs.marriage", frozenset({"status"}), "civil_affairs")


def test_a_whole_rule(catalog, rule):
    """The sentence names who, what under which mask, why, until when, and what is owed."""
    whole = replace(
        rule,
        fields=frozenset({"registered_on", "status"}),
        departments=frozenset({"housing_fund"}),
        purposes=frozenset({"housing_fund_withdrawal"}),
        legal_basis=frozenset({"住房公积金管理条例 第二十四条"}),
        valid_from=datetime(2025, 7, 31, 16, tzinfo=UTC),
        valid_until=datetime(2029, 12, 31, 16, tzinfo=UTC),
        limits=Limits(rows_per_call=10, subjects_per_call=1),
        obligations=Obligations({"registered_on": Mask("year")}, retain_days=30),
    )
    assert sentence(whole, catalog) == (
        "民政局许可住房公积金管理中心为“住房公积金提取”查看《婚姻登记信息》的婚姻状态、结婚登记日期（只留年份）；"
        "有效期 2025-08-01 至 2029-12-31；依据：住房公积金管理条例 第二十四条；"
        "每次最多 10 行；每次最多 1 个查询对象；最多保存 30 天。",
        "Civil Affairs Bureau permits Housing Provident Fund Centre to see status, registered_on (year only) "
        "of civil_affairs.marriage for housing_fund_withdrawal; valid from 2025-08-01 to 2029-12-31; "
        "on the basis of 住房公积金管理条例 第二十四条; at most 10 rows a call; "
        "at most 1 subject a call; kept for at most 30 days.",
    )


@pytest.mark.parametrize(
    ("effect", "zh", "en"),
    [
        (Effect.PERMIT, "民政局许可任何部门", "permits any department to see status"),
        (Effect.DENY, "民政局禁止任何部门", "forbids any department to see status"),
        (Effect.REVIEW, "民政局要求人工审核：任何部门", "demands a person's review when any department"),
        (Effect.DELEGATE, "民政局授权下级制定规则", "lets lower scopes permit any department to see status"),
    ],
)
def test_each_effect_reads_differently(catalog, rule, effect, zh, en):
    """Nobody can take a prohibition for a permit."""
    said = sentence(replace(rule, effect=effect), catalog)
    assert zh in said.zh
    assert en in said.en


def _everything(rule: Rule) -> Rule:
    """A rule in which nothing is left out."""
    hours = WorkingHours(
        ZoneInfo("Asia/Shanghai"), ((time(9), time(17, 30)),), frozenset({0, 4}), Calendar(frozenset({2026}))
    )
    return replace(
        rule,
        systems=frozenset({"counter-1"}),
        legal_basis=frozenset({"某法 第一条"}),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        working_hours=hours,
        expression=Expression("subject_count < 3", lambda *_: True),
        rows=Rows(own_region=True, own_grid=True, lists={"status": ("在婚",)}, whole_dataset=True),
        limits=Limits(*range(101, 101 + len(parts_of(Limits)))),
        obligations=Obligations({}, 90, True, 48, True, True, True, True),
        review=ReviewBy(frozenset({"civil_affairs"}), 2, 5),
        consent=Consent("SQ-2026-7", "甲", "乙"),
        standing_until=datetime(2027, 1, 1, tzinfo=UTC),
    )


def test_nothing_is_left_unsaid(catalog, rule):
    """Each condition and demand that a rule can hold adds words of its own to both sentences."""
    whole = _everything(rule)
    said = sentence(whole, catalog)
    for name in (part.name for part in parts_of(Rule) if part.compare):
        if getattr(whole, name) == getattr(rule, name):
            continue
        inner = getattr(whole, name)
        steps = (
            [part.name for part in parts_of(inner)] if name in ("rows", "limits", "obligations") else [None]
        )
        for step in steps:
            left_out = replace(
                whole,
                **{
                    name: replace(inner, **{step: getattr(getattr(rule, name), step)})
                    if step
                    else getattr(rule, name)
                },
            )
            if left_out == whole:
                continue
            without = sentence(left_out, catalog)
            assert len(without.zh) < len(said.zh), (name, step)
            assert len(without.en) < len(said.en), (name, step)


@pytest.mark.parametrize(
    ("mask", "zh"),
    [
        (Mask("redact"), "全部遮盖"),
        (Mask("partial", {"keep_start": 3, "keep_end": 4}), "只留前 3 位、后 4 位"),
        (Mask("region", {"to": "city"}), "只到市"),
        (Mask("predicate", {"op": "le", "value": 12000}), "只答是否不大于 12000"),
        (Mask("predicate", {"op": "in", "value": ("在婚", "离婚")}), "只答是否属于 在婚、离婚"),
        (Mask("predicate", {"op": "exists"}), "只答有无"),
        (
            Mask("category", {"map": {"初婚": "已婚", "再婚": "已婚"}, "otherwise": "其他"}),
            "只答属于 已婚、其他 中的哪一类",
        ),
        (Mask("date_shift", {"days": 90}), "按人平移至多 90 天"),
        (Mask("match"), "只答与需求方所称是否一致"),
        (Mask("somebody_elses"), "以 somebody_elses 脱敏"),
    ],
)
def test_masks_say_what_is_left(mask, zh):
    """A mask is described by what the consumer still sees, with its parameters."""
    assert mask_words(mask).zh == zh


def test_whole_datasets_are_said_in_a_word(catalog, rule):
    """All shared fields are “every field”; a permit of all but one lists them."""
    shared = frozenset(f.name for f in catalog.datasets[rule.dataset].fields.values() if f.shared)
    assert "《婚姻登记信息》的全部数据项" in sentence(replace(rule, fields=shared), catalog).zh
    assert "结婚登记日期" in sentence(replace(rule, fields=shared - {"status"}), catalog).zh


def test_long_lists_of_departments_are_counted(catalog):
    """Of many departments the first are named, and their number."""
    said = consumers(frozenset(catalog.departments), catalog)
    assert said.zh.endswith(f"等 {len(catalog.departments)} 个部门")
    assert said.en.endswith(f"and {len(catalog.departments) - 6} more departments")
