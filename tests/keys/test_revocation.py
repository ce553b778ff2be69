"""The revocation list is kept current, and whatever is wrong with it stops everything."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.errors import Unavailable
from broker.keys.authority import Authority, write_public_file
from broker.keys.revocation import CHECK_EVERY, Revocations
from broker.model import Role
from broker.reasons import Reason


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "xinghe")


@pytest.fixture
def file(authority: Authority) -> Path:
    return authority.folder / "crl.pem"


@pytest.fixture
def revocations(authority: Authority, file: Path) -> Revocations:
    return Revocations(file, authority.certificate)


OTHER_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another")])


def let_it_look() -> None:
    time.sleep(CHECK_EVERY + 0.02)


def assert_unavailable(revocations: Revocations) -> None:
    for _ in range(2):  # on each call, not only on the one that read the file
        with pytest.raises(Unavailable) as caught:
            revocations.is_revoked(1)
        assert caught.value.reason is Reason.REVOCATIONS_UNREADABLE


def test_revocation_shows_without_restart(authority: Authority, revocations: Revocations) -> None:
    """A new list counts within a fifth of a second, for the certificate revoked and for no other."""
    bad, good = (authority.issue("tax", Role.SYSTEM, name).serial for name in ("bad", "good"))
    assert not revocations.is_revoked(bad)
    authority.revoke(f"{bad:x}")
    let_it_look()
    assert revocations.is_revoked(bad)
    assert not revocations.is_revoked(good)


def test_unchanged_file_is_not_read_again(revocations: Revocations, file: Path) -> None:
    """Only a changed file is read: within the interval not even its absence is noticed, after it, it is."""
    assert not revocations.is_revoked(1)
    content, times = file.read_bytes(), file.stat()
    file.unlink()
    assert not revocations.is_revoked(1)
    let_it_look()
    assert_unavailable(revocations)
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    let_it_look()
    assert not revocations.is_revoked(1)


def test_missing_list_stops_everything(authority: Authority, tmp_path: Path) -> None:
    """No list does not mean nothing is revoked."""
    assert_unavailable(Revocations(tmp_path / "none.pem", authority.certificate))


def test_garbage_stops_everything_until_repaired(
    authority: Authority, revocations: Revocations, file: Path
) -> None:
    """A damaged file is not papered over with the list read before; a good one heals it."""
    assert not revocations.is_revoked(1)
    file.write_bytes(b"garbage")
    let_it_look()
    assert_unavailable(revocations)
    authority.crl()
    let_it_look()
    assert not revocations.is_revoked(1)


def test_rollback_is_refused(authority: Authority, revocations: Revocations, file: Path) -> None:
    """An older list, though signed and current, does not bring a revoked certificate back."""
    serial = authority.issue("tax", Role.SYSTEM, "a").serial
    old = file.read_bytes()
    authority.revoke(f"{serial:x}")
    assert revocations.is_revoked(serial)
    write_public_file(file, old)
    let_it_look()
    assert_unavailable(revocations)
    write_public_file(file, old + b"\n")
    let_it_look()
    assert_unavailable(revocations)  # the refused list has not lowered the number either


def test_forged_list_is_refused(
    authority: Authority, revocations: Revocations, file: Path, tmp_path: Path
) -> None:
    """A list of another authority, even one of the same name, is no list."""
    other = Authority.create(tmp_path / "other", "xinghe")
    assert other.certificate.subject == authority.certificate.subject
    write_public_file(file, other.crl())
    assert_unavailable(revocations)


@pytest.mark.parametrize("seconds", [-timedelta(minutes=6), timedelta(days=31)])
def test_list_outside_its_dates_is_refused(authority: Authority, file: Path, seconds: timedelta) -> None:
    """An expired list, or one from the future, says nothing; checked at each question, not at reading."""
    now = [time.time()]
    revocations = Revocations(file, authority.certificate, clock=lambda: now[0])
    assert not revocations.is_revoked(1)
    now[0] += seconds.total_seconds()
    assert_unavailable(revocations)
    now[0] -= seconds.total_seconds()
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


def test_list_without_number_is_refused(authority: Authority, revocations: Revocations, file: Path) -> None:
    """Without a number a rollback could not be seen."""
    write_public_file(file, odd_list(authority, []))
    assert_unavailable(revocations)


def test_partial_list_is_refused(authority: Authority, revocations: Revocations, file: Path) -> None:
    """A delta holds only what is new; taken for a whole list it would release what was revoked before."""
    write_public_file(file, odd_list(authority, [x509.CRLNumber(9), x509.DeltaCRLIndicator(1)]))
    assert_unavailable(revocations)


def test_list_under_another_name_is_refused(
    authority: Authority, revocations: Revocations, file: Path
) -> None:
    """The issuer's name must be the root's, beside its signature."""
    write_public_file(file, odd_list(authority, [x509.CRLNumber(9)], issuer=OTHER_NAME))
    assert_unavailable(revocations)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_many_threads_never_see_a_gap(
    authority: Authority, revocations: Revocations, stop: threading.Event
) -> None:
    """While lists are replaced under load nobody is refused, and nothing revoked comes back."""
    serial = authority.issue("tax", Role.SYSTEM, "a").serial
    authority.revoke(f"{serial:x}")
    wrong: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                if not revocations.is_revoked(serial):
                    wrong.append("came back")
            except Unavailable as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        authority.crl()
        let_it_look()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_damage_is_read_as_a_list(authority: Authority, file: Path) -> None:
    """Whichever signed byte is changed, wherever it is cut: no list, and no other error."""
    authority.revoke(str(authority.issue("tax", Role.SYSTEM, "a").spiffe_id))
    crl = x509.load_pem_x509_crl(file.read_bytes())
    der = crl.public_bytes(serialization.Encoding.DER)
    signed = len(crl.tbs_certlist_bytes) + der.index(crl.tbs_certlist_bytes)
    for place in range(signed):
        bent = der[:place] + bytes([der[place] ^ 1]) + der[place + 1 :]
        for damaged in (bent, der[:place]):
            lines = base64.encodebytes(damaged)
            file.write_bytes(b"-----BEGIN X509 CRL-----\n" + lines + b"-----END X509 CRL-----\n")
            with pytest.raises(Unavailable):
                Revocations(file, authority.certificate).is_revoked(1)
