"""Claims compared with what is on record: told only yes or no, so many a day, and nothing of them is kept."""

import sqlite3
import uuid
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from broker.errors import Conflict, MalformedRequest, TooLarge
from broker.matches import with_matches
from broker.model import Claim, Verdict
from broker.reasons import Reason
from broker.transmit.digest import canonical_answer
from tests.epoch.test_streaming import always

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
YEAR = "        registered_on: year\n"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
WRONG = "未婚"
DATA, COUPLE = "civil_affairs.db", "SELECT nan_sfzh, nv_sfzh FROM hydj WHERE nan_sfzh = ? OR nv_sfzh = ?"
DAY, ZONE = timedelta(days=1), ZoneInfo("Asia/Shanghai")


@pytest.fixture
def matching(world):
    """A worker under a policy that tells only whether the status is as claimed; and what it truly is."""
    worker = world.worker()
    (record,) = worker.unary(world.withdrawal(), world.consumer, always).answer.records
    publish(world, YEAR, YEAR + "        status: {match: {ignore: [spaces]}}\n")
    return worker, record["status"]


def publish(world, before, after):
    world.publisher.policy(world.edit(MARRIAGE, before, after), world.order)
    world.let_it_look()


def asking(world, *said, **changes):
    claims = (Claim("status", said),) if said else ()
    return world.withdrawal(claims=claims, **changes)


def told(exchanged):
    """The answer, or why there is none."""
    if exchanged.answer is None:
        return [(why.reason, why.about) for why in (*exchanged.decision.reasons, *exchanged.decision.missing)]
    return [record.get("status") for record in exchanged.answer.records]


def test_a_claim_is_told_true_or_not_and_kept_nowhere(world, matching):
    """The value itself does not come; claim and subject are in no statement."""
    worker, truth = matching
    right = worker.unary(asking(world, f"{truth[0]} {truth[1:]}"), world.consumer, always)
    wrong = worker.unary(asking(world, WRONG), world.consumer, always)
    assert (told(right), told(wrong)) == ([True], [False])
    for exchanged in (right, wrong):
        assert '"claims":["status"]' in exchanged.receipt.statement.decode()
        assert WRONG not in exchanged.receipt.statement.decode()
        assert truth not in exchanged.receipt.statement.decode()


def test_five_claims_a_day_where_the_rule_does_not_say_how_many(world, matching):
    """True or not; the sixth is refused, naming the field alone, and tomorrow begins anew."""
    worker, truth = matching
    used_up = [(Reason.MATCHES_USED_UP, "status")]
    answers = [told(worker.unary(asking(world, said), world.consumer, always)) for said in [truth, WRONG] * 3]
    assert answers == [[True], [False]] * 2 + [[True], used_up]
    refused = worker.unary(asking(world, truth), world.consumer, always)
    assert (refused.decision.verdict, told(refused)) == (Verdict.DENY, used_up)
    tomorrow = datetime.now(UTC) + DAY
    later = replace(worker, clock=lambda: tomorrow)
    assert told(later.unary(asking(world, truth), world.consumer, always)) == [True]


def test_a_retry_is_told_the_same_and_costs_nothing(world, matching):
    """Another claim under the same request id is another request: it is told nothing at all."""
    worker, truth = matching
    publish(world, LIMITS, LIMITS.replace("}", ", matches_per_subject_per_day: 1}"))
    once = asking(world, WRONG, request_id=str(uuid.uuid4()))
    first, again = (worker.unary(once, world.consumer, always) for _ in range(2))
    assert (told(first), told(again), again.redelivered) == ([False], [False], True)
    with pytest.raises(Conflict):
        worker.unary(replace(once, claims=(Claim("status", (truth,)),)), world.consumer, always)
    assert told(worker.unary(asking(world, truth), world.consumer, always)) == [
        (Reason.MATCHES_USED_UP, "status")
    ]


def test_validating_tells_nothing_and_costs_nothing(world, matching):
    """It cannot be used to try claims, nor to use up another system's."""
    worker, truth = matching
    publish(world, LIMITS, LIMITS.replace("}", ", matches_per_subject_per_day: 1}"))
    for said in (truth, WRONG):
        decided = worker.unary(asking(world, said, validate_only=True), world.consumer, always)
        assert (decided.decision.verdict, decided.answer) == (Verdict.PERMIT, None)
    assert told(worker.unary(asking(world, truth), world.consumer, always)) == [True]


def test_the_size_of_an_answer_does_not_tell_whether_a_claim_is_true(world, matching):
    """Yes is a byte shorter than no; what is too large is not charged, so it could be tried without end."""
    worker, truth = matching
    answer = worker.unary(asking(world, truth), world.consumer, always).answer
    statuses = [about.status for about in answer.subjects]
    content = canonical_answer(answer.status, statuses, answer.records, answer.record_subjects)
    for room in (0, 1):
        narrow = replace(worker, max_answer_bytes=len(content) + room)
        fits = []
        for said in (truth, WRONG):
            with suppress(TooLarge):
                fits += told(narrow.unary(asking(world, said), world.consumer, always))
        assert fits == [True, False][: 2 * room]


def test_a_missing_claim_is_told_with_the_other_papers(world, matching):
    """All at once; a stream takes no claims, and is told where to go."""
    worker, _ = matching
    missing = (Reason.CLAIM_MISSING, "status")
    found = told(worker.unary(asking(world, case_no=""), world.consumer, always))
    assert set(found) == {missing, (Reason.CASE_NO_MISSING, "case_no")}
    (opening,) = worker.stream(asking(world, streamed=True), world.consumer, always)
    assert opening.decision.verdict is Verdict.NEEDS_SUPPLEMENT
    with pytest.raises(MalformedRequest):
        list(worker.stream(asking(world, "在婚", streamed=True), world.consumer, always))


def test_a_claim_that_nothing_compares_is_refused(world, matching):
    """Whoever claims must not believe that the value was compared, nor tell more than is needed."""
    worker, truth = matching
    more = (Claim("status", (truth,)), Claim("registered_on", ("2020-01-01",)))
    exchanged = worker.unary(world.withdrawal(claims=more), world.consumer, always)
    assert exchanged.decision.verdict is Verdict.DENY
    assert told(exchanged) == [(Reason.CLAIM_NOT_TAKEN, "registered_on")]


def test_a_record_about_two_with_different_claims_tells_nothing(world, matching):
    """Where only one of them is claimed of, that is compared."""
    worker, truth = matching
    sound = world.cast["withdrawal"]["sound"]
    with closing(sqlite3.connect(world.settings.path(world.settings.sources.folder / DATA))) as data:
        both = data.execute(COUPLE, (sound, sound)).fetchone()
    for said, answer in (
        ((truth, truth), True),
        ((truth, WRONG), None),
        ((truth, ""), True),
        (("", WRONG), False),
    ):
        request = asking(world, *said, subjects=both)
        assert told(worker.unary(request, world.consumer, always)) == [answer]


def test_a_person_spelled_twice_is_one_to_guess_about(world, matching):
    """Whoever is found by a name in lower case too has not twice as many claims."""
    worker, truth = matching
    decided = worker._decide(worker.epochs.current(), asking(world, truth), world.consumer)
    counters = [
        with_matches(replace(decided, application=replace(decided.application, subjects=(spelled,))))
        .decision.charges[-1]
        .counter
        for spelled in ("Ann Lee", "ann lee", "ANN LEE")
    ]
    assert counters == [counters[0]] * 3


def test_counters_name_nobody(world, matching):
    """They hold a tag that only the broker can make, another one each day."""
    worker, truth = matching
    sound, instants = world.cast["withdrawal"]["sound"], [datetime.now(UTC), datetime.now(UTC) + DAY]
    for instant in instants:
        there = replace(worker, clock=lambda instant=instant: instant)
        there.unary(asking(world, truth), world.consumer, always)
    asked = [
        ("housing_fund", "civil_affairs.marriage.status", instant.astimezone(ZONE).date().isoformat())
        for instant in instants
    ]
    keyring = worker.epochs.current().keyring
    tags = [keyring.match_tag(sound, each).hex() for each in asked]
    counters = [f"matches/{'/'.join(each)}/{tag}" for each, tag in zip(asked, tags, strict=True)]
    with world.store.append_transaction() as transaction:
        assert transaction.used(counters) == dict.fromkeys(counters, 1)
    assert len({*tags}) == 2
    assert sound not in "".join(counters)
