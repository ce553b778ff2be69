"""Statements that are not there: what a leaf explains, and what nobody does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from broker.audit.verify.absent import Absent
from broker.audit.verify.evidence import DatabasePlace
from broker.audit.verify.heads import open_head
from broker.audit.verify.run import Job, Report, verify
from broker.audit.verify.said import Anchors
from broker.receipt.log_keys import LogKeys
from broker.receipt.retention import Expiry, Rule, erase
from broker.receipt.statement import retention
from broker.store import open_store
from tests.audit.verify.conftest import natures

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=4 * 366)


class Aged:
    """A log of 20 exchanges, seen years later."""

    def __init__(self, log: Any, folder: Path) -> None:
        self.log, self.folder = log, folder
        log.fill(20)
        self.note = self.expire(Rule(LATER, 3))

    def expire(self, rule: Rule) -> str:
        """Erases what is too old; gives the head that says so."""
        with closing(open_store(self.log.url)) as store:
            erase(store, rule, actor="keeper", reason="yearly")
        with self.log.running() as log:
            log.sign()
            note: str = log.checkpoint()
            return note

    def change(self, statement: str) -> None:
        engine = create_engine(self.log.url)
        with engine.begin() as connection:
            assert connection.execute(text(statement)).rowcount
        engine.dispose()

    def verified(self, **more: Any) -> Report:
        anchors = Anchors(LogKeys.of(self.log.key))
        head, _ = open_head(self.note, anchors)
        return verify(Job(DatabasePlace(self.log.url), anchors, head, **more))


@pytest.fixture
def aged(tmp_path: Path, broker_log: Callable[..., Any]) -> Aged:
    return Aged(broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path), tmp_path)


def test_what_a_leaf_says_has_expired_is_no_finding(aged: Aged, tmp_path: Path) -> None:
    """It is counted apart; also when the verification is gone on with."""
    journal = tmp_path / "journal"
    for resumed in (0, 22):
        report = aged.verified(journal=journal)
        assert (report.remarks, report.absent, report.expired) == ([], 20, 20)
        assert report.resumed == resumed


def test_what_no_leaf_tells_of_is_said(aged: Aged) -> None:
    """The genesis statement has not expired; and erased is more than was told of, if a newer one is, too."""
    aged.change("DELETE FROM statement WHERE leaf_index = 0")
    report = aged.verified()
    assert natures(report) == {("erased", "leaf", "leaf_index=0", "")}
    assert (report.absent, report.expired, report.unverified) == (21, 20, 0)


def test_no_more_is_explained_than_was_told_of() -> None:
    """Whoever hides a statement that was to be kept among those that expired is one too many."""
    absent = Absent([(1, 6)], [Expiry(9, 1, 8, 4, NOW)])
    assert absent.expired() == 4
    assert [remark.finding.row for remark in absent.remarks()] == ["leaf_index=9"]


RANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=5)


@given(RANGES, st.sets(st.integers(0, 40)))
def test_each_leaf_without_statement_is_explained_or_named(ranges: Any, gone: set[int]) -> None:
    """However the ranges of the acts overlap."""
    expiries = [Expiry(50, first, first + wide, wide + 1, NOW) for first, wide in ranges]
    explained = {leaf for leaf in gone if any(one.first <= leaf <= one.last for one in expiries)}
    absent = Absent([(leaf, leaf + 1) for leaf in sorted(gone)], expiries)
    assert absent.expired() == len(explained)
    named = {remark.finding.row for remark in absent.remarks()}
    assert named == {f"leaf_index={leaf}" for leaf in gone - explained}


@pytest.mark.parametrize(
    ("due", "years", "before"),
    [
        ((0, 3, 2), 3, LATER.replace(year=LATER.year - 3)),
        ((1, 30, 2), 3, LATER.replace(year=LATER.year - 3)),
        ((3, 1, 2), 3, LATER.replace(year=LATER.year - 3)),
        ((1, 3, 4), 3, LATER.replace(year=LATER.year - 3)),
        ((1, 3, 3), 2, LATER.replace(year=LATER.year - 3)),
        ((1, 3, 3), 3, LATER - timedelta(days=300)),
    ],
)
def test_an_act_that_cannot_be_is_a_contradiction(
    due: tuple[int, int, int], years: int, before: datetime, aged: Aged
) -> None:
    """Of leaves that were not there, more than there were, or younger than the law allows."""
    from broker.audit.verify.blocks import judged

    by = {"actor": "x", "reason": "x", "hold": (), "hold_cases": (), "periods": {}}
    content = retention(due, LATER, years=years, before=before, **by)
    assert orjson.loads(content)["kind"] == "retention"
    _, remarks, _ = judged(21, content, Anchors(LogKeys.of(aged.log.key)))
    assert [remark.nature.value for remark in remarks] == ["contradictory"]
