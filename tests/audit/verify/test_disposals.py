"""Leaves about disposal, judged together: each delivery in one set, each order certified."""

from __future__ import annotations

import pytest

from broker.audit.verify.disposals import (
    CERTIFIED,
    DELIVERED,
    FIRST,
    LAST,
    MISSING,
    ORDERED,
    SLACK,
    judge_disposal,
    judge_holding,
)
from broker.audit.verify.remarks import Nature
from broker.audit.verify.ties import End, key_of
from broker.receipt.disposals import digest_of
from tests.audit.verify.test_deliveries import Evidence

KEY = key_of(1)
DAY, DUE, THIS = 1_000, 5_000, 77
"""A last day, a deadline, and what stands for an order that was signed for."""
CONTRADICTORY, OVERDUE, ERASED = Nature.CONTRADICTORY, Nature.OVERDUE, Nature.ERASED


def delivery(leaf: int) -> End:
    return End("holding", KEY, leaf, DELIVERED, DAY)


def ordered(leaf: int, first: int, last: int, *members: int) -> tuple[End, End]:
    """The set of an order."""
    fact = int.from_bytes(digest_of(members)[:8], "big")
    return End("holding", KEY, leaf, FIRST, first, fact), End("holding", KEY, leaf, LAST, last, fact)


def found(judge: object, ends: tuple[End, ...], known: Evidence) -> list[tuple[Nature, int]]:
    remarks = judge(ends, known)  # type: ignore[operator]
    return [(r.nature, int(r.finding.row.removeprefix("leaf_index="))) for r in remarks]


THREE = (delivery(1), delivery(3), delivery(5))
LATER = Evidence(as_of=DAY + SLACK + 1)


@pytest.mark.parametrize(
    ("ends", "wrong"),
    [
        ((*THREE, *ordered(9, 1, 5, 1, 3, 5)), []),
        ((*THREE[:2], *ordered(4, 1, 3, 1, 3), THREE[2], *ordered(9, 5, 5, 5)), []),
        (THREE, [(OVERDUE, 1), (OVERDUE, 3), (OVERDUE, 5)]),
        ((*THREE, *ordered(9, 1, 3, 1, 3)), [(OVERDUE, 5)]),
        ((*THREE, *ordered(9, 1, 5, 1, 5)), [(CONTRADICTORY, 9)]),
        ((*THREE, *ordered(9, 1, 5, 1, 2, 3, 5)), [(CONTRADICTORY, 9)]),
        ((*THREE, *ordered(9, 1, 5, 1, 3, 5), *ordered(10, 3, 5, 3, 5)), [(CONTRADICTORY, 10)]),
        ((*THREE[:2], *ordered(4, 1, 5, 1, 3, 5), THREE[2]), [(CONTRADICTORY, 4)]),
    ],
)
def test_each_delivery_is_in_one_set(ends: tuple[End, ...], wrong: list[tuple[Nature, int]]) -> None:
    """Whose digest is that of the deliveries that the log has in its range, before the order."""
    assert found(judge_holding, ends, LATER) == wrong


def test_what_is_not_due_yet_needs_no_order() -> None:
    """And a broker that was stopped for a night is forgiven."""
    assert found(judge_holding, THREE, Evidence(as_of=DAY + SLACK)) == []


def test_what_was_erased_may_have_been_a_delivery_or_an_order() -> None:
    """Of a set with a hole nothing can be said; an order may be among later statements that are gone."""
    holed = (THREE[0], THREE[2], *ordered(9, 1, 5, 1, 3, 5))
    assert found(judge_holding, holed, Evidence(as_of=DAY, missing=frozenset({3}))) == []
    gone = Evidence(as_of=DAY + SLACK + 1, newest_missing=7)
    assert found(judge_holding, THREE[:1], gone) == [(ERASED, 1)]


def said(leaf: int, role: int, number: int = DUE, fact: int = THIS) -> End:
    return End("disposal", KEY, leaf, role, number, fact)


ORDER = said(9, ORDERED)


@pytest.mark.parametrize(
    ("ends", "wrong"),
    [
        ((ORDER, said(10, CERTIFIED)), []),
        ((ORDER, said(10, MISSING, fact=0), said(11, CERTIFIED)), []),
        ((ORDER,), [(OVERDUE, 9)]),
        ((ORDER, said(10, MISSING, fact=0)), [(OVERDUE, 9)]),
        ((ORDER, said(10, CERTIFIED), said(11, MISSING, fact=0)), [(CONTRADICTORY, 11)]),
        ((ORDER, said(10, CERTIFIED), said(11, CERTIFIED)), [(CONTRADICTORY, 11)]),
        ((ORDER, said(10, CERTIFIED, fact=THIS + 1)), [(CONTRADICTORY, 10)]),
        ((ORDER, said(10, CERTIFIED, DUE + 1)), [(CONTRADICTORY, 10)]),
        ((said(8, CERTIFIED), ORDER), [(CONTRADICTORY, 8)]),
        ((said(10, CERTIFIED),), [(CONTRADICTORY, 10)]),
    ],
)
def test_each_order_is_certified_once(ends: tuple[End, ...], wrong: list[tuple[Nature, int]]) -> None:
    """For that very order, with its deadline; without certificate it shows as missing."""
    assert found(judge_disposal, ends, Evidence(as_of=DUE + 1)) == wrong


def test_an_order_that_is_not_due_or_whose_certificate_was_erased() -> None:
    """Neither accuses anybody."""
    assert found(judge_disposal, (ORDER,), Evidence(as_of=DUE)) == []
    assert found(judge_disposal, (ORDER,), Evidence(as_of=DUE + 1, newest_missing=10)) == [(ERASED, 9)]
