"""What a rule says is resolved against the catalog when it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from broker.approve.bundle import Bundle
from broker.approve.problem import PolicyProblems
from broker.approve.rule import Consent, Effect, Limits, Rule
from broker.model import Mask, ReviewBy, Scope

Load = Callable[[Path], Bundle]
Edit = Callable[[str, str, str], Path]
Say = Callable[..., tuple[Rule, ...]]

POLICY = """\
format: share-policy/v1
id: p
owner: {owner}
{scope}rules:
  - id: r
    effect: {effect}
    who: {who}
    what: {what}
{more}"""
STATED = """\
    why: {purposes: all, legal_basis: all}
    when: {from: "2026-01-01", until: "2027-12-31"}
    consent: {application_no: GX-1, consumer_head: 甲, provider_head: 乙}
"""
EVERY_FIELD = "{dataset: registry.marriage, fields: all}"


@pytest.fixture
def say(folder: Path, load: Load) -> Say:
    """The rules of a folder with one rule, written as the arguments say."""

    def write(
        effect: str = "permit",
        who: str = "{departments: all}",
        what: str = EVERY_FIELD,
        more: str = "",
        owner: str = "registry",
        scope: str = "",
    ) -> tuple[Rule, ...]:
        stated = STATED if effect in ("permit", "delegate") else ""
        text = POLICY.format(effect=effect, who=who, what=what, more=stated + more, owner=owner, scope=scope)
        (folder / "sharing/marriage.yaml").write_text(text, "utf-8")
        return load(folder).rules

    return write


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "departments"),
    [
        ("{departments: all}", None),
        ("{departments: [fund]}", {"fund"}),
        ("{groups: [windows]}", {"fund", "counter"}),
        ("{departments: [registry], groups: [windows]}", {"registry", "fund", "counter"}),
        ("{departments: all, levels: [county]}", {"registry", "counter"}),
        ("{departments: all, levels: [city, county], regions: ['990102']}", {"counter"}),
        ("{departments: all, regions: ['990100']}", {"data_authority", "registry", "fund", "counter"}),
        ("{groups: [windows], levels: [city]}", {"fund"}),
    ],
)
def test_departments_are_resolved(who: str, departments: set[str] | None, say: Say) -> None:
    """Listed and grouped departments together, of these only those of the levels and regions."""
    (rule,) = say(who=who)
    assert rule.departments == departments
    assert rule.systems is None


def test_systems_are_named_and_roles_change_nothing(say: Say) -> None:
    """Systems are those of certificates; only systems ask, so the one role there is narrows nothing."""
    (rule,) = say(who="{departments: all, systems: [desk, batch-2], roles: [system]}")
    assert (rule.systems, rule.departments) == ({"desk", "batch-2"}, None)


# ── what ─────────────────────────────────────────────────────────────────────────────────────────

SHARED = {"husband_id", "wife_id", "status", "registered_on", "district"}


@pytest.mark.parametrize("effect", ["permit", "delegate", "review", "deny"])
def test_all_fields_are_those_that_the_effect_can_reach(effect: str, say: Say) -> None:
    """To release is possible only what is shared and not core; to forbid and to review is everything."""
    (rule,) = say(effect)
    everything = SHARED | {"updated_at", "seal"}
    assert rule.fields == (SHARED if effect in ("permit", "delegate") else everything)
    assert rule.effect is Effect(effect)


def test_level_is_a_ceiling(say: Say) -> None:
    """Only fields up to the level are left, also of those listed; core is above all levels."""
    (rule,) = say(what="{dataset: registry.marriage, fields: all, level: L2}")
    assert rule.fields == {"status", "registered_on", "district"}
    (rule,) = say(what="{dataset: registry.marriage, fields: [status, wife_id], level: L2}")
    assert rule.fields == {"status"}
    (rule,) = say("deny", what="{dataset: registry.marriage, fields: all, level: important}")
    assert "seal" not in rule.fields


def test_category_is_a_rule_about_each_dataset(edit: Edit, say: Say) -> None:
    """Under one id; a permit leaves out what is withheld, a deny does not."""
    edit("catalog/registry.yaml", "category: secret", "category: family")
    (permit,) = say(what="{category: family, fields: [registered_on]}")
    assert permit.dataset == "registry.marriage"
    denies = say("deny", what="{category: family, fields: [registered_on, status]}")
    assert [(rule.id, rule.dataset, rule.fields) for rule in denies] == [
        ("p/r", "registry.adoption", {"registered_on"}),
        ("p/r", "registry.marriage", {"registered_on", "status"}),
    ]


def test_important_fields_may_be_named(edit: Edit, say: Say) -> None:
    """They are decided by a person, which is for the evaluator to say."""
    edit("catalog/registry.yaml", "type: text, level: L2", "type: text, level: important")
    (rule,) = say(what="{dataset: registry.marriage, fields: [status]}")
    assert rule.fields == {"status"}


# ── who may write ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("owner", "scope", "effect", "allowed"),
    [
        ("registry", "", "permit", True),
        ("data_authority", "", "permit", True),
        ("data_authority", "scope: county\n", "permit", False),
        ("data_authority", "scope: county\n", "delegate", False),
        ("data_authority", "scope: county\n", "deny", True),
        ("fund", "", "delegate", True),
        ("fund", "scope: county\n", "permit", False),
        ("fund", "scope: county\n", "review", True),
        ("counter", "", "deny", False),
        ("counter", "", "permit", False),
    ],
)
def test_who_may_write(owner: str, scope: str, effect: str, allowed: bool, say: Say) -> None:
    """The provider is of the county, the authority and the fund of the city, the counter is another's."""
    if not allowed:
        with pytest.raises(PolicyProblems, match="NOT_THE_PROVIDER"):
            say(effect, owner=owner, scope=scope)
        return
    (rule,) = say(effect, owner=owner, scope=scope)
    county = owner == "registry" or bool(scope)
    assert (rule.owner, rule.scope) == (owner, Scope.COUNTY if county else Scope.CITY)


def test_categories_of_others_are_for_those_who_may_write(say: Say) -> None:
    """A category reaches no further than a dataset named by its id would."""
    (rule,) = say("deny", what="{category: family, fields: all}", owner="fund")
    assert rule.dataset == "registry.marriage"
    with pytest.raises(PolicyProblems, match="NOTHING"):
        say("deny", what="{category: family, fields: all}", owner="counter")


# ── what it demands ──────────────────────────────────────────────────────────────────────────────


def test_masks_of_levels_and_of_fields(say: Say) -> None:
    """A field's own mask wins over that of its level; what has neither goes as it is."""
    written = (
        "{mask_levels: {L3: {redact: {}}, L1: {partial: {keep: 2}}}, mask: {wife_id: {partial: {keep: 1}}}}"
    )
    (rule,) = say(more=f"    obligations: {written}\n")
    assert dict(rule.obligations.masks) == {
        "husband_id": Mask("redact"),
        "wife_id": Mask("partial", {"keep": 1}),
        "district": Mask("partial", {"keep": 2}),
    }


def test_rows_are_typed(edit: Edit, say: Say) -> None:
    """District, grid and lists hold together; values come in order."""
    edit("catalog/registry.yaml", "    region: district\n", "    region: district\n    grid: status\n")
    (rule,) = say(
        more="    rows: {district: caller, grid: caller, lists: {district: [b, a]}, subjects: all}\n"
    )
    rows = rule.rows
    assert (rows.own_region, rows.own_grid, rows.whole_dataset) == (True, True, True)
    assert dict(rows.lists) == {"district": ("a", "b")}


def test_limits_duties_and_consent_are_typed(say: Say) -> None:
    """Every bound and duty is where it is looked for, and what is not written is none."""
    names = tuple(Limits.__dataclass_fields__)
    limits = ", ".join(f"{name}: {number}" for number, name in enumerate(names, 1))
    flags = ("signed_application", "no_onward_sharing", "watermark", "notify_subject", "countersignature")
    duties = ", ".join(f"{name}: true" for name in flags)
    duties = f"{{{duties}, retain_days: 9, acknowledge_hours: 8}}"
    (rule,) = say(more=f"    limits: {{{limits}}}\n    obligations: {duties}\n")
    assert [getattr(rule.limits, name) for name in names] == list(range(1, len(names) + 1))
    assert all(getattr(rule.obligations, name) is True for name in flags)
    assert (rule.obligations.retain_days, rule.obligations.acknowledge_hours) == (9, 8)
    assert rule.consent == Consent("GX-1", "甲", "乙")
    (rule,) = say()
    assert rule.limits == Limits()
    assert not any(getattr(rule.obligations, name) for name in flags)


def test_consent_is_asked_for_conditional_data_only(edit: Edit, say: Say, folder: Path, load: Load) -> None:
    """An unconditional dataset may be permitted without; a deny never needs any."""
    say("deny")
    text = (folder / "sharing/marriage.yaml").read_text("utf-8").replace("effect: deny", "effect: permit")
    without = text + "".join(STATED.splitlines(keepends=True)[:2])
    (folder / "sharing/marriage.yaml").write_text(without, "utf-8")
    with pytest.raises(PolicyProblems, match="CONSENT_MISSING"):
        load(folder)
    edit("catalog/registry.yaml", "conditional", "unconditional")
    assert "p/r" in {rule.id for rule in load(folder).rules}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", ReviewBy(frozenset({"registry"}))),
        ("    review: {by: [authority]}\n", ReviewBy(frozenset({"data_authority"}))),
        (
            "    review: {by: [provider, fund], count: 2, within_working_days: 3, never_own: false}\n",
            ReviewBy(frozenset({"registry", "fund"}), 2, 3, never_own=False),
        ),
    ],
)
def test_reviewers_are_resolved(written: str, expected: ReviewBy, say: Say) -> None:
    """By default one officer of the provider, nobody of the department that asks."""
    (rule,) = say("review", more=written)
    assert rule.review == expected


def test_expression_is_in_the_zone_of_the_rule(say: Say) -> None:
    """The condition is kept with its text."""
    (rule,) = say("deny", more="    when: {zone: Asia/Urumqi}\n    when_expr: hour < 6\n")
    assert rule.expression is not None
    assert rule.expression.source == "hour < 6"
    assert rule.working_hours is None
