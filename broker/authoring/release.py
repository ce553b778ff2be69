"""What rules that speak together release of one field, and under which demands (``docs/policy-language.md``,
3 to 5): the part of a decision that depends on neither the request's papers nor its time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import orjson

from broker.approve.index import DatasetRules
from broker.approve.rule import Effect, Limits, Rule
from broker.authoring.groups import CannotBeMetError, aggregate_of, gate_of
from broker.model import (
    CORE,
    IMPORTANT,
    Aggregate,
    Dataset,
    Department,
    KAnonymity,
    Mask,
    MaskOrder,
    ReviewBy,
    SharingAttribute,
    System,
    region_prefix,
)

CALLER = "caller"
"""Stands for the caller's own region or grids where it does not matter which they are."""
DUTIES = ("signed_application", "no_onward_sharing", "watermark", "notify_subject", "countersignature")
"""What :class:`~broker.model.Obligations` demands or does not, by name."""


@dataclass(frozen=True, slots=True)
class MaskText:
    """A mask as a value that can be compared: its parameters as JSON with sorted keys."""

    operator: str
    params: str = "{}"

    @property
    def mask(self) -> Mask:
        """As the model has it."""
        return Mask(self.operator, orjson.loads(self.params))


@dataclass(frozen=True, slots=True)
class RowLimit:
    """Only rows whose ``field`` begins with the one of ``values`` (``kind`` region), or is one of them
    (list); :data:`CALLER` alone stands for the caller's own region or grids."""

    kind: str
    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """One field, released: after a person's review or at once, under which mask and demands."""

    review: bool
    mask: MaskText | None = None
    rows: tuple[RowLimit, ...] = ()
    """All must hold; ordered by kind and field."""
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    retain_days: int | None = None
    acknowledge_hours: int | None = None
    duties: frozenset[str] = frozenset()
    """Of :data:`DUTIES`."""
    commitments: frozenset[str] = frozenset()
    """Templates of the use commitments demanded."""
    reviews: frozenset[ReviewBy] = frozenset()
    k_anonymity: KAnonymity | None = None
    """With all quasi-identifiers, asked for or not."""
    aggregate: Aggregate | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What row scopes compare with, of the system that calls."""

    region: str = CALLER
    """Region code cut at its trailing zero pairs; empty: none."""
    grids: tuple[str, ...] = (CALLER,)


def place_of(department: Department, system: System | None) -> Place:
    """Where ``system`` (None: one that the catalog does not describe) of ``department`` stands."""
    region = system.region if system and system.region else department.region
    return Place(region_prefix(region), tuple(sorted(system.grids)) if system else ())


@dataclass(frozen=True, slots=True)
class Terms:
    """What all rules about one dataset are read under."""

    about: DatasetRules
    order: MaskOrder

    @property
    def dataset(self) -> Dataset:
        return self.about.dataset

    def release(
        self, name: str, speaking: Sequence[Rule], untold: Collection[str], place: Place
    ) -> Release | None:
        """What ``speaking`` (all rules that speak and name the field) release of it; None for nothing.

        ``untold`` are the ids of those that only count against release, as they cannot be told.
        """
        asked = self.dataset.fields.get(name)
        if asked is None or not asked.shared or asked.level == CORE:
            return None
        if self.dataset.sharing_attribute is SharingAttribute.WITHHELD:
            return None
        effects = [rule.effect for rule in speaking]
        if Effect.DENY in effects:
            return None
        permits, reviews, delegates = (
            [rule for rule in speaking if rule.effect is effect]
            for effect in (Effect.PERMIT, Effect.REVIEW, Effect.DELEGATE)
        )
        covering = [rule for rule in (*permits, *reviews) if rule.id not in untold]
        relied = self._relied_on(covering, delegates)
        if relied is None:
            return None
        demanding = [*permits, *relied]
        try:
            mask = _strictest(name, demanding, self.order)
            aggregate = aggregate_of(name, demanding)
            rows = tuple(sorted(_rows(demanding, self.dataset, place), key=lambda row: (row.kind, row.field)))
        except CannotBeMetError:
            return None
        duties = frozenset(d for rule in demanding for d in DUTIES if getattr(rule.obligations, d))
        on_its_own = asked.level == IMPORTANT or "countersignature" in duties
        return Release(
            review=bool(reviews) or on_its_own,
            mask=mask,
            rows=rows,
            limits=_limits(demanding),
            retain_days=_smallest(rule.obligations.retain_days for rule in demanding),
            acknowledge_hours=_smallest(rule.obligations.acknowledge_hours for rule in demanding),
            duties=duties,
            commitments=frozenset(name for rule in demanding for name in rule.obligations.commitments),
            reviews=frozenset(self._reviewers(reviews, on_its_own)),
            k_anonymity=gate_of(demanding),
            aggregate=aggregate,
        )

    def _reviewers(self, reviews: Iterable[Rule], on_its_own: bool) -> Iterator[ReviewBy]:
        """Who must review; the provider where no rule says who."""
        provider = ReviewBy(frozenset({self.dataset.department}))
        yield from (rule.review or provider for rule in reviews)
        if on_its_own:
            yield provider

    def _relied_on(self, covering: Sequence[Rule], delegates: Sequence[Rule]) -> list[Rule] | None:
        """The delegates to permits and reviews of the field (3.7); None if none of these covers it (3.5)."""
        lent = {rule.scope for rule in delegates}
        above = [frozenset(self.about.above(rule.scope)) for rule in covering]
        if not any(scopes <= lent for scopes in above):
            return None
        through = frozenset().union(*above)
        return [rule for rule in delegates if rule.scope in through]


def mask_text(mask: Mask) -> MaskText:
    return MaskText(
        mask.operator, orjson.dumps(mask.params, default=dict, option=orjson.OPT_SORT_KEYS).decode()
    )


def _strictest(name: str, rules: Iterable[Rule], order: MaskOrder) -> MaskText | None:
    masks = {mask_text(rule.obligations.masks[name]) for rule in rules if name in rule.obligations.masks}
    if len(masks) < 2:
        return next(iter(masks), None)
    ranks = [order.strictness(mask.operator) for mask in masks]
    if None in ranks or len(set(ranks)) < len(ranks):
        raise CannotBeMetError
    return max(masks, key=lambda mask: order.strictness(mask.operator) or 0)


def _rows(rules: Collection[Rule], dataset: Dataset, place: Place) -> Iterator[RowLimit]:
    if any(rule.rows.own_region for rule in rules):
        if dataset.region_field is None or not place.region:
            raise CannotBeMetError
        yield RowLimit("region", dataset.region_field, (place.region,))
    listed: dict[str, set[str]] = {}
    for rule in rules:
        for name, values in rule.rows.lists.items():
            listed.setdefault(name, set(values)).intersection_update(values)
    if any(rule.rows.own_grid for rule in rules):
        if dataset.grid_field is None:
            raise CannotBeMetError
        listed.setdefault(dataset.grid_field, set(place.grids)).intersection_update(place.grids)
    for name, left in listed.items():
        if not left:
            raise CannotBeMetError
        yield RowLimit("list", name, tuple(sorted(left)))


def _limits(rules: Sequence[Rule]) -> Limits:
    if len(rules) == 1:
        return rules[0].limits
    bounds: Mapping[str, int | None] = {
        bound.name: _tightest(bound.name, [getattr(rule.limits, bound.name) for rule in rules])
        for bound in fields(Limits)
    }
    return Limits(**bounds)


def _tightest(name: str, bounds: Sequence[int | None]) -> int | None:
    given = [bound for bound in bounds if bound is not None]
    return (max if name == "minimum_group_size" else min)(given, default=None)


def _smallest(bounds: Iterable[int | None]) -> int | None:
    return min([bound for bound in bounds if bound is not None], default=None)
