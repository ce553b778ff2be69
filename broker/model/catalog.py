"""What is shared: the catalog, and what the authority says of masks, keys and working days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from broker.model.commitment import CommitmentTemplate
from broker.model.limits import NATIONAL, TimeLimits
from broker.model.parties import Department, region_prefix


class SharingAttribute(StrEnum):
    """共享属性, Articles 14 and 15."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    WITHHELD = "withheld"


class FieldType(StrEnum):
    """The type of a data item; dates are ISO 8601, decimals keep their digits."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


IMPORTANT, CORE = "important", "core"
"""重要 and 核心, in every city above its own levels: the first never goes without a person's review, the
second never through the broker."""


@dataclass(frozen=True, slots=True)
class Field:
    """One data item (数据项) of a dataset."""

    name: str
    title: str
    type: FieldType
    level: str
    """Classification level: one of :attr:`Catalog.levels`, or :data:`IMPORTANT` or :data:`CORE`."""
    format: str | None = None
    """Name of a format in :mod:`broker.formats`, e.g. ``resident_id``; checked on every row read."""
    required: bool = False
    """A null here makes the row bad."""
    domain: str = ""
    """Field domain: within one, equal values get equal pseudonyms (for one consumer and purpose)."""
    shared: bool = True
    """False: the broker may read it (to find rows, to date them) but no rule can release it."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where a dataset's rows are read: the adapter's name, its options, and field → source column."""

    kind: str
    options: Mapping[str, str]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One catalog entry (政务数据目录), with what Article 13 asks of it."""

    id: str
    """``<department>.<name>``, e.g. ``civil_affairs.marriage``."""
    department: str
    title: str
    catalog_code: str
    """National catalog code of the resource."""
    fields: Mapping[str, Field]
    subject_fields: tuple[str, ...]
    """Fields that may hold the subject asked for; a row matches when any of them does."""
    subject_format: str
    sharing_attribute: SharingAttribute
    sharing_modes: tuple[str, ...]
    use_conditions: str
    attribute_basis: str
    """Law, regulation or decision for ``withheld``; scope, purpose and conditions for ``conditional``."""
    update_cycle: timedelta
    """A row, or a whole source, older than this is stale (过期)."""
    as_of_field: str
    """The field that says when a row was true (数据时点)."""
    source: SourceSpec
    region_field: str | None = None
    """The field a row scope ``district: caller`` compares with the caller's region."""
    grid_field: str | None = None
    """The field a row scope ``grid: caller`` compares with the caller's grids."""
    category: str | None = None
    """Category (数据分类), one of :attr:`Catalog.categories`."""


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """A government service item (事项): its code, whose it is, and the purpose it serves."""

    code: str
    title: str
    department: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days: weekdays but holidays, and make-up days (调休), by the State Council's notice."""

    years: frozenset[int] = frozenset()
    """Years whose notice is known."""
    holidays: frozenset[date] = frozenset()
    """Weekdays off."""
    makeup_days: frozenset[date] = frozenset()
    """Saturdays and Sundays worked."""
    provisional: frozenset[int] = frozenset()
    """Years of which only the statutory days are listed: their notice is not out yet."""

    def is_working(self, day: date) -> bool:
        """Whether ``day`` is a working day.

        Raises:
            LookupError: nobody knows yet, its year has no notice.
        """
        if day.year not in self.years:
            raise LookupError(f"no calendar of {day.year}")
        return self.as_listed(day)

    def as_listed(self, day: date) -> bool:
        """The same by what is listed alone: of a provisional year that is not the last word."""
        return day in self.makeup_days or (day.weekday() < SATURDAY and day not in self.holidays)


SATURDAY = 5
"""As :meth:`datetime.date.weekday` counts."""


@dataclass(frozen=True, slots=True)
class Mask:
    """How one field is to be masked: an operator's name and its parameters as written in the policy."""

    operator: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaskOrder:
    """Which masks are stricter (``masking.yaml``), as declared by the authority."""

    operators: tuple[str, ...] = ()
    """From the weakest to the strictest."""
    floors: Mapping[str, str] = field(default_factory=dict)
    """Level → the weakest operator that its fields may be released under."""

    def strictness(self, operator: str) -> int | None:
        """Place in the order, larger for stricter; None for one that has none."""
        return self.operators.index(operator) if operator in self.operators else None


@dataclass(frozen=True, slots=True)
class MaskProfile:
    """How fields of one kind are masked (``masking-profiles.yaml``), as declared by the authority."""

    treatments: Mapping[str, Mask] = field(default_factory=dict)
    """Word that a policy may write → what it stands for."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """Level → the word of the least treatment that its fields need."""


@dataclass(frozen=True, slots=True)
class LinkDomain:
    """A grant by which tokens of one field domain join over what it lists (关联域). It masks by keys of its
    own in place of theirs; without it each provider, consumer and purpose has other tokens."""

    name: str
    field_domain: str
    providers: frozenset[str]
    consumers: frozenset[str]
    """Empty: it is about all, and each still has tokens of its own."""
    purposes: frozenset[str]
    """Likewise."""
    legal_basis: str
    until: date
    """Its last day, in the city's zone."""

    def covers(self, provider: str, consumer: str, purpose: str, day: date) -> bool:
        """Whether it is about such an exchange on that day."""
        return (
            provider in self.providers
            and (not self.consumers or consumer in self.consumers)
            and (not self.purposes or purpose in self.purposes)
            and day <= self.until
        )

    def apart(self, consumer: str, purpose: str) -> tuple[str, str]:
        """What still parts the tokens of those that it covers; what it joins over is empty."""
        return "" if self.consumers else consumer, "" if self.purposes else purpose

    def overlaps(self, other: LinkDomain) -> bool:
        """Whether both cover some exchange, be it after the end of one."""
        return (
            self.field_domain == other.field_domain
            and not self.providers.isdisjoint(other.providers)
            and all(
                not one or not two or not one.isdisjoint(two)
                for one, two in ((self.consumers, other.consumers), (self.purposes, other.purposes))
            )
        )


@dataclass(frozen=True, slots=True)
class Catalog:
    """Departments, datasets, service items, purposes and levels, as published by one bundle."""

    city: str
    """Trust domain of the certificates, e.g. ``xinghe``."""
    title: str
    zone: str
    """IANA zone of the city's calendar, e.g. ``Asia/Shanghai``."""
    levels: tuple[str, ...]
    """Classification levels, least to most sensitive."""
    departments: Mapping[str, Department]
    datasets: Mapping[str, Dataset]
    purposes: Mapping[str, str]
    """Purpose id → title."""
    service_items: Mapping[str, ServiceItem]
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Group id → ids of its departments."""
    categories: Mapping[str, str] = field(default_factory=dict)
    """Category id → title."""
    calendar: Calendar = Calendar()
    mask_order: MaskOrder = field(default_factory=MaskOrder)
    mask_profiles: Mapping[str, MaskProfile] = field(default_factory=dict)
    """Format or type of fields → how they are masked."""
    link_domains: Mapping[str, LinkDomain] = field(default_factory=dict)
    """By name; no two cover one exchange."""
    limits: Mapping[str, TimeLimits] = field(default_factory=dict)
    """GB/T 2260 code → the time limits of that jurisdiction, whole."""
    commitments: Mapping[str, CommitmentTemplate] = field(default_factory=dict)
    """Templates of use commitments (数据使用责任状), by id."""

    def limits_of(self, department: str) -> TimeLimits:
        """The time limits that a department (the one that must act) is under: of the narrowest jurisdiction
        listed that its region lies in, else the national ones."""
        region = self.departments[department].region if department in self.departments else ""
        within = [code for code in self.limits if region.startswith(region_prefix(code))]
        return self.limits[max(within, key=lambda code: len(region_prefix(code)))] if within else NATIONAL

    def links(self, dataset: Dataset, consumer: str, purpose: str, day: date) -> dict[str, LinkDomain]:
        """Field domain → the link domain that such an exchange is in on that day."""
        return {
            link.field_domain: link
            for link in self.link_domains.values()
            if link.covers(dataset.department, consumer, purpose, day)
        }
