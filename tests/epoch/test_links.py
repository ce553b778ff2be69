"""Tokens of one person across departments: the same under a grant, unrelated without, before and after it."""

import json
from datetime import UTC, timedelta

import pyarrow as pa
import pytest

from broker.errors import Changed
from broker.model import Verdict
from broker.reasons import Reason
from broker.releases import Masks, keys_of, released_fields
from broker.server.bundles import operators_of, read_files
from broker.server.parts import keyring_file
from tests.epoch.test_exactness import always
from tests.epoch.test_streaming import Streaming

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
GRANT = """\
format: share-link-domains/v1
link_domains:
  settlement:
    field_domain: resident_id
    providers: [civil_affairs]
    consumers: [housing_fund, public_security]
    purposes: [housing_fund_withdrawal, newborn_registration]
    legal_basis: 户口登记条例 第七条
    until: "{until:%Y-%m-%d}"
"""


@pytest.fixture
def city(world):
    """Two departments that may have one person's marriage, the husband's number as a token."""
    world.edit(MARRIAGE, "fields: [status, registered_on]", "fields: [status, husband_id]")
    world.edit(MARRIAGE, "registered_on: year", "husband_id: token")
    files = world.edit(MARRIAGE, "obligations: {retain_days: 30}", "obligations: {mask: {husband_id: token}}")
    world.publisher.policy(files, world.order)
    world.police = world.issue("public_security")
    return world


def grant(city, days):
    """The grant, ending so many days from now, in force."""
    until = city.now().astimezone(UTC) + timedelta(days=days)
    (city.policies / "link-domains.yaml").write_text(GRANT.format(until=until), "utf-8")
    city.publisher.policy(read_files(city.policies), city.order)


def asked(city, worker, consumer):
    """What a department is told of the couple."""
    terms = {"fields": ("husband_id",)}
    if consumer is city.police:
        terms |= {
            "purpose": "newborn_registration",
            "service_item": "990100-GA-0012",
            "legal_basis": "户口登记条例 第七条",
        }
    exchanged = worker.unary(city.withdrawal(**terms), consumer, always)
    assert exchanged.decision.verdict is Verdict.PERMIT
    return exchanged


def both(city, worker):
    """The tokens that the two departments have of one person."""
    return [
        asked(city, worker, consumer).answer.records[0]["husband_id"]
        for consumer in (city.consumer, city.police)
    ]


def test_tokens_join_by_a_grant_and_while_it_lasts(city):
    """Without it they differ; under it they are one token, named in both receipts; after its end they differ
    again, and are those of before, though nobody published anything."""
    worker = city.worker()
    before = both(city, worker)
    assert before[0] != before[1]
    grant(city, days=2)
    linked = both(city, worker)
    assert linked[0] == linked[1] not in before
    for statement in city.statements()[-2:]:
        assert statement["obligations"]["masks"]["husband_id"]["link_domain"] == "settlement"
    city.ahead = timedelta(days=4)
    assert both(city, worker) == before
    assert "link_domain" not in city.statements()[-1]["obligations"]["masks"]["husband_id"]


def test_linked_tokens_turn_back_by_their_receipts(city):
    """What a receipt says is enough to find the keys again, linked or not, also after the grant is gone."""
    worker = city.worker()
    grant(city, days=2)
    linked = asked(city, worker, city.police)
    (city.policies / "link-domains.yaml").unlink()
    city.publisher.policy(read_files(city.policies), city.order)
    plain = asked(city, worker, city.police)
    masks, keyring = Masks(city.store, operators_of(city.settings)), keyring_file(city.settings).read()
    found = []
    for exchanged in (linked, plain):
        (released,) = released_fields(json.loads(exchanged.receipt.statement))
        masked = masks.of(released)
        token = exchanged.answer.records[0]["husband_id"]
        unbind = masked.unbind(keys_of(keyring, released, masked))
        found.append(unbind(pa.array([token])).to_pylist())
    assert found[0] == found[1] != [None]


def test_a_stream_does_not_outlast_the_grant_it_began_under(any_world):
    """A day later its tokens would be others: it is stopped, and says that the terms have changed."""
    (any_world.policies / "link-domains.yaml").write_text(
        GRANT.replace("resident_id", "public_security.household.household_no")
        .replace("[civil_affairs]", "[public_security]")
        .replace("[housing_fund, public_security]", "[medical_insurance, housing_fund]")
        .replace("[housing_fund_withdrawal, newborn_registration]", "[grid_service, housing_fund_withdrawal]")
        .format(until=any_world.now().astimezone(UTC) + timedelta(days=2)),
        "utf-8",
    )
    any_world.publisher.policy(read_files(any_world.policies), any_world.order)
    consumer = any_world.issue("medical_insurance", "streams")
    stream = Streaming(any_world.worker(), any_world.package(), consumer)
    opening = json.loads(stream.opening.receipt.statement)
    assert opening["obligations"]["masks"]["household_no"]["link_domain"] == "settlement"
    stream.take(1)
    any_world.ahead = timedelta(days=4)
    with pytest.raises(Changed) as stopped:
        stream.finish()
    assert stopped.value.reason is Reason.NO_LONGER_PERMITTED
