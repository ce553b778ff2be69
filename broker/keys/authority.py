"""A certificate authority in a folder: it says who is who, and need not be on the broker's host.

::

    ca.pem         root certificate; every broker and client gets a copy
    ca.key         its private key, mode 0600
    journal.jsonl  one line per certificate issued, certificate revoked and list published; only appended
    crl.pem        the current revocation list; published to the brokers whenever it changes
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.errors import SetUpError
from broker.keys.certificates import (
    UNREADABLE,
    cert_pem,
    key_pem,
    leaf_certificate,
    new_key,
    only_uri,
    revocation_list,
    root_certificate,
)
from broker.keys.files import read_private_file, write_private_file
from broker.keys.journal import IssuedRecord, Journal, RevocationReason
from broker.keys.spiffe import BrokerId, DepartmentId, SpiffeId, is_id
from broker.model import Role

CERTIFICATE, KEY, JOURNAL, CRL = "ca.pem", "ca.key", "journal.jsonl", "crl.pem"

DEFAULT_DAYS = 30
"""Certificates live shortly: one that leaks unnoticed is soon worth nothing."""
MAX_DAYS = 398


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate with its private key, both PEM. The authority keeps no copy of the key."""

    spiffe_id: SpiffeId
    serial: int
    not_after: datetime
    cert_pem: bytes
    key_pem: bytes


class Authority:
    """Issues and revokes the certificates of one city. Several processes may use one folder at a time."""

    def __init__(
        self, folder: Path, city: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self.folder = folder
        self.city = city
        self.certificate = certificate
        self._key = key
        self._journal = Journal(folder / JOURNAL)

    @classmethod
    def create(
        cls, folder: Path, city: str, *, years: int = 10, organisation: str = "sharebroker"
    ) -> Authority:
        """A new authority in ``folder``, with an empty revocation list.

        Args:
            city: trust domain of the SPIFFE ids, e.g. ``xinghe``.
            organisation: stands in the root's name; the place for a warning such as DEVELOPMENT ONLY.

        Raises:
            SetUpError: the folder holds an authority already or cannot be written, or ``city`` is no id.
        """
        if not is_id(city):
            raise _not_an_id("city")
        _make_folder(folder)
        if any((folder / name).exists() for name in (KEY, CERTIFICATE, JOURNAL)):
            raise SetUpError(
                f"{folder} 中已有证书管理机构，未作改动。",
                f"{folder} holds an authority; nothing changed.",
            )
        key = new_key()
        certificate = root_certificate(city, organisation, key, _now(), years)
        write_private_file(folder / KEY, key_pem(key))
        write_public_file(folder / CERTIFICATE, cert_pem(certificate))
        authority = cls(folder, city, certificate, key)
        authority.crl()
        return authority

    @classmethod
    def open(cls, folder: Path) -> Authority:
        """The authority in ``folder``.

        Raises:
            SetUpError: there is none, a file is damaged or does not fit, or the key is open to others.
        """
        secret = read_private_file(folder / KEY)
        try:
            certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
            key = serialization.load_pem_private_key(secret, password=None)
            city = _trust_domain(certificate)
        except (OSError, TypeError, *UNREADABLE):
            raise SetUpError(
                f"{folder} 中没有可用的证书管理机构，请先执行 sharebroker pki init。",
                f"{folder} holds no usable authority; run sharebroker pki init first.",
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise SetUpError(
                f"{folder} 中 {KEY} 与 {CERTIFICATE} 不匹配。",
                f"{KEY} does not fit {CERTIFICATE} in {folder}.",
            )
        return cls(folder, city, certificate, key)

    def issue(self, department: str, role: Role, name: str, days: int = DEFAULT_DAYS) -> Issued:
        """A client certificate for a department's system, officer, auditor or gateway.

        To renew, issue again for the same id: the older certificate stays valid until it expires.

        Raises:
            SetUpError: an id or ``days`` is out of bounds, or the authority's own certificate has expired.
        """
        try:
            spiffe_id = DepartmentId(self.city, department, role, name)
        except ValueError:
            raise _not_an_id("department, name") from None
        return self._issue(spiffe_id, (), days)

    def issue_broker(
        self, name: str, dns: Sequence[str] = (), ips: Sequence[str] = (), days: int = DEFAULT_DAYS
    ) -> Issued:
        """A server certificate for a broker that is reached under the given DNS names and IP addresses.

        Raises:
            SetUpError: as for :meth:`issue`; or no DNS name or address is given, or one is malformed.
        """
        try:
            spiffe_id = BrokerId(self.city, name)
        except ValueError:
            raise _not_an_id("name") from None
        hosts = _hosts(dns, ips)
        if not hosts:
            raise SetUpError(
                "代理服务的证书至少需要一个 DNS 名或 IP 地址。",
                "A broker's certificate needs a DNS name or an IP address.",
            )
        return self._issue(spiffe_id, hosts, days)

    def revoke(
        self, which: str, reason: RevocationReason = RevocationReason.UNSPECIFIED
    ) -> tuple[IssuedRecord, ...]:
        """Revoke one certificate by serial (hexadecimal) or all of a holder by SPIFFE id; publish the list.

        Returns:
            What was revoked now; empty when all of it had been already.

        Raises:
            SetUpError: nothing of the kind was issued here.
        """
        with self._journal.locked() as journal:
            wanted = [record for record in journal.issued() if which in (record.serial_hex, record.spiffe_id)]
            if not wanted:
                raise SetUpError(
                    "没有签发过这个序列号或 SPIFFE 标识的证书，可用 sharebroker pki list 查看。",
                    "No certificate of this serial or SPIFFE id was issued; see sharebroker pki list.",
                )
            at = _now()
            for record in wanted:
                if record.revoked_at is None:
                    journal.record_revocation(record.serial, reason, at)
        self.crl()
        return tuple(record for record in wanted if record.revoked_at is None)

    def crl(self, days: int = DEFAULT_DAYS) -> bytes:
        """Publish a revocation list (PEM) under the next number, good for ``days``, as ``crl.pem``.

        To be done again, and put in force (``sharebroker revocations publish``), before the days are over:
        brokers without a current list release nothing.

        Raises:
            SetUpError: ``days`` is out of bounds, or the folder cannot be written.
        """
        _check_days(days)
        with self._journal.locked() as journal:
            now = _now()
            number = journal.record_crl(now)
            pem = revocation_list(self.certificate, self._key, journal.issued(), number, now, days)
            write_public_file(self.folder / CRL, pem)
            return pem

    def list(self) -> tuple[IssuedRecord, ...]:
        """Every certificate issued, oldest first."""
        with self._journal.locked() as journal:
            return journal.issued()

    def _issue(self, spiffe_id: SpiffeId, hosts: Sequence[x509.GeneralName], days: int) -> Issued:
        _check_days(days)
        now = _now()
        end = self.certificate.not_valid_after_utc
        if end <= now:
            raise SetUpError("证书管理机构自身的证书已过期。", "The authority's own certificate has expired.")
        not_after = min(now + timedelta(days=days), end)
        key = new_key()
        certificate = leaf_certificate(
            self.certificate, self._key, key.public_key(), spiffe_id, hosts, now, not_after
        )
        # Recorded before it is handed out: what is not in the journal could not be revoked.
        with self._journal.locked() as journal:
            journal.record_issue(certificate, str(spiffe_id), now)
        return Issued(spiffe_id, certificate.serial_number, not_after, cert_pem(certificate), key_pem(key))


def write_public_file(path: Path, data: bytes) -> None:
    """Write ``path`` durably and in one step: a reader sees the old content or the new, never half.

    Raises:
        SetUpError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise SetUpError(
            f"无法写入 {path}（{error.strerror}）。", f"{path} cannot be written ({error.strerror})."
        ) from None


def _trust_domain(certificate: x509.Certificate) -> str:
    city = only_uri(certificate).removeprefix("spiffe://")
    if not is_id(city):
        raise ValueError("not a trust domain")
    return city


def _hosts(dns: Sequence[str], ips: Sequence[str]) -> Sequence[x509.GeneralName]:
    try:
        addresses = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
        return [*(x509.DNSName(host) for host in dns), *addresses]
    except ValueError:
        raise SetUpError("DNS 名或 IP 地址格式有误。", "A DNS name or IP address is malformed.") from None


def _check_days(days: int) -> None:
    if not 1 <= days <= MAX_DAYS:
        raise SetUpError(f"有效期须为 1 至 {MAX_DAYS} 天。", f"Validity must be 1 to {MAX_DAYS} days.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetUpError(
            f"无法创建目录 {folder}（{error.strerror}）。",
            f"Folder {folder} cannot be made ({error.strerror}).",
        ) from None


def _not_an_id(what: str) -> SetUpError:
    return SetUpError(
        f"{what} 只能用小写字母开头的小写字母、数字、- 和 _，最多 63 个字符。",
        f"{what}: lower case letters, digits, - and _ only, a letter first, at most 63 characters.",
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
