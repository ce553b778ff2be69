"""What an edit of the catalog does: found by comparing two catalogs attribute by attribute.

What reaches access through rules (a department in a group, a field under a ceiling) is among the entries of
the difference besides; here stands what a reader must know of the edit itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from enum import Enum

import orjson

from broker.authoring.difference import CatalogChange, Direction
from broker.authoring.facts import mask_facts
from broker.model import CORE, IMPORTANT, Calendar, Catalog, Dataset, Field, SharingAttribute

_LOOSEST_LAST = (SharingAttribute.WITHHELD, SharingAttribute.CONDITIONAL, SharingAttribute.UNCONDITIONAL)
_DATASET_UNCLEAR = ("subject_fields", "subject_format", "region_field", "grid_field")
"""Attributes that say which rows are read, so what they change only a person can tell."""
_DATASET_NEUTRAL = (
    "title",
    "catalog_code",
    "sharing_modes",
    "use_conditions",
    "attribute_basis",
    "update_cycle",
    "as_of_field",
    "category",
)
_FIELD_UNCLEAR = ("type", "format", "domain")
"""What a mask works on: the same mask on another type, or in another domain, hides something else."""
_FIELD_NEUTRAL = ("title", "required")


def catalog_changes(old: Catalog, new: Catalog) -> Iterator[CatalogChange]:
    """Every edit that touches access, or that a reader should know of, in a fixed order."""
    yield from _city(old, new)
    for kind, before, after in _NAMED:
        yield from _came_and_went(kind, getattr(old, before), getattr(new, after))
    yield from _groups(old, new)
    yield from _departments(old, new)
    yield from _service_items(old, new)
    yield from _profiles(old, new)
    yield from _links(old, new)
    for name in sorted(old.datasets.keys() & new.datasets.keys()):
        levels = _levels(new)
        yield from _dataset(old.datasets[name], new.datasets[name], levels)


_NAMED = (
    ("department", "departments", "departments"),
    ("purpose", "purposes", "purposes"),
    ("service_item", "service_items", "service_items"),
    ("dataset", "datasets", "datasets"),
    ("mask_profile", "mask_profiles", "mask_profiles"),
    ("link_domain", "link_domains", "link_domains"),
)


def _came_and_went(
    kind: str, old: Mapping[str, object], new: Mapping[str, object], prefix: str = ""
) -> Iterator[CatalogChange]:
    for name in sorted(old.keys() ^ new.keys()):
        about = "added" if name in new else "removed"
        yield CatalogChange(Direction.NEUTRAL, kind, f"{prefix}{name}", about)


def _city(old: Catalog, new: Catalog) -> Iterator[CatalogChange]:
    for about, direction in (
        ("city", Direction.UNCLEAR),
        ("zone", Direction.UNCLEAR),
        ("levels", Direction.UNCLEAR),
        ("title", Direction.NEUTRAL),
    ):
        yield from _attribute(direction, "city", old.city, about, getattr(old, about), getattr(new, about))
    if old.calendar != new.calendar:
        before, after = _calendar(old.calendar), _calendar(new.calendar)
        yield CatalogChange(Direction.NEUTRAL, "city", old.city, "calendar", before, after)
    limits = ({code: asdict(one) for code, one in each.limits.items()} for each in (old, new))
    yield from _attribute(Direction.NEUTRAL, "city", old.city, "limits", *limits)
    orders = old.mask_order, new.mask_order
    yield from _attribute(
        Direction.UNCLEAR, "city", old.city, "mask_order", orders[0].operators, orders[1].operators
    )
    yield from _attribute(
        Direction.UNCLEAR, "city", old.city, "mask_floors", dict(orders[0].floors), dict(orders[1].floors)
    )


def _profiles(old: Catalog, new: Catalog) -> Iterator[CatalogChange]:
    """What a word means; how far it changes what is released is among the entries of the difference."""
    for name in sorted(old.mask_profiles.keys() & new.mask_profiles.keys()):
        before, after = old.mask_profiles[name], new.mask_profiles[name]
        words = ({word: mask_facts(mask) for word, mask in one.treatments.items()} for one in (before, after))
        yield from _attribute(Direction.NEUTRAL, "mask_profile", name, "treatments", *words)
        levels = dict(before.levels), dict(after.levels)
        yield from _attribute(Direction.NEUTRAL, "mask_profile", name, "levels", *levels)


def _links(old: Catalog, new: Catalog) -> Iterator[CatalogChange]:
    for name in sorted(old.link_domains.keys() & new.link_domains.keys()):
        before, after = old.link_domains[name], new.link_domains[name]
        for about in ("field_domain", "providers", "consumers", "purposes"):
            values = (_plain(getattr(link, about)) for link in (before, after))
            yield from _attribute(Direction.UNCLEAR, "link_domain", name, about, *values)
        for about in ("legal_basis", "until"):
            values = (str(getattr(link, about)) for link in (before, after))
            yield from _attribute(Direction.NEUTRAL, "link_domain", name, about, *values)


def _plain(value: str | frozenset[str]) -> str | list[str]:
    return value if isinstance(value, str) else sorted(value)


def _calendar(calendar: Calendar) -> str:
    return text(
        {
            "years": sorted(calendar.years),
            "holidays": sorted(map(str, calendar.holidays)),
            "makeup_days": sorted(map(str, calendar.makeup_days)),
            "provisional": sorted(calendar.provisional),
        }
    )


def _groups(old: Catalog, new: Catalog) -> Iterator[CatalogChange]:
    for name in sorted(old.groups.keys() | new.groups.keys()):
        before, after = old.groups.get(name, frozenset()), new.groups.get(name, frozenset())
        yield from _attribute(Direction.NEUTRAL, "group", name, "departments", sorted(before), sorted(after))


def _departments(old: Catalog, new: Catalog) -> Iterator[CatalogChange]:
    for name in sorted(old.departments.keys() & new.departments.keys()):
        before, after = old.departments[name], new.departments[name]
        for about in ("title", "kind", "region", "sharing_office"):
            yield from _attribute(
                Direction.NEUTRAL, "department", name, about, getattr(before, about), getattr(after, about)
            )
        places = (
            {s.name: [s.region, *sorted(s.grids)] for s in each.systems.values()} for each in (before, after)
        )
        yield from _attribute(Direction.NEUTRAL, "department", name, "systems", *places)


def _service_items(old: Catalog, new: Catalog) -> Iterator[CatalogChange]:
    for name in sorted(old.purposes.keys() & new.purposes.keys()):
        yield from _attribute(
            Direction.UNCLEAR, "purpose", name, "title", old.purposes[name], new.purposes[name]
        )
    for code in sorted(old.service_items.keys() & new.service_items.keys()):
        before, after = old.service_items[code], new.service_items[code]
        for about in ("title", "department", "purpose"):
            yield from _attribute(
                Direction.NEUTRAL, "service_item", code, about, getattr(before, about), getattr(after, about)
            )


# ── datasets ─────────────────────────────────────────────────────────────────────────────────────


def _levels(catalog: Catalog) -> Sequence[str]:
    return (*catalog.levels, IMPORTANT, CORE)


def _dataset(old: Dataset, new: Dataset, levels: Sequence[str]) -> Iterator[CatalogChange]:
    before, after = old.sharing_attribute, new.sharing_attribute
    looser = _LOOSEST_LAST.index(after) > _LOOSEST_LAST.index(before)
    direction = Direction.WEAKER if looser else Direction.STRONGER
    yield from _attribute(direction, "dataset", old.id, "sharing_attribute", before, after)
    for about in (*_DATASET_UNCLEAR, *_DATASET_NEUTRAL):
        kind = Direction.UNCLEAR if about in _DATASET_UNCLEAR else Direction.NEUTRAL
        yield from _attribute(kind, "dataset", old.id, about, getattr(old, about), getattr(new, about))
    yield from _source(old, new)
    yield from _came_and_went("field", old.fields, new.fields, f"{old.id}.")
    for name in sorted(old.fields.keys() & new.fields.keys()):
        columns = (each.source.columns.get(name, name) for each in (old, new))
        yield from _attribute(Direction.UNCLEAR, "field", f"{old.id}.{name}", "column", *columns)
        yield from _field(f"{old.id}.{name}", old.fields[name], new.fields[name], levels)


def _source(old: Dataset, new: Dataset) -> Iterator[CatalogChange]:
    """Where rows are read; which options differ is told and not their values, which may hold a password."""
    before, after = ({"kind": each.source.kind, **each.source.options} for each in (old, new))
    if before != after:
        differing = sorted({name for name, _ in before.items() ^ after.items()})
        yield CatalogChange(Direction.UNCLEAR, "dataset", old.id, "source", after=", ".join(differing))


def _field(name: str, old: Field, new: Field, levels: Sequence[str]) -> Iterator[CatalogChange]:
    shared = Direction.WEAKER if new.shared else Direction.STRONGER
    yield from _attribute(shared, "field", name, "shared", old.shared, new.shared)
    yield from _attribute(_level(old.level, new.level, levels), "field", name, "level", old.level, new.level)
    for about in (*_FIELD_UNCLEAR, *_FIELD_NEUTRAL):
        kind = Direction.UNCLEAR if about in _FIELD_UNCLEAR else Direction.NEUTRAL
        yield from _attribute(kind, "field", name, about, getattr(old, about), getattr(new, about))


def _level(old: str, new: str, levels: Sequence[str]) -> Direction:
    if old not in levels or new not in levels:
        return Direction.UNCLEAR
    return Direction.WEAKER if levels.index(new) < levels.index(old) else Direction.STRONGER


# ── one attribute ────────────────────────────────────────────────────────────────────────────────


def _attribute(
    direction: Direction, kind: str, name: str, about: str, before: object, after: object
) -> Iterator[CatalogChange]:
    if before != after:
        yield CatalogChange(direction, kind, name, about, text(before), text(after))


def text(value: object) -> str:
    """A value of the catalog as canonical text, empty for none."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return str(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
