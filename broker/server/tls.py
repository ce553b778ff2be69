"""The broker's side of mutual TLS: its own certificate, and the authority that callers' must come from."""

from __future__ import annotations

from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.errors import SetUpError
from broker.keys.files import read_private_file
from broker.settings import Settings


def server_credentials(settings: Settings) -> grpc.ServerCredentials:
    """Credentials for a port that demands a client certificate.

    Raises:
        SetUpError: a file is missing, is not what it should be, or the key does not fit the certificate. gRPC
            itself would only say that it cannot have the port.
    """
    certificate, key = settings.path(settings.identity.certificate), settings.path(settings.identity.key)
    ca = settings.path(settings.identity.ca)
    chain, roots = _read(certificate), _read(ca)
    secret = read_private_file(key)
    _certificate(ca, roots)
    if _public_key(key, secret) != _certificate(certificate, chain).public_key():
        raise SetUpError(
            f"私钥 {key} 与证书 {certificate} 不匹配。", f"Key {key} does not fit {certificate}."
        )
    return grpc.ssl_server_credentials([(secret, chain)], root_certificates=roots, require_client_auth=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SetUpError(
            f"无法读取证书 {path}（{error.strerror}）。",
            f"Certificate {path} cannot be read ({error.strerror}).",
        ) from None


def _certificate(path: Path, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError:
        raise SetUpError(f"{path} 不是 PEM 证书。", f"{path} is no PEM certificate.") from None


def _public_key(path: Path, pem: bytes) -> object:
    try:
        return load_pem_private_key(pem, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise SetUpError(
            f"{path} 不是未加密的 PEM 私钥。", f"{path} is no PEM private key without passphrase."
        ) from None
