"""Approve: what policy says of an application."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.evaluate import evaluate
from broker.approve.rule import Effect, Expression, Limits, Rows, Rule
from broker.model import (
    Application,
    Catalog,
    Charge,
    Dataset,
    Decision,
    Department,
    DepartmentKind,
    Field,
    FieldType,
    Grant,
    Identity,
    Mask,
    Obligations,
    ReviewBy,
    Role,
    RowScope,
    ServiceItem,
    SharingAttribute,
    SourceSpec,
    Suspension,
    Target,
    Verdict,
    Why,
    region_prefix,
)
from broker.reasons import Reason

NOW = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
"""Already the 24th in Shanghai."""
PAST, FUTURE = NOW - timedelta(days=30), NOW + timedelta(days=30)


def failing(asked: Application, now: datetime) -> bool:
    raise ValueError("cannot be told")


FAILING = Expression("x", failing)


def department(name: str, region: str = "990100") -> Department:
    return Department(name, name, name, DepartmentKind.GOVERNMENT, region, "")


def dataset(name: str, attribute: SharingAttribute = SharingAttribute.CONDITIONAL) -> Dataset:
    fields = {f: Field(f, f, FieldType.TEXT, "L1") for f in ("a", "b", "c", "district")}
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
        region_field=None if name == "p.noregion" else "district",
    )


CATALOG = Catalog(
    city="t",
    title="t",
    zone="Asia/Shanghai",
    levels=("L1",),
    departments={d.id: d for d in (department("p"), department("x", "990101"), department("y"))},
    datasets={
        d.id: d
        for d in (
            dataset("p.d"),
            dataset("p.e"),
            dataset("p.noregion"),
            dataset("p.w", SharingAttribute.WITHHELD),
        )
    },
    purposes={"u": "u", "v": "v"},
    service_items={f"{d}-{p}": ServiceItem(f"{d}-{p}", "", d, p) for d in "xy" for p in "uv"},
)
PERMIT = Rule(
    id="pol/permit",
    effect=Effect.PERMIT,
    dataset="p.d",
    fields=frozenset("ab"),
    departments=frozenset("x"),
    purposes=frozenset("u"),
    legal_basis=frozenset({"law 1"}),
    valid_from=PAST,
    valid_until=FUTURE,
)
DENY = Rule(id="pol/deny", effect=Effect.DENY, dataset="p.d", fields=frozenset("b"))
REVIEW = replace(DENY, id="pol/review", effect=Effect.REVIEW)


def application(**changes: Any) -> Application:
    consumer = str(changes.pop("department", "x"))
    purpose = changes.get("purpose", "u")
    sound = Application(
        consumer=Identity("t", consumer, Role.SYSTEM, "s", 1, FUTURE, b""),
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


def bundle(*rules: Rule) -> Bundle:
    return compile_bundle(CATALOG, rules, "hash")


def decide(*rules: Rule, granted: Grant | None = None, now: datetime = NOW, **changes: Any) -> Decision:
    return evaluate(application(**changes), granted, bundle(*rules), now)


def assert_denied(decision: Decision, *reasons: Why) -> None:
    assert (decision.verdict, decision.reasons, decision.bundle_hash) == (Verdict.DENY, reasons, "hash")
    assert decision == Decision(Verdict.DENY, "hash", decision.rules, reasons)  # and it demands nothing


# ── permits ──────────────────────────────────────────────────────────────────────────────────────


def test_permit_carries_rule_and_bundle() -> None:
    """A plain permit names what decided and demands nothing that no rule wrote."""
    assert decide(PERMIT) == Decision(Verdict.PERMIT, "hash", ("pol/permit",))


def test_permit_covers_fewer_fields_too() -> None:
    """A rule for two fields permits one of them, and masks only what is asked for."""
    masked = replace(PERMIT, obligations=Obligations({"a": Mask("redact"), "b": Mask("year")}))
    decision = decide(masked, fields=("b",))
    assert (decision.verdict, decision.obligations.masks) == (Verdict.PERMIT, {"b": Mask("year")})


def test_several_permits_hold_together() -> None:
    """The smallest limit and retention, every mask, scope and quota of all permits that apply."""
    one = replace(
        PERMIT,
        fields=frozenset("a"),
        limits=Limits(rows_per_call=10, subjects_per_call=5, calls_per_day=7),
        obligations=Obligations({"a": Mask("redact")}, retain_days=30),
    )
    two = replace(
        PERMIT,
        id="pol/second",
        rows=Rows(own_region=True),
        limits=Limits(rows_per_call=3, rows_per_day=9),
        obligations=Obligations({"b": Mask("year")}, retain_days=60, signed_application=True),
    )
    elsewhere = replace(PERMIT, id="pol/other", fields=frozenset("c"), limits=Limits(rows_per_call=1))
    assert decide(two, elsewhere, one, signed_digest=b"d") == Decision(
        Verdict.PERMIT,
        "hash",
        ("pol/permit", "pol/second"),
        obligations=Obligations({"a": Mask("redact"), "b": Mask("year")}, 30, True),
        rows_per_call=3,
        row_scopes=(RowScope("district", "990101"),),
        charges=(
            Charge("calls/pol/permit/x/2026-11-24", 7, 1),
            Charge("rows/pol/second/x/2026-11-24", 9),
        ),
    )


def test_differing_masks_are_not_guessed_between() -> None:
    """Two permits that mask one field differently release nothing; equal masks are fine."""
    one = replace(PERMIT, obligations=Obligations({"a": Mask("partial", {"keep_start": 1})}))
    two = replace(one, id="pol/second", obligations=Obligations({"a": Mask("partial", {"keep_start": 6})}))
    same = replace(two, obligations=one.obligations)
    assert_denied(
        decide(one, two), Why(Reason.RULE_ERROR, "pol/permit"), Why(Reason.RULE_ERROR, "pol/second")
    )
    assert decide(one, same).obligations.masks == {"a": Mask("partial", {"keep_start": 1})}
    assert decide(one, two, fields=("b",)).verdict is Verdict.PERMIT


@pytest.mark.parametrize(
    ("region", "prefix"), [("990100", "9901"), ("990000", "99"), ("990101", "990101"), ("990110", "990110")]
)
def test_region_prefix(region: str, prefix: str) -> None:
    """A region's code without its trailing zero pairs, never half a pair (GB/T 2260)."""
    assert region_prefix(region) == prefix


def test_row_scope_that_cannot_be_told_permits_nothing() -> None:
    """Without a region field to compare there is no own region, and so no release."""
    scoped = replace(PERMIT, dataset="p.noregion", rows=Rows(own_region=True))
    assert_denied(decide(scoped, dataset="p.noregion"), Why(Reason.RULE_ERROR, "pol/permit"))


def test_whole_dataset_needs_a_permit_that_says_so() -> None:
    """Only permits with ``subjects: all`` speak about an application without subjects."""
    whole = replace(PERMIT, id="pol/whole", rows=Rows(whole_dataset=True))
    assert_denied(decide(PERMIT, subjects=()), Why(Reason.WHOLE_DATASET_NOT_PERMITTED))
    assert decide(PERMIT, whole, subjects=()).rules == ("pol/whole",)
    assert decide(PERMIT, whole).rules == ("pol/permit", "pol/whole")


# ── denials ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"dataset": "p.e"}, [Why(Reason.NOTHING_PERMITS)]),
        ({"department": "y"}, [Why(Reason.NOTHING_PERMITS)]),
        ({"department": "stranger"}, [Why(Reason.DEPARTMENT_UNKNOWN)]),
        ({"dataset": "p.x"}, [Why(Reason.DATASET_UNKNOWN)]),
        ({"dataset": "p.w"}, [Why(Reason.DATASET_WITHHELD)]),
        ({"purpose": "v"}, [Why(Reason.PURPOSE_NOT_PERMITTED)]),
        ({"legal_basis": "law 2"}, [Why(Reason.LEGAL_BASIS_NOT_PERMITTED)]),
        ({"fields": ("a", "c", "district")}, [Why(Reason.FIELD_NOT_PERMITTED, f) for f in ("c", "district")]),
        ({"fields": ("c",)}, [Why(Reason.FIELD_NOT_PERMITTED, "c")]),
        ({"service_item": "y-u"}, [Why(Reason.SERVICE_ITEM_MISMATCH)]),
        ({"service_item": "x-v"}, [Why(Reason.SERVICE_ITEM_MISMATCH)]),
        ({"service_item": "x-w"}, [Why(Reason.SERVICE_ITEM_MISMATCH)]),
        ({"subjects": ("1", "2", "3")}, [Why(Reason.TOO_MANY_SUBJECTS)]),
        ({"grant": "g"}, [Why(Reason.GRANT_UNKNOWN)]),
    ],
)
def test_denial_gives_its_reason(changes: dict[str, Any], reasons: list[Why]) -> None:
    """Each way to fall outside a permit has its own reason, the same with and without papers."""
    limited = replace(PERMIT, limits=Limits(subjects_per_call=2))
    withheld = replace(PERMIT, id="pol/withheld", dataset="p.w")
    assert_denied(decide(limited, withheld, **changes), *reasons)
    # Nobody is sent for papers in vain.
    assert_denied(decide(limited, withheld, **{"case_no": "", "operator": "", **changes}), *reasons)


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (PAST - timedelta(microseconds=1), Verdict.DENY),
        (PAST, Verdict.PERMIT),
        (FUTURE - timedelta(microseconds=1), Verdict.PERMIT),
        (FUTURE, Verdict.DENY),
    ],
)
def test_validity_is_from_its_first_instant_to_its_last(now: datetime, verdict: Verdict) -> None:
    """A permit begins and ends to the microsecond."""
    assert decide(PERMIT, now=now).verdict is verdict


def test_expired_permit_says_so() -> None:
    """Outside the validity the reason is the validity."""
    assert_denied(decide(PERMIT, now=FUTURE), Why(Reason.OUTSIDE_VALIDITY))


def test_deny_outweighs_everything() -> None:
    """One matching deny rule decides and is named, whatever permits, reviews or missing papers there are."""
    decision = decide(PERMIT, REVIEW, DENY, case_no="")
    assert_denied(decision, Why(Reason.DENIED_BY_RULE, "pol/deny"))
    assert decision.rules == ("pol/deny",)


def test_deny_speaks_only_of_its_own_conditions() -> None:
    """A deny rule for another field, purpose, department, basis or time changes nothing."""
    others = (
        replace(DENY, fields=frozenset("c")),
        replace(DENY, purposes=frozenset("v")),
        replace(DENY, departments=frozenset("y")),
        replace(DENY, legal_basis=frozenset({"law 2"})),
        replace(DENY, valid_until=NOW),
        replace(DENY, dataset="p.e"),
    )
    for other in others:
        assert decide(PERMIT, other).verdict is Verdict.PERMIT


# ── papers and reviews ───────────────────────────────────────────────────────────────────────────


def test_every_missing_paper_is_named_at_once() -> None:
    """One notice lists all papers (一次性告知), the signed application only when a permit demands it."""
    papers: dict[str, Any] = {"case_no": "", "service_item": "", "operator": "", "legal_basis": ""}
    reasons = ("CASE_NO_MISSING", "SERVICE_ITEM_MISSING", "OPERATOR_MISSING", "LEGAL_BASIS_MISSING")
    missing = [Why(Reason(reason), paper) for reason, paper in zip(reasons, papers, strict=True)]
    signing = replace(PERMIT, obligations=Obligations(signed_application=True))
    signed = Why(Reason.SIGNED_APPLICATION_MISSING, "signed_application")

    assert decide(PERMIT, **papers) == Decision(
        Verdict.NEEDS_SUPPLEMENT, "hash", ("pol/permit",), missing=tuple(missing)
    )
    assert decide(signing, **papers).missing == (*missing, signed)
    assert decide(signing).missing == (signed,)
    assert decide(signing, signed_digest=b"d").verdict is Verdict.PERMIT


def test_review_outweighs_permit_and_stands_alone() -> None:
    """A matching review rule calls a person, whether or not a permit covers the fields; papers come first."""
    reviewed = decide(PERMIT, REVIEW)
    assert reviewed == Decision(
        Verdict.REVIEW,
        "hash",
        ("pol/review",),
        (Why(Reason.REVIEW_REQUIRED, "pol/review"),),
        reviews=(ReviewBy(frozenset("p")),),
    )
    assert decide(REVIEW, fields=("b",)).verdict is Verdict.REVIEW
    assert decide(PERMIT, REVIEW, fields=("a",)).verdict is Verdict.PERMIT
    assert decide(PERMIT, REVIEW, case_no="").verdict is Verdict.NEEDS_SUPPLEMENT


def test_rule_about_other_fields_does_not_hide_a_wrong_purpose() -> None:
    """A rule for any purpose that is about another field does not turn a wrong purpose into a wrong field."""
    decision = decide(PERMIT, REVIEW, fields=("a",), purpose="v")
    assert_denied(decision, Why(Reason.PURPOSE_NOT_PERMITTED))


def test_review_does_not_cover_other_fields() -> None:
    """A field that neither a permit nor a review rule names is denied, not put before a person."""
    assert_denied(decide(REVIEW), Why(Reason.FIELD_NOT_PERMITTED, "a"))


def test_review_is_by_whom_the_rule_names_else_by_the_provider() -> None:
    """Each review says by whom; a countersignature, or a review that names nobody, is the provider's."""
    provider, authority = ReviewBy(frozenset("p")), ReviewBy(frozenset("y"), 2)
    countersigned = replace(PERMIT, obligations=Obligations(countersignature=True))
    decision = decide(countersigned)
    assert (decision.verdict, decision.rules, decision.reviews) == (
        Verdict.REVIEW,
        ("pol/permit",),
        (provider,),
    )
    assert decision.reasons == (Why(Reason.COUNTERSIGNATURE_REQUIRED, "pol/permit"),)
    assert decide(PERMIT, replace(REVIEW, review=authority)).reviews == (authority,)
    assert decide(countersigned, replace(REVIEW, review=authority)).reviews == (authority, provider)


# ── errors count against release ─────────────────────────────────────────────────────────────────


def test_rule_that_fails_counts_against_release() -> None:
    """A failing permit permits nothing; a failing deny or review counts as matching."""
    failing_permit = replace(PERMIT, id="pol/failing", expression=FAILING)
    failing_deny = replace(DENY, expression=FAILING)
    failing_review = replace(REVIEW, expression=FAILING)
    assert_denied(decide(failing_permit), Why(Reason.RULE_ERROR, "pol/failing"))
    assert decide(PERMIT, failing_permit).rules == ("pol/permit",)
    assert_denied(decide(PERMIT, failing_deny), Why(Reason.RULE_ERROR, "pol/deny"))
    assert decide(PERMIT, failing_review).verdict is Verdict.REVIEW
    assert_denied(decide(failing_review, fields=("b",)), Why(Reason.RULE_ERROR, "pol/review"))


# ── grants ───────────────────────────────────────────────────────────────────────────────────────

GRANT = Grant("g", "x", "p.d", frozenset("ab"), "u", PAST, FUTURE)


@pytest.mark.parametrize(
    ("grant", "reasons"),
    [
        (GRANT, []),
        (replace(GRANT, consumer="y"), [Why(Reason.GRANT_UNKNOWN)]),
        (replace(GRANT, dataset="p.e"), [Why(Reason.GRANT_UNKNOWN)]),
        (replace(GRANT, purpose="v"), [Why(Reason.PURPOSE_NOT_PERMITTED)]),
        (replace(GRANT, fields=frozenset("a")), [Why(Reason.FIELD_NOT_PERMITTED, "b")]),
        (replace(GRANT, valid_until=NOW), [Why(Reason.OUTSIDE_VALIDITY)]),
        (replace(GRANT, valid_from=FUTURE), [Why(Reason.OUTSIDE_VALIDITY)]),
    ],
)
def test_grant_narrows(grant: Grant, reasons: list[Why]) -> None:
    """A grant must hold in every respect beside the rules."""
    decision = decide(PERMIT, granted=grant, grant="g")
    if reasons:
        assert_denied(decision, *reasons)
    else:
        assert decision.verdict is Verdict.PERMIT


def test_grant_permits_nothing_by_itself() -> None:
    """Without a rule a grant is worth nothing."""
    assert_denied(decide(granted=GRANT, grant="g"), Why(Reason.NOTHING_PERMITS))


# ── suspensions ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "name"),
    [(Target.CONSUMER, "x"), (Target.DATASET, "p.d"), (Target.PURPOSE, "u"), (Target.EVERYTHING, "")],
)
def test_suspension_stops_what_it_names(target: Target, name: str) -> None:
    """The kill switch outweighs every permit, and its reason says what is suspended, not why."""
    stop = Suspension(2, target, name, "a secret reason", "somebody", NOW)
    decision = evaluate(application(), None, bundle(PERMIT), NOW, (stop,))
    assert decision.verdict is Verdict.DENY
    assert decision.reasons == (Why(Reason.SUSPENDED, f"{name or 'everything'} suspensions/2"),)


@pytest.mark.parametrize(
    ("target", "name"), [(Target.CONSUMER, "y"), (Target.DATASET, "p.e"), (Target.PURPOSE, "v")]
)
def test_suspension_disturbs_nothing_else(target: Target, name: str) -> None:
    """What is not named goes on as before."""
    stop = Suspension(2, target, name, "", "somebody", NOW)
    undisturbed = evaluate(application(), None, bundle(PERMIT), NOW)
    assert evaluate(application(), None, bundle(PERMIT), NOW, (stop,)) == undisturbed
    assert undisturbed.verdict is Verdict.PERMIT
