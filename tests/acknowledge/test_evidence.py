"""A statement about a delivery by itself: a broker cannot say of it what its consumer has not signed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.acknowledge.evidence import verified
from broker.acknowledge.signed import Acknowledgement, read, sign
from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.authority import Authority
from broker.model import Role
from broker.receipt.acknowledgements import Delivered, acknowledgement
from broker.receipt.merkle import leaf_entry, leaf_hash

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""Within the dates of certificates that are issued when tests have come to it, however late that is."""


class City:
    """An authority with two systems of one department, an officer of it, and a system of another."""

    def __init__(self, folder: Path, delivery: bytes) -> None:
        self.authority = Authority.create(folder, "xinghe")
        delivered = Delivered.of(7, orjson.loads(delivery))
        assert delivered is not None
        self.delivered = delivered
        self.leaf = leaf_hash(leaf_entry(delivery))

    def said(self, department: str = "tax", role: Role = Role.SYSTEM, name: str = "counter-1") -> Any:
        """The statement of an acknowledgement that somebody has signed."""
        issued = self.authority.issue(department, role, name)
        key = serialization.load_pem_private_key(issued.key_pem, None)
        assert isinstance(key, cose.PrivateKey)
        certificate = x509.load_pem_x509_certificate(issued.cert_pem)
        message = sign(Acknowledgement(self.leaf, self.delivered.digest, NOW), key, certificate)
        return orjson.loads(acknowledgement(self.delivered, read(message).signed(1), NOW, None))


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, broker_log: Callable[..., Any]) -> City:
    return City(tmp_path_factory.mktemp("city") / "pki", broker_log.exchange().statement)


def test_what_the_consumer_signed_holds(city: City) -> None:
    """By the caller's system or another one of its department, under the city's root."""
    for name in ("counter-1", "archive"):
        signed = verified(city.said(name=name), city.authority.certificate)
        assert signed.said == Acknowledgement(city.leaf, city.delivered.digest, NOW)
        assert signed.credential.identity.name == name


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("digest", "00" * 32),
        ("received_at", "2026-01-01T00:00:00.000000Z"),
        ("signer", {"uri": "spiffe://xinghe/department/tax/system/other", "certificate": "00" * 32}),
        ("consumer", {"department": "civil_affairs", "uri": "spiffe://xinghe/x"}),
        ("acknowledgement", ""),
        ("acknowledgement", "no base64!"),
        ("acknowledgement", base64.b64encode(b"\xd2\x84").decode()),
    ],
)
def test_what_it_did_not_sign_does_not(city: City, member: str, value: object) -> None:
    """The statement must say what is in the message, by whom, and be about that department's delivery."""
    with pytest.raises(VerificationFailed):
        verified(city.said() | {member: value})


@pytest.mark.parametrize(("department", "role"), [("civil_affairs", Role.SYSTEM), ("tax", Role.OFFICER)])
def test_another_cannot_sign_for_it(city: City, department: str, role: Role) -> None:
    """Another department, or a person of its own who did not call."""
    with pytest.raises(VerificationFailed, match="no system of the consumer"):
        verified(city.said(department, role))


def test_another_authority_cannot_vouch_for_it(city: City, tmp_path: Path) -> None:
    """Of the same name: what counts is its key. Without a root nothing is said of the certificate."""
    said, other = city.said(), Authority.create(tmp_path / "pki", "xinghe")
    verified(said)
    with pytest.raises(VerificationFailed, match="authority"):
        verified(said, other.certificate)
