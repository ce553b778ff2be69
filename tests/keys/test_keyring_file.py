"""The keyring on disk: opened by its master key only, never half written, and no key of it in the clear."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from broker.errors import SetUpError
from broker.keys.keyring import Keyring
from broker.keys.keyring_file import KeyringFile
from broker.keys.wrapping import AesKeyWrapper, master_key_of

MASTER = bytes(range(32))
NOW = datetime(2026, 11, 23, tzinfo=UTC)
WRAPPER, OTHER = AesKeyWrapper(b"k" * 32), AesKeyWrapper(b"o" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


@pytest.fixture
def file(path: Path) -> KeyringFile:
    return KeyringFile(path, lambda: WRAPPER)


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content) if not isinstance(content, str) else content)
    path.chmod(0o600)


def keys_of(keyring: Keyring) -> dict[int, bytes]:
    return {version: master.key for version, master in keyring.masters.items()}


def test_a_restart_gives_the_same_keys(file: KeyringFile) -> None:
    """What was written is what is read, times included."""
    made = file.create(NOW)
    read = file.read()
    assert read.masters == made.masters
    assert (read.version, read.binding, read.masters[1].created) == (1, 1, NOW)


def test_no_key_lies_in_the_clear(file: KeyringFile, path: Path) -> None:
    """Whoever has the file has nothing; and only its owner has even that."""
    keyring = file.create(NOW)
    content = path.read_bytes()
    assert keyring.masters[1].key not in content
    assert keyring.masters[1].key.hex().encode() not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_version_is_added_once(file: KeyringFile) -> None:
    """Prepared on one machine and copied to the others, it is the one that is then put in use."""
    first = file.create(NOW)
    prepared = file.prepare(first.version, NOW)
    assert prepared.versions == (1, 2)
    assert file.prepare(first.version, NOW).masters == prepared.masters == file.read().masters
    assert file.prepare(prepared.version, NOW).versions == (1, 2, 3)
    assert file.read().binding == 1


def test_two_who_add_at_once_lose_no_key(file: KeyringFile) -> None:
    """Each prepares beyond what it knows; all see the same keys in the end."""
    file.create(NOW)
    seen: list[Keyring] = []
    threads = [Thread(target=lambda: seen.append(file.prepare(1, NOW))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [keyring.masters for keyring in seen] == [file.read().masters] * 4


def test_a_keyring_is_never_replaced(file: KeyringFile, path: Path) -> None:
    """Creating over a keyring would make every pseudonym and tag of the past meaningless."""
    file.create(NOW)
    before = path.read_bytes()
    with pytest.raises(SetUpError, match="nothing changed"):
        file.create(NOW)
    assert path.read_bytes() == before


def test_a_keyring_open_to_others_is_refused(file: KeyringFile, path: Path) -> None:
    """A key that others can read is no key."""
    file.create(NOW)
    path.chmod(0o644)
    with pytest.raises(SetUpError):
        file.read()


def test_another_master_key_is_named(file: KeyringFile, path: Path) -> None:
    """Both, so that whoever has a drawer of them knows which to look for; and nothing is written with it."""
    file.create(NOW)
    before = path.read_bytes()
    wrong = KeyringFile(path, lambda: OTHER)
    for attempt in (wrong.read, lambda: wrong.prepare(1, NOW), lambda: wrong.rewrap(OTHER)):
        with pytest.raises(SetUpError, match=f"{WRAPPER.id}.*{OTHER.id}"):
            attempt()
    assert path.read_bytes() == before


def test_rewrapping_changes_no_key(file: KeyringFile, path: Path) -> None:
    """The same keys for the new master key; the old one opens nothing any more."""
    keyring = file.prepare(file.create(NOW).version, NOW)
    file.rewrap(OTHER)
    assert KeyringFile(path, lambda: OTHER).read().masters == keyring.masters
    assert file.wrapped_by == OTHER.id
    with pytest.raises(SetUpError):
        file.read()


def test_versions_cannot_be_exchanged(file: KeyringFile, path: Path) -> None:
    """Whoever can write the file cannot put one version's key in the place of another's."""
    file.prepare(file.create(NOW).version, NOW)
    content = json.loads(path.read_bytes())
    versions = content["versions"]
    versions["1"], versions["2"] = versions["2"], versions["1"]
    write(path, content)
    with pytest.raises(SetUpError, match="damaged"):
        file.read()


def test_a_keyring_of_before_is_upgraded_when_it_is_written(path: Path) -> None:
    """It opens without a master key, keeps its keys, and is wrapped from then on."""
    write(path, {"format": "share-keyring/v1", "keys": {"9": bytes(32).hex(), "10": MASTER.hex()}})
    bare = KeyringFile(path, lambda: master_key_of(path.parent / "none", {}))
    before = bare.read()
    assert (before.version, before.binding, bare.wrapped_by) == (10, 10, "")
    with pytest.raises(SetUpError, match="no master key"):
        bare.prepare(before.version, NOW)
    after = KeyringFile(path, lambda: WRAPPER).prepare(before.version, NOW)
    assert {version: keys_of(after)[version] for version in (9, 10)} == keys_of(before)
    assert (after.version, after.binding) == (11, 10)
    assert after.request_mac(b"data") == before.request_mac(b"data")
    assert MASTER.hex() not in path.read_text()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        {},
        {"format": "share-keyring/v3", "keys": {"1": MASTER.hex()}},
        {"format": "share-keyring/v1", "keys": {}},
        {"format": "share-keyring/v1", "keys": []},
        {"format": "share-keyring/v1", "keys": {"1": "00"}},
        {"format": "share-keyring/v1", "keys": {"1": 7}},
        {"format": "share-keyring/v1", "keys": {"0": MASTER.hex()}},
        {"format": "share-keyring/v1", "keys": {"one": MASTER.hex()}},
        {"format": "share-keyring/v2"},
        {"format": "share-keyring/v2", "wrapped_by": WRAPPER.id, "binding": 1, "versions": {}},
        {"format": "share-keyring/v2", "wrapped_by": WRAPPER.id, "binding": 1, "versions": {"1": "00"}},
    ],
)
def test_a_damaged_keyring_is_refused(file: KeyringFile, path: Path, content: object) -> None:
    """Anything but whole keys stops the start, and the message holds no key."""
    write(path, content)
    with pytest.raises(SetUpError) as caught:
        file.read()
    assert MASTER.hex() not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"binding": 2},
        {"binding": "1"},
        {"versions": {"1": {"wrapped": "00", "created": None}}},
        {"versions": {"1": {"wrapped": WRAPPER.wrap(MASTER).hex(), "created": None}}},
        {"versions": {"1": {"wrapped": WRAPPER.wrap(bytes(7) + b"\x01" + bytes(24)).hex(), "created": None}}},
    ],
)
def test_a_keyring_that_was_tampered_with_is_refused(
    file: KeyringFile, path: Path, change: dict[str, object]
) -> None:
    """Wrapped by the right key or not, what is no keyring opens as none."""
    file.create(NOW)
    write(path, json.loads(path.read_bytes()) | change)
    with pytest.raises(SetUpError, match="damaged"):
        file.read()
