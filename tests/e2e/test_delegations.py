"""Who reviews in whose place, through a running broker over mutual TLS."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from broker.client import AsyncClient, Credentials
from broker.errors import Conflict, MalformedRequest, NotAuthorised, NotFound
from broker.keys.authority import Authority
from broker.model import Role


def credentials(embedded, department, name, role=Role.OFFICER):
    pki = embedded.folder / "pki"
    issued = Authority.open(pki).issue(department, role, name)
    return Credentials(issued.cert_pem, issued.key_pem, (pki / "ca.pem").read_bytes())


@pytest.fixture(scope="module")
def officer(embedded, address, trust, patient):
    """Makes a client of an officer; closed at the end."""
    opened = []

    def make(department, name, role=Role.OFFICER):
        opened.append(patient(address, credentials(embedded, department, name, role), trust=trust))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture(scope="module")
def zhao(officer):
    """An officer of civil affairs, who goes away."""
    return officer("civil_affairs", "zhao")


def uri(department, name, role="officer"):
    return f"spiffe://xinghe/department/{department}/{role}/{name}"


def days(first=0, last=5):
    now = datetime.now(UTC).replace(microsecond=0)
    return now + timedelta(days=first), now + timedelta(days=last)


def test_given_listed_and_taken_back(zhao, officer):
    """Each act has its receipt; a retry gives the first; both departments and the authority see it, others
    do not; taken back twice it is taken back once."""
    again, delegate, times = str(uuid.uuid4()), uri("civil_affairs", "sun"), days()
    given = zhao.delegations.create(delegate, *times, request_id=again)
    assert given.delegation.in_force
    assert (given.delegation.officer, given.delegation.delegate) == (uri("civil_affairs", "zhao"), delegate)
    repeated = zhao.delegations.create(delegate, *times, request_id=again)
    assert (repeated.delegation, repeated.receipt.leaf_index) == (given.delegation, given.receipt.leaf_index)
    with pytest.raises(Conflict):
        zhao.delegations.create(uri("civil_affairs", "qian"), *times, request_id=again)

    def seen(client, **wanted):
        return given.delegation.name in [one.name for one in client.delegations.all(**wanted)]

    colleague, stranger = officer("civil_affairs", "sun"), officer("tax", "li")
    auditor = officer("data_authority", "hu", Role.AUDITOR)
    assert [seen(one, in_force=True) for one in (colleague, stranger, auditor)] == [True, False, True]
    number = int(given.delegation.name.removeprefix("delegations/"))
    with pytest.raises(NotFound):
        stranger.delegations.revoke(number)
    taken_back = colleague.delegations.revoke(number)
    assert not taken_back.delegation.in_force
    assert zhao.delegations.revoke(number).receipt.leaf_index == taken_back.receipt.leaf_index
    assert (seen(zhao), seen(zhao, in_force=True)) == (True, False)
    said = orjson.loads(taken_back.receipt.statement)
    assert (said["act"], said["officer"]["uri"]) == ("revoke", uri("civil_affairs", "zhao"))


@pytest.mark.parametrize(
    ("delegate", "times", "field"),
    [
        (uri("civil_affairs", "zhao"), (0, 5), "delegate"),  # oneself
        (uri("civil_affairs", "counter-1", "system"), (0, 5), "delegate"),  # no person
        (uri("tax", "li"), (0, 5), "delegate"),  # of another department
        ("zhao", (0, 5), "delegate"),
        (uri("civil_affairs", "sun"), (5, 5), "valid_until_time"),
        (uri("civil_affairs", "sun"), (-5, -1), "valid_until_time"),  # over already
        (uri("civil_affairs", "sun"), (0, 367), "valid_until_time"),
    ],
)
def test_what_is_no_delegation_is_refused(zhao, delegate, times, field):
    """Only to another officer of the department, for a time that is not over and not longer than a year."""
    with pytest.raises(MalformedRequest) as refused:
        zhao.delegations.create(delegate, *days(*times))
    assert field in [one.field for one in refused.value.violations]


def test_all_that_is_wrong_is_told_at_once(zhao):
    """Who has to correct a request wants the whole list."""
    with pytest.raises(MalformedRequest) as refused:
        zhao.delegations.create("nobody", *days(5, 0), request_id="1")
    assert [one.field for one in refused.value.violations] == ["request_id", "delegate", "valid_until_time"]


def test_officers_only(officer, connect):
    """A system delegates nothing; an auditor looks on."""
    with pytest.raises(NotAuthorised):
        connect("housing_fund").delegations.create(uri("housing_fund", "wang"), *days())
    auditor = officer("data_authority", "hu", Role.AUDITOR)
    with pytest.raises(NotAuthorised):
        auditor.delegations.revoke(1)


def test_pages(zhao, officer):
    """The list goes on from page to page, newest first."""
    for _ in range(3):
        zhao.delegations.create(uri("civil_affairs", "sun"), *days())
    numbers = [int(one.name.rpartition("/")[2]) for one in zhao.delegations.all()]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) >= 3


def test_the_same_for_asyncio(embedded, address, trust):
    """The other client offers the same."""

    async def act():
        async with AsyncClient(address, credentials(embedded, "tax", "li"), trust=trust) as client:
            given = await client.delegations.create(uri("tax", "chen"), *days(), timeout=120)
            number = int(given.delegation.name.rpartition("/")[2])
            revoked = await client.delegations.revoke(number, timeout=120)
            return revoked.delegation, [one async for one in client.delegations.all(timeout=120)]

    revoked, listed = asyncio.run(act())
    assert revoked in listed
