"""Demands on groups of rows: in words, and where rules say them differently."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.authoring.groups import words
from broker.authoring.reach import demands_no_more
from broker.model import Aggregate, Below, KAnonymity, Measure, Obligations
from tests.authoring.worlds import CITY, rule

GATE = KAnonymity(("a", "b"), 5)
TOTALS = Aggregate(("a",), (("b", (Measure.SUM, Measure.COUNT)),), 10, 80, True)


@pytest.mark.parametrize(
    ("obligations", "zh", "en"),
    [
        (
            Obligations(k_anonymity=GATE),
            "{a}、{b}都相同的不足 5 人，这些行略去",
            "rows are left out that look like those of fewer than 5 people in a, b",
        ),
        (
            Obligations(k_anonymity=replace(GATE, below=Below.REFUSE)),
            "{a}、{b}都相同的不足 5 人，就全部不给",
            "nothing is released if any row looks like those of fewer than 5 people in a, b",
        ),
        (
            Obligations(aggregate=TOTALS),
            "只给按{a}分组的行数、{b}的合计、有值行数，不足 10 人的组不给，"
            "一人占合计超过 80% 的组不给，可写明查询对象",
            "only totals by a: rows, sum and count of b; no group of fewer than 10 people, "
            "nor one in which one of them makes up more than 80 % of a sum; also over named subjects",
        ),
        (Obligations(), "", ""),
    ],
)
def test_they_are_said_in_words(obligations: Obligations, zh: str, en: str) -> None:
    """In Chinese by the fields' titles; all of them, and nothing where nothing is demanded."""
    dataset = CITY.datasets["p.d"]
    titles = {name: dataset.fields[name].title for name in ("a", "b")}
    said = list(words(obligations, dataset))
    assert ["；".join(one.zh for one in said), "; ".join(one.en for one in said)] == [zh.format(**titles), en]


@pytest.mark.parametrize(
    ("narrow", "wide", "no_more"),
    [
        (Obligations(), Obligations(k_anonymity=GATE, aggregate=TOTALS), True),
        (Obligations(k_anonymity=GATE), Obligations(), False),
        (Obligations(k_anonymity=GATE), Obligations(k_anonymity=replace(GATE, k=4)), False),
        (Obligations(k_anonymity=GATE), Obligations(k_anonymity=replace(GATE, below=Below.REFUSE)), True),
        (Obligations(aggregate=TOTALS), Obligations(), False),
        (Obligations(aggregate=TOTALS), Obligations(aggregate=replace(TOTALS, largest_share=70)), True),
        (Obligations(aggregate=TOTALS), Obligations(aggregate=replace(TOTALS, smallest_group=9)), False),
        (Obligations(aggregate=TOTALS), Obligations(aggregate=replace(TOTALS, by=("b",))), False),
        (Obligations(aggregate=replace(TOTALS, named_subjects=False)), Obligations(aggregate=TOTALS), False),
    ],
)
def test_what_is_demanded_anyway(narrow: Obligations, wide: Obligations, no_more: bool) -> None:
    """A rule is redundant only where another demands as much of groups."""
    assert demands_no_more(rule("1", obligations=narrow), rule("2", obligations=wide)) is no_more
