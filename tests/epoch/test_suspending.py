"""Who may suspend what over a connection, what others see of it, and by whom it is lifted."""

from datetime import timedelta

import pytest

from broker.errors import MalformedRequest, NotAuthorised, NotFound
from broker.model import Target, Verdict, Why
from broker.reasons import Reason
from broker.suspending import Asked, Caller, Suspensions

AUTHORITY, PROVIDER, OTHER = "data_authority", "civil_affairs", "tax"


class Desk:
    """The suspensions of a world, and officers who ask."""

    def __init__(self, world):
        self.world = world
        self.suspensions = Suspensions(world.publisher, world.now)
        self.callers = {}

    def caller(self, department):
        if department not in self.callers:
            identity = self.world.officer(department).identity
            self.callers[department] = Caller(identity, department == AUTHORITY)
        return self.callers[department]

    def suspend(self, by, target, name="", provider="", reason="核查", mend_by=None):
        asked = Asked(target, name, provider, reason, mend_by)
        return self.suspensions.suspend(asked, self.caller(by))

    def lift(self, by, number, reason="已整改"):
        return self.suspensions.lift(number, reason, self.caller(by))


@pytest.fixture
def desk(any_world):
    return Desk(any_world)


MAY = [
    (AUTHORITY, Target.EVERYTHING, "", ""),
    (AUTHORITY, Target.CONSUMER, "housing_fund", ""),
    (AUTHORITY, Target.PURPOSE, "grid_service", PROVIDER),
    (PROVIDER, Target.DATASET, "civil_affairs.marriage", ""),
    (PROVIDER, Target.DATASET, "civil_affairs.marriage", PROVIDER),
    (PROVIDER, Target.CONSUMER, "housing_fund", PROVIDER),
    (PROVIDER, Target.EVERYTHING, "", PROVIDER),
]
MAY_NOT = [
    (PROVIDER, Target.EVERYTHING, "", ""),
    (PROVIDER, Target.CONSUMER, "housing_fund", ""),
    (PROVIDER, Target.PURPOSE, "grid_service", OTHER),
    (PROVIDER, Target.DATASET, "tax.income", ""),
    (OTHER, Target.CONSUMER, "housing_fund", PROVIDER),
]


@pytest.mark.parametrize(("by", "target", "name", "provider"), MAY)
def test_an_officer_suspends_what_is_his_to_suspend(desk, by, target, name, provider):
    """The leaf names the officer and the certificate, whose chain comes before it, and the reason."""
    suspension, moved = desk.suspend(by, target, name, provider)
    officer = desk.caller(by).identity
    chain, said = desk.world.statements()[-2:]
    assert (chain["kind"], chain["holder"]) == ("certificate_chain", officer.uri)
    assert said["caller"] == {
        "department": by,
        "uri": officer.uri,
        "certificate": officer.fingerprint.hex(),
    }
    assert (said["act"], said["actor"], said["reason"]) == ("suspend", officer.uri, "核查")
    assert (suspension.number, suspension.department) == (moved.after.sequence, by)


@pytest.mark.parametrize(("by", "target", "name", "provider"), MAY_NOT)
def test_nobody_suspends_what_others_provide(desk, by, target, name, provider):
    """A department that could stop others' sharing could stop the city."""
    with pytest.raises(NotAuthorised) as refused:
        desk.suspend(by, target, name, provider)
    assert refused.value.reason is Reason.NOT_YOURS_TO_SUSPEND
    assert desk.world.store.head().epoch == 1


def test_all_that_is_wrong_with_an_order_is_told_at_once(desk):
    """In both languages; nothing is stopped."""
    with pytest.raises(MalformedRequest) as refused:
        desk.suspend(AUTHORITY, Target.EVERYTHING, "tax", reason=" ", mend_by=desk.world.now())
    violations = refused.value.violations
    assert {one.field for one in violations} == {"subject", "reason", "mend_time"}
    assert all(one.zh and one.en for one in violations)
    for name, provider in (("", ""), ("txa", ""), ("tax", "txa")):
        with pytest.raises(MalformedRequest):
            desk.suspend(AUTHORITY, Target.CONSUMER, name, provider)
    with pytest.raises(MalformedRequest):
        desk.suspend(AUTHORITY, Target.DATASET, "tax.income", PROVIDER)
    with pytest.raises(MalformedRequest):
        desk.lift(AUTHORITY, 2, reason="a\u0007")
    assert desk.world.store.head().epoch == 1


def test_the_same_order_is_carried_out_once(desk):
    """Whoever heard no answer may order it again; another reason is another order."""
    first, _ = desk.suspend(AUTHORITY, Target.EVERYTHING)
    again, moved = desk.suspend(AUTHORITY, Target.EVERYTHING)
    assert again == first
    assert (moved.before, moved.leaf_index) == (moved.after, None)
    another, _ = desk.suspend(AUTHORITY, Target.EVERYTHING, reason="又一原因")
    assert another.number == first.number + 1


def test_it_stops_what_the_provider_shares_and_nothing_else(desk):
    """A provider that stops a consumer does so for its own data; the consumer is told its number, not why."""
    suspension, _ = desk.suspend(PROVIDER, Target.CONSUMER, "medical_insurance", PROVIDER, "机密原因")
    desk.suspend(PROVIDER, Target.CONSUMER, "housing_fund", PROVIDER, "机密原因")
    worker, world = desk.world.worker(), desk.world
    (*_, last) = worker.stream(world.package(), world.issue("medical_insurance", "streams"), lambda: True)
    assert not last.outcome.interrupted  # public security's register
    refused = worker.unary(world.withdrawal(), world.consumer, lambda: True)
    assert refused.decision.verdict is Verdict.DENY
    name = f"suspensions/{suspension.number + 1}"
    assert refused.decision.reasons == (Why(Reason.SUSPENDED, f"housing_fund {name}"),)
    assert "机密" not in refused.receipt.statement.decode()


@pytest.mark.parametrize(
    ("by", "lifting", "may"),
    [
        (AUTHORITY, AUTHORITY, True),
        (PROVIDER, PROVIDER, True),
        (PROVIDER, AUTHORITY, True),
        (AUTHORITY, PROVIDER, False),
        (PROVIDER, OTHER, False),
        ("", PROVIDER, False),
        ("", AUTHORITY, True),
    ],
)
def test_it_is_lifted_by_who_ordered_it_or_by_the_authority(desk, by, lifting, may):
    """What the authority stopped no provider lets go on; on the broker's host nobody's department orders."""
    if by:
        number = desk.suspend(by, Target.EVERYTHING, "", PROVIDER)[0].number
    else:
        number = desk.world.suspend(Target.DATASET, "civil_affairs.marriage").number
    if not may:
        with pytest.raises(NotAuthorised) as refused:
            desk.lift(lifting, number)
        assert refused.value.reason is Reason.NOT_YOURS_TO_LIFT
        return
    lifted, moved = desk.lift(lifting, number)
    assert lifted.lifted == moved.after.sequence
    said = desk.world.statements()[-1]
    assert (said["act"], said["caller"]["department"], said["reason"]) == ("lift", lifting, "已整改")
    with pytest.raises(NotFound):
        desk.lift(lifting, number)


def test_who_sees_it_and_who_may_read_why(desk):
    """The authority, who ordered it, whom it stops and whose data: others know of what may be about them."""
    consumer = desk.suspend(AUTHORITY, Target.CONSUMER, "housing_fund")[0]
    narrow = desk.suspend(PROVIDER, Target.PURPOSE, "grid_service", PROVIDER)[0]
    callers = [desk.caller(name) for name in (AUTHORITY, PROVIDER, "housing_fund", OTHER)]
    assert [one.may_see(consumer) for one in callers] == [True, False, True, False]
    assert [one.may_read_why(consumer) for one in callers] == [True, False, True, False]
    assert [one.may_see(narrow) for one in callers] == [True, True, True, True]
    assert [one.may_read_why(narrow) for one in callers] == [True, True, False, False]


def test_a_time_to_mend_is_kept_and_runs_out(desk):
    """It stays in force after that, and says so; the leaf has the time."""
    mend_by = desk.world.now() + timedelta(days=10)
    desk.suspend(AUTHORITY, Target.CONSUMER, "housing_fund", mend_by=mend_by)
    with desk.world.store.epochs() as tables:
        (kept,) = tables.suspensions()
    assert kept.mend_by == mend_by
    assert [kept.is_overdue(mend_by - timedelta(seconds=1)), kept.is_overdue(mend_by)] == [False, True]
    assert desk.world.statements()[-1]["suspension"]["mend_by"].startswith(f"{mend_by:%Y-%m-%dT%H:%M:%S}")
