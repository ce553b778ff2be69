"""Small worlds of policy, in which every application can be tried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.rule import Effect, Expression, Limits, Rows, Rule, WorkingHours
from broker.authoring.moments import Truth
from broker.model import (
    CORE,
    IMPORTANT,
    Application,
    Calendar,
    Catalog,
    Dataset,
    Department,
    DepartmentKind,
    Field,
    FieldType,
    Identity,
    KAnonymity,
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
                k_anonymity=draw(st.sampled_from([None, None, KAnonymity(("a",), 2), KAnonymity(("a",), 3)])),
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


FOCI = {
    "plain": Focus(),
    "hours": Focus(hours=True),
    "expressions": Focus(expressions=True),
    "systems": Focus(systems=True),
}
