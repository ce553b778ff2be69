"""Random small worlds for properties: one catalog that has everything, rules about it, applications."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from broker.approve.rule import Effect, Expression, Limits, Rows, Rule, WorkingHours
from broker.model import (
    CORE,
    IMPORTANT,
    Aggregate,
    Application,
    Below,
    Calendar,
    Catalog,
    Dataset,
    Department,
    DepartmentKind,
    Field,
    FieldType,
    Grant,
    Identity,
    KAnonymity,
    Mask,
    MaskOrder,
    Measure,
    Obligations,
    ReviewBy,
    Role,
    RowScope,
    Scope,
    ServiceItem,
    SharingAttribute,
    SourceSpec,
    Suspension,
    System,
    Target,
    UseCommitment,
    Voice,
)

NOW = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
"""Already Tuesday the 24th, 01:30, in Shanghai."""
PAST, FUTURE = NOW - timedelta(days=30), NOW + timedelta(days=30)
ZONE = ZoneInfo("Asia/Shanghai")
LEVELS = {"a": "L1", "b": "L2", "c": "L1", "i": IMPORTANT, "k": CORE, "district": "L1", "grid": "L1"}
UNSHARED = "h"
CALENDAR = Calendar(frozenset({2026}), frozenset({date(2026, 11, 24)}), frozenset({date(2026, 11, 28)}))


def department(name: str, region: str, *systems: System) -> Department:
    of = {system.name: system for system in systems}
    return Department(name, name, name, DepartmentKind.GOVERNMENT, region, "", of)


def dataset(name: str, attribute: SharingAttribute, *, regional: bool = True) -> Dataset:
    fields = {f: Field(f, f, FieldType.TEXT, level) for f, level in LEVELS.items()}
    fields[UNSHARED] = Field(UNSHARED, UNSHARED, FieldType.TEXT, "L1", shared=False)
    return Dataset(
        id=name,
        department="p",
        title=name,
        catalog_code=name,
        fields=fields,
        subject_fields=("a",),
        subject_format="resident_id",
        sharing_attribute=attribute,
        sharing_modes=("api",),
        use_conditions="",
        attribute_basis="",
        update_cycle=timedelta(days=1),
        as_of_field="b",
        source=SourceSpec("sql", {}, {}),
        region_field="district" if regional else None,
        grid_field="grid" if regional else None,
    )


CATALOG = Catalog(
    city="t",
    title="t",
    zone="Asia/Shanghai",
    levels=("L1", "L2"),
    departments={
        d.id: d
        for d in (
            department("p", "990100"),
            department("x", "990101", System("s", grids=frozenset({"g1", "g2"})), System("t", "990102")),
            department("y", "990100"),
            department("n", "000000"),
        )
    },
    datasets={
        d.id: d
        for d in (
            dataset("p.d", SharingAttribute.CONDITIONAL),
            dataset("p.o", SharingAttribute.UNCONDITIONAL),
            dataset("p.noregion", SharingAttribute.CONDITIONAL, regional=False),
            dataset("p.w", SharingAttribute.WITHHELD),
        )
    },
    purposes={"u": "u", "v": "v"},
    service_items={f"{d}-{p}": ServiceItem(f"{d}-{p}", "", d, p) for d in "xyn" for p in "uv"},
    calendar=CALENDAR,
    mask_order=MaskOrder(("year", "partial", "redact"), {"L2": "partial"}),
)


def _fail(asked: Application, now: datetime) -> bool:
    raise ValueError("cannot be told")


def _holds(asked: Application, now: datetime) -> bool:
    return True


def _one_subject(asked: Application, now: datetime) -> bool:
    return len(asked.subjects) == 1


def _no_boolean(asked: Application, now: datetime) -> Any:
    return "true"


FAILING = Expression("failing", _fail)
_EXPRESSIONS = [
    FAILING,
    Expression("holds", _holds),
    Expression("size(subjects) == 1", _one_subject),
    Expression("no boolean", _no_boolean),
]
_HOURS = [
    WorkingHours(ZONE, ((time(1), time(2)), (time(9), time(12)))),
    WorkingHours(ZONE, ((time(2), time(9)),), calendar=Calendar()),
    WorkingHours(ZONE, weekdays=frozenset({1, 5})),
    WorkingHours(ZONE, calendar=CALENDAR),
    WorkingHours(ZONE, calendar=Calendar()),
]
_MASKS = [
    Mask("year"),
    Mask("partial"),
    Mask("partial", {"keep_start": 1}),
    Mask("redact"),
    Mask("unranked"),
]


def rarely(*values: object, default: object = None) -> st.SearchStrategy[Any]:
    """One of ``values`` in one case of eight: restrictions everywhere would leave nothing permitted."""
    return st.sampled_from([default] * 7 * len(values) + [*values])


_DRAW = random.Random(1)
_GATES = [KAnonymity(("a", "b"), 3), KAnonymity(("b", "c"), 2, Below.REFUSE)]
_AGGREGATES = [
    Aggregate(("a",), (("b", (Measure.COUNT,)),), 3, 80, True),
    Aggregate(("a",), (("b", (Measure.COUNT,)),), 4),
    Aggregate(("b",), (), 2),
]


def _limit() -> int | None:
    return _DRAW.choice([None, None, None, 1, 2, 3])


def _duty() -> bool:
    return _DRAW.random() < 0.12


def _obligations() -> Obligations:
    masks = {field: _DRAW.choice(_MASKS) for field in _DRAW.sample("abc", _DRAW.choice([0, 0, 1, 2]))}
    duties = [_duty() for _ in range(5)]
    k_anonymity = _DRAW.choice(_GATES) if _duty() else None
    aggregate = _DRAW.choice(_AGGREGATES) if _DRAW.random() < 0.03 else None
    commitments = tuple(sorted(name for name in ("t", "u") if _duty()))
    return Obligations(masks, _limit(), duties[0], _limit(), *duties[1:], k_anonymity, aggregate, commitments)


_LISTS = [{"grid": ("g1",)}, {"grid": ("g3",), "c": ("1",)}, {"c": ("1", "2")}, {"c": ("2", "3")}]
_ROWS = [
    *[Rows(whole_dataset=whole) for whole in (False, True) for _ in range(6)],
    Rows(own_region=True),
    Rows(own_grid=True),
    *[Rows(lists=lists, whole_dataset=True) for lists in _LISTS],
]
_EFFECTS = [*[Effect.PERMIT] * 9, *[Effect.DELEGATE] * 4, Effect.REVIEW, Effect.DENY]
RULE = st.builds(
    Rule,
    id=st.just(""),
    effect=st.sampled_from(_EFFECTS),
    dataset=st.sampled_from(["p.d", "p.d", "p.d", "p.o", "p.noregion"]),
    fields=st.sampled_from([frozenset(names) for names in ("abci", "abci", "ab", "ab", "a", "bc", "bi")]),
    scope=st.sampled_from([*[Scope.CITY] * 5, *[Scope.COUNTY] * 4, Scope.PROVINCE]),
    departments=rarely(frozenset("x"), frozenset("y"), frozenset("xy")),
    systems=rarely(frozenset("s"), frozenset("t")),
    purposes=rarely(frozenset("u"), frozenset("v"), frozenset("uv")),
    legal_basis=rarely(frozenset({"law 1"}), frozenset({"law 2"}), frozenset({"law 1", "law 2"})),
    valid_from=rarely(PAST, NOW, FUTURE),
    valid_until=rarely(PAST, NOW, FUTURE),
    working_hours=rarely(*_HOURS),
    expression=rarely(*_EXPRESSIONS),
    rows=st.sampled_from(_ROWS),
    limits=st.sampled_from([Limits(*[_limit() for _ in range(7)]) for _ in range(30)]),
    obligations=st.sampled_from([_obligations() for _ in range(60)]),
    review=rarely(ReviewBy(frozenset("p")), ReviewBy(frozenset("py"), 2)),
    standing_until=rarely(FUTURE, NOW),
)
RULES = st.lists(RULE, max_size=8).map(
    lambda drawn: [replace(rule, id=f"pol/{number}") for number, rule in enumerate(drawn)]
)
"""Rules with ids of their own."""


SCOPED = st.lists(
    st.builds(
        lambda effect, scope, names, departments: Rule(
            "", effect, "p.d", frozenset(names), scope=scope, departments=departments
        ),
        st.sampled_from([Effect.PERMIT, Effect.DELEGATE, Effect.DELEGATE, Effect.REVIEW]),
        st.sampled_from([*Scope, Scope.COUNTY]),
        st.sampled_from(["a", "ab", "ab"]),
        st.sampled_from([None, None, frozenset("x"), frozenset("y")]),
    ),
    min_size=1,
    max_size=8,
).map(lambda drawn: [replace(rule, id=f"pol/{number}") for number, rule in enumerate(drawn)])
"""Rules that differ in little but their scopes."""


def application(**changes: Any) -> Application:
    consumer, system = str(changes.pop("department", "x")), str(changes.pop("system", "s"))
    purpose = changes.get("purpose", "u")
    sound = Application(
        consumer=Identity("t", consumer, Role.SYSTEM, system, 1, FUTURE, b""),
        request_id="r",
        dataset="p.d",
        fields=("a", "b"),
        subjects=("1",),
        purpose="u",
        service_item=f"{consumer}-{purpose}",
        case_no="case",
        legal_basis="law 1",
        operator="op",
    )
    return replace(sound, **changes)


def committed(template: str) -> UseCommitment:
    """A use commitment of a template, as far as policy looks at it."""
    signer = Identity("t", "x", Role.SYSTEM, "s", 1, FUTURE, b"")
    return UseCommitment(template, 1, "", "x", "p.d", "u", "", "r", NOW, FUTURE, b"", b"", signer)


def _mostly(usual: object, *others: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 4 * len(others) + [*others])


def _asked(**changes: Any) -> Application:
    return application(**{name: value for name, value in changes.items() if value is not None})


_FIELDS = [
    *[tuple(names) for names in ("a", "b", "ab", "ba", "abc", "ac", "bi", "i", "cb")] * 2,
    *[tuple(names) for names in ("ak", "k", "h", "bhk")],
]
APPLICATION = st.builds(
    _asked,
    department=_mostly("x", "y", "n"),
    system=_mostly("s", "t"),
    dataset=_mostly("p.d", "p.o", "p.noregion", "p.w"),
    fields=st.sampled_from(_FIELDS),
    subjects=st.sampled_from([(), ("1",), ("1",), ("1", "2")]),
    purpose=_mostly("u", "v"),
    service_item=_mostly(None, "", "y-u", "x-v", "no such"),
    legal_basis=_mostly("law 1", "law 2", "law 3", ""),
    case_no=_mostly("case", ""),
    signed_digest=_mostly(b"d", b""),
    commitments=_mostly((committed("t"), committed("u")), (committed("u"),), ()),
)
INSTANT = st.sampled_from(
    [
        *[NOW] * 8,
        NOW - timedelta(microseconds=1),
        NOW + timedelta(hours=1),
        NOW + timedelta(days=4, hours=8),
        PAST,
        FUTURE,
        datetime(2026, 11, 24, 16, tzinfo=UTC),
        datetime(2026, 11, 24, 16, tzinfo=UTC) - timedelta(microseconds=1),
    ]
)
GRANT = st.none() | st.builds(
    Grant,
    st.just("g"),
    st.sampled_from("xxxy"),
    st.just("p.d"),
    st.sampled_from([frozenset("abci"), frozenset("ab"), frozenset("c")]),
    st.sampled_from("uuv"),
    st.sampled_from([PAST, PAST, NOW]),
    st.just(FUTURE),
    st.sampled_from([True, True, False]),
    st.sampled_from([(), (), (RowScope("b", values=("1",)),), (RowScope("gone", values=("1",)),)]),
    st.sampled_from([None, 1, 50]),
    st.sampled_from([None, 9]),
    st.lists(st.builds(Voice, st.sampled_from("pppxn"), st.sampled_from("ppx")), max_size=3).map(tuple),
)


def _stop(target: Target, name: str, provider: str = "") -> Suspension:
    return Suspension(1, target, name, "", "", PAST, provider=provider)


SUSPENSIONS = rarely(
    [_stop(Target.CONSUMER, "x"), _stop(Target.PURPOSE, "u")],
    [_stop(Target.DATASET, "p.d")],
    [_stop(Target.EVERYTHING, "")],
    [_stop(Target.CONSUMER, "p")],
    [_stop(Target.EVERYTHING, "", "p"), _stop(Target.CONSUMER, "x", "q")],
    [_stop(Target.PURPOSE, "u", "q"), _stop(Target.EVERYTHING, "", "q")],
    default=[],
)
