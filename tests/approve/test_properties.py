"""Approve: what holds of every bundle and every application."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.conditions import CAUSES, Condition
from broker.approve.evaluate import evaluate
from broker.approve.near import Explanation, NearMiss, explain
from broker.approve.rule import Effect, Rule
from broker.model import (
    Application,
    Below,
    Decision,
    Grant,
    KAnonymity,
    Mask,
    RowScope,
    Scope,
    Suspension,
    Verdict,
)
from broker.reasons import Reason
from tests.approve import reference
from tests.approve.worlds import (
    APPLICATION,
    CATALOG,
    FAILING,
    GRANT,
    INSTANT,
    NOW,
    RULE,
    RULES,
    SCOPED,
    SUSPENSIONS,
    application,
)

Asked = tuple[Application, datetime]
ASKED = st.tuples(APPLICATION, INSTANT)


def bundle(rules: list[Rule]) -> Bundle:
    return compile_bundle(CATALOG, rules, "hash")


def decide(rules: list[Rule], asked: Application, now: datetime = NOW) -> Decision:
    return evaluate(asked, None, bundle(rules), now)


@given(RULES, st.lists(ASKED, min_size=1, max_size=6))
def test_evaluator_equals_reference(rules: list[Rule], asked: list[Asked]) -> None:
    """Index, plans and spans change nothing: whatever came before, the whole decision is that of the page."""
    compiled = bundle(rules)
    for one, now in [*asked, *reversed(asked)]:
        decision = evaluate(one, None, compiled, now)
        assert decision == reference.decide(one, None, rules, CATALOG, now)


@given(RULES, ASKED, GRANT, SUSPENSIONS, st.sampled_from(["", "g"]))
def test_evaluator_equals_reference_under_grants_and_suspensions(
    rules: list[Rule], asked: Asked, grant: Grant | None, stops: list[Suspension], name: str
) -> None:
    """The same for what is judged before the rules."""
    one, now = replace(asked[0], grant=name), asked[1]
    decision = evaluate(one, grant, bundle(rules), now, stops)
    assert decision == reference.decide(one, grant, rules, CATALOG, now, stops)


@given(SCOPED, st.sampled_from([("a",), ("a", "b")]))
def test_evaluator_equals_reference_about_scopes(rules: list[Rule], fields: tuple[str, ...]) -> None:
    """The same where several scopes speak about one dataset, and delegate or do not."""
    asked = application(fields=fields)
    assert decide(rules, asked) == reference.decide(asked, None, rules, CATALOG, NOW)


@given(RULES.flatmap(lambda rules: st.tuples(st.just(rules), st.permutations(rules))), ASKED)
def test_order_of_rules_does_not_matter(orders: tuple[list[Rule], list[Rule]], asked: Asked) -> None:
    """However rules are ordered within files and files within the folder, the whole decision is the same."""
    one, other = (decide(rules, *asked) for rules in orders)
    assert one == other


@given(RULES, RULE, ASKED)
def test_adding_a_deny_never_widens(rules: list[Rule], more: Rule, asked: Asked) -> None:
    """One more deny leaves a decision as it was or turns it into a denial."""
    deny = replace(more, id="pol/more", effect=Effect.DENY)
    before, after = decide(rules, *asked), decide([*rules, deny], *asked)
    assert after == before or after.verdict is Verdict.DENY


@given(RULES, RULE, ASKED, st.sampled_from([Effect.PERMIT, Effect.REVIEW, Effect.DENY]))
def test_a_lower_scope_to_which_nothing_is_delegated_never_widens(
    rules: list[Rule], more: Rule, asked: Asked, effect: Effect
) -> None:
    """Whatever a county writes about a city's dataset, it only restricts."""
    rules = [rule for rule in rules if rule.effect is not Effect.DELEGATE]
    lower = replace(more, id="pol/more", effect=effect, scope=Scope.COUNTY)
    assert_no_wider(decide([*rules, lower], *asked), decide(rules, *asked))


@given(RULES, RULE, ASKED)
def test_a_rule_that_fails_never_widens(rules: list[Rule], more: Rule, asked: Asked) -> None:
    """A rule that cannot be told releases nothing that would not have been released without it."""
    failing = replace(more, id="pol/more", expression=FAILING)
    assert_no_wider(decide([*rules, failing], *asked), decide(rules, *asked))


@given(RULES, ASKED)
def test_a_permit_meets_every_demand_of_the_rules_that_made_it(rules: list[Rule], asked: Asked) -> None:
    """No mask, bound, quota, row scope or duty of a rule that a permit names is lost among the others."""
    decision = decide(rules, *asked)
    if decision.verdict is not Verdict.PERMIT:
        return
    for rule in rules:
        if rule.id in decision.rules:
            alone = demanded_by(rule, asked[0])
            assert_demands(decision, alone)


PREFIXES = {("x", "s"): "990101", ("x", "t"): "990102", ("y", "s"): "9901", ("y", "t"): "9901"}


def demanded_by(rule: Rule, asked: Application) -> Decision:
    """What ``rule`` demands of ``asked``."""
    masks = {
        f: mask for f, mask in rule.obligations.masks.items() if f in rule.fields.intersection(asked.fields)
    }
    consumer = (asked.consumer.department, asked.consumer.name)
    district = (RowScope("district", PREFIXES[consumer]),) if rule.rows.own_region else ()
    lists = tuple([RowScope(field, values=values) for field, values in rule.rows.lists.items()])
    return Decision(
        Verdict.PERMIT,
        "hash",
        obligations=replace(rule.obligations, masks=masks, k_anonymity=_gate(rule, asked)),
        rows_per_call=rule.limits.rows_per_call,
        row_scopes=lists + district,
        minimum_group_size=rule.limits.minimum_group_size,
    )


def _gate(rule: Rule, asked: Application) -> KAnonymity | None:
    """Of its quasi-identifiers those asked for."""
    if (gate := rule.obligations.k_anonymity) is None:
        return None
    return replace(gate, quasi_identifiers=tuple(f for f in gate.quasi_identifiers if f in asked.fields))


# ── what is wider ────────────────────────────────────────────────────────────────────────────────

_WIDTH = (Verdict.DENY, Verdict.NEEDS_SUPPLEMENT, Verdict.REVIEW, Verdict.PERMIT)


def assert_no_wider(after: Decision, before: Decision) -> None:
    """``after`` lets nothing pass that ``before`` held back."""
    assert _WIDTH.index(after.verdict) <= _WIDTH.index(before.verdict)
    if after.verdict is before.verdict:
        assert set(before.reviews) <= set(after.reviews)
        assert set(before.missing) <= set(after.missing)
        assert set(before.charges) <= set(after.charges)
        assert_demands(after, before)


def assert_demands(decision: Decision, demanded: Decision) -> None:
    """``decision`` demands everything that ``demanded`` does, or more."""
    ours, theirs = decision.obligations, demanded.obligations
    for field, mask in theirs.masks.items():
        assert ours.masks[field] == mask or _rank(ours.masks[field]) > _rank(mask)
    for bound, at_most in (
        (decision.rows_per_call, demanded.rows_per_call),
        (ours.retain_days, theirs.retain_days),
        (ours.acknowledge_hours, theirs.acknowledge_hours),
    ):
        assert at_most is None or (bound is not None and bound <= at_most)
    assert (decision.minimum_group_size or 0) >= (demanded.minimum_group_size or 0)
    for duty in ("signed_application", "no_onward_sharing", "watermark", "notify_subject"):
        assert getattr(ours, duty) >= getattr(theirs, duty)
    assert set(theirs.commitments) <= set(ours.commitments)
    if (gate := theirs.k_anonymity) is not None and (asked := set(gate.quasi_identifiers)):
        assert ours.k_anonymity is not None
        assert asked <= set(ours.k_anonymity.quasi_identifiers)
        assert gate.k <= ours.k_anonymity.k
        assert gate.below in (Below.SUPPRESS, ours.k_anonymity.below)
    if theirs.aggregate is not None:
        assert ours.aggregate is not None
        assert (ours.aggregate.by, ours.aggregate.measures) == (
            theirs.aggregate.by,
            theirs.aggregate.measures,
        )
        assert ours.aggregate.smallest_group >= theirs.aggregate.smallest_group
        assert ours.aggregate.named_subjects <= theirs.aggregate.named_subjects
    for scope in demanded.row_scopes:
        assert any(
            one.field == scope.field and one.prefix == scope.prefix and set(one.values) <= set(scope.values)
            for one in decision.row_scopes
        )


def _rank(mask: Mask) -> int:
    return CATALOG.mask_order.operators.index(mask.operator)


# ── near misses ──────────────────────────────────────────────────────────────────────────────────


@given(RULES, ASKED, GRANT, SUSPENSIONS, st.integers(0, 9))
def test_explanation_never_disagrees(
    rules: list[Rule], asked: Asked, grant: Grant | None, stops: list[Suspension], nearest: int
) -> None:
    """The decision explained is the one made; near misses stand beside "nothing permits" and nowhere else."""
    compiled = bundle(rules)
    explained = explain(asked[0], grant, compiled, asked[1], stops, nearest)
    assert explained.decision == evaluate(asked[0], grant, compiled, asked[1], stops)
    assert tuple(rule.id for rule in explained.deciding) == explained.decision.rules
    denied = explained.decision.verdict is Verdict.DENY and not explained.deciding
    assert denied or not explained.uncovered
    near = [miss.rule for miss in explained.near]
    permitting = [
        r for r in compiled.about[asked[0].dataset].rules if r.effect in (Effect.PERMIT, Effect.REVIEW)
    ]
    assert len(near) == (min(nearest, len(permitting)) if explained.uncovered else 0)


@given(RULES, st.lists(ASKED, min_size=1, max_size=4), st.sampled_from([2, 99]))
def test_near_misses_tell_all_that_is_unmet_and_only_that(
    rules: list[Rule], asked: list[Asked], nearest: int
) -> None:
    """Each condition told is unmet by the page, none is left out, and the nearest comes first."""
    compiled = bundle(rules)
    for one, now in [*asked, *reversed(asked)]:
        explained = explain(one, None, compiled, now, nearest=nearest)
        everything = explain(one, None, bundle(rules), now, nearest=99)
        assert explained.near == everything.near[:nearest]
        assert_told(everything, one, now)


def assert_told(explained: Explanation, asked: Application, now: datetime) -> None:
    for miss in explained.near:
        found = reference.conditions(miss.rule, asked, now)
        told = {CAUSES[unmet.condition]: unmet.told for unmet in miss.unmet}
        told.pop(Reason.NOT_DELEGATED, None)
        is_short = not miss.rule.fields.issuperset(explained.uncovered)
        assert (Reason.FIELD_NOT_PERMITTED in told) == is_short
        found.pop(Reason.FIELD_NOT_PERMITTED)
        told.pop(Reason.FIELD_NOT_PERMITTED, None)
        assert told == {
            cause: held != reference.UNTOLD for cause, held in found.items() if held != reference.YES
        }
        assert miss.unmet
    ranks = [(len(miss.unmet), miss.rule.id) for miss in explained.near]
    assert ranks == sorted(ranks)


@given(RULES, ASKED)
def test_a_near_miss_would_have_let_the_fields_pass(rules: list[Rule], asked: Asked) -> None:
    """Were a near rule relieved of exactly what is told, these fields would no longer lack a permit."""
    one, now = asked
    compiled = bundle(rules)
    explained = explain(one, None, compiled, now)
    for miss in explained.near:
        others = [rule for rule in rules if rule != miss.rule]
        relieved = _relieved(miss, explained.uncovered, compiled.about[one.dataset].written[0])
        again = explain(one, None, bundle([*others, relieved]), now)
        assert again.uncovered == ()


def _relieved(miss: NearMiss, uncovered: tuple[str, ...], governing: Scope) -> Rule:
    rule = replace(miss.rule, id="relieved")  # the default permit cannot be replaced, but joined
    unmet = {one.condition for one in miss.unmet}
    without: dict[Condition, dict[str, Any]] = {
        Condition.DEPARTMENT: {"departments": None},
        Condition.FIELDS: {"fields": rule.fields | set(uncovered)},
        Condition.PURPOSE: {"purposes": None},
        Condition.LEGAL_BASIS: {"legal_basis": None},
        Condition.VALIDITY: {"valid_from": None, "valid_until": None},
        Condition.STANDING: {"standing_until": None},
        Condition.HOURS: {"working_hours": None},
        Condition.SYSTEM: {"systems": None},
        Condition.EXPRESSION: {"expression": None},
        Condition.WHOLE_DATASET: {"rows": replace(rule.rows, whole_dataset=True)},
        Condition.DELEGATION: {"scope": governing},
    }
    for condition in unmet:
        rule = replace(rule, **without[condition])
    return rule
