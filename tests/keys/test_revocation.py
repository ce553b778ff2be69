"""A revocation list is believed when it is the authority's, whole and current, and never otherwise."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.errors import Unavailable, VerificationFailed
from broker.keys.authority import Authority
from broker.keys.revocation import read_revocations
from broker.model import Role
from broker.reasons import Reason


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "xinghe")


OTHER_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another")])


def test_the_revoked_and_no_other(authority: Authority) -> None:
    """A list names serials; its number grows with every revocation."""
    bad, good = (authority.issue("tax", Role.SYSTEM, name).serial for name in ("bad", "good"))
    before = read_revocations(authority.crl(), authority.certificate)
    authority.revoke(f"{bad:x}")
    after = read_revocations((authority.folder / "crl.pem").read_bytes(), authority.certificate)
    assert not before.is_revoked(bad)
    assert after.is_revoked(bad)
    assert not after.is_revoked(good)
    assert after.number == before.number + 1


def test_forged_list_is_refused(authority: Authority, tmp_path: Path) -> None:
    """A list of another authority, even one of the same name, is no list."""
    other = Authority.create(tmp_path / "other", "xinghe")
    assert other.certificate.subject == authority.certificate.subject
    with pytest.raises(VerificationFailed, match="not signed by the authority"):
        read_revocations(other.crl(), authority.certificate)


@pytest.mark.parametrize("away", [-timedelta(minutes=6), timedelta(days=31)])
def test_list_outside_its_dates_is_refused(authority: Authority, away: timedelta) -> None:
    """An expired list, or one from the future, says nothing; checked at each question, not at reading."""
    now = [time.time()]
    revocations = read_revocations(authority.crl(), authority.certificate, clock=lambda: now[0])
    assert not revocations.is_revoked(1)
    now[0] += away.total_seconds()
    assert not revocations.is_current
    with pytest.raises(Unavailable) as caught:
        revocations.is_revoked(1)
    assert caught.value.reason is Reason.REVOCATIONS_UNREADABLE
    now[0] -= away.total_seconds()
    assert not revocations.is_revoked(1)


def odd_list(
    authority: Authority, extensions: list[x509.ExtensionType], issuer: x509.Name | None = None
) -> bytes:
    key = serialization.load_pem_private_key((authority.folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer or authority.certificate.subject)
        .last_update(now - timedelta(minutes=1))
        .next_update(now + timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_list_without_number_is_refused(authority: Authority) -> None:
    """Without a number a rollback could not be seen."""
    with pytest.raises(VerificationFailed):
        read_revocations(odd_list(authority, []), authority.certificate)


def test_partial_list_is_refused(authority: Authority) -> None:
    """A delta holds only what is new; taken for a whole list it would release what was revoked before."""
    delta = odd_list(authority, [x509.CRLNumber(9), x509.DeltaCRLIndicator(1)])
    with pytest.raises(VerificationFailed, match="partial"):
        read_revocations(delta, authority.certificate)


def test_list_under_another_name_is_refused(authority: Authority) -> None:
    """The issuer's name must be the root's, beside its signature."""
    renamed = odd_list(authority, [x509.CRLNumber(9)], issuer=OTHER_NAME)
    with pytest.raises(VerificationFailed, match="another"):
        read_revocations(renamed, authority.certificate)


def test_number_may_have_twenty_octets(authority: Authority) -> None:
    """RFC 5280 §5.2.3."""
    largest = 2**159 - 1
    assert (
        read_revocations(odd_list(authority, [x509.CRLNumber(largest)]), authority.certificate).number
        == largest
    )


def test_no_damage_is_read_as_a_list(authority: Authority) -> None:
    """Whichever signed byte is changed, wherever it is cut: no list, and no other error."""
    authority.revoke(str(authority.issue("tax", Role.SYSTEM, "a").spiffe_id))
    crl = x509.load_pem_x509_crl((authority.folder / "crl.pem").read_bytes())
    der = crl.public_bytes(serialization.Encoding.DER)
    signed = len(crl.tbs_certlist_bytes) + der.index(crl.tbs_certlist_bytes)
    for place in range(signed):
        bent = der[:place] + bytes([der[place] ^ 1]) + der[place + 1 :]
        for damaged in (bent, der[:place]):
            lines = base64.encodebytes(damaged)
            pem = b"-----BEGIN X509 CRL-----\n" + lines + b"-----END X509 CRL-----\n"
            with pytest.raises(VerificationFailed):
                read_revocations(pem, authority.certificate)
