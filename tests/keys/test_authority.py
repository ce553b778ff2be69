"""The authority: its certificates hold what they must, and its folder survives crowds and crashes."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from broker.errors import SetUpError
from broker.keys.authority import MAX_DAYS, Authority
from broker.keys.certificates import root_certificate
from broker.keys.journal import RevocationReason
from broker.model import Role


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "xinghe")


def read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def test_client_certificate_names_its_holder_once(authority: Authority) -> None:
    """One URI SAN and nothing beside it, client authentication and signing only, thirty days, backdated."""
    issued = authority.issue("tax", Role.SYSTEM, "counter-1")
    certificate = read(issued.cert_pem)
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri = "spiffe://xinghe/department/tax/system/counter-1"
    assert list(names) == [x509.UniformResourceIdentifier(uri)]
    assert str(issued.spiffe_id) == uri
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    now = datetime.now(UTC)
    assert now - timedelta(minutes=6) < certificate.not_valid_before_utc < now - timedelta(minutes=4)
    assert abs(certificate.not_valid_after_utc - now - timedelta(days=30)) < timedelta(minutes=1)
    assert issued.not_after == certificate.not_valid_after_utc
    assert issued.serial == certificate.serial_number > 2**64


def test_key_belongs_to_certificate(authority: Authority) -> None:
    """The key handed out is the one certified, P-256, and no two certificates share one."""
    first, second = (authority.issue("tax", Role.OFFICER, "li") for _ in range(2))
    key = serialization.load_pem_private_key(first.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_key() == read(first.cert_pem).public_key() != read(second.cert_pem).public_key()
    assert first.serial != second.serial


def test_broker_certificate_is_for_servers(authority: Authority) -> None:
    """A strict verifier takes it for its host, and nobody can use it as a client."""
    issued = authority.issue_broker("one", dns=["localhost"], ips=["127.0.0.1", "::1"])
    certificate = read(issued.cert_pem)
    builder = PolicyBuilder().store(Store([authority.certificate]))
    assert builder.build_server_verifier(x509.DNSName("localhost")).verify(certificate, [])
    with pytest.raises(x509.verification.VerificationError):
        builder.build_client_verifier().verify(certificate, [])
    with pytest.raises(x509.verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("elsewhere")).verify(certificate, [])


def test_openssl_takes_certificates_and_list(authority: Authority, tmp_path: Path) -> None:
    """An independent implementation accepts what is good and refuses what was revoked."""
    good, bad = (authority.issue("tax", Role.SYSTEM, name) for name in ("good", "bad"))
    authority.revoke(str(bad.spiffe_id), RevocationReason.KEY_COMPROMISE)
    for issued, code in ((good, 0), (bad, 2)):
        file = tmp_path / "cert.pem"
        file.write_bytes(issued.cert_pem)
        folder = authority.folder
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-crl_check"]
        command += ["-CAfile", str(folder / "ca.pem"), "-CRLfile", str(folder / "crl.pem"), str(file)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == code


def test_reopened_authority_goes_on(authority: Authority) -> None:
    """City, serials and list numbers survive closing; the new list holds what was revoked before."""
    issued = authority.issue("tax", Role.SYSTEM, "counter-1")
    authority.revoke(f"{issued.serial:x}", RevocationReason.SUPERSEDED)
    again = Authority.open(authority.folder)
    assert again.city == "xinghe"
    (record,) = again.list()
    assert (record.serial, record.reason) == (issued.serial, RevocationReason.SUPERSEDED)
    crl = x509.load_pem_x509_crl(again.crl())
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    (revoked,) = crl
    assert revoked.serial_number == issued.serial
    reason = revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.superseded


def test_revoking_a_holder_revokes_all_its_certificates(authority: Authority) -> None:
    """After a renewal two certificates are valid; a name means both, a serial only one, twice is harmless."""
    first, second = (authority.issue("tax", Role.SYSTEM, "counter-1") for _ in range(2))
    other = authority.issue("tax", Role.SYSTEM, "counter-2")
    assert [r.serial for r in authority.revoke(f"{first.serial:x}")] == [first.serial]
    assert [r.serial for r in authority.revoke(str(first.spiffe_id))] == [second.serial]
    assert authority.revoke(str(first.spiffe_id)) == ()
    assert [r.serial for r in authority.list() if r.revoked_at is None] == [other.serial]
    with pytest.raises(SetUpError, match="No certificate"):
        authority.revoke("counter-2")


def test_key_file_is_private(authority: Authority) -> None:
    """The authority's key is 0600 from its first moment, and refused once others can read it."""
    key = authority.folder / "ca.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o640)
    with pytest.raises(SetUpError):
        Authority.open(authority.folder)


def test_second_authority_in_a_folder_is_refused(authority: Authority) -> None:
    """init twice must not replace the root under which everyone's certificate stands."""
    before = (authority.folder / "ca.pem").read_bytes()
    with pytest.raises(SetUpError, match="nothing changed"):
        Authority.create(authority.folder, "other")
    assert (authority.folder / "ca.pem").read_bytes() == before


def test_missing_or_mixed_files_are_refused(authority: Authority, tmp_path: Path) -> None:
    """No folder, a foreign root, a root that names no city, garbage: each is a set-up error."""
    with pytest.raises(SetUpError):
        Authority.open(tmp_path / "nowhere")
    other = Authority.create(tmp_path / "other", "xinghe")
    root = authority.folder / "ca.pem"
    root.write_bytes((other.folder / "ca.pem").read_bytes())
    with pytest.raises(SetUpError, match="does not fit"):
        Authority.open(authority.folder)
    nameless = root_certificate(
        "Not A City", "x", ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC), 1
    )
    root.write_bytes(nameless.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(SetUpError, match="no usable authority"):
        Authority.open(authority.folder)
    root.write_bytes(b"garbage")
    with pytest.raises(SetUpError, match="no usable authority"):
        Authority.open(authority.folder)


def test_bad_arguments_are_refused(authority: Authority, tmp_path: Path) -> None:
    """Ids, days and hosts are checked before anything is signed or written."""
    for city in ("", "Xinghe", "a/b"):
        with pytest.raises(SetUpError, match="city"):
            Authority.create(tmp_path / "new", city)
    for department, name in (("Tax", "a"), ("tax", "a/b"), ("", "a"), ("tax", "")):
        with pytest.raises(SetUpError, match="lower case"):
            authority.issue(department, Role.SYSTEM, name)
    for days in (0, -1, MAX_DAYS + 1):
        with pytest.raises(SetUpError, match="Validity"):
            authority.issue("tax", Role.SYSTEM, "a", days)
        with pytest.raises(SetUpError, match="Validity"):
            authority.crl(days)
    for dns, ips in (((), ()), (("b\u00fcro",), ()), ((), ("300.1.1.1",))):
        with pytest.raises(SetUpError):
            authority.issue_broker("one", dns, ips)
    with pytest.raises(SetUpError, match="lower case"):
        authority.issue_broker("One", ["localhost"])
    assert authority.list() == ()


def test_certificate_does_not_outlive_the_authority(authority: Authority) -> None:
    """Near the root's end certificates end with it; after it none are issued."""
    now = datetime.now(UTC).replace(microsecond=0)
    key = ec.generate_private_key(ec.SECP256R1())
    old = root_certificate("xinghe", "x", key, now - timedelta(days=360), years=1)
    issued = Authority(authority.folder, "xinghe", old, key).issue("tax", Role.SYSTEM, "a")
    assert issued.not_after == old.not_valid_after_utc
    gone = root_certificate("xinghe", "x", key, now - timedelta(days=366), years=1)
    with pytest.raises(SetUpError, match="expired"):
        Authority(authority.folder, "xinghe", gone, key).issue("tax", Role.SYSTEM, "a")


def test_concurrent_use_loses_nothing(authority: Authority) -> None:
    """Many at one folder: every certificate is recorded, list numbers never repeat."""

    def work(number: int) -> int:
        mine = Authority.open(authority.folder)
        issued = mine.issue("tax", Role.SYSTEM, f"c{number}")
        crl = x509.load_pem_x509_crl(mine.crl())
        assert issued.serial in {record.serial for record in mine.list()}
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(work, range(16)))
    assert sorted(numbers) == list(range(2, 18))
    assert len(authority.list()) == 16
    published = x509.load_pem_x509_crl((authority.folder / "crl.pem").read_bytes())
    assert published.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 17


def test_line_cut_off_by_a_crash_is_dropped(authority: Authority) -> None:
    """A tail without newline belongs to nobody's certificate; the journal goes on without it."""
    issued = authority.issue("tax", Role.SYSTEM, "a")
    journal = authority.folder / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"event":"issued","ser')
    assert [record.serial for record in authority.list()] == [issued.serial]
    second = authority.issue("tax", Role.SYSTEM, "b")
    assert [record.serial for record in authority.list()] == [issued.serial, second.serial]
    assert journal.read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    "line", [b"garbage", b'{"event":"else"}', b'{"event":"revoked","serial":"1"}', b"[]"]
)
def test_damaged_journal_stops_the_authority(authority: Authority, line: bytes) -> None:
    """A whole line that cannot be read is damage: guessing would lose revocations."""
    with (authority.folder / "journal.jsonl").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(SetUpError, match="damaged"):
        authority.issue("tax", Role.SYSTEM, "a")
