"""A log on paper and a witness of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.witness.witness import Witness
from tests.witness.paper import Heard, PaperLog, witnessing


@pytest.fixture(scope="session")
def log() -> PaperLog:
    """A log of 70 leaves."""
    return PaperLog(70)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    with witnessing(tmp_path) as found:
        yield found


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What the witness and its copies say in their log."""
    log = Heard()
    monkeypatch.setattr("broker.witness.witness.log", log)
    monkeypatch.setattr("broker.witness.mirror.log", log)
    return log
