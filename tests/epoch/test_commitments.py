"""A use commitment for a period, over several workers: found by all of them, and by none once it ended."""

import json
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.apply.identity import read_credential
from broker.commitments.lodge import Lodger
from broker.errors import Changed, MalformedRequest, NotFound
from broker.model import Application, Role, Verdict, Why
from broker.reasons import Reason
from broker.server.parts import ca_of
from broker.use_commitment.signed import Commitment, sign
from broker.use_commitment.text import blanks_of, days_of, document, fill

HOUSEHOLD = "sharing/public-security-household.yaml"
DUTY = "no_onward_sharing: true"
TEMPLATE = """\
format: share-commitment/v1
id: household-use
version: {version}
owner: public_security
title: 数据使用责任状（户籍）
text: "{{consumer}} 为“{{purpose}}”使用 {{dataset}}，{{date}} 至 {{until}}。"
duties: [不作他用。]
valid_days: 180
"""
MISSING = (Why(Reason.COMMITMENT_MISSING, "household-use"),)


def always():
    return True


class Insurer:
    """A department whose streams need a commitment, what it signs, and who takes it."""

    def __init__(self, world):
        self.world = world
        issued = world.authority.issue("medical_insurance", Role.SYSTEM, "streams")
        self.certificate = x509.load_pem_x509_certificate(issued.cert_pem)
        self.key = load_pem_private_key(issued.key_pem, None)
        self.identity = read_credential(self.certificate).identity
        (world.policies / "commitments" / "household-use.yaml").write_text(
            TEMPLATE.format(version=1), "utf-8"
        )
        world.publish = lambda: world.publisher.policy(world.edit(HOUSEHOLD, DUTY, DUTY), world.order)
        world.edit(HOUSEHOLD, DUTY, f"commitment: household-use\n      {DUTY}")
        world.publish()
        self.epochs = world.epochs()
        ca = ca_of(world.settings)
        self.lodger = Lodger(self.epochs, world.store, world.log, world.publisher, ca, world.now)

    def signed(self, days=30, purpose="grid_service"):
        catalog = self.epochs.current().bundle.catalog
        template = catalog.commitments["household-use"]
        request = self.world.package()
        dataset = request.dataset.removeprefix("datasets/")
        asked = Application(self.identity, "", dataset, (), (), purpose)
        issued = self.world.now().replace(microsecond=0)
        expires = issued + timedelta(days=days)
        blanks = blanks_of(template, asked, catalog) | days_of(issued, expires, catalog.zone)
        text = fill(document(template), blanks)
        bound = ("medical_insurance", asked.dataset, purpose, "", "", issued, expires)
        return sign(Commitment(template.id, template.version, text, *bound), self.key, [self.certificate])

    def lodge(self, **said):
        return self.lodger.lodge(self.signed(**said), self.identity).leaf_index

    def opening(self, worker):
        """The decision on a stream, and what follows it."""
        parts = worker.stream(self.world.package(), self.identity, always)
        return next(parts), parts


@pytest.fixture
def insurer(any_world):
    return Insurer(any_world)


def test_lodged_it_is_found_by_every_worker(any_world, insurer):
    """Without one the paper is missing; from its leaf on each worker finds it, and says which it was."""
    one, two = any_world.worker(), any_world.worker()
    refused, _ = insurer.opening(one)
    assert (refused.decision.verdict, refused.decision.missing) == (Verdict.NEEDS_SUPPLEMENT, MISSING)
    leaf = insurer.lodge()
    for worker in (one, two):
        opening, parts = insurer.opening(worker)
        assert opening.decision.verdict is Verdict.PERMIT
        *_, closing = parts
        (told,) = json.loads(closing.receipt.statement)["commitments"]
        assert (told["template"], told["lodged"]) == ("household-use", leaf)


def test_withdrawn_it_stops_streams_that_rest_on_it(any_world, insurer):
    """The epoch moves with it: the stream under way ends, and another is not begun."""
    worker, officer = any_world.worker(), any_world.officer("public_security")
    leaf = insurer.lodge()
    _, parts = insurer.opening(worker)
    next(parts)
    ended = insurer.lodger.withdraw(leaf, "发现超范围使用", officer.identity)
    any_world.let_it_look()
    with pytest.raises(Changed):
        list(parts)
    refused, _ = insurer.opening(worker)
    assert refused.decision.missing == MISSING
    assert insurer.lodger.withdraw(leaf, "again", officer.identity) == ended
    said = any_world.statements()[ended]
    assert (said["kind"], said["act"], said["commitment"]["leaf"]) == ("epoch", "withdraw", leaf)
    assert insurer.lodger.one(leaf, officer.identity).withdrawn == ended


def test_it_ends_with_its_version_and_on_its_day(any_world, insurer):
    """Of a text that is no longer in force, or expired, it is as if there were none."""
    worker = any_world.worker()
    insurer.lodge()
    assert insurer.opening(worker)[0].decision.verdict is Verdict.PERMIT
    file = any_world.policies / "commitments" / "household-use.yaml"
    file.write_text(TEMPLATE.format(version=2), "utf-8")
    any_world.publish()
    any_world.let_it_look()
    assert insurer.opening(worker)[0].decision.missing == MISSING
    insurer.lodge(days=1)
    assert insurer.opening(worker)[0].decision.verdict is Verdict.PERMIT
    any_world.ahead = timedelta(hours=25)
    assert insurer.opening(worker)[0].decision.missing == MISSING


def test_a_key_that_others_may_have_commits_nobody(any_world, insurer):
    """Revoked as compromised, what it signed does not stand; a certificate merely replaced still counts."""
    worker = any_world.worker()
    insurer.lodge()
    other = any_world.issue("medical_insurance", "second")
    insurer.world.revoke(insurer.identity)
    any_world.let_it_look()
    parts = worker.stream(replace(any_world.package(), request_id=str(uuid.uuid4())), other, always)
    assert next(parts).decision.verdict is Verdict.PERMIT


def test_who_may_see_and_end_it(any_world, insurer):
    """Its parties and the authority; others do not learn that it is there."""
    leaf = insurer.lodge()
    for department in ("medical_insurance", "public_security", "data_authority"):
        officer = any_world.officer(department).identity
        assert insurer.lodger.one(leaf, officer).consumer == "medical_insurance"
        assert [one.leaf_index for one in insurer.lodger.listed("", officer, None, 9)] == [leaf]
    stranger = any_world.officer("tax").identity
    assert insurer.lodger.listed("", stranger, None, 9) == []
    with pytest.raises(NotFound):
        insurer.lodger.withdraw(leaf, "x", stranger)
    with pytest.raises(NotFound):
        insurer.lodger.one(leaf + 10_000, stranger)


def test_what_does_not_verify_is_not_lodged(any_world, insurer):
    """For another purpose than there is, or for too long."""
    for said in ({"purpose": "no_such"}, {"days": 181}):
        with pytest.raises(MalformedRequest):
            insurer.lodge(**said)
    assert not [said for said in any_world.statements() if said["kind"] == "commitment"]
