"""What several permits demand together: ``docs/policy-language.md``, section 5."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from broker.approve.groups import aggregate, k_anonymity
from broker.approve.rule import MATCHES_PER_DAY, Rule
from broker.model import (
    MATCH,
    Application,
    Catalog,
    Charge,
    Dataset,
    Department,
    Mask,
    MaskOrder,
    Obligations,
    RowScope,
    System,
    region_prefix,
)

_NO_SYSTEM = System("")


@dataclass(frozen=True, slots=True)
class Demands:
    """What must hold when anything is released."""

    obligations: Obligations
    row_scopes: tuple[RowScope, ...]
    rows_per_call: int | None
    subjects_per_call: int | None
    minimum_group_size: int | None
    matches_per_day: int | None
    contradictory: tuple[str, ...] = ()
    """Rules that contradict one another, or whose row scope cannot be told: nothing may be released then."""


def demands(rules: Sequence[Rule], asked: Application, dataset: Dataset, catalog: Catalog) -> Demands:
    """What ``rules``, permits and the delegates they rely on, demand of an application."""
    limits = [rule.limits for rule in rules]
    duties = [rule.obligations for rule in rules]
    department = catalog.departments[asked.consumer.department]
    troubled: set[str] = set()
    masks = _masks(asked.fields, rules, catalog.mask_order, troubled)
    scopes = _row_scopes(rules, dataset, department, asked.consumer.name, troubled)
    return Demands(
        Obligations(
            masks=MappingProxyType(masks),
            retain_days=_smallest(duty.retain_days for duty in duties),
            signed_application=any(duty.signed_application for duty in duties),
            acknowledge_hours=_smallest(duty.acknowledge_hours for duty in duties),
            no_onward_sharing=any(duty.no_onward_sharing for duty in duties),
            watermark=any(duty.watermark for duty in duties),
            notify_subject=any(duty.notify_subject for duty in duties),
            countersignature=any(duty.countersignature for duty in duties),
            k_anonymity=k_anonymity(duties, asked.fields),
            aggregate=aggregate(rules, troubled),
            commitments=tuple(sorted({name for duty in duties for name in duty.commitments})),
        ),
        scopes,
        rows_per_call=_smallest(limit.rows_per_call for limit in limits),
        subjects_per_call=_smallest(limit.subjects_per_call for limit in limits),
        minimum_group_size=max(_given(limit.minimum_group_size for limit in limits), default=None),
        matches_per_day=_smallest(_matches_per_day(rule, asked.fields) for rule in rules),
        contradictory=tuple(sorted(troubled)),
    )


def charges(rules: Iterable[Rule], department: str, local: datetime) -> Iterator[Charge]:
    """The quotas that a release at the ``local`` time of the city would use up (5.7)."""
    day = local.date().isoformat()
    for rule in rules:
        limits = rule.limits
        for what, window, limit, amount in (
            ("calls", day, limits.calls_per_day, 1),
            ("rows", day, limits.rows_per_day, None),
            ("calls", day[:7], limits.calls_per_month, 1),
            ("rows", day[:7], limits.rows_per_month, None),
        ):
            if limit is not None:
                yield Charge(f"{what}/{rule.id}/{department}/{window}", limit, amount)


def _matches_per_day(rule: Rule, fields: Collection[str]) -> int | None:
    """What the rule says (5.9); where it matches and does not say, a safe number."""
    matches = any(mask.operator == MATCH for field, mask in rule.obligations.masks.items() if field in fields)
    return rule.limits.matches_per_subject_per_day or (MATCHES_PER_DAY if matches else None)


def has_quota(rule: Rule) -> bool:
    limits = rule.limits
    quotas = (limits.calls_per_day, limits.rows_per_day, limits.calls_per_month, limits.rows_per_month)
    return any(quota is not None for quota in quotas)


def _masks(
    fields: Sequence[str], rules: Sequence[Rule], order: MaskOrder, troubled: set[str]
) -> dict[str, Mask]:
    """The strictest mask of each field that any rule masks (5.2)."""
    masks: dict[str, Mask] = {}
    for field in fields:
        masking = [rule for rule in rules if field in rule.fields and field in rule.obligations.masks]
        if not masking:
            continue
        if strictest := _strictest([rule.obligations.masks[field] for rule in masking], order):
            masks[field] = strictest
        else:
            troubled.update(rule.id for rule in masking)
    return masks


def _strictest(demanded: Sequence[Mask], order: MaskOrder) -> Mask | None:
    """The strictest; None if the order does not rank any two that differ."""
    if all(mask == demanded[0] for mask in demanded):
        return demanded[0]
    ranked: dict[int, Mask] = {}
    for mask in demanded:
        rank = order.strictness(mask.operator)
        if rank is None or ranked.setdefault(rank, mask) != mask:
            return None
    return ranked[max(ranked)]


def _row_scopes(
    rules: Sequence[Rule], dataset: Dataset, department: Department, system_name: str, troubled: set[str]
) -> tuple[RowScope, ...]:
    """The scopes that must all hold (5.4): the region, then grids and lists by field."""
    system = department.systems.get(system_name, _NO_SYSTEM)
    prefix = region_prefix(system.region or department.region)
    scopes: list[RowScope] = []
    lists: dict[str, list[tuple[str, Iterable[str]]]] = {}
    for rule in rules:
        for field, values in rule.rows.lists.items():
            lists.setdefault(field, []).append((rule.id, values))
        if rule.rows.own_grid and dataset.grid_field is not None:
            lists.setdefault(dataset.grid_field, []).append((rule.id, system.grids))
        elif rule.rows.own_grid:
            troubled.add(rule.id)
        if rule.rows.own_region and (dataset.region_field is None or not prefix):
            troubled.add(rule.id)
        elif rule.rows.own_region and not scopes:
            scopes.append(RowScope(str(dataset.region_field), prefix))
    for field in sorted(lists):
        in_all = set(lists[field][0][1]).intersection(*[values for _, values in lists[field]])
        if not in_all:
            troubled.update(id_ for id_, _ in lists[field])
        scopes.append(RowScope(field, values=tuple(sorted(in_all))))
    return tuple(scopes)


def _given(bounds: Iterable[int | None]) -> list[int]:
    return [bound for bound in bounds if bound is not None]


def _smallest(bounds: Iterable[int | None]) -> int | None:
    return min(_given(bounds), default=None)
