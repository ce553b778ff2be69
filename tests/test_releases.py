"""What a statement says was released under a key."""

from broker.releases import released_fields

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
