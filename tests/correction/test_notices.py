"""What a watch tells of corrections: to whom it concerns, and nothing of the person."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from broker.applications.notices import TOLD
from broker.model import EntryKind, Identity, Role
from tests.correction import making

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
CALLER = Identity("xinghe", "tax", Role.SYSTEM, "counter-1", 1, NOW, making.DIGEST)


def test_each_step_is_told_to_both_sides() -> None:
    """Reported, answered, referred, overdue, and that somebody received a wrong value."""
    told = []
    for leaf_index, statement in enumerate(making.examples(CALLER), 20):
        said = orjson.loads(statement)
        notice = TOLD[EntryKind(said["kind"])](leaf_index, said)
        assert set(notice.concerned) == {"tax", "civil_affairs"}
        assert notice.receipt == leaf_index
        told.append((notice.name, notice.act, notice.state, notice.due_at is not None))
    assert told == [
        ("corrections/20", "report", "open", True),
        ("corrections/21", "report", "open", True),
        ("corrections/9", "answer", "corrected", False),
        ("corrections/9", "answer", "referred", False),
        ("corrections/9", "miss", "overdue", True),
        ("corrections/9", "tell", "corrected", False),
    ]
