"""Derived keys: right by RFC 5869, apart for every use and party, the same after a restart."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.keys import unambiguous
from broker.errors import SetUpError
from broker.keys.keyring import Keyring

MASTER = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


def keyring_of(path: Path, keys: dict[str, str]) -> Keyring:
    path.write_text(json.dumps({"format": "share-keyring/v1", "keys": keys}))
    path.chmod(0o600)
    return Keyring.open(path)


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


def test_derivations_are_as_documented(path: Path) -> None:
    """Every derived key, recomputed from the master by the documented formula with other code."""
    keyring = keyring_of(path, {"1": MASTER.hex()})
    info = lengths("sharebroker/v1", "mask", "tax", "housing_fund", "p", "resident_id", "32")
    assert keyring.for_field("tax", "housing_fund", "p", "resident_id").derive("pseudonym", 48) == hkdf(
        hkdf(MASTER, info, 32), lengths("pseudonym", "48"), 48
    )
    mac_key = hkdf(MASTER, lengths("sharebroker/v1", "request-mac", "32"), 32)
    assert keyring.request_mac(b"data") == hmac.new(mac_key, b"data", hashlib.sha256).digest()
    nonce_key = hkdf(MASTER, lengths("sharebroker/v1", "nonce", "32"), 32)
    assert keyring.nonce("uri", "id") == hmac.digest(nonce_key, lengths("uri", "id"), "sha256")
    vault_key = hkdf(MASTER, lengths("sharebroker/v1", "subject-vault", "32"), 32)
    own_key = hmac.digest(vault_key, b"subject", "sha256")
    assert keyring.subject_tag("subject", "id") == hmac.digest(own_key, b"id", "sha256")[:16]


def test_contexts_get_unrelated_keys(path: Path) -> None:
    """Another provider, consumer, purpose, domain, label or length: another key, so tokens do not join."""
    keyring = Keyring.create(path)
    base = ("tax", "housing_fund", "purpose", "resident_id")
    keys = {keyring.for_field(*base).derive("a", 32)}
    for place in range(4):
        changed = [*base]
        changed[place] += "x"
        keys.add(keyring.for_field(*changed).derive("a", 32))
    keys.add(keyring.for_field("ta", "xhousing_fund", "purpose", "resident_id").derive("a", 32))
    keys.add(keyring.for_field(*base).derive("b", 32))
    keys.add(keyring.for_field(*base).derive("a", 64)[:32])
    keys |= {keyring.request_mac(b""), keyring.nonce("", "")}
    assert len(keys) == 10


parts = st.lists(st.text(max_size=6), max_size=5).map(tuple)


@given(parts, parts)
def test_encoding_of_contexts_isunambiguous(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    """No two lists of parts share an encoding, however the text is cut."""
    assert (unambiguous(one) == unambiguous(two)) == (one == two)


def test_restart_gives_the_same_keys(path: Path) -> None:
    """A retry after a restart finds the same nonce, tag and token."""
    first, second = Keyring.create(path), Keyring.open(path)
    assert first.nonce("uri", "id") == second.nonce("uri", "id")
    assert first.request_mac(b"x") == second.request_mac(b"x")
    assert first.subject_tag("s", "id") == second.subject_tag("s", "id")
    assert first.for_field("a", "b", "c", "d").derive("x", 16) == second.for_field("a", "b", "c", "d").derive(
        "x", 16
    )


def test_tags_of_a_person_do_not_link(path: Path) -> None:
    """Two receipts of one person carry unrelated tags of 16 bytes."""
    keyring = Keyring.create(path)
    tags = {keyring.subject_tag("990101189901010015", f"request-{n}") for n in range(50)}
    assert len(tags) == 50
    assert {len(tag) for tag in tags} == {16}


def test_rotation_uses_the_new_key_and_keeps_the_old(path: Path) -> None:
    """After rotation everything is derived anew; the old master stays in the file."""
    old = Keyring.create(path)
    new = old.rotate()
    field = ("a", "b", "c", "d")
    assert (old.version, new.version, Keyring.open(path).version) == (1, 2, 2)
    assert new.for_field(*field).version == 2
    assert new.for_field(*field).derive("x", 32) != old.for_field(*field).derive("x", 32)
    assert set(json.loads(path.read_bytes())["keys"]) == {"1", "2"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_older_version_stays_at_hand(path: Path) -> None:
    """What was made before a rotation turns back with the version that its receipt names."""
    old = Keyring.create(path)
    new = old.rotate()
    field = ("a", "b", "c", "d")
    assert (old.versions, new.versions) == ((1,), (1, 2))
    assert new.for_field(*field, version=1) == old.for_field(*field)
    assert new.for_field(*field, version=2) == new.for_field(*field)
    with pytest.raises(SetUpError, match="only 1, 2"):
        new.for_field(*field, version=3)


def test_latest_version_is_the_highest_number(path: Path) -> None:
    """Version 10 is later than 9, whatever the order or spelling in the file."""
    keyring = keyring_of(path, {"10": MASTER.hex(), "9": bytes(32).hex()})
    assert keyring.version == 10


def test_keyring_is_never_replaced(path: Path) -> None:
    """Creating over a keyring would make every pseudonym and tag of the past meaningless."""
    Keyring.create(path)
    before = path.read_bytes()
    with pytest.raises(SetUpError, match="nothing changed"):
        Keyring.create(path)
    assert path.read_bytes() == before


def test_keyring_open_to_others_is_refused(path: Path) -> None:
    """A key that others can read is no key."""
    Keyring.create(path)
    path.chmod(0o644)
    with pytest.raises(SetUpError):
        Keyring.open(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": "share-keyring/v1", "keys": {}}',
        '{"format": "share-keyring/v1", "keys": []}',
        '{"format": "share-keyring/v1", "keys": {"1": "00"}}',
        '{"format": "share-keyring/v1", "keys": {"1": 7}}',
        f'{{"format": "share-keyring/v1", "keys": {{"0": "{MASTER.hex()}"}}}}',
        f'{{"format": "share-keyring/v1", "keys": {{"one": "{MASTER.hex()}"}}}}',
        f'{{"format": "share-keyring/v2", "keys": {{"1": "{MASTER.hex()}"}}}}',
    ],
)
def test_damaged_keyring_is_refused(path: Path, content: str) -> None:
    """Anything but well-formed 32-byte keys stops the start, and the message holds no key."""
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SetUpError) as caught:
        Keyring.open(path)
    assert MASTER.hex() not in str(caught.value)


def test_keys_do_not_show_in_repr(path: Path) -> None:
    """What is logged by accident holds no key."""
    keyring = keyring_of(path, {"1": MASTER.hex()})
    shown = repr(keyring) + repr(keyring.for_field("a", "b", "c", "d"))
    assert MASTER.hex() not in shown
    assert repr(MASTER) not in shown
