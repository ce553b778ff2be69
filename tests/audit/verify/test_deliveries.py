"""Leaves about one delivery, judged together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from broker.audit.verify.deliveries import (
    DELIVERED,
    DISPUTED,
    DUE,
    MISSING,
    NO_DEADLINE,
    REPEATED,
    SETTLED,
    SETTLES,
    SIGNED,
    judge,
)
from broker.audit.verify.remarks import Nature
from broker.audit.verify.ties import End, key_of

KEY = key_of(1)
BY, THIS, ELSE = 1_000, 77, 78
"""A deadline; what stands for a leaf with its digest, and for something else."""


@dataclass(frozen=True)
class Evidence:
    """What is known of it."""

    as_of: int = 0
    missing: frozenset[int] = frozenset()
    newest_missing: int = -1

    def hidden(self, leaf: int) -> bool:
        return leaf in self.missing

    def hides(self, leaf: int, *kinds: str) -> bool:
        return self.newest_missing > leaf


def end(leaf: int, role: int, number: int = 1, fact: int = THIS) -> End:
    return End("delivery", KEY, leaf, role, number, fact)


def acknowledged(leaf: int, due: int = BY) -> tuple[End, End]:
    return end(leaf, SIGNED), end(leaf, SETTLED, due, 1)


def found(*ends: End, known: Evidence = Evidence()) -> list[tuple[Nature, int]]:
    remarks = judge(ends, known)
    return [(r.nature, int(r.finding.row.removeprefix("leaf_index="))) for r in remarks]


DELIVERY = end(1, DUE, BY)


@pytest.mark.parametrize(
    "ends",
    [
        (DELIVERY, *acknowledged(2)),
        (DELIVERY, end(2, MISSING, BY, 1), *acknowledged(3)),
        (DELIVERY, end(2, DISPUTED, fact=ELSE), *acknowledged(3), end(4, DISPUTED, fact=ELSE)),
        (end(1, DELIVERED, NO_DEADLINE), *acknowledged(2, NO_DEADLINE)),
        (end(1, REPEATED, 0), end(2, SIGNED), end(2, SETTLES, 0)),
    ],
)
def test_what_a_broker_does_is_in_order(ends: tuple[End, ...]) -> None:
    """In time, late, disputed before and after, unasked, and of a stream that came again."""
    assert found(*ends, known=Evidence(as_of=2 * BY)) == []


@pytest.mark.parametrize(
    ("ends", "leaf"),
    [
        ((DELIVERY, end(2, SIGNED, fact=ELSE), end(2, SETTLED, BY, 1)), 2),
        ((DELIVERY, *acknowledged(2), end(3, DISPUTED)), 3),
        ((DELIVERY, *acknowledged(2, BY + 1)), 2),
        ((DELIVERY, *acknowledged(2), end(3, SETTLED, BY, 1)), 3),
        ((DELIVERY, *acknowledged(2), end(3, MISSING, BY, 1)), 3),
        ((DELIVERY, end(2, MISSING, BY + 1, 1), *acknowledged(3)), 2),
        ((DELIVERY, end(2, MISSING, BY, 1), end(3, MISSING, BY, 1), *acknowledged(4)), 3),
        ((end(2, SIGNED),), 2),
        ((end(2, SETTLED, BY, 1),), 2),
        ((end(2, MISSING, BY, 1),), 2),
        ((end(1, SIGNED), end(2, DELIVERED, NO_DEADLINE)), 1),
        ((end(1, REPEATED, 0), end(2, SIGNED), end(2, SETTLES, 5)), 2),
        ((end(1, REPEATED, 0), end(2, SIGNED)), 2),
        ((DELIVERY, *acknowledged(2), end(2, SETTLES, 5)), 2),
    ],
)
def test_what_does_not_go_together_is_named(ends: tuple[End, ...], leaf: int) -> None:
    """Of each pair that contradicts itself, the later one."""
    assert found(*ends) == [(Nature.CONTRADICTORY, leaf)]


def test_what_is_not_acknowledged_in_time_is_overdue() -> None:
    """When the time has passed, whether or not a leaf says so; before, there is nothing to say."""
    assert found(DELIVERY, known=Evidence(as_of=BY)) == []
    for said in ((), (end(2, MISSING, BY, 1),), (end(2, DISPUTED, fact=ELSE),)):
        assert found(DELIVERY, *said, known=Evidence(as_of=BY + 1)) == [(Nature.OVERDUE, 1)]


def test_what_is_not_there_is_held_against_nobody() -> None:
    """An erased delivery contradicts nothing; an erased acknowledgement may have been there."""
    ends = (*acknowledged(2), end(3, MISSING, BY, 1))
    assert found(*ends[:2], known=Evidence(missing=frozenset({1}))) == []
    assert found(DELIVERY, known=Evidence(as_of=2 * BY, newest_missing=5)) == [(Nature.ERASED, 1)]
