"""Identity: only a current, unrevoked client certificate with one SPIFFE id proves who calls."""

from __future__ import annotations

import base64
import contextlib
import time
import timeit
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.apply.identity import identify
from broker.errors import BrokerError, NotAuthenticated, NotAuthorised, Unavailable
from broker.keys.authority import Authority
from broker.keys.certificates import new_key
from broker.keys.revocation import Revocations, read_revocations
from broker.model import Identity, Role
from broker.reasons import Reason

NOW = datetime.now(UTC) + timedelta(hours=1)
"""Within the dates of certificates that are issued when tests have come to it, however late that is."""
DEPARTMENTS = {"tax": "税务局", "housing_fund": "住房公积金管理中心"}
URI = "spiffe://xinghe/department/tax/system/counter-1"
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca"), "xinghe")


def current(authority: Authority, at: float | None = None) -> Revocations:
    pem = (authority.folder / "crl.pem").read_bytes()
    return read_revocations(pem, authority.certificate, (lambda: at) if at else time.time)


@pytest.fixture(scope="module")
def revocations(authority: Authority) -> Revocations:
    return current(authority)


def ask(
    revocations: Revocations, pem: bytes, spiffe_ids: Sequence[str] = (URI,), now: datetime = NOW
) -> Identity:
    return identify([i.encode() for i in spiffe_ids], pem, "xinghe", revocations, now, DEPARTMENTS)


def reason_of(
    revocations: Revocations, pem: bytes, spiffe_ids: Sequence[str] = (URI,), now: datetime = NOW
) -> Reason:
    with pytest.raises(BrokerError) as caught:
        ask(revocations, pem, spiffe_ids, now)
    return caught.value.reason


def certificate(
    authority: Authority,
    names: Sequence[x509.GeneralName] = (x509.UniformResourceIdentifier(URI),),
    usages: Sequence[x509.ObjectIdentifier] = (CLIENT,),
    common_name: str = "counter-1",
    ca: bool = False,
    digital_signature: bool = True,
    leave_out: type[x509.ExtensionType] | None = None,
) -> bytes:
    """A certificate that our authority would never make, but some other authority might be talked into."""
    key = serialization.load_pem_private_key((authority.folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    usage = x509.KeyUsage(digital_signature, False, False, False, False, False, False, False, False)
    extensions: list[x509.ExtensionType] = [x509.BasicConstraints(ca, None), usage]
    if names:
        extensions.append(x509.SubjectAlternativeName(names))
    if usages:
        extensions.append(x509.ExtendedKeyUsage(usages))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(new_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=2))
        .not_valid_after(NOW + timedelta(days=30))
    )
    for extension in extensions:
        if type(extension) is not leave_out:
            builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def uris(*texts: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(text) for text in texts]


@pytest.mark.parametrize("role", Role)
def test_certificate_proves_department_role_and_name(
    authority: Authority, revocations: Revocations, role: Role
) -> None:
    """Every role is recognised, with what receipts and logs need of the certificate."""
    issued = authority.issue("tax", role, "counter-1")
    identity = ask(revocations, issued.cert_pem, [str(issued.spiffe_id)])
    loaded = x509.load_pem_x509_certificate(issued.cert_pem)
    assert identity == Identity(
        city="xinghe",
        department="tax",
        role=role,
        name="counter-1",
        serial=issued.serial,
        not_after=issued.not_after,
        fingerprint=loaded.fingerprint(hashes.SHA256()),
    )
    assert identity.uri == str(issued.spiffe_id)


def test_no_certificate(revocations: Revocations) -> None:
    """Without a certificate nobody is anybody."""
    assert reason_of(revocations, b"") is Reason.CERTIFICATE_MISSING


@pytest.mark.parametrize(
    "reported",
    [(), (URI, URI), (URI, URI + "2"), (URI + "2",), ("",), (URI.upper(),), (URI + "/",)],
)
def test_reported_ids_must_be_the_certificates(
    authority: Authority, revocations: Revocations, reported: tuple[str, ...]
) -> None:
    """TLS must report exactly one id, and the one that is in the certificate."""
    issued = authority.issue("tax", Role.SYSTEM, "counter-1")
    assert reason_of(revocations, issued.cert_pem, reported) is Reason.CERTIFICATE_INVALID


def test_forged_common_name_without_san(authority: Authority, revocations: Revocations) -> None:
    """A common name that reads like an id proves nothing, even when TLS reports it as the identity."""
    pem = certificate(authority, names=(), common_name=URI)
    assert reason_of(revocations, pem, [URI]) is Reason.CERTIFICATE_INVALID
    assert reason_of(revocations, pem, []) is Reason.CERTIFICATE_INVALID


def test_common_name_is_never_looked_at(authority: Authority, revocations: Revocations) -> None:
    """With a good SAN the common name may say what it likes."""
    pem = certificate(authority, common_name="spiffe://xinghe/department/housing_fund/system/a")
    assert ask(revocations, pem).department == "tax"


@pytest.mark.parametrize(
    "names",
    [
        uris(URI, "spiffe://xinghe/department/housing_fund/system/counter-1"),
        uris(URI, URI),
        uris(URI, "https://example.invalid/"),
        [x509.DNSName("xinghe")],
        uris("spiffe://xinghe/department/tax%2Fsystem/system/counter-1"),
        uris("spiffe://xinghe/department/Tax/system/counter-1"),
        uris("spiffe://xinghe/department/tax/system/counter-1/"),
        uris("spiffe://xinghe/department/tax/../housing_fund/system/counter-1"),
        uris("spiffe://xinghe/department/tax/root/counter-1"),
        uris("spiffe://xinghe/broker/one"),
        uris("spiffe://xinghe"),
        uris("https://xinghe/department/tax/system/counter-1"),
    ],
)
def test_names_that_prove_nobody(
    authority: Authority, revocations: Revocations, names: list[x509.GeneralName]
) -> None:
    """Two URIs, none, tricks with paths, unknown roles, brokers: none of them is a department's holder."""
    pem = certificate(authority, names=names)
    reported = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    assert reason_of(revocations, pem, reported[:1]) is Reason.CERTIFICATE_INVALID


def test_other_trust_domain(authority: Authority, revocations: Revocations) -> None:
    """Another city's department is not ours, though its id is well formed."""
    uri = URI.replace("xinghe", "other")
    pem = certificate(authority, names=uris(uri))
    assert reason_of(revocations, pem, [uri]) is Reason.CERTIFICATE_INVALID


def test_certificates_that_may_not_act_as_clients(authority: Authority, revocations: Revocations) -> None:
    """A server's certificate, one without usages or that may not sign, an authority's: no client."""
    pems = [
        certificate(authority, usages=(SERVER,)),
        certificate(authority, usages=()),
        certificate(authority, digital_signature=False),
        certificate(authority, ca=True),
        certificate(authority, leave_out=x509.KeyUsage),
        certificate(authority, leave_out=x509.BasicConstraints),
    ]
    assert {reason_of(revocations, pem) for pem in pems} == {Reason.CERTIFICATE_INVALID}


@pytest.mark.parametrize(
    "pem", [b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_unreadable_certificate(revocations: Revocations, pem: bytes) -> None:
    """What cannot be read proves nothing and breaks nothing."""
    assert reason_of(revocations, pem) is Reason.CERTIFICATE_INVALID


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_no_damage_breaks_the_reading(authority: Authority, revocations: Revocations) -> None:
    """Whichever byte of a certificate is changed, it is read as itself or refused, never a crash."""
    der = x509.load_pem_x509_certificate(certificate(authority)).public_bytes(serialization.Encoding.DER)
    for place in range(len(der)):
        bent = der[:place] + bytes([der[place] ^ (1 << place % 8)]) + der[place + 1 :]
        lines = base64.encodebytes(bent)
        with contextlib.suppress(NotAuthenticated):
            ask(revocations, b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n")


def test_dates_are_checked_on_every_call(authority: Authority, revocations: Revocations) -> None:
    """A certificate read once, and cached, still expires on an open connection; to the second."""
    issued = authority.issue("tax", Role.SYSTEM, "counter-1")
    assert ask(revocations, issued.cert_pem)
    assert ask(revocations, issued.cert_pem, now=issued.not_after)
    late = issued.not_after + timedelta(seconds=1)
    assert reason_of(revocations, issued.cert_pem, now=late) is Reason.CERTIFICATE_EXPIRED
    early = datetime.now(UTC) - timedelta(minutes=10)
    assert reason_of(revocations, issued.cert_pem, now=early) is Reason.CERTIFICATE_INVALID


def test_revocation_is_checked_on_every_call(authority: Authority, revocations: Revocations) -> None:
    """A cached certificate is refused under the new list; the renewed one is not."""
    issued = authority.issue("tax", Role.SYSTEM, "counter-1")
    assert ask(revocations, issued.cert_pem)
    authority.revoke(f"{issued.serial:x}")
    revocations = current(authority)
    assert reason_of(revocations, issued.cert_pem) is Reason.CERTIFICATE_REVOKED
    assert ask(revocations, authority.issue("tax", Role.SYSTEM, "counter-1").cert_pem)


def test_outdated_list_stops_everyone(authority: Authority) -> None:
    """Who may have been revoked is refused as unavailable: a retry is safe, a release is not."""
    issued = authority.issue("tax", Role.SYSTEM, "counter-1")
    with pytest.raises(Unavailable):
        ask(current(authority, at=time.time() + 31 * 86400), issued.cert_pem)


def test_unregistered_department(authority: Authority, revocations: Revocations) -> None:
    """Proven, but not registered in the catalog: not authorised, and told so only after the proof."""
    issued = authority.issue("archives", Role.SYSTEM, "counter-1")
    with pytest.raises(NotAuthorised) as caught:
        ask(revocations, issued.cert_pem, [str(issued.spiffe_id)])
    assert caught.value.reason is Reason.DEPARTMENT_UNKNOWN


def test_messages_echo_nothing(authority: Authority, revocations: Revocations) -> None:
    """No name out of a certificate comes back in a message."""
    pem = certificate(authority, names=uris("spiffe://canary/department/canary/system/canary"))
    with pytest.raises(NotAuthenticated) as caught:
        ask(revocations, pem, ["spiffe://canary/department/canary/system/canary"])
    assert "canary" not in f"{caught.value}{caught.value.sentence}{caught.value.about}"
    assert caught.value.__cause__ is None


def test_known_certificate_costs_microseconds(authority: Authority, revocations: Revocations) -> None:
    """The hot path reads no certificate again; the bound is ten times what is measured, for slow machines."""
    pem = authority.issue("tax", Role.SYSTEM, "counter-1").cert_pem
    ask(revocations, pem)
    rounds = 2000
    best = min(timeit.repeat(lambda: ask(revocations, bytes(bytearray(pem))), number=rounds, repeat=5))
    assert best / rounds < 30e-6
