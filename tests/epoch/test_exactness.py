"""One epoch for every worker: what is decided under one is recorded in it, or decided again."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from broker.errors import BrokerError, NotAuthenticated, Unavailable
from broker.journal import EpochMoved
from broker.model import Target, Verdict, Why
from broker.reasons import Reason
from broker.standing import MOST_EPOCHS
from tests.waiting import wait_for

LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
CALLS = 10
"""Answered calls under each epoch, at least."""
MARRIAGE = "sharing/civil-affairs-marriage.yaml"


def always():
    return True


def follows(statements):
    """That every decision stands in the log under the epoch that was in force there, and how many did."""
    epoch, bundle, decided = 0, "", 0
    for said in statements[1:]:
        if said["kind"] == "epoch":
            assert said["epoch"] == epoch + 1
            epoch, bundle = said["epoch"], said["bundle"]
        elif said["kind"] != "certificate_chain":
            assert (said["decision"]["epoch"], said["decision"]["bundle"]) == (epoch, bundle)
            decided += 1
    return decided


def test_a_call_decided_under_an_old_epoch_is_decided_again(any_world):
    """The worker has not looked yet; the commit tells it, and the caller sees the new answer only."""
    worker = any_world.worker()
    assert worker.unary(any_world.withdrawal(), any_world.consumer, always).answer is not None
    any_world.suspend(Target.CONSUMER, "housing_fund")
    refused = worker.unary(any_world.withdrawal(), any_world.consumer, always)
    assert refused.decision.verdict is Verdict.DENY
    assert refused.decision.reasons == (Why(Reason.SUSPENDED, "housing_fund suspensions/2"),)
    assert refused.answer is None
    assert follows(any_world.statements()) == 2


def test_a_revoked_caller_identified_before_is_refused(any_world):
    """The identity was proved under the old list; nothing is recorded under the new one."""
    worker, bad = any_world.worker(), any_world.issue("housing_fund", "bad")
    assert worker.unary(any_world.withdrawal(), bad, always).answer is not None
    any_world.revoke(bad)
    size = any_world.store.head().size
    with pytest.raises(NotAuthenticated) as refused:
        worker.unary(any_world.withdrawal(), bad, always)
    assert refused.value.reason is Reason.CERTIFICATE_REVOKED
    assert any_world.store.head().size == size
    assert worker.unary(any_world.withdrawal(), any_world.consumer, always).answer is not None


def test_a_new_policy_counts_for_the_call_under_way(any_world):
    """The limit that was published while the worker slept refuses the rows it would have released."""
    worker = any_world.worker()
    files = any_world.edit(MARRIAGE, "purposes: [housing_fund_withdrawal]", "purposes: [housing_fund_audit]")
    any_world.publisher.policy(files, any_world.order)
    refused = worker.unary(any_world.withdrawal(), any_world.consumer, always)
    assert refused.decision.reasons == (Why(Reason.PURPOSE_NOT_PERMITTED),)


def test_a_retry_is_no_way_around_a_suspension(any_world):
    """What was released once is not handed out again while its sharing is suspended, and is afterwards."""
    worker, request = any_world.worker(), any_world.withdrawal()
    first = worker.unary(request, any_world.consumer, always)
    suspension = any_world.suspend(Target.DATASET, "civil_affairs.marriage")
    assert worker.unary(request, any_world.consumer, always).decision.verdict is Verdict.DENY
    any_world.publisher.lift(suspension.number, any_world.order)
    again = worker.unary(request, any_world.consumer, always)
    assert again.redelivered
    assert again.receipt.leaf_index == first.receipt.leaf_index


def test_an_epoch_that_never_rests_ends_the_call_safely(world):
    """Deciding again is bounded; the caller learns that a retry is safe."""
    worker = world.worker()
    moves = []

    class Restless:
        def append(self, entry, rows=0):
            moves.append(entry)
            raise EpochMoved(0)

    object.__setattr__(worker, "log", Restless())
    with pytest.raises(Unavailable) as refused:
        worker.unary(world.withdrawal(), world.consumer, always)
    assert refused.value.reason is Reason.LOG_UNAVAILABLE
    assert len(moves) == MOST_EPOCHS


def test_no_act_is_overtaken_and_no_call_fails(any_world, monkeypatch):
    """16 callers on two workers while everything is published, suspended, lifted and revoked: the log itself
    shows that nothing was recorded under an epoch that was over; only the revoked caller saw an error."""
    any_world.in_real_time(monkeypatch)
    workers = [any_world.worker() for _ in range(2)]
    bad = any_world.issue("housing_fund", "bad")
    stop, counting = threading.Event(), threading.Lock()
    failures, overtaken, answered = [], [], Counter()
    published = [any_world.epochs().current().sequence]

    def hammer(number):
        worker, consumer = workers[number % 2], bad if number < 4 else any_world.consumer
        while not stop.is_set():
            floor = published[0]
            try:
                exchanged = worker.unary(any_world.withdrawal(), consumer, always)
            except BrokerError as error:
                failures.append((consumer is bad, error.reason))
                time.sleep(0.01)
                continue
            said = orjson.loads(exchanged.receipt.statement)
            with counting:
                answered[said["decision"]["epoch"], consumer is bad] += 1
            if said["decision"]["epoch"] < floor:
                overtaken.append(said)

    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(hammer, number) for number in range(16)]
        try:
            wait_for(lambda: answered[published[0], True] >= CALLS and answered[published[0], False] >= CALLS)
            for act in acts(any_world, bad):
                published[0] = act()
                wait_for(lambda: answered[published[0], False] >= CALLS)
        finally:
            stop.set()
        for call in calls:
            call.result()

    assert overtaken == []
    assert set(failures) <= {(True, Reason.CERTIFICATE_REVOKED)}
    statements = any_world.statements()
    assert follows(statements) >= 9 * CALLS
    assert_suspended_between(statements)
    assert_nothing_after_revocation(statements, bad)


def acts(world, bad):
    """Each gives the sequence that is in force when it returns."""
    limits = [f"limits: {{rows_per_call: {n}, subjects_per_call: 4}}" for n in (10, 9, 8)]
    stops = []

    def publish(before, after):
        return world.publisher.policy(world.edit(MARRIAGE, before, after), world.order).after.sequence

    def stop():
        stops.append(world.suspend(Target.CONSUMER, "housing_fund").number)
        return stops[-1]

    yield lambda: publish(limits[0], limits[1])
    yield stop
    yield lambda: world.publisher.lift(stops[-1], world.order)[1].after.sequence
    yield lambda: world.revoke(bad).after.sequence
    yield stop
    yield lambda: publish(limits[1], limits[2])
    yield lambda: world.publisher.lift(stops[-1], world.order)[1].after.sequence


def assert_suspended_between(statements):
    stopped = set()
    for said in statements[1:]:
        if said["kind"] == "epoch":
            if said["act"] == "suspend":
                stopped.add(said["suspension"]["number"])
            elif said["act"] == "lift":
                stopped.remove(said["suspension"]["number"])
        elif said["kind"] != "certificate_chain":
            reasons = [why["code"] for why in said["decision"]["reasons"]]
            assert reasons == (["SUSPENDED"] if stopped else [])


def assert_nothing_after_revocation(statements, bad):
    (revoked,) = [i for i, said in enumerate(statements) if said.get("act") == "revocations"]
    assert any(said["consumer"]["uri"] == bad.uri for said in statements[:revoked] if "consumer" in said)
    assert all(said["consumer"]["uri"] != bad.uri for said in statements[revoked:] if "consumer" in said)
