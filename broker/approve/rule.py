"""Sharing rules as values: what a policy file says, resolved against the catalog."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from broker.model import Application, Obligations


class Effect(StrEnum):
    """What a rule does with an application it applies to; the strictest decides: deny, review, permit."""

    PERMIT = "permit"
    REVIEW = "review"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of a permit; None is no bound. Days are those of the city's calendar."""

    rows_per_call: int | None = None
    subjects_per_call: int | None = None
    calls_per_day: int | None = None
    rows_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. A set that is None holds everything (``all``)."""

    id: str
    """``<policy id>/<rule id>``."""
    effect: Effect
    dataset: str
    fields: frozenset[str]
    departments: frozenset[str] | None = None
    purposes: frozenset[str] | None = None
    legal_basis: frozenset[str] | None = None
    valid_from: datetime | None = None
    """First instant, aware."""
    valid_until: datetime | None = None
    """First instant no longer valid, aware."""
    own_region: bool = False
    """Only rows of the caller's own region (本辖区)."""
    whole_dataset: bool = False
    """Also permits asking without naming subjects."""
    limits: Limits = Limits()
    obligations: Obligations = field(default_factory=Obligations)

    def applies(self, application: Application, now: datetime) -> bool:
        """Whether the rule speaks about ``application``, given that dataset, department and purpose fit."""
        return (
            not self.fields.isdisjoint(application.fields)
            and self.accepts_basis(application.legal_basis)
            and self.in_force(now)
            and self.reaches(application.subjects)
        )

    def accepts_basis(self, legal_basis: str) -> bool:
        """A basis not given yet can still fit a permit (it is asked for then), but is no cause to deny."""
        if self.legal_basis is None:
            return True
        return legal_basis in self.legal_basis if legal_basis else self.effect is not Effect.DENY

    def in_force(self, now: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or now < self.valid_until
        )

    def reaches(self, subjects: tuple[str, ...]) -> bool:
        """No subjects means the whole dataset, which a permit must allow expressly."""
        return bool(subjects) or self.whole_dataset or self.effect is not Effect.PERMIT
