"""Step 2, approve: one application against the bundle's rules gives one :class:`~broker.model.Decision`.

What is not permitted is denied; deny outweighs a missing paper, that a review, that a permit. Where several
permits apply, all of their demands hold. Whatever goes wrong with a rule counts against release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.approve.rule import Effect, Rule
from broker.model import (
    Application,
    Charge,
    Dataset,
    Decision,
    Department,
    Grant,
    Mask,
    Obligations,
    RowScope,
    SharingAttribute,
    Suspension,
    Verdict,
    Why,
    region_prefix,
)
from broker.reasons import Reason

_PAPERS = (
    ("case_no", Why(Reason.CASE_NO_MISSING, "case_no")),
    ("service_item", Why(Reason.SERVICE_ITEM_MISSING, "service_item")),
    ("operator", Why(Reason.OPERATOR_MISSING, "operator")),
    ("legal_basis", Why(Reason.LEGAL_BASIS_MISSING, "legal_basis")),
)
_SIGNED_APPLICATION = Why(Reason.SIGNED_APPLICATION_MISSING, "signed_application")


def evaluate(
    application: Application,
    grant: Grant | None,
    bundle: Bundle,
    now: datetime,
    suspensions: Sequence[Suspension] = (),
) -> Decision:
    """What policy says of ``application`` at ``now`` (aware); grant and suspensions can only narrow it.

    A refusal is a value with reasons; they name fields and rules, never a value.
    """
    catalog = bundle.catalog
    dataset = catalog.datasets.get(application.dataset)
    department = catalog.departments.get(application.consumer.department)
    if dataset is None or department is None:
        unknown = Reason.DATASET_UNKNOWN if dataset is None else Reason.DEPARTMENT_UNKNOWN
        return _denied(bundle, [Why(unknown)])
    if suspended := [s for s in suspensions if s.covers(application)]:
        return _denied(bundle, [Why(Reason.SUSPENDED, s.name or s.target) for s in suspended])
    if barred := [*_barred(application, dataset, bundle), *_outside_grant(application, grant, now)]:
        return _denied(bundle, barred)
    rules, failed = _applying(application, bundle, now)
    if denials := [rule for rule in rules if rule.effect is Effect.DENY]:
        reasons = [_denial(rule, failed) for rule in denials]
        return _denied(bundle, reasons, denials)
    if not rules:
        return _denied(bundle, [*_failures(failed)] or _nothing_applies(application, bundle, now))
    covered = frozenset().union(*[rule.fields for rule in rules])
    if uncovered := [field for field in application.fields if field not in covered]:
        return _denied(bundle, _not_permitted(uncovered))
    return _allowed(application, rules, dataset, department, bundle, now)


def _allowed(
    application: Application,
    rules: Sequence[Rule],
    dataset: Dataset,
    department: Department,
    bundle: Bundle,
    now: datetime,
) -> Decision:
    """``rules``, permits and reviews, cover every field: what they demand, and whether it is met."""
    permits = [rule for rule in rules if rule.effect is Effect.PERMIT]
    most_subjects = _smallest([rule.limits.subjects_per_call for rule in permits])
    if most_subjects is not None and len(application.subjects) > most_subjects:
        return _denied(bundle, [Why(Reason.TOO_MANY_SUBJECTS)])
    masks, conflicts = _masks(application.fields, permits)
    scopes, unscoped = _row_scopes(permits, dataset, department)
    if conflicts or unscoped:
        return _denied(bundle, [Why(Reason.RULE_ERROR, rule) for rule in sorted(conflicts | unscoped)])
    signed = any(rule.obligations.signed_application for rule in permits)
    if missing := _missing(application, signed):
        return Decision(Verdict.NEEDS_SUPPLEMENT, bundle.hash, _ids(rules), missing=missing)
    if reviews := [rule for rule in rules if rule.effect is Effect.REVIEW]:
        reasons = tuple(Why(Reason.REVIEW_REQUIRED, rule.id) for rule in reviews)
        return Decision(Verdict.REVIEW, bundle.hash, _ids(reviews), reasons)
    return Decision(
        Verdict.PERMIT,
        bundle.hash,
        _ids(permits),
        obligations=Obligations(masks, _smallest([rule.obligations.retain_days for rule in permits]), signed),
        rows_per_call=_smallest([rule.limits.rows_per_call for rule in permits]),
        row_scopes=scopes,
        charges=tuple(_charges(permits, department.id, bundle, now)),
    )


# ── what no rule can allow ───────────────────────────────────────────────────────────────────────


def _barred(application: Application, dataset: Dataset, bundle: Bundle) -> Iterator[Why]:
    if dataset.sharing_attribute is SharingAttribute.WITHHELD:
        yield Why(Reason.DATASET_WITHHELD)
    elif application.service_item:  # when it is missing, it is asked for
        item = bundle.catalog.service_items.get(application.service_item)
        wanted = (application.consumer.department, application.purpose)
        if item is None or (item.department, item.purpose) != wanted:
            yield Why(Reason.SERVICE_ITEM_MISMATCH)


def _outside_grant(application: Application, grant: Grant | None, now: datetime) -> Iterator[Why]:
    if grant is None:
        if application.grant:  # a name that nothing stands behind
            yield Why(Reason.GRANT_UNKNOWN)
        return
    if (grant.consumer, grant.dataset) != (application.consumer.department, application.dataset):
        yield Why(Reason.GRANT_UNKNOWN)  # that it exists is not this caller's affair
        return
    if grant.purpose != application.purpose:
        yield Why(Reason.PURPOSE_NOT_PERMITTED)
    if not grant.valid_from <= now < grant.valid_until:
        yield Why(Reason.OUTSIDE_VALIDITY)
    yield from _not_permitted(field for field in application.fields if field not in grant.fields)


# ── which rules apply ────────────────────────────────────────────────────────────────────────────


def _applying(application: Application, bundle: Bundle, now: datetime) -> tuple[list[Rule], frozenset[str]]:
    """The rules that apply, by id, and the ids of those that failed: of these only permits do not apply."""
    applying: list[Rule] = []
    failed: list[str] = []
    for rule in bundle.rules_for(application.dataset, application.consumer.department, application.purpose):
        try:
            applies = rule.applies(application, now)
        except Exception:  # noqa: BLE001 - whatever a rule fails with must count against release
            failed.append(rule.id)
            applies = rule.effect is not Effect.PERMIT
        if applies:
            applying.append(rule)
    applying.sort(key=lambda rule: rule.id)
    return applying, frozenset(failed)


def _denial(rule: Rule, failed: frozenset[str]) -> Why:
    return Why(Reason.RULE_ERROR if rule.id in failed else Reason.DENIED_BY_RULE, rule.id)


def _failures(failed: frozenset[str]) -> Iterator[Why]:
    return (Why(Reason.RULE_ERROR, rule) for rule in sorted(failed))


def _nothing_applies(application: Application, bundle: Bundle, now: datetime) -> list[Why]:
    """The first condition that no rule meets: as much as a consumer may know of rules that do not apply."""
    department = application.consumer.department
    rules = _not_denying(bundle.rules_for_any_purpose(application.dataset, department))
    if not rules:
        return [Why(Reason.NOTHING_PERMITS)]
    # Rules about other fields have nothing to say: they would blame the field for a wrong purpose.
    rules = [rule for rule in rules if not rule.fields.isdisjoint(application.fields)]
    if not rules:
        return _not_permitted(application.fields)
    rules = [rule for rule in rules if rule.purposes is None or application.purpose in rule.purposes]
    if not rules:
        return [Why(Reason.PURPOSE_NOT_PERMITTED)]
    rules = [rule for rule in rules if rule.accepts_basis(application.legal_basis)]
    if not rules:
        return [Why(Reason.LEGAL_BASIS_NOT_PERMITTED)]
    rules = [rule for rule in rules if rule.in_force(now)]
    if not rules:
        return [Why(Reason.OUTSIDE_VALIDITY)]
    if not any(rule.reaches(application.subjects) for rule in rules):
        return [Why(Reason.WHOLE_DATASET_NOT_PERMITTED)]
    return _not_permitted(application.fields)


def _not_permitted(fields: Iterable[str]) -> list[Why]:
    return [Why(Reason.FIELD_NOT_PERMITTED, field) for field in fields]


def _not_denying(rules: Iterable[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.effect is not Effect.DENY]


# ── what the permits demand together ─────────────────────────────────────────────────────────────


def _masks(fields: Sequence[str], permits: Sequence[Rule]) -> tuple[dict[str, Mask], set[str]]:
    """The mask of each field that any permit masks, and the permits that ask for different ones of one field.

    No order of masks is known here, so neither of two is guessed to be the stricter.
    """
    masks: dict[str, Mask] = {}
    disputed: set[str] = set()
    for rule in permits:
        for field, mask in rule.obligations.masks.items():
            if field in fields and field in rule.fields and masks.setdefault(field, mask) != mask:
                disputed.add(field)
    if not disputed:
        return masks, disputed
    return masks, {rule.id for rule in permits if disputed & rule.fields & rule.obligations.masks.keys()}


def _row_scopes(
    permits: Sequence[Rule], dataset: Dataset, department: Department
) -> tuple[tuple[RowScope, ...], set[str]]:
    """The scopes that must all hold, and the permits whose scope cannot be told."""
    scoped = {rule.id for rule in permits if rule.rows.own_region}
    if not scoped:
        return (), scoped
    prefix = region_prefix(department.region)
    if dataset.region_field is None or not prefix:
        return (), scoped
    return (RowScope(dataset.region_field, prefix),), set()


def _missing(application: Application, signed: bool) -> tuple[Why, ...]:
    """Every paper that is not there, in one notice (一次性告知)."""
    missing = [why for name, why in _PAPERS if not getattr(application, name)]
    if signed and not application.signed_digest:
        missing.append(_SIGNED_APPLICATION)
    return tuple(missing)


def _charges(permits: Sequence[Rule], department: str, bundle: Bundle, now: datetime) -> Iterator[Charge]:
    day = ""
    for rule in permits:
        limits = rule.limits
        if limits.calls_per_day is None and limits.rows_per_day is None:
            continue
        day = day or now.astimezone(bundle.zone).date().isoformat()
        if limits.calls_per_day is not None:
            yield Charge(f"calls/{rule.id}/{department}/{day}", limits.calls_per_day, 1)
        if limits.rows_per_day is not None:
            yield Charge(f"rows/{rule.id}/{department}/{day}", limits.rows_per_day)


def _smallest(bounds: list[int | None]) -> int | None:
    return min([bound for bound in bounds if bound is not None], default=None)


def _ids(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple([rule.id for rule in rules])


def _denied(bundle: Bundle, reasons: Iterable[Why], rules: Sequence[Rule] = ()) -> Decision:
    return Decision(Verdict.DENY, bundle.hash, _ids(rules), tuple(reasons))
