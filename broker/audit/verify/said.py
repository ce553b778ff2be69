"""A statement as a check is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from broker.receipt.indexed import Indexed
from broker.receipt.log_keys import LogKeys
from broker.receipt.witnesses import WitnessPolicy


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the auditor trusts, obtained another way than the evidence."""

    keys: LogKeys
    """The log's."""
    witnesses: WitnessPolicy | None = None
    """Who must have cosigned; None: cosignatures are not asked for."""
    authority: bytes = b""
    """Certificate of the city's authority, DER; empty: certificates are not judged."""


@dataclass(frozen=True, slots=True)
class Said:
    """A statement that is in the log."""

    index: int
    """Of its leaf."""
    told: Indexed
    anchors: Anchors
    statement: bytes
    """Its bytes, as hashed."""

    @property
    def content(self) -> dict[str, Any]:
        """All that it says."""
        return self.told.content
