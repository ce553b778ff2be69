"""A stream under way: every chunk, and the outcome itself, stand under what is in force."""

from dataclasses import replace
from datetime import timedelta

import pytest

from broker.errors import Changed, NotAuthenticated
from broker.exchange import Closing, Opening
from broker.model import Target, Verdict, Why
from broker.reasons import Reason

HOUSEHOLD = "sharing/public-security-household.yaml"
MOBILE = "mobile: by_level"


def always():
    return True


@pytest.fixture
def under_way(any_world):
    """A stream, its consumer, its opening; the first chunk has been taken."""
    consumer = any_world.issue("medical_insurance", "streams")
    parts = any_world.worker().stream(any_world.package(), consumer, always)
    opening = next(parts)
    assert isinstance(opening, Opening)
    assert isinstance(next(parts), bytes)
    return parts, consumer, opening


def all_but_the_end(parts):
    """Takes every chunk, so that only the outcome is missing."""
    for part in parts:
        if isinstance(part, bytes) and part.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00"):  # Arrow's end mark
            return
    raise AssertionError("no end mark")


def outcome_of(world, opening):
    (said,) = [s for s in world.statements() if s.get("decision_leaf") == opening.receipt.leaf_index]
    return said


ENDINGS = {
    "suspended": (Changed, Why(Reason.NO_LONGER_PERMITTED, "SUSPENDED medical_insurance suspensions/2")),
    "no permit any more": (Changed, Why(Reason.NO_LONGER_PERMITTED, "PURPOSE_NOT_PERMITTED")),
    "stricter mask": (Changed, Why(Reason.NO_LONGER_PERMITTED, "obligations")),
    "fewer rows": (Changed, Why(Reason.NO_LONGER_PERMITTED, "obligations")),
    "other source": (Changed, Why(Reason.NO_LONGER_PERMITTED, "obligations")),
    "revoked": (NotAuthenticated, Why(Reason.CERTIFICATE_REVOKED)),
}


def end(how, world, consumer):
    edits = {
        "no permit any more": (HOUSEHOLD, "purposes: [grid_service]", "purposes: [housing_fund_audit]"),
        "stricter mask": (HOUSEHOLD, MOBILE, "mobile: {redact: {}}"),
        "fewer rows": (HOUSEHOLD, "calls_per_day: 2000", "calls_per_day: 2000, rows_per_call: 100000"),
        "other source": ("catalog/public_security.yaml", "table: czrk", "table: czrk_2026"),
    }  # fmt: skip
    if how == "suspended":
        world.suspend(Target.CONSUMER, "medical_insurance")
    elif how == "revoked":
        world.revoke(consumer)
    else:
        world.publisher.policy(world.edit(*edits[how]), world.order)


@pytest.mark.parametrize("how", ENDINGS)
def test_a_stream_that_may_not_go_on_is_stopped_within_a_look(any_world, under_way, how):
    """No further chunk, an outcome that says why and how far it came, under the decision it ran by."""
    parts, consumer, opening = under_way
    end(how, any_world, consumer)
    any_world.let_it_look()
    error, why = ENDINGS[how]
    with pytest.raises(error) as stopped:
        next(parts)
    assert (stopped.value.reason, stopped.value.about) == (why.reason, why.about)
    assert list(parts) == []
    said = outcome_of(any_world, opening)
    assert said["outcome"]["interrupted"]
    assert said["outcome"]["reasons"] == [{"code": why.reason, "about": why.about}]
    assert (said["decision"]["epoch"], said["decision"]["bundle"]) == (1, opening.decision.bundle_hash)


ENDS = {
    "the permit": (timedelta(days=20 * 365), Changed, Why(Reason.NO_LONGER_PERMITTED, "OUTSIDE_VALIDITY")),
    "the certificate": (timedelta(0), NotAuthenticated, Why(Reason.CERTIFICATE_EXPIRED)),
}


@pytest.mark.parametrize("what", ENDS)
def test_a_stream_does_not_outlive_its_permit_nor_its_certificate(world, what):
    """However slowly it is taken: what has ended meanwhile ends it, without anybody doing anything."""
    lasts, error, why = ENDS[what]
    consumer = world.issue("medical_insurance", "streams")
    consumer = replace(consumer, not_after=consumer.not_after + lasts)
    parts = world.worker().stream(world.package(), consumer, always)
    next(parts), next(parts)
    world.ahead = timedelta(days=10 * 365)
    with pytest.raises(error) as stopped:
        next(parts)
    assert (stopped.value.reason, stopped.value.about) == (why.reason, why.about)


@pytest.mark.parametrize("how", ENDINGS)
def test_an_act_before_the_outcome_commits_interrupts_the_stream(any_world, under_way, how):
    """All chunks were handed over, the end is not: the outcome is of the new epoch, or interrupted."""
    parts, consumer, opening = under_way
    all_but_the_end(parts)
    end(how, any_world, consumer)
    error, why = ENDINGS[how]
    with pytest.raises(error) as stopped:
        next(parts)
    assert (stopped.value.reason, stopped.value.about) == (why.reason, why.about)
    assert outcome_of(any_world, opening)["outcome"]["interrupted"]


@pytest.mark.parametrize("when", ["under way", "before the outcome"])
def test_a_stream_that_may_go_on_ends_in_the_epoch_it_is_recorded_in(any_world, under_way, when):
    """Acts that do not concern it cost a stream nothing; its outcome names the epoch in force."""
    parts, _, opening = under_way
    if when == "before the outcome":
        all_but_the_end(parts)
    any_world.suspend(Target.CONSUMER, "tax")
    any_world.revoke(any_world.issue("medical_insurance", "another"))
    files = any_world.edit(HOUSEHOLD, "retain_days: 30", "retain_days: 29")  # another rule's
    moved = any_world.publisher.policy(files, any_world.order)
    any_world.let_it_look()
    *_, closing = parts
    assert isinstance(closing, Closing)
    assert not closing.outcome.interrupted
    said = outcome_of(any_world, opening)
    assert not said["outcome"]["interrupted"]
    assert (said["decision"]["epoch"], said["decision"]["bundle"]) == (
        moved.after.sequence,
        moved.after.bundle_hash,
    )
    assert said["decision"]["verdict"] == Verdict.PERMIT


def test_a_stream_suspended_before_it_begins_is_refused(any_world):
    """The worker has not looked since the act: the first leaf is already the refusal."""
    worker, consumer = any_world.worker(), any_world.issue("medical_insurance", "streams")
    any_world.suspend(Target.PURPOSE, "grid_service")
    (opening,) = worker.stream(any_world.package(), consumer, always)
    assert opening.decision.verdict is Verdict.DENY
    assert opening.decision.reasons == (Why(Reason.SUSPENDED, "grid_service suspensions/2"),)


def test_a_stream_the_caller_leaves_says_so_whatever_the_epoch(any_world, under_way):
    """That it broke off is a fact, true in any epoch."""
    parts, _, opening = under_way
    any_world.suspend(Target.EVERYTHING)
    parts.close()
    said = outcome_of(any_world, opening)
    assert (said["outcome"]["interrupted"], said["outcome"]["reasons"]) == (True, [])
