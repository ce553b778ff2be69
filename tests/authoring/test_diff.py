"""Diff: what a change of the bundle does to access, against trying out every application of a small world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broker.approve.evaluate import evaluate
from broker.approve.rule import Effect, Limits, Rows, Rule
from broker.authoring.diff import diff
from broker.authoring.difference import Difference, Direction, Entry
from broker.authoring.difference_text import as_json, markdown, text
from broker.authoring.moments import Truth
from broker.model import (
    Aggregate,
    Application,
    Below,
    Catalog,
    Decision,
    KAnonymity,
    Mask,
    MaskProfile,
    Obligations,
    ServiceItem,
    SourceSpec,
    Verdict,
)
from tests.authoring.worlds import (
    CITY,
    END,
    FOCI,
    ORDER,
    START,
    Focus,
    applications,
    bundle,
    changes,
    expression,
    moments,
    rule,
    truth,
)

RELEASED = (Verdict.PERMIT, Verdict.REVIEW)


def widened(old: Decision, new: Decision) -> bool:
    """Whether ``new`` is in any respect more than ``old``, or cannot be compared with it."""
    if new.verdict not in RELEASED:
        return False
    if old.verdict not in RELEASED:
        return True
    if old.verdict is new.verdict is Verdict.REVIEW:
        return not all(any(asked.count >= each.count for asked in new.reviews) for each in old.reviews)
    if new.verdict is not old.verdict:
        return new.verdict is Verdict.PERMIT
    before, after = old.obligations, new.obligations
    return (
        any(weaker(mask, after.masks.get(name)) for name, mask in before.masks.items())
        or (before.signed_application and not after.signed_application)
        or (before.watermark and not after.watermark)
        or (new.minimum_group_size or 0) < (old.minimum_group_size or 0)
        or not no_less(before.k_anonymity, after.k_anonymity)
        or looser(before.retain_days, after.retain_days)
        or looser(old.rows_per_call, new.rows_per_call)
        or looser(charge(old), charge(new))
        or any(not narrowed(scope, new) for scope in old.row_scopes)
    )


def no_less(old: KAnonymity | None, new: KAnonymity | None) -> bool:
    """Whether the gate still holds back what it held back."""
    if old is None or new is None:
        return old is None
    wider = set(old.quasi_identifiers) <= set(new.quasi_identifiers)
    return wider and new.k >= old.k and old.below in (new.below, Below.SUPPRESS)


def looser(old: int | None, new: int | None) -> bool:
    return old is not None and (new is None or new > old)


def charge(decision: Decision) -> int | None:
    return min([each.limit for each in decision.charges], default=None)


def weaker(old: Mask, new: Mask | None) -> bool:
    if new is None:
        return True
    return old != new and ORDER.operators.index(new.operator) <= ORDER.operators.index(old.operator)


def narrowed(scope: Any, new: Decision) -> bool:
    return any(
        each.field == scope.field
        and each.prefix.startswith(scope.prefix)
        and set(each.values) <= set(scope.values)
        for each in new.row_scopes
    )


def covers(entry: Entry, application: Application, now: datetime) -> bool:
    truths: Mapping[str, Truth] = {source: truth(application, source) for source in ("e1", "e2")}
    return (
        application.consumer.department in entry.departments
        and application.purpose in entry.purposes
        and not set(application.fields).isdisjoint(entry.fields)
        and entry.when.cover(application, now, truths)
    )


@pytest.mark.parametrize("focus", FOCI.values(), ids=FOCI)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_diff_equals_trying_everything_out(focus: Focus, data: st.DataObject) -> None:
    """Every application that gets more is covered by an entry that widens, and every such entry by one."""
    old, new = data.draw(changes(focus))
    entries = [entry for entry in diff(old, new).entries if entry.direction.widens]
    unseen = list(entries)
    for application, now in product(applications(focus), moments(focus)):
        if widened(*(evaluate(application, None, each, now) for each in (old, new))):
            fitting = [entry for entry in entries if covers(entry, application, now)]
            assert fitting, (application, now)
            unseen = [entry for entry in unseen if entry not in fitting or len(application.fields) > 1]
    assert not [entry for entry in unseen if not reviewed(entry)]


def reviewed(entry: Entry) -> bool:
    """Whether no decision shows the change: what a review would release later, how quotas are counted."""
    if [change.about for change in entry.changes] == ["quota"]:
        return True
    return bool(entry.before and entry.after and (entry.before.review or entry.after.review))


# ── what it says ─────────────────────────────────────────────────────────────────────────────────


def change_of(
    old: Sequence[Rule], new: Sequence[Rule], before: Catalog = CITY, after: Catalog = CITY
) -> Difference:
    return diff(bundle(*old, of=before), bundle(*new, of=after))


ONE = rule("1", departments=frozenset("x"))


def test_a_bundle_does_not_differ_from_itself() -> None:
    """Not even when rules are called otherwise, or written in another order."""
    one, two = rule("1", departments=frozenset("x")), rule("2", Effect.DENY, purposes=frozenset("v"))
    difference = change_of([one, two], [replace(two, id="z/8"), replace(one, id="z/9")])
    assert (difference.entries, difference.catalog, difference.widened) == ((), (), False)


def test_only_the_new_days_are_granted() -> None:
    """A validity made longer grants what lies beyond the old one, and that alone."""
    old = rule("1", departments=frozenset("x"), valid_from=START, valid_until=END)
    new = replace(old, valid_until=END + timedelta(days=31))
    (entry,) = change_of([old], [new]).entries
    assert (entry.direction, entry.departments, entry.purposes) == (Direction.GRANTED, ("x",), ("u", "v"))
    assert entry.when.periods == ((END, END + timedelta(days=31)),)


WEAKENED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mask": (
        {"obligations": Obligations({"a": Mask("year")})},
        {"obligations": Obligations({"a": Mask("partial")})},
    ),
    "rows_per_call": ({"limits": Limits(rows_per_call=5)}, {"limits": Limits(rows_per_call=6)}),
    "calls_per_month": ({"limits": Limits(calls_per_month=5)}, {}),
    "minimum_group_size": (
        {"limits": Limits(minimum_group_size=5)},
        {"limits": Limits(minimum_group_size=4)},
    ),
    "retain_days": ({"obligations": Obligations(retain_days=5)}, {"obligations": Obligations(retain_days=6)}),
    "rows": ({"rows": Rows(own_region=True)}, {}),
    "watermark": ({"obligations": Obligations(watermark=True)}, {}),
    "signed_application": ({"obligations": Obligations(signed_application=True)}, {}),
    "acknowledge_hours": ({"obligations": Obligations(acknowledge_hours=5)}, {}),
    "k_anonymity": (
        {"obligations": Obligations(k_anonymity=KAnonymity(("a", "b"), 5, Below.REFUSE))},
        {"obligations": Obligations(k_anonymity=KAnonymity(("a",), 4))},
    ),
    "aggregate": (
        {"obligations": Obligations(aggregate=Aggregate(("a",), (), 5, 80))},
        {"obligations": Obligations(aggregate=Aggregate(("a",), (), 4, None, True))},
    ),
}


@pytest.mark.parametrize("about", WEAKENED)
def test_a_weaker_demand_is_told_from_a_stronger(about: str) -> None:
    """One way it is weaker, the other way stronger, and only the first widens."""
    strict, loose = (
        rule("1", fields=frozenset("a"), departments=frozenset("x"), **said) for said in WEAKENED[about]
    )
    for old, new, direction in ((strict, loose, Direction.WEAKER), (loose, strict, Direction.STRONGER)):
        difference = change_of([old], [new])
        (entry,) = difference.entries
        assert [(change.about, change.direction) for change in entry.changes] == [(about, direction)]
        assert difference.widened is (direction is Direction.WEAKER)


def test_other_groups_cannot_be_compared() -> None:
    """Nobody guesses whether totals by one field tell less than by two, or a wider gate of a smaller k."""
    by = [Obligations(aggregate=Aggregate(names, (), 5)) for names in (("a",), ("a", "b"))]
    gates = [Obligations(k_anonymity=KAnonymity(*gate)) for gate in ((("a",), 5), (("a", "b"), 4))]
    for old, new in (by, gates):
        before, after = (
            rule("1", fields=frozenset("a"), departments=frozenset("x"), obligations=said)
            for said in (old, new)
        )
        (entry,) = change_of([before], [after]).entries
        assert entry.direction is Direction.UNCLEAR


def kept(start: int) -> Obligations:
    return Obligations({"a": Mask("partial", {"keep_start": start})})


def test_other_parameters_of_a_mask_cannot_be_compared() -> None:
    """Nobody guesses whether three characters kept are more than one kept elsewhere."""
    old, new = (rule("1", departments=frozenset("x"), obligations=kept(n)) for n in (3, 1))
    difference = change_of([old], [new])
    assert [entry.direction for entry in difference.entries] == [Direction.UNCLEAR]
    assert difference.widened


def test_another_expression_cannot_be_compared() -> None:
    """Its text is shown before and after, to be read."""
    old, new = (
        rule("1", departments=frozenset("x"), expression=expression(source)) for source in ("e1", "e2")
    )
    (entry,) = change_of([old], [new]).entries
    assert entry.direction is Direction.UNCLEAR
    assert [(change.before, change.after) for change in entry.changes] == [("e1", "e2")]


def test_a_quota_that_counts_apart_is_a_larger_one() -> None:
    """One rule for two purposes made two rules gives the consumer the quota twice."""
    whole = replace(ONE, limits=Limits(calls_per_day=5))
    parts = [replace(whole, id=f"z/{why}", purposes=frozenset(why)) for why in "uv"]
    (entry,) = change_of([whole], parts).entries
    assert [(change.about, change.direction) for change in entry.changes] == [("quota", Direction.WEAKER)]
    assert (entry.departments, entry.purposes, entry.rules_after) == (("x",), ("u", "v"), ("z/u", "z/v"))
    assert "额度的计法 calls_per_day 5 → 2 × calls_per_day" in text(change_of([whole], parts))
    assert not change_of(parts, [whole]).widened
    assert not change_of([whole], parts[:1]).widened


def test_an_expression_added_only_takes_away() -> None:
    """What was released whatever it says is now released only where it holds."""
    difference = change_of([ONE], [replace(ONE, expression=expression("e1"))])
    assert [entry.direction for entry in difference.entries] == [Direction.REMOVED]
    assert not difference.widened


def test_a_new_service_item_grants() -> None:
    """A department that had no business with a purpose has now."""
    items = {**CITY.service_items, "y2": ServiceItem("y2", "y2", "y", "v")}
    difference = change_of([rule("1")], [rule("1")], after=replace(CITY, service_items=items))
    assert [(e.direction, e.departments, e.purposes) for e in difference.entries] == [
        (Direction.GRANTED, ("y",), ("v",))
    ]


EDITS: dict[str, tuple[dict[str, Any], Direction]] = {
    "level": ({"level": "L2"}, Direction.STRONGER),
    "shared": ({"shared": False}, Direction.STRONGER),
    "domain": ({"domain": "d"}, Direction.UNCLEAR),
    "title": ({"title": "other"}, Direction.NEUTRAL),
}


@pytest.mark.parametrize("about", EDITS)
def test_an_edit_of_a_field_is_told(about: str) -> None:
    """Even where no rule is about the field yet."""
    said, direction = EDITS[about]
    dataset = CITY.datasets["p.d"]
    fields = {**dataset.fields, "a": replace(dataset.fields["a"], **said)}
    after = replace(CITY, datasets={"p.d": replace(dataset, fields=fields)})
    (edit,) = change_of([], [], after=after).catalog
    assert (edit.name, edit.about, edit.direction) == ("p.d.a", about, direction)


def test_an_edit_of_a_profile_is_told() -> None:
    """A word that means something else, a new one; what it does to a rule's masks is told with the rule."""
    old, new = (
        {"text": MaskProfile({"short": Mask("partial", {"keep_start": kept})}, levels)}
        for kept, levels in ((1, {}), (2, {"L1": "short"}))
    )
    difference = change_of(
        [], [], before=replace(CITY, mask_profiles=old), after=replace(CITY, mask_profiles=new)
    )
    assert [(edit.name, edit.about, edit.direction) for edit in difference.catalog] == [
        ("text", "treatments", Direction.NEUTRAL),
        ("text", "levels", Direction.NEUTRAL),
    ]
    assert '脱敏方案 masking profile text: levels {} → {"L1":"short"}' in text(difference)
    (added,) = change_of([], [], after=replace(CITY, mask_profiles=new)).catalog
    assert (added.kind, added.about) == ("mask_profile", "added")


def test_a_source_is_told_without_its_options() -> None:
    """Which may hold a password."""
    dataset = CITY.datasets["p.d"]
    source = SourceSpec("sql", {"url": "mysql://user:secret@host/db"}, {})
    after = replace(CITY, datasets={"p.d": replace(dataset, source=source)})
    difference = change_of([], [], after=after)
    assert difference.widened
    assert "url" in text(difference)
    assert "secret" not in text(difference)


def test_the_text_is_the_same_every_time() -> None:
    """A proposal keeps it, so it must not depend on the order of sets."""
    old = [rule("1", departments=frozenset("xy"), obligations=Obligations({"a": Mask("year")}))]
    new = [rule("1", departments=frozenset("yx"), limits=Limits(rows_per_call=5))]
    assert markdown(change_of(old, new)) == markdown(change_of(old, new))
    assert "放宽 weakened" in text(change_of(old, new))
    assert orjson.loads(orjson.dumps(as_json(change_of(old, new))))["widened"] is True
