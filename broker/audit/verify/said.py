"""A statement as a check is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from broker.receipt.indexed import Indexed
from broker.receipt.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Trust:
    """What the auditor trusts, obtained another way than the evidence."""

    key: VerifierKey
    """The log's."""
    authority: bytes = b""
    """Certificate of the city's authority, DER; empty: certificates are not judged."""


@dataclass(frozen=True, slots=True)
class Said:
    """A statement that is in the log."""

    index: int
    """Of its leaf."""
    told: Indexed
    trust: Trust
    statement: bytes
    """Its bytes, as hashed."""

    @property
    def content(self) -> dict[str, Any]:
        """All that it says."""
        return self.told.content
