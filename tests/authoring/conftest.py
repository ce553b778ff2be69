"""The small bundle of tests/approve, and what runs cases on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.approve.bundle import Bundle, load_bundle

BASE = Path(__file__).parents[1] / "approve" / "base"


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """One permit of a masked field, in the caller's district, with quotas."""
    return load_bundle(BASE, lambda *_: None)
