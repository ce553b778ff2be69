"""Who takes part: departments, their systems, and who proves to be one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a certificate's holder is, from the third segment of its SPIFFE id."""

    SYSTEM = "system"
    OFFICER = "officer"
    AUDITOR = "auditor"
    GATEWAY = "gateway"


class DepartmentKind(StrEnum):
    """Who may take part. Enterprises may not (authorised operation is another regime)."""

    AUTHORITY = "authority"
    GOVERNMENT = "government"
    PUBLIC_INSTITUTION = "public_institution"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, as proved by the client certificate; never taken from a request."""

    city: str
    department: str
    role: Role
    name: str
    serial: int
    not_after: datetime
    fingerprint: bytes
    """SHA-256 of the certificate's DER encoding."""
    certificate: bytes = field(default=b"", repr=False, compare=False)
    """That encoding."""

    @property
    def uri(self) -> str:
        """The SPIFFE id, e.g. ``spiffe://xinghe/department/tax/system/counter-1``."""
        return f"spiffe://{self.city}/department/{self.department}/{self.role}/{self.name}"


class Scope(StrEnum):
    """Level of government (行政层级) of a department and of the policies it makes; the highest first."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"

    @property
    def rank(self) -> int:
        """0 for the highest: what a scope of smaller rank says binds those of greater."""
        return _SCOPES.index(self)


_SCOPES = tuple(Scope)


def scope_of(region: str) -> Scope:
    """The level of government that a GB/T 2260 code names, by its trailing zero pairs."""
    return _SCOPES[len(region_prefix(region)) // 2]


def region_prefix(region: str) -> str:
    """A GB/T 2260 code without its trailing zero pairs: what every code within that region begins with."""
    while region.endswith("00"):
        region = region[:-2]
    return region


@dataclass(frozen=True, slots=True)
class System:
    """What a department's system may be narrowed to: its region, if not the department's, and its grids."""

    name: str
    """As in its certificate."""
    region: str = ""
    """GB/T 2260 code; empty: the department's own."""
    grids: frozenset[str] = frozenset()
    """Codes of the grids (网格) that it serves."""


@dataclass(frozen=True, slots=True)
class Department:
    """A party to sharing. ``region`` is its GB/T 2260 code, e.g. ``990101``; ``…00`` covers all below."""

    id: str
    title: str
    title_en: str
    kind: DepartmentKind
    region: str
    sharing_office: str
    systems: Mapping[str, System] = field(default_factory=dict)
    """Systems that the catalog describes, by name; others may call all the same."""
    delegate: str = ""
    """Department whose officers may approve for it too, for an office without officers of its own."""

    @property
    def scope(self) -> Scope:
        return scope_of(self.region)
