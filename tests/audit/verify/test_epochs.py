"""Acts and decisions in the order of the log."""

from __future__ import annotations

import pytest

from broker.audit.verify.epochs import ACT, DECISION, NO_EPOCH, judge
from broker.audit.verify.ties import End, key_of
from broker.audit.verify.whole import Facts

KEY = key_of("epoch")


def found(*said: tuple[int, int, int], facts: Facts | None = None) -> list[str]:
    """Rows of remarks about (role, epoch, bundle) at leaves 1, 2, …"""
    ends = [End("epoch", KEY, leaf, *one) for leaf, one in enumerate(said, 1)]
    return [remark.finding.row for remark in judge(ends, facts or Facts())]


def test_a_log_in_order() -> None:
    """Decisions from before there were epochs, then each under the one in force."""
    old = [(DECISION, NO_EPOCH, 7), (DECISION, 1, 7)]
    assert found(*old, (ACT, 1, 8), (DECISION, 1, 8), (ACT, 2, 9), (DECISION, 2, 9), (ACT, 3, 9)) == []


@pytest.mark.parametrize(
    "said",
    [
        [(ACT, 1, 8), (DECISION, 2, 8)],
        [(ACT, 1, 8), (DECISION, 1, 9)],
        [(ACT, 1, 8), (DECISION, NO_EPOCH, 8)],
        [(ACT, 1, 8), (ACT, 1, 8)],
        [(ACT, 1, 8), (ACT, 3, 8)],
        [(ACT, 2, 8), (ACT, 1, 8)],
    ],
)
def test_what_is_out_of_order_is_named(said: list[tuple[int, int, int]]) -> None:
    """Another epoch or bundle than the one in force, none, and epochs that do not follow each other."""
    assert found(*said) == ["leaf_index=2"]


def test_an_act_that_was_erased_explains_a_later_epoch() -> None:
    """And not an earlier one."""
    facts = Facts(last_erased={"epoch": 2})
    assert found((ACT, 1, 8), (DECISION, 2, 9), facts=facts) == []
    assert found((ACT, 2, 8), (DECISION, 1, 9), facts=facts) == ["leaf_index=2"]
