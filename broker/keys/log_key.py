"""The log's key on disk: Ed25519, PKCS #8 PEM (RFC 8410), readable by its owner only."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

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
    write_private_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


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
