"""A log on paper and a witness of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.witness.witness import Witness
from tests.witness.paper import PaperLog, witnessing


@pytest.fixture(scope="session")
def log() -> PaperLog:
    """A log of 70 leaves."""
    return PaperLog(70)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    with witnessing(tmp_path) as found:
        yield found
