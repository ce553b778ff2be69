"""Derived keys: right by RFC 5869, apart for every use, party and version."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.keys import unambiguous
from broker.errors import SetUpError
from broker.keys.keyring import Keyring, Master
from broker.model import NO_KEY, KeyInUse

MASTER = bytes(range(32))
FIELD = ("tax", "housing_fund", "purpose", "resident_id")


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.new(datetime(2026, 11, 23, tzinfo=UTC))


def rotated(keyring: Keyring) -> Keyring:
    return keyring.with_another(datetime(2027, 11, 23, tzinfo=UTC))


def hkdf(master: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 §2.2 and §2.3 written out with the standard library, without salt."""
    pseudorandom = hmac.digest(bytes(32), master, "sha256")
    block, output = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(pseudorandom, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]


def lengths(*parts: str) -> bytes:
    return b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)


def test_derivations_are_as_documented() -> None:
    """Every derived key, recomputed from the master by the documented formula with other code."""
    keyring = Keyring({1: Master(MASTER)}, binding=1)
    info = lengths("sharebroker/v1", "mask", "tax", "housing_fund", "p", "resident_id", "32")
    assert keyring.for_field("tax", "housing_fund", "p", "resident_id").derive("pseudonym", 48) == hkdf(
        hkdf(MASTER, info, 32), lengths("pseudonym", "48"), 48
    )
    info = lengths("sharebroker/v1", "link", "city_child", "", "p", "resident_id", "32")
    linked = keyring.for_link("city_child", "", "p", "resident_id")
    assert linked.derive("token", 32) == hkdf(hkdf(MASTER, info, 32), lengths("token", "32"), 32)
    mac_key = hkdf(MASTER, lengths("sharebroker/v1", "request-mac", "32"), 32)
    assert keyring.request_mac(b"data") == hmac.new(mac_key, b"data", hashlib.sha256).digest()
    nonce_key = hkdf(MASTER, lengths("sharebroker/v1", "nonce", "32"), 32)
    assert keyring.nonce("uri", "id") == hmac.digest(nonce_key, lengths("uri", "id"), "sha256")
    vault_key = hkdf(MASTER, lengths("sharebroker/v1", "subject-vault", "32"), 32)
    own_key = hmac.digest(vault_key, b"subject", "sha256")
    assert keyring.subject_tag("subject", "id") == hmac.digest(own_key, b"id", "sha256")[:16]


def test_contexts_get_unrelated_keys(keyring: Keyring) -> None:
    """Another provider, consumer, purpose, domain, link, label or length: another key, so no token joins."""
    keys = {keyring.for_field(*FIELD).derive("a", 32)}
    for place in range(4):
        changed = [*FIELD]
        changed[place] += "x"
        keys.add(keyring.for_field(*changed).derive("a", 32))
    keys.add(keyring.for_field("ta", "xhousing_fund", "purpose", "resident_id").derive("a", 32))
    keys.add(keyring.for_field(*FIELD).derive("b", 32))
    keys.add(keyring.for_field(*FIELD).derive("a", 64)[:32])
    keys |= {keyring.for_link(link, *FIELD[1:]).derive("a", 32) for link in ("tax", "one", "other")}
    keys |= {keyring.request_mac(b""), keyring.nonce("", "")}
    assert len(keys) == 13


parts = st.lists(st.text(max_size=6), max_size=5).map(tuple)


@given(parts, parts)
def test_encoding_of_contexts_isunambiguous(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    """No two lists of parts share an encoding, however the text is cut."""
    assert (unambiguous(one) == unambiguous(two)) == (one == two)


def test_tags_of_a_person_do_not_link(keyring: Keyring) -> None:
    """Two receipts of one person carry unrelated tags of 16 bytes."""
    tags = {keyring.subject_tag("990101189901010015", f"request-{n}") for n in range(50)}
    assert len(tags) == 50
    assert {len(tag) for tag in tags} == {16}


def test_another_version_masks_anew(keyring: Keyring) -> None:
    """Tokens of two versions do not join, be it for one consumer or in a link domain."""
    new = rotated(keyring)
    assert (keyring.version, new.version) == (1, 2)
    assert new.for_field(*FIELD).version == 2
    assert new.for_field(*FIELD).key != keyring.for_field(*FIELD).key
    assert new.for_link("link", *FIELD[1:]).key != keyring.for_link("link", *FIELD[1:]).key


def test_an_older_version_stays_at_hand(keyring: Keyring) -> None:
    """What was made before a rotation turns back with the version that its receipt names."""
    new = rotated(keyring)
    assert (keyring.versions, new.versions) == ((1,), (1, 2))
    assert new.for_field(*FIELD, version=1) == keyring.for_field(*FIELD) == new.using(1).for_field(*FIELD)
    assert new.for_link("link", *FIELD[1:], version=1) == keyring.for_link("link", *FIELD[1:])
    assert new.for_field(*FIELD, version=2) == new.for_field(*FIELD)
    with pytest.raises(SetUpError, match="only 1, 2"):
        new.for_field(*FIELD, version=3)


def test_retries_and_persons_outlive_a_rotation(keyring: Keyring) -> None:
    """A retry is recognised, a person's receipts are found, and claims on a person counted on, as before."""
    new = rotated(rotated(keyring))
    assert new.request_mac(b"data") == keyring.request_mac(b"data")
    assert new.nonce("uri", "id") == keyring.nonce("uri", "id")
    assert new.subject_tag("subject", "id") == keyring.subject_tag("subject", "id")
    assert new.match_tag("subject", ("fund", "day")) == keyring.match_tag("subject", ("fund", "day"))


def test_receipts_of_before_are_found_by_the_version_of_then() -> None:
    """A keyring that was rotated in its former format tagged with the version that masked."""
    keyring = Keyring({1: Master(MASTER), 2: Master(bytes(32)), 3: Master(b"3" * 32)}, binding=2)
    tags = [keyring.subject_tag("subject", "id", version) for version in (1, 2, 3, None)]
    assert tags[0] == Keyring({1: Master(MASTER)}, binding=1).subject_tag("subject", "id")
    assert tags[0] != tags[1] == tags[2] == tags[3]


def test_the_newest_version_is_the_highest_number() -> None:
    """Version 10 is later than 9, in whatever order they come."""
    assert Keyring({10: Master(MASTER), 9: Master(bytes(32))}, binding=9).version == 10


def test_a_named_key_is_used_or_refused(keyring: Keyring) -> None:
    """What the epoch names is this key and no other of that number; nothing named: the newest."""
    new = rotated(keyring)
    assert new.in_use(keyring.key).version == 1
    assert new.in_use(NO_KEY).version == 2
    with pytest.raises(SetUpError, match="no key of version 2"):
        keyring.in_use(new.key)
    with pytest.raises(SetUpError, match="another keyring"):
        rotated(keyring).in_use(new.key)
    with pytest.raises(SetUpError, match="another keyring"):
        new.in_use(KeyInUse(2, ""))


def test_another_binding_key_is_another_keyring() -> None:
    """Two brokers that recognise retries by different keys must not share a database."""
    masters = {1: Master(MASTER), 2: Master(bytes(32))}
    assert Keyring(masters, binding=1).fingerprint(2) != Keyring(masters, binding=2).fingerprint(2)


def test_keys_do_not_show_in_repr() -> None:
    """What is logged by accident holds no key."""
    keyring = Keyring({1: Master(MASTER)}, binding=1)
    shown = repr(keyring) + repr(keyring.masters) + repr(keyring.for_field("a", "b", "c", "d"))
    assert MASTER.hex() not in shown
    assert repr(MASTER) not in shown
