"""A caller's credentials: the folder that ``sharebroker pki issue`` writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.errors import SetUpError
from broker.keys.files import read_private_file


@dataclass(frozen=True, slots=True)
class Credentials:
    """Certificate chain, private key and root certificate, all PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    ca: bytes

    @classmethod
    def load(cls, folder: str | Path) -> Credentials:
        """From a folder with ``cert.pem``, ``key.pem`` (readable by its owner only) and ``ca.pem``.

        Raises:
            SetUpError: a file is missing or the key is readable by others.
        """
        place = Path(folder)
        for name in ("cert.pem", "key.pem", "ca.pem"):
            if not (place / name).is_file():
                raise SetUpError(f"证书目录缺少 {place / name}。", f"{place / name} is missing.")
        key = read_private_file(place / "key.pem")
        return cls((place / "cert.pem").read_bytes(), key, (place / "ca.pem").read_bytes())

    @property
    def uri(self) -> str:
        """The SPIFFE id in the certificate.

        Raises:
            SetUpError: there is none.
        """
        try:
            names = self.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            return names.get_values_for_type(x509.UniformResourceIdentifier)[0]
        except (x509.ExtensionNotFound, IndexError, ValueError):
            raise SetUpError(
                "证书中没有 SPIFFE 标识，请向证书管理机构重新申领。",
                "The certificate holds no SPIFFE id; ask the certificate authority for a new one.",
            ) from None

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificates, leaf first."""
        return x509.load_pem_x509_certificates(self.certificate)

    def private_key(self) -> ec.EllipticCurvePrivateKey:
        """The key, for signing applications.

        Raises:
            SetUpError: it is of another kind than the authority issues.
        """
        key = load_pem_private_key(self.key, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SetUpError("私钥须为 P-256 密钥。", "The private key must be a P-256 key.")
        return key

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For mutual TLS."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)
