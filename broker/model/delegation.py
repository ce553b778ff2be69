"""A delegation (委托审核): an officer lets another review in their place for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Delegation:
    """One officer's voice in another's mouth: it adds nobody to those whom policy names, it is used once."""

    number: int
    """From 1."""
    by: str
    """SPIFFE id of the officer who delegates."""
    by_department: str
    """Whose officer, and so whose voice it is."""
    to: str
    """SPIFFE id of the officer who reviews instead: of the same department, or of the one that the catalog
    names as its :attr:`~broker.model.Department.delegate`."""
    to_department: str
    valid_from: datetime
    """First instant."""
    valid_until: datetime
    """First instant after it."""
    serial: int = 0
    """Of the certificate by which it was given: it ends when that is revoked."""
    revoked_at: datetime | None = None

    @property
    def name(self) -> str:
        """Resource name."""
        return f"delegations/{self.number}"

    def in_force(self, now: datetime) -> bool:
        """Whether it counts at ``now``."""
        return self.valid_from <= now < self.valid_until and self.revoked_at is None
