"""A rule put behind others: what was there stays as it was written, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.authoring.new import Place, free, rule_text, slug, with_rule
from broker.errors import SetUpError

POLICIES = Path(__file__).parents[2] / "policies"
PLACE = Place("tax-income-001", "tax", "sharing/tax-income.yaml")
ENTRY = {
    "id": "x",
    "effect": "permit",
    "who": {"departments": ["housing_fund"]},
    "what": {"dataset": "tax.income", "fields": "all"},
    "why": {"purposes": ["low_income_check"], "legal_basis": ["某法 第一条", "某办法，第二条", "2026"]},
    "when": {"from": "2026-01-01", "until": "2026-12-31"},
    "obligations": {
        "mask": {"taxable_income": {"predicate": {"op": "le", "value": 12000}}},
        "watermark": True,
    },
}
WRITTEN = """\
  # 为低保核对
  - id: x
    effect: permit
    who: {departments: [housing_fund]}
    what: {dataset: tax.income, fields: all}
    why:
      purposes: [low_income_check]
      legal_basis: [某法 第一条, "某办法，第二条", "2026"]
    when: {from: "2026-01-01", until: "2026-12-31"}
    obligations:
      mask:
        taxable_income: {predicate: {op: le, value: 12000}}
      watermark: true
"""


def test_a_rule_is_written_as_people_write_them():
    """One line for each part; days and texts that YAML could take for something else are quoted."""
    assert rule_text(ENTRY, "为低保核对") == WRITTEN


def test_a_new_file_has_its_head():
    """A policy's first rule brings format, id and owner, and a comment that says what the file is."""
    written = with_rule(None, PLACE, "税务局对《个人所得税申报信息》的共享规则。", ENTRY).decode()
    assert written.startswith(
        "# 税务局对《个人所得税申报信息》的共享规则。\nformat: share-policy/v1\n"
        "id: tax-income-001\nowner: tax\nrules:\n  - id: x\n"
    )


@pytest.mark.parametrize("file", sorted((POLICIES / "sharing").glob("*.yaml")), ids=lambda file: file.stem)
@pytest.mark.parametrize("remark", ["", "为低保核对"])
def test_what_is_there_stays(file, remark):
    """Comments, quotes, braces and blank lines of the sample city's files survive, and the rule follows."""
    before = file.read_bytes()
    after = with_rule(before, PLACE, "", ENTRY, remark)
    assert after.startswith(before)
    comment = f"  # {remark}\n" if remark else ""
    assert after[len(before) :].decode() == f"\n{comment}{rule_text(ENTRY)}"


@pytest.mark.parametrize("indent", [0, 2, 4])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_file_s_own_layout_is_kept(indent, newline):
    """Dashes stand where the others stand, and lines end as the others do."""
    space = " " * indent
    before = newline.join(
        ["format: share-policy/v1", "rules:", f"{space}- id: a", f"{space}  effect: deny", ""]
    )
    after = with_rule(before.encode(), PLACE, "", {"id": "b", "effect": "deny"}, "说明").decode()
    added = newline.join(["", f"{space}# 说明", f"{space}- id: b", f"{space}  effect: deny", ""])
    assert after == before + added


@pytest.mark.parametrize("content", ["rules: nonsense\n", "a: [\n", "id: a\n"])
def test_a_file_that_could_change_is_refused(content):
    """Where a rule cannot be added without touching the rest, nothing is written and a way out is named."""
    with pytest.raises(SetUpError, match="--policy"):
        with_rule(content.encode(), PLACE, "", ENTRY)


def test_ids_are_made_free():
    """An id that is taken gets a number."""
    assert [free("a", ()), free("a", ["a"]), free("a", ["a", "a-2"])] == ["a", "a-2", "a-3"]
    assert slug("civil_affairs.marriage") == "civil-affairs-marriage"
