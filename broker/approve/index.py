"""The rules about one dataset, indexed by who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from broker.approve.rule import Effect, Rule
from broker.model import CORE, IMPORTANT, Catalog, Dataset, Field, Mask, Obligations, Scope, SharingAttribute
from broker.treatments import meant, profile_for

Stamp = Callable[[Rule], Rule]
"""Puts until when its approval stands into a rule."""

_ANY = None
_COVERING = (Effect.PERMIT, Effect.DELEGATE)


@dataclass(frozen=True, slots=True)
class DatasetRules:
    """What a bundle says about one dataset; made by :func:`index_rules`."""

    dataset: Dataset
    rules: Sequence[Rule]
    """By id; the default permit of an unconditional dataset (2.9) is among them."""
    written: tuple[Scope, ...]
    """The governing scope (3.3), then the lower ones at which permits or delegates are written."""
    by_department: Mapping[str | None, Sequence[Rule]] = field(repr=False)
    """Department → rules that name it; None → rules that say ``all``."""
    by_id: Mapping[str, Rule] = field(repr=False)

    def above(self, scope: Scope) -> tuple[Scope, ...]:
        """The scopes that must delegate to a rule of ``scope`` before it covers anything (3.5)."""
        return tuple([higher for higher in self.written if higher.rank < scope.rank])

    def about(self, department: str) -> Sequence[Rule]:
        """Rules about this department, in no order."""
        return [*self.by_department.get(department, ()), *self.by_department.get(_ANY, ())]


def index_rules(
    rules: Iterable[Rule], catalog: Catalog, stamp: Stamp = lambda rule: rule
) -> dict[str, DatasetRules]:
    """Dataset → what ``rules`` (in ascending order) say about it, and the default permits; as ``stamp`` gives
    them back."""
    about: dict[str, list[Rule]] = {dataset: [] for dataset in catalog.datasets}
    for rule in rules:
        about[rule.dataset].append(rule)
    return {key: _indexed(catalog.datasets[key], of, catalog, stamp) for key, of in about.items()}


def _indexed(dataset: Dataset, rules: list[Rule], catalog: Catalog, stamp: Stamp) -> DatasetRules:
    if default := default_permit(dataset, catalog):
        rules = sorted([*rules, default], key=lambda rule: rule.id)
    rules = [stamp(rule) for rule in rules]
    by_department: dict[str | None, list[Rule]] = {}
    for rule in rules:
        for department in (_ANY,) if rule.departments is None else rule.departments:
            by_department.setdefault(department, []).append(rule)
    by_id = {rule.id: rule for rule in rules}
    return DatasetRules(dataset, rules, _written(dataset, rules, catalog), by_department, by_id)


def _written(dataset: Dataset, rules: Iterable[Rule], catalog: Catalog) -> tuple[Scope, ...]:
    provider = catalog.departments[dataset.department].scope
    written = {rule.scope for rule in rules if rule.effect in _COVERING}
    governing = min(written | {provider}, key=lambda scope: scope.rank)
    return tuple(sorted(written | {governing}, key=lambda scope: scope.rank))


def default_permit_id(dataset: str) -> str:
    """The id of a dataset's default permit; no rule that is written can have it, for it has a dot."""
    return f"unconditional/{dataset}"


def floor_masks(fields: Iterable[Field], catalog: Catalog) -> dict[str, Mask]:
    """The weakest masks that the levels of these fields allow (5.3); none for a level without a floor."""
    floors, profiles = catalog.mask_order.floors, catalog.mask_profiles
    return {
        f.name: meant(floors[f.level], profile_for(f.format, f.type, profiles))
        for f in fields
        if f.level in floors
    }


def default_permit(dataset: Dataset, catalog: Catalog) -> Rule | None:
    """What an unconditional dataset permits although no rule is written (2.9)."""
    if dataset.sharing_attribute is not SharingAttribute.UNCONDITIONAL:
        return None
    fields = [f for f in dataset.fields.values() if f.shared and f.level not in (IMPORTANT, CORE)]
    masks = floor_masks(fields, catalog)
    return Rule(
        id=default_permit_id(dataset.id),
        effect=Effect.PERMIT,
        dataset=dataset.id,
        fields=frozenset(f.name for f in fields),
        owner=dataset.department,
        scope=catalog.departments[dataset.department].scope,
        obligations=Obligations(MappingProxyType(masks)),
    )
