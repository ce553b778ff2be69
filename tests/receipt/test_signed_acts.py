"""The rule by which a signature of a short-lived certificate verifies years later, offline."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.identity import read_credential
from broker.errors import VerificationFailed
from broker.journal import CrlInForce
from broker.keys import cose
from broker.keys.authority import Authority, Issued
from broker.keys.revocation import Revocations, read_revocations
from broker.model import Role
from broker.receipt.chains import certificate_chain, chain_of
from broker.receipt.signed_acts import (
    LoggedChain,
    Recorded,
    read_chain,
    read_crl,
    verify_act,
    verify_certificate,
)

DER = serialization.Encoding.DER


@dataclass
class City:
    """An authority, a system of its, and what the log says of both."""

    authority: Authority
    issued: Issued

    @classmethod
    def create(cls, folder: Path) -> City:
        authority = Authority.create(folder / "pki", "xinghe")
        return cls(authority, authority.issue("tax", Role.SYSTEM, "counter-1", days=1))

    @property
    def root(self) -> x509.Certificate:
        return self.authority.certificate

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.issued.cert_pem)

    @property
    def crl(self) -> bytes:
        return (self.authority.folder / "crl.pem").read_bytes()

    @property
    def revocations(self) -> Revocations:
        return read_revocations(self.crl, self.root)

    def statement(self) -> bytes:
        identity = read_credential(self.certificate).identity
        chain = chain_of(identity, self.root.public_bytes(DER))
        crl = CrlInForce(self.revocations.number, sha256(self.crl).digest())
        return certificate_chain(chain, datetime.now(UTC), crl)

    def chain(self, leaf_index: int = 5) -> LoggedChain:
        return read_chain(leaf_index, self.statement())

    def signed(self, by: Issued | None = None) -> bytes:
        issued = by or self.issued
        key: Any = serialization.load_pem_private_key(issued.key_pem, None)
        der = x509.load_pem_x509_certificate(issued.cert_pem).public_bytes(DER)
        return cose.sign1(b"payload", "application/x", key, [der])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return City.create(tmp_path_factory.mktemp("city"))


NOW = datetime.now(UTC) + timedelta(hours=1)
"""Within the dates of certificates that are issued long after the tests were collected."""


def test_an_act_verifies_after_its_certificate_has_expired(city: City) -> None:
    """Only the time of its leaf counts, whenever that is asked."""
    who, signed = verify_act(city.signed(), city.chain(), Recorded(6, NOW), city.root, city.revocations)
    assert (str(who), signed.payload) == ("spiffe://xinghe/department/tax/system/counter-1", b"payload")


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        (Recorded(5, NOW), "does not come before"),
        (Recorded(4, NOW), "does not come before"),
        (Recorded(6, NOW + timedelta(days=2)), "expired"),
        (Recorded(6, NOW - timedelta(days=2)), "expired"),
    ],
)
def test_the_leaf_says_when(city: City, recorded: Recorded, message: str) -> None:
    """A chain that came later, and a certificate outside its dates at that time, prove nothing."""
    with pytest.raises(VerificationFailed, match=message):
        verify_certificate(city.chain(), recorded, city.root, city.revocations)


def test_what_was_revoked_then_does_not_count_and_what_is_later_does(tmp_path: Path) -> None:
    """The list in force at the leaf decides; a later one changes nothing of what was signed before."""
    city = City.create(tmp_path)
    before = city.revocations
    city.authority.revoke(str(city.issued.spiffe_id))
    verify_certificate(city.chain(), Recorded(6, NOW), city.root, before)
    with pytest.raises(VerificationFailed, match="revoked"):
        verify_certificate(city.chain(), Recorded(6, NOW), city.root, city.revocations)


def test_only_the_authority_that_is_trusted_counts(city: City, tmp_path: Path) -> None:
    """The chain brings the authority's certificate; that one is never believed because it is there."""
    other = City.create(tmp_path)
    with pytest.raises(VerificationFailed, match="authority"):
        verify_certificate(other.chain(), Recorded(6, NOW), city.root, city.revocations)


def test_a_broker_is_no_department(tmp_path: Path) -> None:
    """Nor may a certificate for servers act."""
    city = City.create(tmp_path)
    issued = city.authority.issue_broker("b", dns=["broker.example"])
    broker = x509.load_pem_x509_certificate(issued.cert_pem)
    chain = LoggedChain(1, broker, city.root, sha256(broker.public_bytes(DER)).hexdigest())
    with pytest.raises(VerificationFailed):
        verify_certificate(chain, Recorded(6, NOW), city.root, city.revocations)


def test_a_message_of_another_certificate_or_altered_does_not_count(city: City) -> None:
    """Not even of another certificate of the same holder."""
    again = city.authority.issue("tax", Role.SYSTEM, "counter-1")
    message = bytearray(city.signed())
    message[-1] ^= 1
    for wrong in (city.signed(again), bytes(message), b"", city.signed()[:-1]):
        with pytest.raises(VerificationFailed):
            verify_act(wrong, city.chain(), Recorded(6, NOW), city.root, city.revocations)


def _der(said: dict[str, Any]) -> None:
    said["chain"][0]["der"] = b64encode(b"nothing").decode()


WRONG: list[Callable[[dict[str, Any]], object]] = [
    lambda said: said.update(kind="exchange"),
    lambda said: said.update(holder="spiffe://xinghe/department/tax/system/other"),
    lambda said: said.pop("holder"),
    lambda said: said["chain"].pop(),
    lambda said: said["chain"].reverse(),
    lambda said: said["chain"][0].update(sha256="0" * 64),
    lambda said: said["chain"][1].update(sha256="0" * 64),
    lambda said: said.update(chain="ab"),
    lambda said: said["chain"][0].update(der="*"),
    _der,
]


@pytest.mark.parametrize("change", WRONG)
def test_a_chain_that_contradicts_itself_is_refused(
    city: City, change: Callable[[dict[str, Any]], object]
) -> None:
    """Digests, holder and number of certificates."""
    said = orjson.loads(city.statement())
    change(said)
    with pytest.raises(VerificationFailed):
        read_chain(5, orjson.dumps(said))


def test_the_list_in_force_is_the_one_that_the_log_names(city: City) -> None:
    """By number and digest; a list that was published later does not stand in for it."""
    named = orjson.loads(city.statement())
    before = city.crl
    assert read_crl(named, before, city.root).number == int(named["crl"]["number"])
    city.authority.crl()
    for wrong in (city.crl, b"", before + b"\n"):
        with pytest.raises(VerificationFailed):
            read_crl(named, wrong, city.root)
    with pytest.raises(VerificationFailed):
        read_crl({}, before, city.root)
