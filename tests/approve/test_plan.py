"""Approve: what is kept of a shape, for how long, and that nothing of a person is."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.evaluate import evaluate
from broker.approve.near import explain
from broker.approve.plan import Plan, Plans
from broker.approve.rule import Effect, Limits, Rule
from broker.model import Charge, SharingAttribute
from broker.reasons import Reason
from tests.approve.worlds import CATALOG, FUTURE, NOW, PAST, ZONE, application

PERMIT = Rule(
    id="pol/permit",
    effect=Effect.PERMIT,
    dataset="p.d",
    fields=frozenset("abc"),
    legal_basis=frozenset({"law 1"}),
    valid_from=PAST,
    valid_until=FUTURE,
    limits=Limits(calls_per_day=5, calls_per_month=9),
)


def bundle(*rules: Rule, most: int = 4096) -> Bundle:
    made = compile_bundle(CATALOG, rules, "hash")
    return replace(made, plans=Plans(made.about, CATALOG, ZONE, "hash", most))


def plan(of: Bundle, **changes: object) -> Plan:
    found = of.plans.of(application(**changes))
    assert found is not None
    return found


def test_one_shape_has_one_plan() -> None:
    """Subjects, case and person make no new plan; whether subjects are named, and every other part, does."""
    compiled = bundle(PERMIT)
    first = plan(compiled)
    assert plan(compiled, subjects=("2", "3"), case_no="other", operator="other", request_id="s") is first
    for changes in (
        {"subjects": ()},
        {"purpose": "v"},
        {"fields": ("b", "a")},
        {"system": "t"},
        {"legal_basis": ""},
        {"legal_basis": "nothing"},
        {"service_item": ""},
        {"service_item": "nothing"},
    ):
        assert plan(compiled, **changes) is not first


def test_plans_are_bounded_and_those_in_use_stay() -> None:
    """Whoever asks in ever new shapes pushes out plans that nobody uses, not those in steady use."""
    compiled = bundle(PERMIT, most=8)
    steady = plan(compiled)
    for fields in permutations(("a", "b", "c", "i", "district", "grid")):
        plan(compiled, fields=fields)
        assert plan(compiled) is steady
        assert len(compiled.plans) <= 2 * 8


def test_unknown_names_make_no_plans() -> None:
    """Names that are not in the catalog, and bases and items that nobody wrote down, leave nothing."""
    compiled = bundle(PERMIT)
    basis, item = plan(compiled, legal_basis="nothing 1"), plan(compiled, service_item="nothing 1")
    assert plan(compiled, legal_basis="nothing 2") is basis
    assert plan(compiled, service_item="nothing 2") is item
    for changes in ({"fields": ("nothing",)}, {"purpose": "nothing"}):
        assert plan(compiled, **changes) is not plan(compiled, **changes)
    for changes in ({"dataset": "nothing"}, {"department": "nothing"}):
        assert compiled.plans.of(application(**changes)) is None


class Text(str):
    """A text whose end can be waited for."""


def test_nothing_of_a_person_is_kept() -> None:
    """When an application is decided and explained, no subject, case or operator stays behind in memory."""
    compiled = bundle(PERMIT)
    private = {"subjects": (Text("1"),), "case_no": Text("c"), "operator": Text("o"), "signed_digest": b"d"}
    texts = [weakref.ref(text) for text in (private["subjects"][0], private["case_no"], private["operator"])]
    for changes in ({}, {"purpose": "v", "fields": ("i",)}):
        explain(application(**private, **changes), None, compiled, NOW)
    private.clear()
    assert [text() for text in texts] == [None, None, None]


def test_what_is_kept_ends_with_the_day_and_with_each_rule() -> None:
    """A shape met before is charged to the day on which it is asked, and forbidden when its permit ends."""
    compiled = bundle(PERMIT)
    midnight = NOW.replace(hour=16, minute=0)  # in Shanghai
    for now, day in ((midnight - timedelta(microseconds=1), "2026-11-23"), (midnight, "2026-11-24")) * 2:
        decision = evaluate(application(), None, compiled, now)
        assert decision.charges == (
            Charge(f"calls/pol/permit/x/{day}", 5, 1),
            Charge("calls/pol/permit/x/2026-11", 9, 1),
        )
    after = evaluate(application(), None, compiled, FUTURE)
    assert [why.reason for why in after.reasons] == [Reason.OUTSIDE_VALIDITY]
    assert evaluate(application(), None, compiled, FUTURE - timedelta(microseconds=1)).rules == (
        "pol/permit",
    )


def test_threads_share_a_bundle() -> None:
    """Many threads on one bundle, whose plans come and go all the time, decide as one thread does."""
    deny = replace(PERMIT, id="pol/deny", effect=Effect.DENY, fields=frozenset("c"), limits=Limits())
    fields = [fields for length in (1, 2, 3) for fields in permutations(("a", "b", "c", "i"), length)]
    asked = [application(fields=of, purpose=purpose) for of in fields for purpose in "uv"]
    instants = [NOW, FUTURE, NOW + timedelta(days=1)]
    alone = [evaluate(one, None, bundle(PERMIT, deny), now) for one in asked for now in instants]
    compiled = bundle(PERMIT, deny, most=16)

    def all_of_them(_: int) -> bool:
        return alone == [evaluate(one, None, compiled, now) for one in asked for now in instants]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(all_of_them, range(16)))


def test_index_keeps_default_permits_among_the_rules() -> None:
    """An unconditional dataset has its default permit in the index, not among the rules that were written."""
    compiled = bundle(PERMIT)
    assert [rule.id for rule in compiled.rules] == ["pol/permit"]
    for dataset in CATALOG.datasets.values():
        has_default = f"unconditional/{dataset.id}" in compiled.about[dataset.id].by_id
        assert has_default == (dataset.sharing_attribute is SharingAttribute.UNCONDITIONAL)
