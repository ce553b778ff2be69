"""What a statement says was released under a key."""

from dataclasses import replace
from datetime import UTC, date, datetime

from adapters.masking.token import Token, TokenParams
from broker.keys.keyring import Keyring
from broker.model import FieldType, LinkDomain
from broker.releases import Masked, keys_of, released_fields

MASK = {"operator": "token", "version": "1", "params_sha256": "a" * 64, "key_version": 2}


def statement(kind="exchange", verdict="permit", **more):
    """As far as it is asked."""
    return {
        "kind": kind,
        "provider": "public_security",
        "dataset": "public_security.household",
        "purpose": "grid_service",
        "consumer": {"department": "tax"},
        "decision": {"verdict": verdict, "bundle": "b" * 64},
        "obligations": {"masks": {"id": MASK, "born_on": MASK | {"operator": "year", "key_version": None}}},
    } | more


def test_fields_masked_with_a_key_are_told():
    """With whose key it is; a mask without a key tells nobody anything."""
    (released,) = released_fields(statement())
    assert (released.field, released.operator, released.key_version) == ("id", "token", 2)
    assert (released.provider, released.consumer, released.purpose) == (
        "public_security",
        "tax",
        "grid_service",
    )
    assert released.bundle == "b" * 64


def test_what_released_nothing_tells_nothing():
    """A refusal, a validation, other acts, and a detokenization that was delivered again."""
    again = statement("redelivered")
    del again["obligations"]
    for said in (statement(verdict="deny"), statement("validation"), statement("detokenization"), again):
        assert list(released_fields(said)) == []


def test_the_keys_are_those_of_then():
    """Of the version that the statement names, and of the link domain where there was one."""
    keyring = Keyring.new(datetime.now(UTC)).with_another(datetime.now(UTC))
    (released,) = released_fields(statement(obligations={"masks": {"id": MASK | {"key_version": 1}}}))
    masked = Masked(Token(), TokenParams(profile="resident_id"), "person", FieldType.TEXT, None, True)
    own = keyring.for_field("public_security", "tax", "grid_service", "person", 1)
    assert keys_of(keyring, released, masked).derive("x", 16) == own.derive("x", 16)
    everybody = frozenset({"tax", "housing_fund"})
    provider = frozenset({"public_security"})
    link = LinkDomain("city", "person", provider, everybody, frozenset(), "条例", date(2030, 1, 1))
    joined = keyring.for_link("city", "", "grid_service", "person", 1)
    assert keys_of(keyring, released, replace(masked, link=link)).derive("x", 16) == joined.derive("x", 16)
