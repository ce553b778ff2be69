"""Diff: what a change of the bundle does to access, against trying out every application of a small world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.evaluate import evaluate
from broker.approve.rule import Effect, Expression, Limits, Rows, Rule, WorkingHours
from broker.authoring.diff import diff
from broker.authoring.difference import Difference, Direction, Entry
from broker.authoring.difference_text import as_json, markdown, text
from broker.authoring.situations import Truth
from broker.model import (
    CORE,
    IMPORTANT,
    Application,
    Calendar,
    Catalog,
    Dataset,
    Decision,
    Department,
    DepartmentKind,
    Field,
    FieldType,
    Identity,
    Mask,
    MaskOrder,
    Obligations,
    ReviewBy,
    Role,
    Scope,
    ServiceItem,
    SharingAttribute,
    SourceSpec,
    System,
    Verdict,
)

ZONE = ZoneInfo("Asia/Shanghai")
START, END = (datetime(2026, 11, 23, tzinfo=ZONE), datetime(2027, 1, 1, tzinfo=ZONE))
HOLIDAYS = Calendar(frozenset([2026]), frozenset([date(2026, 11, 25)]), frozenset([date(2026, 11, 28)]))
PLAIN = Calendar(frozenset([2026]))
ORDER = MaskOrder(("partial", "year", "redact"))
FIELDS = ("a", "b")


def catalog(**changed: Any) -> Catalog:
    """Provider ``p``; consumers ``x`` (for two purposes) and ``y`` (for one, with a system in a grid)."""
    hidden = {name: Field(name, name, FieldType.TEXT, "L1", shared=False) for name in ("district", "grid")}
    fields = {name: Field(name, name, FieldType.TEXT, "L1") for name in FIELDS} | hidden
    departments = [
        Department("p", "p", "p", DepartmentKind.GOVERNMENT, "990100", ""),
        Department("x", "x", "x", DepartmentKind.GOVERNMENT, "990101", ""),
        Department(
            "y",
            "y",
            "y",
            DepartmentKind.GOVERNMENT,
            "990102",
            "",
            {"near": System("near", "990101", frozenset(["g1"]))},
        ),
    ]
    dataset = Dataset(
        id="p.d",
        department="p",
        title="d",
        catalog_code="d",
        fields=fields,
        subject_fields=("a",),
        subject_format="resident_id",
        sharing_attribute=SharingAttribute.CONDITIONAL,
        sharing_modes=("api",),
        use_conditions="",
        attribute_basis="",
        update_cycle=timedelta(days=1),
        as_of_field="a",
        source=SourceSpec("sql", {}, {}),
        region_field="district",
        grid_field="grid",
    )
    items = [("x1", "x", "u"), ("x2", "x", "v"), ("y1", "y", "u")]
    made = Catalog(
        city="c",
        title="c",
        zone="Asia/Shanghai",
        levels=("L1", "L2"),
        departments={each.id: each for each in departments},
        datasets={"p.d": dataset},
        purposes={"u": "u", "v": "v"},
        service_items={code: ServiceItem(code, code, who, why) for code, who, why in items},
        calendar=HOLIDAYS,
        mask_order=ORDER,
    )
    return replace(made, **changed)


CITY = catalog()


def rule(name: str, effect: Effect = Effect.PERMIT, **said: Any) -> Rule:
    return Rule(f"z/{name}", effect, "p.d", said.pop("fields", frozenset(FIELDS)), "p", **said)


def bundle(*rules: Rule, of: Catalog = CITY) -> Bundle:
    return compile_bundle(of, rules, "0" * 64)


def expression(source: str) -> Expression:
    """True for an operator who is named as the source is; it fails for ``broken``."""

    def holds(application: Application, now: datetime) -> bool:
        if (found := truth(application, source)) is None:
            raise ValueError
        return found

    return Expression(source, holds)


def truth(application: Application, source: str) -> Truth:
    return None if f"no {source}" in application.operator else source in application.operator


# ── small worlds ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Focus:
    """What varies in a world, so that all of its applications can be tried out."""

    hours: bool = False
    expressions: bool = False
    systems: bool = False


def catalogs(focus: Focus) -> st.SearchStrategy[Catalog]:
    @st.composite
    def draw_catalog(draw: st.DrawFn) -> Catalog:
        dataset = CITY.datasets["p.d"]
        fields = {**dataset.fields, "b": replace(dataset.fields["b"], level=draw(st.sampled_from(LEVELS)))}
        attribute = draw(st.sampled_from(ATTRIBUTES))
        items = {
            code: item for code, item in CITY.service_items.items() if draw(st.integers(0, 5)) or code == "x1"
        }
        departments = dict(CITY.departments)
        if not draw(st.integers(0, 3)):
            region, grids = draw(st.sampled_from([("990100", ["g1"]), ("990102", ["g1", "g2"])]))
            systems = {"near": System("near", "990101", frozenset(grids))}
            departments["y"] = replace(departments["y"], region=region, systems=systems)
        return replace(
            CITY,
            datasets={"p.d": replace(dataset, fields=fields, sharing_attribute=attribute)},
            service_items=items,
            departments=departments,
            calendar=draw(st.sampled_from([HOLIDAYS, PLAIN])) if focus.hours else HOLIDAYS,
        )

    return draw_catalog()


LEVELS = ("L1", "L1", "L1", IMPORTANT, CORE)
ATTRIBUTES = (*[SharingAttribute.CONDITIONAL] * 5, SharingAttribute.WITHHELD, SharingAttribute.UNCONDITIONAL)
EFFECTS = (*[Effect.PERMIT] * 4, Effect.REVIEW, Effect.DENY, Effect.DELEGATE)
SCOPES = (*[Scope.CITY] * 3, Scope.COUNTY, Scope.PROVINCE)
MASKS = (None, Mask("partial", {"keep_start": 3}), Mask("partial", {"keep_start": 1}), Mask("year"))


def subsets(names: Sequence[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.sets(st.sampled_from(names), min_size=1).map(frozenset)


def rules(focus: Focus, of: Catalog) -> st.SearchStrategy[Rule]:
    def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(st.none(), strategy)

    @st.composite
    def draw_rule(draw: st.DrawFn) -> Rule:
        fields = draw(subsets(FIELDS))
        masks = {name: mask for name in sorted(fields) if (mask := draw(st.sampled_from(MASKS)))}
        hours = WorkingHours(
            ZONE,
            draw(st.sampled_from([(), ((time(9), time(12)),)])),
            draw(st.sampled_from([None, frozenset([0]), frozenset(range(5))])),
            draw(st.sampled_from([None, of.calendar])),
        )
        return Rule(
            id=f"z/{draw(st.integers(0, 9))}",
            effect=draw(st.sampled_from(EFFECTS)),
            dataset="p.d",
            fields=fields,
            owner="p",
            scope=draw(st.sampled_from(SCOPES)),
            departments=draw(maybe(subsets(["x", "y"]))),
            systems=draw(maybe(st.just(frozenset(["near"])))) if focus.systems else None,
            purposes=draw(maybe(subsets(["u", "v"]))),
            legal_basis=draw(maybe(subsets(["law"]))),
            valid_from=draw(st.sampled_from([None, START])),
            valid_until=draw(st.sampled_from([None, END])),
            working_hours=hours if focus.hours and draw(st.booleans()) else None,
            expression=draw(maybe(st.sampled_from(["e1", "e2"]).map(expression)))
            if focus.expressions
            else None,
            standing_until=draw(st.sampled_from([None, None, END])),
            rows=draw(rows(focus)),
            limits=Limits(
                rows_per_call=draw(st.sampled_from([None, 5, 9])),
                subjects_per_call=draw(st.sampled_from([None, 1])),
                calls_per_day=draw(st.sampled_from([None, 7])),
                minimum_group_size=draw(st.sampled_from([None, 3, 4])),
            ),
            obligations=Obligations(
                masks,
                draw(st.sampled_from([None, 30])),
                draw(st.booleans()),
                watermark=draw(st.booleans()),
                countersignature=draw(st.integers(0, 5)) == 0,
            ),
            review=draw(st.sampled_from([None, ReviewBy(frozenset("p")), ReviewBy(frozenset("p"), 2)])),
        )

    return draw_rule()


@st.composite
def rows(draw: st.DrawFn, focus: Focus) -> Rows:
    lists = {
        name: draw(st.sampled_from([("g1",), ("g1", "g2")]))
        for name in draw(st.sets(st.sampled_from(["a", "grid"])))
    }
    return Rows(
        own_region=draw(st.integers(0, 3)) == 0,
        own_grid=focus.systems and draw(st.integers(0, 3)) == 0,
        lists=lists if draw(st.integers(0, 3)) == 0 else {},
        whole_dataset=draw(st.booleans()),
    )


@st.composite
def changes(draw: st.DrawFn, focus: Focus) -> tuple[Bundle, Bundle]:
    """A bundle and what became of it: some rules and catalog entries other than before."""
    before = draw(catalogs(focus))
    after = draw(st.one_of(st.just(before), catalogs(focus)))
    by_id = {each.id: each for each in draw(st.lists(rules(focus, before), max_size=3))}
    added = {each.id: each for each in draw(st.lists(rules(focus, after), max_size=2))}
    kept = {name: moved(each, after) for name, each in by_id.items() if draw(st.integers(0, 3))}
    return bundle(*by_id.values(), of=before), bundle(*{**kept, **added}.values(), of=after)


def moved(old: Rule, into: Catalog) -> Rule:
    """The same text, read against another catalog."""
    hours = old.working_hours
    if hours is None or hours.calendar is None:
        return old
    return replace(old, working_hours=replace(hours, calendar=into.calendar))


def moments(focus: Focus) -> list[datetime]:
    """One of each kind there can be: period, kind of day, clock."""
    if not focus.hours:
        return [START - timedelta(hours=1), START, END]
    found: dict[object, datetime] = {}
    for n in range(420):
        day = date(2025, 12, 1) + timedelta(days=n)
        for clock in (time(8), time(9), time(12)):
            now = datetime.combine(day, clock, ZONE)
            known = day.year == 2026
            kind = (
                now < START,
                now < END,
                known,
                day.weekday(),
                day in HOLIDAYS.holidays,
                day in HOLIDAYS.makeup_days,
            )
            found.setdefault((kind, clock), now)
    return list(found.values())


def applications(focus: Focus) -> Iterator[Application]:
    operators = ["clerk"]
    if focus.expressions:
        operators = [" ".join(words) for words in product(("e1", "no e1", "-"), ("e2", "no e2", "-"))]
    who = [("x", "u", "x1"), ("x", "v", "x2"), ("y", "u", "y1")]
    consumers = product(who, ["near", "far"] if focus.systems else ["far"])
    others = [] if focus.systems else [(("y", "u", "y1"), "near")]
    for ((department, purpose, item), system), fields, basis, subjects, operator in product(
        [*consumers, *others],
        [("a",), ("b",), ("a", "b")],
        ["law", "custom"],
        [(), ("1",), ("1", "2")],
        operators,
    ):
        identity = Identity("c", department, Role.SYSTEM, system, 1, END, b"")
        yield Application(
            identity, "r", "p.d", fields, subjects, purpose, item, "case", basis, operator, "", b"signed"
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
        or looser(before.retain_days, after.retain_days)
        or looser(old.rows_per_call, new.rows_per_call)
        or looser(charge(old), charge(new))
        or any(not narrowed(scope, new) for scope in old.row_scopes)
    )


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


FOCI = {
    "plain": Focus(),
    "hours": Focus(hours=True),
    "expressions": Focus(expressions=True),
    "systems": Focus(systems=True),
}


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
    """Whether a review hides the change: what it would release later is not in its decision."""
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
