"""Reviews in another's place: what an officer lent counts while it is in force, and no longer."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from broker.applications.delegations import Delegations, Wanted
from broker.applications.register import Asking, Register
from broker.errors import NotAuthenticated, NotAuthorised
from broker.filing_signatures import sign
from broker.model import Act, FiledApplication, SharingMode, Stage, State, Terms
from broker.receipt.fsck import open_fsck
from broker.server.parts import ca_of

DELEGATE = 'kind: government\n    region: "990100"\n    sharing_office: 办公室\n  housing_fund:'


class Cast:
    """A worker, its register, and the officers; the authority may review for civil affairs."""

    def __init__(self, world: Any) -> None:
        named = DELEGATE.replace("\n  housing_fund", "\n    delegate: data_authority\n  housing_fund")
        world.publisher.policy(world.edit("departments.yaml", DELEGATE, named), world.order)
        self.world, store = world, world.open_store()
        log, epochs, ca = world.open_log(store), world.epochs(store), ca_of(world.settings)
        self.delegations = Delegations(epochs, store, log, ca, world.now)
        self.register = Register(epochs, store, log, ca, world.now, delegations=self.delegations.in_force)
        people = {"wang": "housing_fund", "zhao": "civil_affairs", "chen": "data_authority"}
        self.people = {name: world.officer(department, name) for name, department in people.items()}

    def filed(self) -> FiledApplication:
        """An application that waits for the answer of one officer of civil affairs."""
        now, wang = self.world.now().replace(microsecond=0), self.people["wang"]
        terms = Terms(
            consumer="housing_fund",
            dataset="civil_affairs.marriage",
            fields=("status",),
            purpose="housing_fund_withdrawal",
            legal_basis="住房公积金管理条例 第二十四条",
            scenario="购房提取",
            mode=SharingMode.API,
            rows_per_call=10,
            operator="王敏",
            valid_from=now + timedelta(hours=1),
            valid_until=now + timedelta(hours=9),
        )
        draft = self.register.create(wang.identity, str(uuid.uuid4()), terms).filed
        filed = self.signs("wang", Act.CONSENT, draft)
        return self.signs("chen", Act.APPROVE, filed) if filed.stage is Stage.CONFORMITY else filed

    def signs(self, name: str, act: Act, filed: FiledApplication) -> FiledApplication:
        """An officer consents or approves."""
        person = self.people[name]
        asking = Asking(person.identity, str(uuid.uuid4()), filed.number, filed.version)
        message = sign(act, filed.number, filed.terms, self.world.now(), person.key, person.certificate)
        done = self.register.consent if act is Act.CONSENT else self.register.approve
        return done(asking, message).filed

    def lend(self, hours: int = 5) -> int:
        """Zhao lets Chen review; gives the number."""
        now = self.world.now().replace(microsecond=0)
        wanted = Wanted(
            str(uuid.uuid4()), self.people["chen"].identity.uri, now, now + timedelta(hours=hours)
        )
        return self.delegations.create(self.people["zhao"].identity, wanted)[0].delegation.number


@pytest.fixture
def cast(any_world: Any) -> Cast:
    return Cast(any_world)


def test_delegate_answers_in_the_officer_s_place(cast: Cast) -> None:
    """What policy asks of civil affairs the delegate's signature gives, it is said in whose place, and the
    log is sound; without a delegation it gives nothing."""
    filed = cast.filed()
    with pytest.raises(NotAuthorised):
        cast.signs("chen", Act.APPROVE, filed)
    cast.lend()
    done = cast.signs("chen", Act.APPROVE, filed)
    assert done.state is State.APPROVED
    assert done.approvals[-1].on_behalf_of == cast.people["zhao"].identity.uri
    cast.world.log.sign()
    with open_fsck(cast.world.settings.store_url, cast.world.state, cast.world.log.verifier_key) as check:
        assert list(check.findings()) == []


def test_delegation_ends(cast: Cast) -> None:
    """Taken back, over, or its officer's certificate revoked: each ends it at once."""
    filed = cast.filed()
    cast.delegations.revoke(cast.people["zhao"].identity, cast.lend())
    with pytest.raises(NotAuthorised):
        cast.signs("chen", Act.APPROVE, filed)
    cast.lend(hours=1)
    cast.world.ahead += timedelta(hours=2)
    with pytest.raises(NotAuthorised):
        cast.signs("chen", Act.APPROVE, filed)
    cast.lend()
    cast.world.revoke(cast.people["zhao"].identity)
    cast.world.let_it_look()
    with pytest.raises(NotAuthorised):
        cast.signs("chen", Act.APPROVE, filed)
    with pytest.raises(NotAuthenticated):
        cast.lend()


def test_delegation_that_the_log_does_not_have_counts_for_nothing(cast: Cast) -> None:
    """Whoever can write to the database lends nobody a voice."""
    filed = cast.filed()
    number = cast.lend(hours=1)
    with cast.world.store.append_transaction() as transaction:
        found = transaction.delegations.delegation(number)
        transaction.connection.exec_driver_sql(
            "UPDATE delegation SET valid_until = valid_until + 86400000000"
        )
    cast.world.ahead += timedelta(hours=2)
    assert found is not None
    assert cast.delegations.in_force() == []
    with pytest.raises(NotAuthorised):
        cast.signs("chen", Act.APPROVE, filed)
