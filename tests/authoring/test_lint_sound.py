"""What lint says of rules in view of others is true: the evaluator is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.evaluate import evaluate
from broker.approve.problem import Position
from broker.approve.rule import Effect, Expression, Limits, Rows, Rule, WorkingHours
from broker.authoring.finding import Lint
from broker.authoring.lint import lint_bundle
from broker.model import (
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
from broker.reasons import Reason

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
TIMES = (NOW, NOW + timedelta(days=2, hours=9), datetime(2027, 3, 1, 4, tzinfo=UTC))
"""A working day by the calendar, a day off late in the evening, and a year without calendar."""
WITHOUT_EFFECT = {Lint.SHADOWED, Lint.REDUNDANT, Lint.EXPIRED, Lint.NEVER_APPLIES, Lint.MOOT}
BARREN = {Lint.NO_SERVICE_ITEM, Lint.NEVER_RELEASES}
CONTRADICTION = {Lint.MASKS_CONTRADICT, Lint.ROWS_CONTRADICT}

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar(frozenset({2026}), frozenset({TIMES[1].date()}))
CALLER = Identity("city", "fund", Role.SYSTEM, "counter", 1, datetime.max.replace(tzinfo=UTC), b"")
SYSTEMS = {"counter": System("counter", grids=frozenset({"g1"})), "desk": System("desk")}


def department(name: str, region: str, **systems: System) -> Department:
    return Department(name, name, name, DepartmentKind.GOVERNMENT, region, "", systems)


def field(name: str, level: str, shared: bool = True) -> Field:
    return Field(name, name, FieldType.TEXT, level, shared=shared)


FIELDS = (field("a", "L1"), field("b", "L2"), field("c", "L2"), field("hidden", "L1", shared=False))


def dataset(attribute: SharingAttribute) -> Dataset:
    return Dataset(
        id="d.one",
        department="registry",
        title="",
        catalog_code="",
        fields={field.name: field for field in FIELDS},
        subject_fields=("a",),
        subject_format="",
        sharing_attribute=attribute,
        sharing_modes=("api", "batch"),
        use_conditions="",
        attribute_basis="",
        update_cycle=timedelta(days=1),
        as_of_field="",
        source=SourceSpec("", {}, {}),
        region_field="b",
        grid_field="c",
    )


def catalog(attribute: SharingAttribute) -> Catalog:
    return Catalog(
        city="city",
        title="",
        zone="Asia/Shanghai",
        levels=("L1", "L2"),
        departments={
            "registry": department("registry", "990100"),
            "fund": department("fund", "990100", **SYSTEMS),
            "street": department("street", "990101"),
        },
        datasets={"d.one": dataset(attribute)},
        purposes={"p": "", "q": ""},
        service_items={
            "1": ServiceItem("1", "", "fund", "p"),
            "2": ServiceItem("2", "", "street", "p"),
            "3": ServiceItem("3", "", "street", "q"),
        },
        calendar=CALENDAR,
        mask_order=MaskOrder(("year", "redact"), {"L2": "year"}),
    )


def some(*names: str) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(st.sampled_from(names), min_size=1, max_size=2)


def failing(asked: Application, now: datetime) -> bool:
    raise ValueError("cannot be told")


EXPRESSIONS = (
    Expression('region == "1"', lambda asked, now: now < TIMES[1]),
    Expression('region == "2"', failing),
    Expression('department == "street"', lambda asked, now: asked.consumer.department == "street"),
    Expression("weekday > 7", lambda asked, now: False),
)
HOURS = (
    WorkingHours(ZONE, ((time(9), time(18)),)),
    WorkingHours(ZONE, ((time(10), time(12)),), frozenset({0, 1, 2})),
    WorkingHours(ZONE, weekdays=frozenset(range(6))),
    WorkingHours(ZONE, calendar=CALENDAR),
    WorkingHours(ZONE, ((time(9), time(18)),), calendar=CALENDAR),
    WorkingHours(ZONE, weekdays=frozenset()),
)
MASKS = (
    Mask("redact"),
    Mask("year"),
    Mask("year", {"to": 10}),
    Mask("other"),
)
INSTANTS = (NOW - timedelta(1), NOW, NOW + timedelta(1), NOW + timedelta(30), NOW + timedelta(400))


def mostly(plain: object, other: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """``plain`` in most rules, so that conditions do not all but exclude one another."""
    return st.sampled_from((True, True, False)).flatmap(lambda is_: st.just(plain) if is_ else other)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    effect = draw(st.sampled_from(Effect))
    gives = effect in (Effect.PERMIT, Effect.DELEGATE)
    maybe = st.none() | st.sampled_from((1, 5))
    lists = draw(mostly({}, st.sampled_from(({"b": ("1",)}, {"b": ("1", "2")}, {"b": ("3",)}))))
    return Rule(
        id="",
        effect=effect,
        dataset="d.one",
        fields=draw(
            st.frozensets(st.sampled_from("abc" if gives else ("a", "b", "c", "hidden")), min_size=1)
        ),
        scope=draw(st.sampled_from((Scope.CITY, Scope.CITY, Scope.PROVINCE, Scope.COUNTY))),
        departments=draw(some("fund", "street")),
        systems=draw(mostly(None, some("counter", "desk"))),
        purposes=draw(some("p", "q")),
        legal_basis=draw(mostly(None, some("x", "y"))),
        valid_from=draw(mostly(None, st.sampled_from(INSTANTS))),
        valid_until=draw(mostly(None, st.sampled_from(INSTANTS))),
        standing_until=draw(mostly(None, st.sampled_from(INSTANTS))) if gives else None,
        working_hours=draw(mostly(None, st.sampled_from(HOURS))),
        expression=draw(mostly(None, st.sampled_from(EXPRESSIONS))),
        rows=Rows(draw(st.booleans()), draw(mostly(False, st.just(True))), lists, draw(st.booleans()))
        if gives
        else Rows(),
        limits=Limits(
            rows_per_call=draw(maybe),
            subjects_per_call=draw(maybe),
            calls_per_day=draw(mostly(None, maybe)),
            minimum_group_size=draw(mostly(None, st.sampled_from((2, 3)))),
        )
        if gives
        else Limits(),
        obligations=Obligations(
            draw(mostly({}, st.dictionaries(st.sampled_from("bc"), st.sampled_from(MASKS), max_size=1))),
            retain_days=draw(maybe),
            signed_application=draw(st.booleans()),
            watermark=draw(st.booleans()),
            countersignature=draw(mostly(False, st.just(True))),
        )
        if gives
        else Obligations(),
        review=ReviewBy(frozenset({draw(st.sampled_from(("registry", "street")))}))
        if effect is Effect.REVIEW and draw(st.booleans())
        else None,
    )


@st.composite
def kin(draw: st.DrawFn) -> list[Rule]:
    """A few rules, some of them made from another by changing one thing: so that many say nearly the same."""
    made = draw(st.lists(rules(), min_size=1, max_size=3))
    for _ in range(draw(st.integers(0, 3))):
        source, other = draw(st.sampled_from(made)), draw(rules())
        name = draw(st.sampled_from([name for name in Rule.__slots__ if name not in ("id", "dataset", "at")]))
        changed = replace(source, **{name: getattr(other, name)})
        if name == "effect":
            changed = replace(
                other, effect=changed.effect, fields=source.fields, departments=None, purposes=None
            )
        made.append(changed)
    return made


def bundle(attribute: SharingAttribute, of: list[Rule]) -> Bundle:
    numbered = [replace(rule, id=f"r/{i}", at=Position("f", i)) for i, rule in enumerate(of)]
    return compile_bundle(catalog(attribute), numbered, "")


def applications() -> Iterator[tuple[Application, datetime]]:
    """Everything that the rules above can tell apart."""
    named = [("a",), ("b",), ("c",), ("a", "b"), ("b", "c"), ("hidden",)]
    asking = [("fund", "counter", "1"), ("fund", "desk", ""), ("street", "desk", "3")]
    subjects = [(), ("1", "2", "3")]
    for (who, system, item), fields, purpose, of, basis, now in product(
        asking, named, "pq", subjects, ("", "x"), TIMES
    ):
        yield (
            Application(
                consumer=replace(CALLER, department=who, name=system),
                request_id="1",
                dataset="d.one",
                fields=fields,
                subjects=of,
                purpose=purpose,
                service_item=item,
                case_no="1",
                legal_basis=basis,
                operator="1",
                signed_digest=b"1" if of else b"",
            ),
            now,
        )


APPLICATIONS = tuple(applications())


def effect_of(decision: Decision, without: str) -> object:
    """What comes of it, whoever says so: not which rules, nor what they count."""
    match decision.verdict:
        case Verdict.PERMIT:
            charges = {charge for charge in decision.charges if f"/{without}/" not in charge.counter}
            scopes = frozenset(decision.row_scopes)
            duties = replace(decision.obligations, masks={})
            masks = {name: repr(mask) for name, mask in decision.obligations.masks.items()}
            limits = decision.rows_per_call, decision.minimum_group_size
            return (Verdict.PERMIT, charges, scopes, duties, masks, limits)
        case Verdict.REVIEW:
            return (Verdict.REVIEW, frozenset(decision.reviews))
        case Verdict.NEEDS_SUPPLEMENT:
            return (Verdict.NEEDS_SUPPLEMENT, frozenset(decision.missing))
        case _:
            return decision.verdict


@settings(deadline=None, max_examples=60)
@given(st.sampled_from((SharingAttribute.CONDITIONAL, SharingAttribute.UNCONDITIONAL)), kin())
def test_rule_without_effect_can_be_removed(attribute: SharingAttribute, of: list[Rule]) -> None:
    """A rule said to do nothing is removed, and no application is decided differently."""
    whole = bundle(attribute, of)
    found = [finding for finding in lint_bundle(whole, NOW) if finding.code in WITHOUT_EFFECT]
    for line in {finding.line for finding in found}:
        id_ = f"r/{line}"
        rest = compile_bundle(whole.catalog, [rule for rule in whole.rules if rule.id != id_], "")
        if rest.about["d.one"].written != whole.about["d.one"].written:
            continue  # being there, it holds back rules of lower scopes, which is not denied
        for asked, now in APPLICATIONS:
            before, after = evaluate(asked, None, whole, now), evaluate(asked, None, rest, now)
            assert effect_of(before, id_) == effect_of(after, id_), (asked, now)


@settings(deadline=None, max_examples=40)
@given(kin())
def test_barren_rule_never_releases(of: list[Rule]) -> None:
    """A rule said never to release anything stands in no permit, or only in one that no answer can meet."""
    whole = bundle(SharingAttribute.CONDITIONAL, of)
    barren = {f"r/{f.line}" for f in lint_bundle(whole, NOW) if f.code in BARREN}
    for asked, now in APPLICATIONS if barren else ():
        decision = evaluate(asked, None, whole, now)
        if decision.verdict is Verdict.PERMIT and barren & set(decision.rules):
            rows, smallest = decision.rows_per_call or 1, decision.minimum_group_size or 0
            assert min(rows, len(asked.subjects) or rows) < smallest


@settings(deadline=None, max_examples=40)
@given(st.lists(rules(), min_size=2, max_size=4))
def test_contradiction_is_met(of: list[Rule]) -> None:
    """Rules said to contradict one another do so for some application, which is then denied for that."""
    plain = {"effect": Effect.PERMIT, "scope": Scope.CITY, "working_hours": None, "expression": None}
    permits = [replace(rule, **plain, systems=None, legal_basis=None) for rule in of]
    whole = bundle(SharingAttribute.CONDITIONAL, permits)
    contradict = {f"r/{f.line}" for f in lint_bundle(whole, NOW) if f.code in CONTRADICTION}
    begun = {rule.id for rule in whole.rules if rule.in_force(NOW)}
    denied = {
        why.about
        for asked, now in (APPLICATIONS if contradict else ())
        for why in evaluate(asked, None, whole, now).reasons
        if why.reason is Reason.RULE_ERROR
    }
    assert contradict & begun <= denied or contradict - begun


@settings(deadline=None, max_examples=40)
@given(kin())
def test_what_nothing_releases_is_denied(of: list[Rule]) -> None:
    """A field that no rule is said to release, or only permits that nothing delegates, is always denied."""
    whole = bundle(SharingAttribute.CONDITIONAL, of)
    found = lint_bundle(whole, NOW)
    useless = {f"r/{finding.line}" for finding in found if finding.code == Lint.NOT_DELEGATED}
    useless |= {
        f"r/{finding.line}" for finding in found if finding.code in (Lint.EXPIRED, Lint.NEVER_APPLIES)
    }
    giving = [rule for rule in whole.rules if rule.effect in (Effect.PERMIT, Effect.REVIEW)]
    released = frozenset().union(*[rule.fields for rule in giving if rule.id not in useless])
    for finding in (finding for finding in found if finding.code == Lint.NEVER_RELEASED):
        fields = finding.en.removeprefix("no rule can release ").split(" of ")[0].split(", ")
        assert released.isdisjoint(fields)
    for asked, now in APPLICATIONS:
        if not released.issuperset(asked.fields):
            assert evaluate(asked, None, whole, now).verdict is Verdict.DENY
