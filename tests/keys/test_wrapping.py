"""The master key: wraps by the standard, comes from where it was said, and opens what it wrapped only."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from broker.errors import SetUpError
from broker.keys.wrapping import VARIABLE, AesKeyWrapper, create_master_key, master_key_of

MASTER_KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("key", "wrapped"),
    [
        (
            "00112233445566778899aabbccddeeff",
            "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7",
        ),
        (
            "00112233445566778899aabbccddeeff0001020304050607",
            "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1",
        ),
        (
            "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
        ),
    ],
    ids=["4.3", "4.5", "4.6"],
)
def test_vectors_of_rfc_3394(key: str, wrapped: str) -> None:
    """Sections 4.3, 4.5 and 4.6, those with a key-encryption key of 256 bits, both ways."""
    wrapper = AesKeyWrapper(MASTER_KEY)
    assert wrapper.wrap(bytes.fromhex(key)).hex() == wrapped
    assert wrapper.unwrap(bytes.fromhex(wrapped)).hex() == key


@pytest.mark.parametrize("place", [0, 20, 47])
def test_a_changed_wrapping_opens_nothing(place: int) -> None:
    """One bit anywhere, and there is an error instead of another key."""
    wrapper = AesKeyWrapper(MASTER_KEY)
    changed = bytearray(wrapper.wrap(bytes(40)))
    changed[place] ^= 1
    with pytest.raises(ValueError, match="changed"):
        wrapper.unwrap(bytes(changed))
    with pytest.raises(ValueError, match="another key"):
        AesKeyWrapper(bytes(32)).unwrap(wrapper.wrap(bytes(40)))


def test_an_id_tells_keys_apart_and_shows_none() -> None:
    """It stands in files and messages, so it is the same for the same key and tells nothing of it."""
    wrapper = AesKeyWrapper(MASTER_KEY)
    assert wrapper.id == AesKeyWrapper(MASTER_KEY).id != AesKeyWrapper(bytes(32)).id
    assert len(wrapper.id) == 16
    assert MASTER_KEY.hex() not in repr(wrapper)


def test_a_master_key_is_found_where_it_is(tmp_path: Path) -> None:
    """In a file of its owner's, or in the environment, which goes first; in hexadecimal or base64."""
    file = tmp_path / "master.key"
    made = create_master_key(file)
    assert master_key_of(file, {}).id == made.id
    assert file.stat().st_mode & 0o777 == 0o600
    expected = AesKeyWrapper(MASTER_KEY).id
    for written in (MASTER_KEY.hex(), MASTER_KEY.hex().upper(), f" {b64encode(MASTER_KEY).decode()}\n"):
        assert master_key_of(file, {VARIABLE: written}).id == expected
        file.write_text(written)
        assert master_key_of(file, {}).id == expected


@pytest.mark.parametrize("written", ["", "00", "secret", b64encode(bytes(31)).decode(), "鍵", "zz" * 32])
def test_what_is_no_key_is_refused(tmp_path: Path, written: str) -> None:
    """And the message says where it was found, never what was found there."""
    file = tmp_path / "master.key"
    file.write_text(written)
    file.chmod(0o600)
    with pytest.raises(SetUpError, match=str(file)) as caught:
        master_key_of(file, {})
    assert not written or written not in str(caught.value).replace(str(file), "")
    if written:
        with pytest.raises(SetUpError, match=VARIABLE):
            master_key_of(file, {VARIABLE: written})


def test_a_key_open_to_others_or_missing_is_refused(tmp_path: Path) -> None:
    """A key that others can read is no key; where there is none, both places are named."""
    file = tmp_path / "master.key"
    with pytest.raises(SetUpError, match=f"{file}.*{VARIABLE}"):
        master_key_of(file, {})
    create_master_key(file)
    before = file.read_bytes()
    with pytest.raises(SetUpError, match="nothing changed"):
        create_master_key(file)
    assert file.read_bytes() == before
    file.chmod(0o640)
    with pytest.raises(SetUpError, match="chmod"):
        master_key_of(file, {})
