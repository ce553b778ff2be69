"""What wraps the keyring's keys: a master key (key-encryption key) that lies apart from them.

Whoever has the keyring file alone has nothing. Source: RFC 3394 (AES key wrap) with a key of 256 bits.
"""

from __future__ import annotations

import binascii
import os
import re
import secrets
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from broker.errors import SetUpError
from broker.keys.files import read_private_file, write_private_file

VARIABLE = "SHAREBROKER_MASTER_KEY"
"""Environment variable that holds the master key; it goes before the file."""
MASTER_KEY_BYTES = 32
_ID_BYTES = 8
_HEXADECIMAL = re.compile(rf"[0-9a-fA-F]{{{2 * MASTER_KEY_BYTES}}}")


class KeyWrapper(Protocol):
    """Wraps keys under a master key that it never gives away: here AES in memory, elsewhere an HSM."""

    @property
    def id(self) -> str:
        """Tells master keys apart and nothing of them: 16 hexadecimal digits."""
        ...

    def wrap(self, key: bytes) -> bytes:
        """``key``, of a multiple of 8 bytes, so that only this master key opens it."""
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """What was wrapped.

        Raises:
            ValueError: it was wrapped under another master key, or was changed.
        """
        ...


class AesKeyWrapper:
    """A :class:`KeyWrapper` of a master key of 32 bytes.

    Raises:
        ValueError: the key has another length.
    """

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != MASTER_KEY_BYTES:
            raise ValueError("a master key has 32 bytes")
        self._master_key = master_key
        check = HKDF(algorithm=SHA256(), length=_ID_BYTES, salt=None, info=b"sharebroker/master-key-id")
        self.id = check.derive(master_key).hex()

    def __repr__(self) -> str:
        return f"AesKeyWrapper(id={self.id})"  # never the key

    def wrap(self, key: bytes) -> bytes:
        """RFC 3394 §2.2.1; eight bytes longer than ``key``."""
        return aes_key_wrap(self._master_key, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """RFC 3394 §2.2.2; raises ValueError."""
        try:
            return aes_key_unwrap(self._master_key, wrapped)
        except InvalidUnwrap:
            raise ValueError("wrapped under another key, or changed") from None


def master_key_of(file: Path, environment: Mapping[str, str] = os.environ) -> KeyWrapper:
    """The master key in :data:`VARIABLE` or else in ``file``: 64 hexadecimal digits, or base64.

    Raises:
        SetUpError: there is none, it is no key, or the file is open to others.
    """
    if written := environment.get(VARIABLE, "").strip():
        return _parsed(written, (f"环境变量 {VARIABLE}", f"The environment's {VARIABLE}"))
    if not file.exists():
        raise SetUpError(
            f"没有主密钥：既无文件 {file}（[keys] master_key_file），也无环境变量 {VARIABLE}。"
            "请放回保管的主密钥；尚未设置过的，执行 sharebroker keyring rewrap 生成。",
            f"There is no master key: neither file {file} ([keys] master_key_file) nor {VARIABLE} in the "
            "environment. Put the one that is kept back; if there never was one, "
            "`sharebroker keyring rewrap` makes it.",
        )
    return read_master_key(file)


def without_master_key(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a process that has nothing to do with the keyring."""
    return {name: value for name, value in environment.items() if name != VARIABLE}


def read_master_key(file: Path) -> KeyWrapper:
    """The master key in ``file``; raises SetUpError as :func:`master_key_of`."""
    try:
        written = read_private_file(file).decode("ascii")
    except UnicodeDecodeError:
        written = ""
    return _parsed(written.strip(), (f"主密钥文件 {file}", f"Master key file {file}"))


def create_master_key(file: Path) -> KeyWrapper:
    """A new master key, written to a new file.

    Raises:
        SetUpError: the file exists or cannot be written.
    """
    if file.exists():
        raise SetUpError(
            f"主密钥文件 {file} 已存在，未作改动。", f"Master key file {file} exists; nothing changed."
        )
    master_key = secrets.token_bytes(MASTER_KEY_BYTES)
    write_private_file(file, f"{master_key.hex()}\n".encode())
    return AesKeyWrapper(master_key)


def _parsed(written: str, where: tuple[str, str]) -> KeyWrapper:
    try:
        if _HEXADECIMAL.fullmatch(written):
            return AesKeyWrapper(bytes.fromhex(written))
        return AesKeyWrapper(b64decode(written, validate=True))
    except (ValueError, binascii.Error):
        zh, en = where
        raise SetUpError(
            f"{zh} 不是主密钥：须为 32 字节，写作 64 位十六进制或 base64。",
            f"{en} is no master key: 32 bytes are expected, as 64 hexadecimal digits or in base64.",
        ) from None
