"""A second implementation of ``docs/policy-language.md``: statement by statement, over all rules.

It shares nothing with the evaluator but the types, and is written to be compared with the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from broker.approve.rule import Effect, Rule
from broker.model import (
    Aggregate,
    Application,
    Below,
    Catalog,
    Charge,
    Dataset,
    Decision,
    Field,
    Grant,
    KAnonymity,
    Mask,
    Obligations,
    ReviewBy,
    RowScope,
    Scope,
    SharingAttribute,
    Suspension,
    Verdict,
    Why,
)
from broker.reasons import Reason

SCOPES = ["national", "province", "city", "county"]
HASH = "hash"

YES, NO, UNTOLD = "yes", "no", "untold"


def stops(stop: Suspension, asked: Application) -> bool:
    """Whether a suspension is about the application (2.2)."""
    named = {
        "consumer": asked.consumer.department,
        "dataset": asked.dataset,
        "purpose": asked.purpose,
        "everything": "",
    }
    return stop.name == named[stop.target] and stop.provider in ("", asked.dataset.split(".")[0])


def stopped(stop: Suspension) -> str:
    """What is said of it: what it stops, and its number."""
    return f"{stop.name or stop.provider or 'everything'} suspensions/{stop.number}"


def decide(
    asked: Application,
    grant: Grant | None,
    written: Iterable[Rule],
    catalog: Catalog,
    now: datetime,
    suspensions: Sequence[Suspension] = (),
    stamp: Callable[[Rule], Rule] = lambda rule: rule,
) -> Decision:
    """The decision by the page; ``stamp`` says of a rule until when it stands (9.1)."""
    if asked.dataset not in catalog.datasets:  # 2.1
        return deny([Why(Reason.DATASET_UNKNOWN)])
    if asked.consumer.department not in catalog.departments:
        return deny([Why(Reason.DEPARTMENT_UNKNOWN)])
    dataset = catalog.datasets[asked.dataset]
    for reasons in (
        [Why(Reason.SUSPENDED, stopped(s)) for s in suspensions if stops(s, asked)],  # 2.2
        [Why(Reason.DATASET_WITHHELD)]
        if dataset.sharing_attribute is SharingAttribute.WITHHELD
        else [],  # 2.3
        [Why(Reason.FIELD_NOT_SHARED, f) for f in asked.fields if not is_shared(dataset, f)],  # 2.4
        [Why(Reason.CORE_LEVEL, f) for f in asked.fields if level(dataset, f) == "core"],  # 2.5
        [] if is_item_fit(asked, catalog) else [Why(Reason.SERVICE_ITEM_MISMATCH)],  # 2.6
        outside_grant(asked, grant, dataset, now),  # 2.7
    ):
        if reasons:
            return deny(reasons)
    rules = sorted(
        [stamp(rule) for rule in [*written, *default_permit(dataset, catalog)] if rule.dataset == dataset.id],
        key=lambda rule: rule.id,
    )
    return by_rules(asked, grant, rules, dataset, catalog, now)


def by_rules(
    asked: Application,
    grant: Grant | None,
    rules: list[Rule],
    dataset: Dataset,
    catalog: Catalog,
    now: datetime,
) -> Decision:
    """Sections 3 to 7."""
    heard = {rule.id: speaks(rule, asked, now) for rule in rules}

    def speaking(effect: Effect) -> list[Rule]:
        against = effect in (Effect.DENY, Effect.REVIEW)  # 4.2
        counts = (YES, UNTOLD) if against else (YES,)
        return [rule for rule in rules if rule.effect is effect and heard[rule.id] in counts]

    if denies := speaking(Effect.DENY):  # 4.3
        return deny(
            [
                Why(Reason.RULE_ERROR if heard[rule.id] == UNTOLD else Reason.DENIED_BY_RULE, rule.id)
                for rule in denies
            ],
            [rule.id for rule in denies],
        )
    permits, reviews, delegates = (
        speaking(effect) for effect in (Effect.PERMIT, Effect.REVIEW, Effect.DELEGATE)
    )
    scopes = written_scopes(rules, dataset, catalog)
    passing = [rule for rule in [*permits, *reviews] if heard[rule.id] == YES]  # 4.2
    uncovered = [
        field for field in asked.fields if not any(covers(rule, field, delegates, scopes) for rule in passing)
    ]
    if uncovered:  # 4.4
        return deny(causes(asked, uncovered, rules, heard, passing, now))
    relied_on = [
        delegate
        for delegate in delegates
        if any(
            field in rule.fields and field in delegate.fields and above(delegate.scope, rule.scope)
            for rule in passing
            for field in asked.fields
        )
    ]  # 3.7
    binding = sorted([*permits, *relied_on], key=lambda rule: rule.id)
    return by_demands(asked, grant, binding, reviews, dataset, catalog, now)


def by_demands(
    asked: Application,
    grant: Grant | None,
    binding: list[Rule],
    reviews: list[Rule],
    dataset: Dataset,
    catalog: Catalog,
    now: datetime,
) -> Decision:
    """4.5 to 4.8."""
    masks = {field: masks_of(field, binding) for field in asked.fields}
    scopes, at_odds = row_scopes(binding, asked, dataset, catalog)
    for demanded in masks.values():
        if not is_ordered(list(demanded.values()), catalog):
            at_odds |= set(demanded)
    aggregates = {rule.id: rule.obligations.aggregate for rule in binding if rule.obligations.aggregate}
    if len({(wanted.by, wanted.measures) for wanted in aggregates.values()}) > 1:  # 5.9
        at_odds |= set(aggregates)
    if at_odds:
        return deny([Why(Reason.RULE_ERROR, rule) for rule in sorted(at_odds)], sorted(at_odds))
    if unfit := not_aggregated(list(aggregates.values()), asked):  # 5.10
        return deny(unfit, sorted(aggregates))
    most = smallest(rule.limits.subjects_per_call for rule in binding)
    if most is not None and len(asked.subjects) > most:
        limiting = [rule.id for rule in binding if rule.limits.subjects_per_call == most]
        return deny([Why(Reason.TOO_MANY_SUBJECTS)], limiting)

    countersigned = [rule for rule in binding if rule.obligations.countersignature]
    important = [field for field in asked.fields if level(dataset, field) == "important"]
    is_reviewed = bool(reviews or countersigned or important)
    provider = ReviewBy(frozenset({dataset.department}))
    by: list[ReviewBy] = []
    for one in [rule.review or provider for rule in reviews] + [provider] * len(countersigned + important):
        if one not in by:
            by.append(one)
    was_reviewed = is_reviewed and grant is not None and all(agreed(grant, one) for one in by)  # 4.10
    is_reviewed = is_reviewed and not was_reviewed
    released = {f: strictest(list(of.values()), catalog) for f, of in masks.items() if of}
    matched = [f for f, mask in released.items() if mask is not None and mask.operator == "match"]
    claimed = [claim.field for claim in asked.claims]
    if not is_reviewed and any(field not in matched for field in claimed):  # 6.3
        beyond = tuple(Why(Reason.CLAIM_NOT_TAKEN, field) for field in claimed if field not in matched)
        asking = tuple(sorted(rule.id for rule in [*binding, *reviews]))
        return Decision(Verdict.DENY, HASH, asking, beyond)
    missing = [
        Why(reason, paper)
        for reason, paper, there in (
            (Reason.CASE_NO_MISSING, "case_no", asked.case_no),
            (Reason.SERVICE_ITEM_MISSING, "service_item", asked.service_item),
            (Reason.OPERATOR_MISSING, "operator", asked.operator),
            (Reason.LEGAL_BASIS_MISSING, "legal_basis", asked.legal_basis),
            (
                Reason.SIGNED_APPLICATION_MISSING,
                "signed_application",
                asked.signed_digest or not any(rule.obligations.signed_application for rule in binding),
            ),
        )
        if not there
    ]
    wanted = {template for rule in binding for template in rule.obligations.commitments}
    signed = {commitment.template for commitment in asked.commitments}
    missing += [Why(Reason.COMMITMENT_MISSING, template) for template in sorted(wanted - signed)]  # 6.4
    missing += [Why(Reason.CLAIM_MISSING, field) for field in matched if field not in claimed]  # 6.2
    if missing:  # 4.6
        asking = tuple(sorted(rule.id for rule in [*binding, *reviews]))
        return Decision(Verdict.NEEDS_SUPPLEMENT, HASH, asking, missing=tuple(missing))

    if is_reviewed:  # 4.7
        return Decision(
            Verdict.REVIEW,
            HASH,
            tuple(sorted(rule.id for rule in [*reviews, *countersigned])),
            tuple(
                [Why(Reason.REVIEW_REQUIRED, rule.id) for rule in reviews]
                + [Why(Reason.IMPORTANT_LEVEL, field) for field in important]
                + [Why(Reason.COUNTERSIGNATURE_REQUIRED, rule.id) for rule in countersigned]
            ),
            reviews=tuple(by),
        )
    alone = [f for f in asked.fields if not any(f in rule.fields for rule in binding)]  # 4.10
    floors = {f: floor(dataset.fields[f], catalog) for f in alone if level(dataset, f) in floored(catalog)}
    within = [grant.rows_per_call] if grant else []
    total = (
        [Charge(f"rows/grants/{grant.name}/total", grant.rows_total)] if grant and grant.rows_total else []
    )
    return Decision(  # 4.8, 4.10 and 5
        Verdict.PERMIT,
        HASH,
        tuple(sorted(rule.id for rule in [*binding, *(reviews if was_reviewed else [])])),
        obligations=Obligations(
            masks=released | floors,
            retain_days=smallest(rule.obligations.retain_days for rule in binding),
            signed_application=any(rule.obligations.signed_application for rule in binding),
            acknowledge_hours=smallest(rule.obligations.acknowledge_hours for rule in binding),
            no_onward_sharing=any(rule.obligations.no_onward_sharing for rule in binding),
            watermark=any(rule.obligations.watermark for rule in binding),
            notify_subject=any(rule.obligations.notify_subject for rule in binding),
            countersignature=bool(countersigned),
            k_anonymity=anonymity(binding, asked),
            aggregate=strictest_aggregate(list(aggregates.values())),
            commitments=tuple(sorted(wanted)),
        ),
        rows_per_call=smallest([*within, *[rule.limits.rows_per_call for rule in binding]]),
        row_scopes=(*scopes, *(grant.row_scopes if grant else ())),
        charges=(*quotas(binding, asked, catalog, now), *total),
        minimum_group_size=max(
            [rule.limits.minimum_group_size for rule in binding if rule.limits.minimum_group_size],
            default=None,
        ),
        matches_per_day=smallest(matches(rule, asked) for rule in binding),
    )


def agreed(grant: Grant, by: ReviewBy) -> bool:
    """4.10: whether as many as a review asks for have approved a grant."""
    theirs = [
        one
        for one in grant.voices
        if one.department in by.departments
        if not (by.never_own and grant.consumer in {one.department, one.officer_department})
    ]
    return len(theirs) >= by.count


def matches(rule: Rule, asked: Application) -> int | None:
    """5.11: what one rule says of claims on one subject."""
    if rule.limits.matches_per_subject_per_day is not None:
        return rule.limits.matches_per_subject_per_day
    asks = [f for f in asked.fields if f in rule.obligations.masks]
    return 5 if any(rule.obligations.masks[f].operator == "match" for f in asks) else None


# ── 1 and 4.2: whether a rule speaks ─────────────────────────────────────────────────────────────


def conditions(rule: Rule, asked: Application, now: datetime) -> dict[Reason, str]:
    """Every condition in the order of 7.1, by the cause it would be of nothing permitting."""

    def told(condition: Callable[[], object]) -> str:
        try:
            answer = condition()
        except Exception:  # noqa: BLE001 - whatever it fails with, it cannot be told
            return UNTOLD
        return {True: YES, False: NO}.get(answer, UNTOLD) if isinstance(answer, bool) else UNTOLD

    gives_basis = asked.legal_basis != "" or rule.effect is Effect.DENY
    needs_all = rule.effect in (Effect.PERMIT, Effect.DELEGATE)
    ends = [end for end in (rule.valid_until, rule.standing_until) if end is not None]
    return {
        Reason.NOTHING_PERMITS: told(
            lambda: rule.departments is None or asked.consumer.department in rule.departments
        ),
        Reason.FIELD_NOT_PERMITTED: told(lambda: any(field in rule.fields for field in asked.fields)),
        Reason.PURPOSE_NOT_PERMITTED: told(lambda: rule.purposes is None or asked.purpose in rule.purposes),
        Reason.LEGAL_BASIS_NOT_PERMITTED: told(
            lambda: rule.legal_basis is None or not gives_basis or asked.legal_basis in rule.legal_basis
        ),
        Reason.OUTSIDE_VALIDITY: told(
            lambda: (rule.valid_from is None or now >= rule.valid_from) and all(now < end for end in ends)
        ),
        Reason.OUTSIDE_HOURS: hours(rule, now),
        Reason.SYSTEM_NOT_PERMITTED: told(
            lambda: rule.systems is None or asked.consumer.name in rule.systems
        ),
        Reason.CONDITION_NOT_MET: told(lambda: rule.expression is None or rule.expression.holds(asked, now)),
        Reason.WHOLE_DATASET_NOT_PERMITTED: told(
            lambda: asked.subjects != () or rule.rows.whole_dataset or not needs_all
        ),
    }


def hours(rule: Rule, now: datetime) -> str:
    wanted = rule.working_hours
    if wanted is None:
        return YES
    local = now.astimezone(wanted.zone)
    if wanted.weekdays is not None and local.weekday() not in wanted.weekdays:
        return NO
    if wanted.hours and not any(first <= local.time() < last for first, last in wanted.hours):
        return NO
    if wanted.calendar is None:
        return YES
    if local.year not in wanted.calendar.years:
        return UNTOLD
    is_weekday = local.weekday() < 5
    makes_up, off = local.date() in wanted.calendar.makeup_days, local.date() in wanted.calendar.holidays
    return YES if makes_up or (is_weekday and not off) else NO


def speaks(rule: Rule, asked: Application, now: datetime) -> str:
    found = conditions(rule, asked, now).values()
    if NO in found:
        return NO
    return UNTOLD if UNTOLD in found else YES


# ── 2: what no rule can change ───────────────────────────────────────────────────────────────────


def is_shared(dataset: Dataset, field: str) -> bool:
    return field in dataset.fields and dataset.fields[field].shared


def level(dataset: Dataset, field: str) -> str:
    return dataset.fields[field].level if field in dataset.fields else ""


def is_item_fit(asked: Application, catalog: Catalog) -> bool:
    if not asked.service_item:
        return True
    item = catalog.service_items.get(asked.service_item)
    return item is not None and item.department == asked.consumer.department and item.purpose == asked.purpose


def outside_grant(asked: Application, grant: Grant | None, dataset: Dataset, now: datetime) -> list[Why]:
    if grant is None:
        return [Why(Reason.GRANT_UNKNOWN)] if asked.grant else []
    if grant.consumer != asked.consumer.department or grant.dataset != asked.dataset:
        return [Why(Reason.GRANT_UNKNOWN)]
    return [
        *([Why(Reason.PURPOSE_NOT_PERMITTED)] if grant.purpose != asked.purpose else []),
        *([Why(Reason.OUTSIDE_VALIDITY)] if now < grant.valid_from or now >= grant.valid_until else []),
        *[Why(Reason.FIELD_NOT_PERMITTED, f) for f in asked.fields if f not in grant.fields],
        *([Why(Reason.WHOLE_DATASET_NOT_PERMITTED)] if not (asked.subjects or grant.whole) else []),
        *[
            Why(Reason.FIELD_NOT_PERMITTED, s.field)
            for s in grant.row_scopes
            if s.field not in dataset.fields
        ],
    ]


def floored(catalog: Catalog) -> frozenset[str]:
    """Levels that have a floor."""
    return frozenset(catalog.mask_order.floors)


def floor(field: Field, catalog: Catalog) -> Mask:
    """1.3, 5.3: the weakest mask that the field's level allows."""
    word = catalog.mask_order.floors[field.level]
    for kind in (field.format, field.type):
        if kind in catalog.mask_profiles:
            return catalog.mask_profiles[kind].treatments.get(word, Mask(word))
    return Mask(word)


def default_permit(dataset: Dataset, catalog: Catalog) -> list[Rule]:
    """2.9."""

    def goes(field: Field) -> bool:
        return field.shared and field.level not in ("important", "core")

    floors = floored(catalog)
    masks = {f.name: floor(f, catalog) for f in dataset.fields.values() if goes(f) and f.level in floors}
    if dataset.sharing_attribute is not SharingAttribute.UNCONDITIONAL:
        return []
    return [
        Rule(
            id=f"unconditional/{dataset.id}",
            effect=Effect.PERMIT,
            dataset=dataset.id,
            fields=frozenset(f.name for f in dataset.fields.values() if goes(f)),
            scope=catalog.departments[dataset.department].scope,
            obligations=Obligations(masks),
        )
    ]


# ── 3: scopes ────────────────────────────────────────────────────────────────────────────────────


def above(scope: Scope, other: Scope) -> bool:
    return SCOPES.index(scope) < SCOPES.index(other)


def written_scopes(rules: list[Rule], dataset: Dataset, catalog: Catalog) -> list[Scope]:
    """3.3: the governing scope and every scope at which a permit or delegate is written."""
    written = {rule.scope for rule in rules if rule.effect in (Effect.PERMIT, Effect.DELEGATE)}
    provider = catalog.departments[dataset.department].scope
    return [
        scope
        for scope in Scope
        if scope in written or (scope is provider and not any(above(other, provider) for other in written))
    ]


def covers(rule: Rule, field: str, delegates: list[Rule], scopes: list[Scope]) -> bool:
    """3.5."""
    return field in rule.fields and all(
        any(delegate.scope is scope and field in delegate.fields for delegate in delegates)
        for scope in scopes
        if above(scope, rule.scope)
    )


# ── 5: demands ───────────────────────────────────────────────────────────────────────────────────


def masks_of(field: str, binding: list[Rule]) -> dict[str, Mask]:
    return {
        rule.id: rule.obligations.masks[field]
        for rule in binding
        if field in rule.fields and field in rule.obligations.masks
    }


def is_ordered(masks: list[Mask], catalog: Catalog) -> bool:
    """5.2: of any two different ones the order says which is the stricter."""
    order = catalog.mask_order.operators
    return all(
        one == other or (one.operator != other.operator and one.operator in order and other.operator in order)
        for one in masks
        for other in masks
    )


def strictest(masks: list[Mask], catalog: Catalog) -> Mask:
    order = ["", *catalog.mask_order.operators]
    return max(masks, key=lambda mask: order.index(mask.operator) if mask.operator in order else 0)


def row_scopes(
    binding: list[Rule], asked: Application, dataset: Dataset, catalog: Catalog
) -> tuple[tuple[RowScope, ...], set[str]]:
    """5.4 and 5.5; and the rules whose scopes cannot be told or leave nothing."""
    department = catalog.departments[asked.consumer.department]
    system = department.systems.get(asked.consumer.name)
    region = (system.region if system else "") or department.region
    grids = sorted(system.grids) if system else []
    prefix = region
    while prefix[-2:] == "00":
        prefix = prefix[:-2]
    scopes, failed = [], set()
    districts = [rule.id for rule in binding if rule.rows.own_region]
    if districts and dataset.region_field and prefix:
        scopes.append(RowScope(dataset.region_field, prefix))
    elif districts:
        failed |= set(districts)
    for field in sorted(dataset.fields):
        lists = {rule.id: [rule.rows.lists[field]] for rule in binding if field in rule.rows.lists}
        for rule in binding:
            if rule.rows.own_grid and field == dataset.grid_field:
                lists.setdefault(rule.id, []).append(tuple(grids))
        every = [listed for of in lists.values() for listed in of]
        common = sorted({value for listed in every for value in listed if all(value in o for o in every)})
        if every:
            scopes.append(RowScope(field, values=tuple(common)))
        if every and not common:
            failed |= set(lists)
    if dataset.grid_field is None:
        failed |= {rule.id for rule in binding if rule.rows.own_grid}
    return tuple(scopes), failed


def anonymity(binding: list[Rule], asked: Application) -> KAnonymity | None:
    """5.8."""
    gates = [rule.obligations.k_anonymity for rule in binding if rule.obligations.k_anonymity]
    named = sorted({name for gate in gates for name in gate.quasi_identifiers if name in asked.fields})
    if not named:
        return None
    below = Below.REFUSE if Below.REFUSE in [gate.below for gate in gates] else Below.SUPPRESS
    return KAnonymity(tuple(named), max(gate.k for gate in gates), below)


def strictest_aggregate(wanted: list[Aggregate]) -> Aggregate | None:
    """5.9, of aggregates that agree."""
    if not wanted:
        return None
    return Aggregate(
        wanted[0].by,
        wanted[0].measures,
        max(one.smallest_group for one in wanted),
        smallest(one.largest_share for one in wanted),
        False not in [one.named_subjects for one in wanted],
    )


def not_aggregated(wanted: list[Aggregate], asked: Application) -> list[Why]:
    """5.10."""
    if not wanted:
        return []
    by, measured = wanted[0].by, [field for field, _ in wanted[0].measures]
    return [
        *[Why(Reason.FIELD_NOT_AGGREGATED, field) for field in asked.fields if field not in [*by, *measured]],
        *[Why(Reason.GROUPING_INCOMPLETE, field) for field in by if field not in asked.fields],
        *(
            [Why(Reason.SUBJECTS_NOT_AGGREGATED)]
            if asked.subjects and not all(one.named_subjects for one in wanted)
            else []
        ),
    ]


def quotas(binding: list[Rule], asked: Application, catalog: Catalog, now: datetime) -> tuple[Charge, ...]:
    """5.7."""
    local = now.astimezone(ZoneInfo(catalog.zone))
    day, month = f"{local:%Y-%m-%d}", f"{local:%Y-%m}"
    return tuple(
        Charge(f"{what}/{rule.id}/{asked.consumer.department}/{window}", limit, amount)
        for rule in binding
        for what, window, limit, amount in (
            ("calls", day, rule.limits.calls_per_day, 1),
            ("rows", day, rule.limits.rows_per_day, None),
            ("calls", month, rule.limits.calls_per_month, 1),
            ("rows", month, rule.limits.rows_per_month, None),
        )
        if limit is not None
    )


def smallest(bounds: Iterable[int | None]) -> int | None:
    return min([bound for bound in bounds if bound is not None], default=None)


# ── 7: causes ────────────────────────────────────────────────────────────────────────────────────


def causes(
    asked: Application,
    uncovered: list[str],
    rules: list[Rule],
    heard: dict[str, str],
    passing: list[Rule],
    now: datetime,
) -> list[Why]:
    """4.4 and 7.1."""
    failed = [
        rule.id
        for rule in rules
        if heard[rule.id] == UNTOLD and any(field in rule.fields for field in uncovered)
    ]
    if failed:
        return [Why(Reason.RULE_ERROR, rule) for rule in failed]
    if not passing:
        left = [rule for rule in rules if rule.effect in (Effect.PERMIT, Effect.REVIEW)]
        for cause in (*conditions(rules[0], asked, now),) if rules else ():
            left = [rule for rule in left if conditions(rule, asked, now)[cause] == YES]
            if not left and cause is not Reason.FIELD_NOT_PERMITTED:
                return [Why(cause)]
            if not left:
                break
        if not rules:
            return [Why(Reason.NOTHING_PERMITS)]
    named = {field for rule in passing for field in rule.fields}
    return [
        Why(Reason.NOT_DELEGATED if field in named else Reason.FIELD_NOT_PERMITTED, field)
        for field in uncovered
    ]


def deny(reasons: list[Why], rules: Sequence[str] = ()) -> Decision:
    return Decision(Verdict.DENY, HASH, tuple(rules), tuple(reasons))
