"""Leaves of one request, judged together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from broker.audit.verify.remarks import Nature
from broker.audit.verify.requests import (
    ANSWER,
    INTERRUPTED,
    LONGEST_STREAM,
    OPENED,
    OUTCOME,
    REDELIVERED,
    REOPENED,
    UNLEASED,
    judge,
)
from broker.audit.verify.ties import End, key_of

KEY = key_of("spiffe://xinghe/department/tax/system/counter-1", "request")


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


def end(leaf: int, role: int, number: int = -1, fact: int = 0) -> End:
    return End("request", KEY, leaf, role, number, fact)


def found(*ends: End, known: Evidence = Evidence()) -> list[tuple[Nature, int]]:
    remarks = judge(ends, known)
    return [(r.nature, int(r.finding.row.removeprefix("leaf_index="))) for r in remarks]


@pytest.mark.parametrize(
    "ends",
    [
        (end(1, ANSWER),),
        (end(1, ANSWER), end(2, REDELIVERED, 1), end(3, REDELIVERED, 1)),
        (end(1, OPENED), end(2, OUTCOME, 1), end(3, REOPENED, 2), end(4, OUTCOME, 3, 1)),
        (end(1, OPENED), end(2, INTERRUPTED, 1), end(3, REOPENED, 1), end(4, OUTCOME, 3)),
        (end(1, UNLEASED), end(2, OUTCOME, 1)),
    ],
)
def test_what_a_broker_does_is_in_order(ends: tuple[End, ...]) -> None:
    """Answers, retries, streams with attempts, and streams of older logs."""
    assert found(*ends, known=Evidence(as_of=2 * LONGEST_STREAM)) == []


@pytest.mark.parametrize(
    ("ends", "leaf"),
    [
        ((end(1, ANSWER), end(2, ANSWER)), 2),
        ((end(1, OPENED), end(2, OUTCOME, 1), end(3, ANSWER)), 3),
        ((end(1, ANSWER), end(2, REDELIVERED, 0)), 2),
        ((end(1, ANSWER), end(2, REDELIVERED, 2)), 2),
        ((end(1, REDELIVERED, 2), end(2, ANSWER)), 1),
        ((end(1, OPENED), end(2, OUTCOME, 0)), 2),
        ((end(1, OPENED), end(2, OUTCOME, 1), end(3, INTERRUPTED, 1)), 1),
        ((end(1, OPENED), end(2, OUTCOME, 1), end(3, REOPENED, 2), end(4, OUTCOME, 3)), 4),
    ],
)
def test_what_contradicts_itself_is_named(ends: tuple[End, ...], leaf: int) -> None:
    """An id answered twice, pointers to nothing, to later leaves or to others, two outcomes."""
    assert (Nature.CONTRADICTORY, leaf) in found(*ends)


def test_a_stream_without_outcome_is_overdue_in_time() -> None:
    """Not while it may be under way; and where statements are gone, nobody can tell."""
    opened = end(1, OPENED, fact=1)
    assert found(opened, known=Evidence(as_of=LONGEST_STREAM)) == []
    assert found(opened, known=Evidence(as_of=LONGEST_STREAM + 2)) == [(Nature.OVERDUE, 1)]
    gone = Evidence(as_of=LONGEST_STREAM + 2, newest_missing=5)
    assert found(opened, known=gone) == [(Nature.ERASED, 1)]


def test_what_points_to_an_erased_statement_is_believed() -> None:
    """The leaf is there, and nobody can say that it was something else."""
    assert found(end(7, REDELIVERED, 3), known=Evidence(missing=frozenset({3}))) == []
