"""Leases, opened, renewed, retried, ended, watched and closed in any order: one winner, no false loser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from broker.errors import Changed, Unavailable
from broker.journal import Claim, Lease, LeaseLost
from broker.leases import MOST_RENEWALS, SURE, Held, Watch
from broker.model import EntryKind
from broker.reasons import Reason
from broker.receipt.attempts import Leases, interruption
from broker.receipt.batch import Admitted, Batch

SECONDS = 10.0
STEP = 8.0
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class Holder:
    """A process that streams, with what it believes."""

    request_id: str
    opening: int
    until: float
    """Until when it hands over chunks unasked."""


@dataclass
class Database:
    """What the table of leases and of request ids hold, from one transaction to the next."""

    files: Any
    statements: list[dict[str, Any]] = field(default_factory=list)
    leases: dict[int, Lease] = field(default_factory=dict)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)

    def append(self, entry: Any) -> Admitted:
        """One entry, in a transaction of its own."""
        size = len(self.statements)
        batch = Batch(size, 1, NOW, dict(self.claims), {}, leases=Leases.of(self.leases.values()))
        try:
            return batch.admit(entry, 0)
        finally:
            self.statements += [orjson.loads(leaf.entry.statement) for leaf in batch.leaves]
            self.claims = batch.claims
            batch.leases.settle(self)

    def settle(self, begun: Any, ended: Any, answered: Any) -> None:
        for opening in ended:
            del self.leases[opening]
        for lease in begun:
            assert lease.key not in [other.key for other in self.leases.values()]
            self.leases[lease.opening] = lease

    def live(self) -> list[Lease]:
        return list(self.leases.values())


def machine(files: Any) -> type[RuleBasedStateMachine]:
    """Four request ids, any number of attempts, two who watch; time passes as it likes."""

    class Machine(RuleBasedStateMachine):
        holders, closings = Bundle("holders"), Bundle("closings")
        durations = st.sampled_from([0.0, 1.0, 4.0, 6.0, 2 * SECONDS])

        def __init__(self) -> None:
            super().__init__()
            self.time = 0.0
            self.database = Database(files)
            self.watchers = [Watch(STEP), Watch(STEP)]
            self.held: dict[int, Holder] = {}

        @rule(target=holders, request_id=st.sampled_from("abcd"), took=st.floats(0, 1))
        def open(self, request_id: str, took: float) -> Holder:
            since = self.time
            self.time += took
            opening = self.database.append(files.opening(request_id, SECONDS)).leaf_index
            self.held[opening] = Holder(request_id, opening, since + SURE * SECONDS)
            return self.held[opening]

        @rule(holder=holders, took=durations)
        def renew(self, holder: Holder, took: float) -> None:
            began, lease = self.time, self.database.leases.get(holder.opening)
            self.time += took
            if lease is None:
                holder.until = 0.0
            else:
                self.database.leases[holder.opening] = replace(lease, renewals=lease.renewals + 1)
                holder.until = began + SURE * SECONDS

        @rule(holder=holders, content=st.sampled_from([b"old", b"new"]), interrupted=st.booleans())
        def end(self, holder: Holder, content: bytes, interrupted: bool) -> None:
            alive = holder.opening in self.database.leases
            outcome = files.outcome(holder.request_id, holder.opening, content, interrupted=interrupted)
            try:
                self.database.append(outcome)
            except LeaseLost:
                assert not alive
            except Changed:
                assert alive
            else:
                assert alive

        @rule(target=closings, steps=st.lists(durations, min_size=1, max_size=4), both=st.booleans())
        def look(self, steps: list[float], both: bool) -> Any:
            found: list[Lease] = []
            for step in steps:
                self.time += step
                for watcher in self.watchers if both else self.watchers[:1]:
                    found += watcher.run_out(self.database.live(), self.time)
            return multiple(*found)

        @rule(lease=consumes(closings))
        def close(self, lease: Lease) -> None:
            try:
                self.database.append(interruption(lease, Reason.LEASE_EXPIRED, NOW))
            except LeaseLost:
                return
            assert self.time >= self.held[lease.opening].until, "closed while its holder believed in it"

        @invariant()
        def every_opening_has_a_lease_or_one_outcome(self) -> None:
            statements = self.database.statements
            outcomes = Counter(s["decision_leaf"] for s in statements if "decision_leaf" in s)
            opening = {i for i, s in enumerate(statements) if s["kind"] != EntryKind.STREAM_OUTCOME}
            assert {i for i in opening if i not in self.database.leases} == set(outcomes)
            assert set(outcomes.values()) <= {1}

        @invariant()
        def complete_outcomes_of_one_id_agree(self) -> None:
            told: dict[str, set[str]] = {}
            for said in self.database.statements:
                if said["kind"] == EntryKind.STREAM_OUTCOME and not said["outcome"]["interrupted"]:
                    told.setdefault(said["request_id"], set()).add(said["outcome"]["digest"])
            assert all(len(digests) == 1 for digests in told.values())

    return Machine


def test_one_winner_in_any_order(broker_log: Callable[..., Any]) -> None:
    """No stream has two outcomes or none for ever, none is closed while its holder may hand over a chunk, and
    nobody gets two answers under one request id."""
    case = machine(broker_log).TestCase
    case.settings = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    case().runTest()


def lease(opening: int, renewals: int = 0) -> Lease:
    return Lease(opening, ("uri", str(opening)), 10_000, renewals, b"")


def test_a_lease_runs_out_when_it_was_seen_unrenewed_for_its_time() -> None:
    """Each renewal, and being seen for the first time, starts the time anew."""
    watch = Watch(STEP)
    assert watch.run_out([lease(1)], 100.0) == []
    assert watch.run_out([lease(1), lease(2)], 105.0) == []
    assert watch.run_out([lease(1), lease(2, 1)], 111.0) == [lease(1)]
    assert watch.run_out([lease(2, 1)], 116.0) == []
    assert watch.run_out([lease(2, 1)], 122.0) == [lease(2, 1)]


class SlowKeeper:
    """Renews as a keeper does, each time taking as many seconds as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slow: list[float]) -> None:
        self.slow = slow
        self.now = 0.0
        self.held = Held(self, 1, bytes, until=-1.0)  # type: ignore[arg-type]
        monkeypatch.setattr("broker.leases.elapsed", lambda: self.now)

    def renew(self) -> None:
        began = self.now
        self.now += self.slow.pop(0)
        self.held.renewed(began + SURE * SECONDS)


@pytest.mark.parametrize("slow", [[0.0], [SECONDS, 0.0], [SECONDS] * (MOST_RENEWALS - 1) + [0.0]])
def test_a_renewal_that_came_too_late_is_made_again(
    monkeypatch: pytest.MonkeyPatch, slow: list[float]
) -> None:
    """A disk that stood still for longer than a lease holds breaks off no stream that still has it."""
    keeper = SlowKeeper(monkeypatch, slow)
    keeper.held.check()
    assert not slow


def test_renewals_that_never_come_in_time_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell then whether the lease is held, so nothing more is handed over."""
    keeper = SlowKeeper(monkeypatch, [SECONDS] * MOST_RENEWALS)
    with pytest.raises(Unavailable) as caught:
        keeper.held.check()
    assert caught.value.reason is Reason.LOG_UNAVAILABLE


def test_who_was_asleep_himself_has_seen_nothing() -> None:
    """After a pause of the whole machine holders have time to renew before anybody closes their streams."""
    watch = Watch(STEP)
    watch.run_out([lease(1)], 0.0)
    assert watch.run_out([lease(1)], 3600.0) == []
    assert watch.run_out([lease(1, 1)], 3604.0) == []


@pytest.mark.parametrize("gone", [[], [lease(2)]])
def test_what_has_ended_is_forgotten(gone: list[Lease]) -> None:
    """A lease that comes back under the same leaf, as after a restore, is seen for the first time."""
    watch = Watch(STEP)
    watch.run_out([lease(1)], 0.0)
    watch.run_out(gone, 4.0)
    assert watch.run_out([lease(1)], 8.0) == []
    assert watch.run_out([lease(1)], 12.0) == []
