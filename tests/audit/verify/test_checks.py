"""The registry of checks knows every kind of statement."""

from __future__ import annotations

from broker.audit.verify.checks import CHECKS
from broker.model import EntryKind


def test_every_kind_of_statement_has_a_line() -> None:
    """A kind that nobody thought of would be verified by its hash alone, and nobody would notice."""
    assert set(CHECKS) == set(EntryKind)
