"""Exchanges under grants: what officers approved, no more, as long as it stands, and only if they did."""

import uuid
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import orjson
import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from broker.applications.register import Asking, Register
from broker.errors import Changed
from broker.filing_signatures import sign
from broker.filings import dumped
from broker.keys.journal import RevocationReason
from broker.model import Act, SharingMode, State, Terms, UseScope, Verdict, Why
from broker.publish import grant_standing
from broker.reasons import Reason
from broker.server.parts import ca_of

NAMES = ("husband_name", "status")
BASIS = "政务数据共享条例 第二十条"


def always():
    return True


class Office:
    """Officers who decide applications, on a worker of their own."""

    def __init__(self, world):
        self.world = world
        store = world.open_store()
        self.register = Register(
            world.epochs(store),
            store,
            world.open_log(store),
            ca_of(world.settings),
            world.now,
            grant_standing,
        )
        self.consumer = world.officer("housing_fund", "wang")
        self.reviewers = [world.officer("civil_affairs", name) for name in ("zhao", "qian")]

    def terms(self, **changes):
        now = self.world.now().replace(microsecond=0)
        terms = Terms(
            consumer="housing_fund",
            dataset="civil_affairs.marriage",
            fields=NAMES,
            purpose="housing_fund_withdrawal",
            legal_basis="住房公积金管理条例 第二十四条",
            scenario="购房提取",
            mode=SharingMode.API,
            rows_per_call=10,
            valid_from=now - timedelta(hours=1),
            valid_until=now + timedelta(days=9),
            operator="王敏",
        )
        return replace(terms, **changes)

    def signed(self, act, filed, officer):
        now = self.world.now()
        return sign(act, filed.number, filed.terms, now, officer.key, officer.certificate)

    def asking(self, filed, officer):
        return Asking(officer.identity, str(uuid.uuid4()), filed.number, filed.version)

    def grant(self, **changes):
        """An application that all whom policy asks for have approved: active, for its time has begun."""
        wang = self.consumer
        filed = self.register.create(wang.identity, str(uuid.uuid4()), self.terms(**changes)).filed
        signed = self.signed(Act.CONSENT, filed, wang)
        filed = self.register.consent(self.asking(filed, wang), signed).filed
        for officer in self.reviewers:
            if filed.state is State.UNDER_REVIEW:
                signed = self.signed(Act.APPROVE, filed, officer)
                filed = self.register.approve(self.asking(filed, officer), signed).filed
        assert filed.state is State.ACTIVE
        return filed


@pytest.fixture
def office(any_world):
    return Office(any_world)


def ask(world, worker, grant, **changes):
    """An exchange about names; ``grant`` is its number, or empty."""
    request = world.withdrawal(fields=NAMES, grant=f"grants/{grant}" if grant else "", **changes)
    return worker.unary(request, world.consumer, always)


def test_what_officers_approved_is_released_under_the_grant_and_not_without(any_world, office):
    """Policy leaves names to two officers of the provider; rules, masks and papers stay those of policy."""
    worker, other = any_world.worker(), any_world.worker()
    assert ask(any_world, worker, "").decision.verdict is Verdict.REVIEW
    grant = office.grant()
    exchanged = ask(any_world, worker, grant.number)
    assert exchanged.decision.verdict is Verdict.PERMIT
    assert exchanged.answer.records
    said = orjson.loads(exchanged.receipt.statement)
    assert (said["grant"], said["decision"]["verdict"]) == (str(grant.number), "permit")
    assert "civil-affairs-marriage-001/names-by-review" in said["decision"]["rules"]
    assert ask(any_world, other, grant.number).decision.verdict is Verdict.PERMIT
    assert ask(any_world, worker, "").decision.verdict is Verdict.REVIEW
    lacking = ask(any_world, worker, grant.number, case_no="")
    assert lacking.decision.verdict is Verdict.NEEDS_SUPPLEMENT


def test_the_epoch_moves_with_the_grant_in_one_transaction(any_world, office):
    """One leaf tells that it gives something from here on, the next is the application's own."""
    grant = office.grant()
    said = any_world.statements()
    (moved,) = [index for index, one in enumerate(said) if one.get("act") == "grant"]
    assert said[moved]["grant"] == {"number": grant.number, "act": "activate"}
    assert (said[moved + 1]["kind"], said[moved + 1]["application"]) == ("application", grant.number)
    assert said[moved]["epoch"] == any_world.store.head().epoch == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"purpose": "housing_fund_audit", "service_item": ""}, Reason.PURPOSE_NOT_PERMITTED),
        ({"fields": (*NAMES, "registered_on")}, Reason.FIELD_NOT_PERMITTED),
        ({"dataset": "datasets/public_security.household", "fields": ("relation",)}, Reason.GRANT_UNKNOWN),
    ],
)
def test_a_grant_is_for_nothing_else(any_world, office, changes, why):
    """Another purpose, a field more, another dataset."""
    grant = office.grant()
    request = any_world.withdrawal(**{"fields": NAMES, "grant": f"grants/{grant.number}"} | changes)
    refused = any_world.worker().unary(request, any_world.consumer, always)
    assert refused.decision.verdict is Verdict.DENY
    assert why in {one.reason for one in refused.decision.reasons}


def test_a_grant_is_nobody_elses(any_world, office):
    """That it exists is not told."""
    grant = office.grant()
    request = any_world.withdrawal(fields=NAMES, grant=f"grants/{grant.number}", service_item="")
    refused = any_world.worker().unary(request, any_world.issue("tax"), always)
    assert refused.decision.reasons == (Why(Reason.GRANT_UNKNOWN),)


def test_its_rows_in_total_are_counted_exactly(any_world, office):
    """Over all workers together, and no row more."""
    grant = office.grant(rows_total=3)
    workers = [any_world.worker(), any_world.worker()]
    verdicts = [ask(any_world, workers[n % 2], grant.number).decision for n in range(5)]
    assert [one.verdict for one in verdicts] == [Verdict.PERMIT] * 3 + [Verdict.DENY] * 2
    counter = f"rows/grants/{grant.number}/total"
    assert verdicts[-1].reasons == (Why(Reason.QUOTA_EXCEEDED, counter),)


def test_it_ends_by_itself(any_world, office):
    """Every exchange compares the times: nothing waits for the record to be marked as expired."""
    grant = office.grant()
    any_world.ahead = timedelta(days=10)
    refused = ask(any_world, any_world.worker(), grant.number)
    assert refused.decision.reasons == (Why(Reason.OUTSIDE_VALIDITY),)


def test_suspended_it_gives_nothing_on_any_worker_and_resumed_again(any_world, office):
    """As soon as the act returns, whatever a worker believed a moment before."""
    workers, grant = [any_world.worker(), any_world.worker()], office.grant()
    zhao = office.reviewers[0]
    for worker in workers:
        assert ask(any_world, worker, grant.number).decision.verdict is Verdict.PERMIT
    grant = office.register.suspend(office.asking(grant, zhao), "异常").filed
    for worker in workers:
        assert ask(any_world, worker, grant.number).decision.reasons == (Why(Reason.GRANT_UNKNOWN),)
    grant = office.register.resume(office.asking(grant, zhao), "已整改").filed
    assert ask(any_world, workers[0], grant.number).decision.verdict is Verdict.PERMIT
    office.register.terminate(office.asking(grant, zhao), "用途已了", BASIS)
    assert ask(any_world, workers[1], grant.number).decision.verdict is Verdict.DENY


def test_streams_under_it_end_with_it(any_world, office):
    """Within a look, with an outcome that says why."""
    worker, grant = any_world.worker(), office.grant()
    request = replace(any_world.withdrawal(fields=NAMES, grant=f"grants/{grant.number}"), streamed=True)
    parts = worker.stream(request, any_world.consumer, always)
    opening = next(parts)
    assert opening.decision.verdict is Verdict.PERMIT
    office.register.suspend(office.asking(grant, office.reviewers[0]), "异常")
    any_world.let_it_look()
    with pytest.raises(Changed) as stopped:
        list(parts)
    assert (stopped.value.reason, stopped.value.about) == (Reason.NO_LONGER_PERMITTED, "GRANT_UNKNOWN")
    (outcome,) = [
        one["outcome"]
        for one in any_world.statements()
        if one.get("decision_leaf") == opening.receipt.leaf_index
    ]
    assert outcome["interrupted"]


def test_policy_that_forbids_outweighs_it(any_world, office):
    """What is withheld from now on is withheld from a grant as well."""
    worker, grant = any_world.worker(), office.grant()
    files = any_world.edit("catalog/civil_affairs.yaml", "wife_name: {", "wife_name: {shared: false, ")
    any_world.publisher.policy(files, any_world.order)
    assert ask(any_world, worker, grant.number).decision.verdict is Verdict.PERMIT
    files = any_world.edit("catalog/civil_affairs.yaml", "husband_name: {", "husband_name: {shared: false, ")
    any_world.publisher.policy(files, any_world.order)
    assert ask(any_world, worker, grant.number).decision.verdict is Verdict.DENY


# ── the database makes no grant ──────────────────────────────────────────────────────────────────


def altered(world, filed, statement=False):
    """What somebody with a password of the database writes into the record (and into its last statement)."""
    engine = create_engine(world.settings.store_url)
    record = dumped(filed)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE application SET content = :content, state = :state, version = :version"),
            {"content": record, "state": filed.state.value, "version": filed.version},
        )
        if statement:
            last = connection.scalar(text("SELECT leaf_index FROM application"))
            old = connection.scalar(
                text("SELECT content FROM statement WHERE leaf_index = :at"), {"at": last}
            )
            said = orjson.loads(old) | {"record": sha256(record).hexdigest()}
            new = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
            connection.execute(
                text("UPDATE statement SET content = :new WHERE leaf_index = :at"), {"new": new, "at": last}
            )
    engine.dispose()


def spoils():
    def wider(office, grant):
        return replace(grant, terms=replace(grant.terms, fields=(*NAMES, "wife_name")))

    def whole(office, grant):
        return replace(grant, terms=replace(grant.terms, scope=UseScope(whole=True)))

    def other_reviewer(office, grant):
        first, *rest = grant.signed[::-1]
        return replace(grant, signed=(*rest[::-1], replace(first, department="data_authority")))

    def unsigned(office, grant):
        first, *rest = grant.signed[::-1]
        return replace(grant, signed=(*rest[::-1], first, replace(first, digest=bytes(32))))

    def nobody(office, grant):
        return replace(grant, signed=grant.signed[:1])

    return [wider, whole, other_reviewer, unsigned, nobody]


@pytest.mark.parametrize("statement", [False, True])
@pytest.mark.parametrize("spoil", spoils(), ids=lambda spoil: spoil.__name__)
def test_what_is_written_into_the_database_does_not_speak(any_world, office, spoil, statement):
    """Neither a record that its leaf does not name, nor one signed for other terms; it is said."""
    grant = office.grant()
    altered(any_world, spoil(office, grant), statement)
    with capture_logs() as logs:
        worker = any_world.worker()
    assert [one["grant"] for one in logs if one["event"] == "grant_does_not_speak"] == [grant.number]
    assert ask(any_world, worker, grant.number).decision.reasons == (Why(Reason.GRANT_UNKNOWN),)


@pytest.mark.parametrize("record", [b"", b"{}", b'{"number": 1}', b"[]"])
def test_a_broken_record_silences_its_grant_and_nothing_else(any_world, office, record):
    """Exchanges that need no grant go on."""
    grant = office.grant()
    engine = create_engine(any_world.settings.store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE application SET content = :content"), {"content": record})
    engine.dispose()
    worker = any_world.worker()
    assert ask(any_world, worker, grant.number).decision.reasons == (Why(Reason.GRANT_UNKNOWN),)
    permitted = worker.unary(any_world.withdrawal(), any_world.consumer, always)
    assert permitted.decision.verdict is Verdict.PERMIT


def test_one_that_ended_is_not_revived_in_the_database(any_world, office):
    """Its state is part of the record that the last leaf names."""
    grant = office.grant()
    ended = office.register.terminate(office.asking(grant, office.reviewers[0]), "用途已了", BASIS).filed
    altered(any_world, replace(ended, state=State.ACTIVE))
    assert ask(any_world, any_world.worker(), grant.number).decision.verdict is Verdict.DENY


def test_approvals_by_a_compromised_key_do_not_count(any_world, office):
    """Who stole an officer's key makes no grant by it, from the list on that says so."""
    worker, grant = any_world.worker(), office.grant()
    serial = office.reviewers[0].identity.serial
    any_world.authority.revoke(f"{serial:x}", RevocationReason.KEY_COMPROMISE)
    any_world.publisher.revocations((any_world.authority.folder / "crl.pem").read_bytes(), any_world.order)
    assert ask(any_world, worker, grant.number).decision.reasons == (Why(Reason.GRANT_UNKNOWN),)
