"""Applications that people decide, through a running broker over mutual TLS."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from broker.client import AsyncClient, Credentials
from broker.errors import Changed, Conflict, MalformedRequest, NotAuthorised, NotFound, NotPossible
from broker.keys.authority import Authority
from broker.model import Role, State
from broker.reasons import Reason
from broker.v1 import application_pb2 as pb


@pytest.fixture(scope="module")
def officer(embedded, address, trust, patient):
    """Makes a client of an officer, each named another; closed at the end."""
    pki, opened = embedded.folder / "pki", []

    def make(department, name, role=Role.OFFICER):
        issued = Authority.open(pki).issue(department, role, name)
        credentials = Credentials(issued.cert_pem, issued.key_pem, (pki / "ca.pem").read_bytes())
        opened.append(patient(address, credentials, trust=trust))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture(scope="module")
def consumer(officer):
    """An officer of the housing fund, which applies."""
    return officer("housing_fund", "wang")


@pytest.fixture(scope="module")
def provider(officer):
    """An officer of civil affairs, which provides."""
    return officer("civil_affairs", "zhao")


def terms(**changes):
    """Whole terms about marriages, as the law asks for them."""
    whole = pb.ApplicationTerms(
        dataset="datasets/civil_affairs.marriage",
        fields=["status", "registered_on"],
        purpose="housing_fund_withdrawal",
        legal_basis="住房公积金管理条例 第二十四条",
        scenario="购房提取时核对婚姻状况",
        mode=pb.SHARING_MODE_API,
        rows_per_call=10,
        operator="王敏",
    )
    now = datetime.now(UTC).replace(microsecond=0)
    whole.valid_from_time.FromDatetime(now - timedelta(days=1))
    whole.valid_until_time.FromDatetime(now + timedelta(days=90))
    for name, value in changes.items():
        setattr(whole, name, value)
    return whole


def state(filed):
    """The state of an application as the wire has it."""
    return State[pb.ApplicationState.Name(filed.application.state).removeprefix("APPLICATION_STATE_")]


def acts(application):
    """What was done to it, in order."""
    names = (pb.ApplicationAct.Name(step.act) for step in application.steps)
    return [name.removeprefix("APPLICATION_ACT_").lower() for name in names]


@pytest.fixture(scope="module")
def authority(officer):
    """An officer of the authority."""
    return officer("data_authority", "chen")


@pytest.fixture(scope="module")
def conforming(authority):
    """Has what is under review checked by the authority, where the time limits in force say so."""

    def check(application):
        if application.stage == pb.REVIEW_STAGE_CONFORMITY:
            return authority.applications.approve(application).application
        return application

    return check


@pytest.fixture
def filed(consumer, conforming):
    """An application that is complete, and waits for the provider's answer."""
    done = consumer.applications.consent(consumer.applications.create(terms()).application)
    assert state(done) is State.UNDER_REVIEW
    return conforming(done.application)


def number(application):
    return int(application.name.removeprefix("applications/"))


def test_from_draft_to_grant(consumer, provider, conforming):
    """Created, consented to, accepted, approved and active; each act has its receipt, the signed ones hold
    their messages, and a retry gives the receipt of the first."""
    again = str(uuid.uuid4())
    draft = consumer.applications.create(terms(), request_id=again)
    repeated = consumer.applications.create(draft.application.terms, request_id=again)
    assert repeated.receipt.leaf_index == draft.receipt.leaf_index
    with pytest.raises(Conflict):
        consumer.applications.create(terms(operator="李强"), request_id=again)
    with pytest.raises(NotFound):
        provider.applications.get(number(draft.application))
    under_review = consumer.applications.consent(draft.application)
    assert state(under_review) is State.UNDER_REVIEW
    approved = provider.applications.approve(conforming(under_review.application))
    assert state(approved) is State.ACTIVE
    found = consumer.applications.get(number(draft.application))
    done = [act for act in acts(found) if act != "endorse"]
    assert done == ["create", "consent", "accept", "approve", "activate"]
    assert found.grant == f"grants/{number(found)}"
    receipt = provider.receipt(approved.receipt.leaf_index, acts=True)
    assert [len(receipt.acts), len(receipt.chains)] == [1, 1]
    assert approved.receipt.statement.find("王敏".encode()) == -1


def test_an_act_is_done_once(filed, provider):
    """A retry under the request id, which signs anew, gives the receipt of the first; another act under that
    id is refused, and so is the same act of another version."""
    again = str(uuid.uuid4())
    first = provider.applications.approve(filed, request_id=again)
    second = provider.applications.approve(filed, request_id=again)
    assert second.receipt.leaf_index == first.receipt.leaf_index
    assert second.application.version == first.application.version
    for act in (
        lambda: provider.applications.refuse(filed, "超出范围", "条例", request_id=again),
        lambda: provider.applications.approve(first.application, request_id=again),
    ):
        with pytest.raises(Conflict):
            act()


def test_one_notice_of_all_that_is_missing(consumer):
    """Incomplete papers are told of once, all of them, with how to supply them; supplied and consented to
    again, the review begins."""
    bare = pb.ApplicationTerms(
        dataset="datasets/civil_affairs.marriage", fields=["status"], purpose="housing_fund_withdrawal"
    )
    returned = consumer.applications.consent(consumer.applications.create(bare).application)
    assert state(returned) is State.NEEDS_SUPPLEMENT
    missing = {one.reason for one in returned.application.missing}
    assert missing == {
        Reason.LEGAL_BASIS_MISSING, Reason.SCENARIO_MISSING, Reason.SHARING_MODE_MISSING,
        Reason.ROWS_MISSING, Reason.PERIOD_MISSING, Reason.OPERATOR_MISSING,
    }  # fmt: skip
    assert all(one.zh and one.en for one in returned.application.missing)
    supplied = consumer.applications.supplement(returned.application, terms())
    assert not supplied.application.signatures
    assert state(consumer.applications.consent(supplied.application)) is State.UNDER_REVIEW


def test_of_two_who_decide_one_wins(filed, provider, officer):
    """Who decides on what is no longer as they have seen it does nothing, and is told what came before."""
    provider.applications.refuse(filed, "超出履职范围", "政务数据共享条例 第二十条")
    with pytest.raises(Changed) as told:
        officer("civil_affairs", "qian").applications.approve(filed)
    assert (told.value.reason, told.value.about) == (Reason.APPLICATION_MOVED, "refuse")


def test_a_signature_is_for_what_was_seen(consumer, officer):
    """A consent to other terms than there are is no consent, and nobody signs for another."""
    draft = consumer.applications.create(terms()).application
    other = pb.FiledApplication()
    other.CopyFrom(draft)
    other.terms.rows_per_call = 9_999
    with pytest.raises(MalformedRequest) as told:
        consumer.applications.consent(other)
    assert told.value.reason is Reason.APPLICATION_SIGNATURE_INVALID
    with pytest.raises(NotFound):
        officer("tax", "sun").applications.consent(draft)


def test_whose_act_it_is(filed, consumer, provider, connect):
    """The consumer does not review its own application, a system neither consents nor reviews, and nobody
    suspends what is no grant."""
    with pytest.raises(NotAuthorised) as told:
        consumer.applications.approve(filed)
    assert told.value.reason is Reason.NOT_A_REVIEWER
    with pytest.raises(NotAuthorised):
        connect("housing_fund").applications.consent(filed)
    with pytest.raises(NotAuthorised):
        consumer.applications.suspend(filed, "暂停")
    with pytest.raises(NotPossible) as wrong:
        provider.applications.suspend(filed, "暂停")
    assert (wrong.value.reason, wrong.value.about) == (Reason.ACT_NOT_POSSIBLE, "under_review")
    with pytest.raises(MalformedRequest):
        provider.applications.refuse(filed, "", "")


def test_more_time_to_answer(filed, provider, authority):
    """The provider asks once for more time, the authority consents."""
    with pytest.raises(NotPossible):
        authority.applications.extend(filed)
    asked = provider.applications.extend(filed, 5, "须核对历史数据").application
    with pytest.raises(NotPossible):
        provider.applications.extend(asked, 5, "再次延长")
    longer = authority.applications.extend(asked).application
    assert (longer.extension.working_days, bool(longer.extension.consented_by)) == (5, True)


def test_a_grant_is_suspended_resumed_and_ended(filed, consumer, provider, officer):
    """Suspended by the provider, resumed by it, ended by the consumer, each with its reason."""
    grant = provider.applications.approve(filed).application
    stopped = provider.applications.suspend(grant, "发现异常调用")
    assert state(stopped) is State.SUSPENDED
    assert stopped.application.suspended_by == "departments/civil_affairs"
    resumed = provider.applications.resume(stopped.application, "已整改")
    ended = consumer.applications.terminate(resumed.application, "业务终止", "政务数据共享条例 第二十七条")
    assert state(ended) is State.TERMINATED
    assert [step.reason for step in ended.application.steps][-3:] == ["发现异常调用", "已整改", "业务终止"]


def test_lists(filed, consumer, provider, authority, officer, connect):
    """Each sees what concerns it: the queue of a reviewer has what they may review, and no more."""
    name = filed.name
    queue = {one.name for one in provider.applications.all(mine_to_review=True)}
    assert name in queue
    assert name not in {one.name for one in consumer.applications.all(mine_to_review=True)}
    assert name in {one.name for one in connect("housing_fund").applications.all(state=State.UNDER_REVIEW)}
    assert name in {one.name for one in authority.applications.all()}
    assert name not in {one.name for one in officer("tax", "sun").applications.all()}


def test_notices_go_on_where_they_broke_off(consumer, provider, officer, conforming):
    """Whoever watches is told of each act once and in order; who comes back with the last receipt is told
    of all that came meanwhile; drafts are nobody else's."""
    watch = provider.applications.watch()
    done = consumer.applications.consent(consumer.applications.create(terms()).application)
    with watch:
        told = next(iter(watch))
    assert (told.name, told.act, told.state) == (done.application.name, "consent", "filed")
    provider.applications.approve(conforming(done.application))
    with provider.applications.watch(after=told.receipt, name=told.name) as later:
        notices = iter(later)
        later_acts = iter(notice.act for notice in notices)
        assert next(later_acts) == "accept"
        assert next(act for act in later_acts if act != "endorse") == "approve"
        assert next(later_acts) == "activate"
    with officer("tax", "sun").applications.watch(after=told.receipt) as stranger:
        withdrawn = officer("tax", "sun").applications.create(terms()).application
        assert next(iter(stranger)).name == withdrawn.name


def test_asyncio(embedded, address, trust):
    """The client for asyncio creates, reads, lists and watches."""

    async def run():
        credentials = Credentials.load(embedded.identity("housing_fund"))
        client = AsyncClient(address, credentials, trust=trust)
        try:
            watch = await client.applications.watch()
            draft = (await client.applications.create(terms(), timeout=60)).application
            async for notice in watch:
                assert (notice.name, notice.act) == (draft.name, "create")
                break
            watch.cancel()
            assert (await client.applications.get(number(draft), timeout=60)).name == draft.name
            drafts = client.applications.all(state=State.DRAFT, timeout=60)
            assert draft.name in [one.name async for one in drafts]
            await client.applications.withdraw(draft, timeout=60)
        finally:
            await client.close()

    asyncio.run(run())
