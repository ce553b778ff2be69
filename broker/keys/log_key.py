"""The log's keys on disk: Ed25519, PKCS #8 PEM (RFC 8410), readable by their owner only.

The first has the name that the settings give, each further one the same with eight hexadecimal digits behind
it, by which it is told from others: ``log.key``, ``log.key.1f0c22d7``. A key that has been succeeded may be
taken away, the first too, once nothing asks for its signature any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from broker.durable import sync_folder
from broker.errors import SetUpError
from broker.keys.files import read_private_file, write_private_file


def create_log_key(path: Path) -> Ed25519PrivateKey:
    """A new key, written to ``path``. A key that is there is never replaced: old receipts hang on it.

    Raises:
        SetUpError: there is a file already, or it cannot be written.
    """
    if path.exists():
        raise SetUpError(
            f"密钥文件 {path} 已存在，不予覆盖。", f"Key file {path} exists and is not replaced."
        )
    key = Ed25519PrivateKey.generate()
    _write(path, key)
    return key


def create_next_log_key(path: Path, digits: Callable[[Ed25519PrivateKey], str]) -> Path:
    """A new key beside that of ``path``, durably on disk; ``digits`` of a key are the eight that name it.

    Raises:
        SetUpError: it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    file = path.with_name(f"{path.name}.{digits(key)}")
    _write(file, key)
    try:
        sync_folder(file.parent)
    except OSError as error:
        raise SetUpError(
            f"无法写入密钥文件 {file}（{error.strerror}）。",
            f"Key file {file} cannot be written ({error.strerror}).",
        ) from None
    return file


def log_key_files(path: Path) -> list[Path]:
    """The files of all keys there are: that of ``path`` first, if it is there."""
    named = re.compile(re.escape(path.name) + r"\.[0-9a-f]{8}")
    try:
        further = sorted(file for file in path.parent.iterdir() if named.fullmatch(file.name))
    except OSError:
        further = []
    return [path, *further] if path.exists() or not further else further


def load_log_keys(path: Path) -> list[Ed25519PrivateKey]:
    """All keys there are, as :func:`log_key_files` lists them.

    Raises:
        SetUpError: as of :func:`load_log_key`, of any of them.
    """
    return [load_log_key(file) for file in log_key_files(path)]


def load_log_key(path: Path) -> Ed25519PrivateKey:
    """The key in ``path``.

    Raises:
        SetUpError: the file is missing, readable by others, or holds no unencrypted Ed25519 private key.
    """
    data = read_private_file(path)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SetUpError(
            f"{path} 不是未加密的 Ed25519 私钥（PEM）。",
            f"{path} is no unencrypted Ed25519 private key in PEM.",
        )
    return key


def _write(path: Path, key: Ed25519PrivateKey) -> None:
    write_private_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
