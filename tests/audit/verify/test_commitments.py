"""What rests on a lodged use commitment comes after it, says the same, and comes before its end."""

from __future__ import annotations

import pytest

from broker.audit.verify.commitments import COMMITMENT, LODGED, USED, WITHDRAWN
from broker.audit.verify.remarks import Nature
from broker.audit.verify.ties import End, key_of
from broker.audit.verify.whole import Facts

KEY = key_of("commitment", 5)


def end(leaf: int, role: int, fact: int = 1) -> End:
    return End("commitment", KEY, leaf, role, 5, 0 if role == WITHDRAWN else fact)


def remarks(*ends: End, absent: bool = False) -> list[tuple[Nature, str]]:
    """What is remarked, with the leaf it is about."""
    known = Facts()
    if absent:
        known.without(5, 6)
    return [(one.nature, one.finding.row) for one in COMMITMENT.judge(ends, known)]


@pytest.mark.parametrize(
    ("ends", "wrong"),
    [
        ((end(5, LODGED), end(6, USED), end(9, USED)), None),
        ((end(5, LODGED), end(6, USED), end(7, WITHDRAWN)), None),
        ((end(6, USED),), "6"),
        ((end(7, WITHDRAWN),), "7"),
        ((end(4, USED), end(5, LODGED)), "4"),
        ((end(5, LODGED), end(6, USED, fact=2)), "6"),
        ((end(5, LODGED), end(6, WITHDRAWN), end(7, USED)), "7"),
        ((end(5, LODGED), end(6, WITHDRAWN), end(7, WITHDRAWN)), "7"),
    ],
)
def test_each_use_is_held_against_what_was_lodged(ends: tuple[End, ...], wrong: str | None) -> None:
    """Before it, after its end, or of other terms: contradictory, and told of the leaf that says so."""
    found = remarks(*ends)
    assert [nature for nature, _ in found] == ([] if wrong is None else [Nature.CONTRADICTORY])
    assert all(wrong is not None and wrong in row for _, row in found)


def test_what_is_not_there_accuses_nobody() -> None:
    """Of an export that begins later, or lost the statement."""
    assert remarks(end(6, USED), absent=True) == []
    assert remarks(end(6, WITHDRAWN), end(7, USED), absent=True) != []
