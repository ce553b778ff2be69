"""The log's key file."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from broker.errors import SetUpError
from broker.keys.log_key import create_log_key, load_log_key


def test_a_created_key_is_private_and_loads(tmp_path: Path) -> None:
    """What is written is what is read, by its owner only."""
    key = create_log_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert load_log_key(tmp_path / "key").private_bytes_raw() == key.private_bytes_raw()


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    """Every receipt so far hangs on it."""
    create_log_key(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(SetUpError, match="not replaced"):
        create_log_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A key that others can read is no key."""
    create_log_key(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(SetUpError, match="chmod 600"):
        load_log_key(tmp_path / "key")


def test_what_is_no_plain_ed25519_key_is_refused(tmp_path: Path) -> None:
    """Text, a key of another kind, an encrypted key: one message, and none of the content in it."""
    other = ec.generate_private_key(ec.SECP256R1())
    own = create_log_key(tmp_path / "own")
    for data in (
        b"secret",
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"p")),
    ):
        path = tmp_path / "key"
        path.touch(0o600)
        path.write_bytes(data)
        with pytest.raises(SetUpError, match="no unencrypted Ed25519") as caught:
            load_log_key(path)
        assert "secret" not in str(caught.value)
