"""What a change of the bundle grants, takes away, weakens and strengthens: the values that say so.

:mod:`broker.authoring.diff` makes them, :mod:`broker.authoring.difference_text` puts them into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from broker.authoring.conditions import Conditions
from broker.authoring.release import Release
from broker.reasons import Sentence


class Direction(StrEnum):
    """What a change does to access; the gravest first."""

    GRANTED = "granted"
    """Released now, not before."""
    WEAKER = "weaker"
    """Released before and now, and at least one demand is weaker."""
    UNCLEAR = "unclear"
    """Cannot be compared: read it. Counts as widened."""
    STRONGER = "stronger"
    REMOVED = "removed"
    NEUTRAL = "neutral"
    """Worth knowing, without effect on access by itself."""

    @property
    def widens(self) -> bool:
        return self in (Direction.GRANTED, Direction.WEAKER, Direction.UNCLEAR)


@dataclass(frozen=True, slots=True)
class Change:
    """One demand, before and after, as canonical text that is empty for none."""

    about: str
    """Name of the demand as in policies: ``mask``, ``rows``, ``review``, ``rows_per_call`` …"""
    direction: Direction
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The same change of access for each of the departments, purposes and fields, when ``when`` holds."""

    direction: Direction
    dataset: str
    departments: tuple[str, ...]
    purposes: tuple[str, ...]
    fields: tuple[str, ...]
    when: Conditions
    before: Release | None
    after: Release | None
    changes: tuple[Change, ...] = ()
    """Where it is released before and after. Of one about ``quota`` both releases are None: it is about how
    calls are counted in all of these cells together."""
    rules_before: tuple[str, ...] = ()
    rules_after: tuple[str, ...] = ()
    """Ids of the rules that speak."""


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """An edit of the catalog; what it does through rules stands in entries besides."""

    direction: Direction
    kind: str
    """``department``, ``dataset``, ``field``, ``purpose``, ``service_item``, ``group``, ``city``."""
    name: str
    """Id; of a field ``<dataset>.<field>``."""
    about: str
    """What of it: ``added``, ``removed`` or the name of an attribute."""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything between two bundles, in an order that depends on nothing but them."""

    old: str
    """Hash of the bundle before."""
    new: str
    entries: tuple[Entry, ...] = ()
    """By dataset, direction, departments, purposes, fields."""
    catalog: tuple[CatalogChange, ...] = ()
    titles: Mapping[str, Sentence] = field(default_factory=dict)
    """Id → what every department, dataset, purpose and field (``<dataset>.<field>``) named is called."""
    zone: str = "UTC"
    """Of the new bundle's city: its days are meant where days are told."""

    @property
    def widened(self) -> bool:
        """Whether anybody may see more, or it cannot be told that nobody may."""
        return any(entry.direction.widens for entry in self.entries) or any(
            change.direction.widens for change in self.catalog
        )
