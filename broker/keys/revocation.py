"""Which certificates are revoked: the authority's list, read again when it changes; without it, nothing goes.

Source: RFC 5280 §5 (profile) and §6.3 (validation), for complete lists issued by the root itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from broker.errors import Unavailable
from broker.keys.certificates import UNREADABLE
from broker.reasons import Reason

CHECK_EVERY = 0.2
"""Seconds between two looks at the file: the longest that a new list goes unnoticed."""

_KNOWN_EXTENSIONS = frozenset({x509.CRLNumber.oid, x509.AuthorityKeyIdentifier.oid})


@dataclass(frozen=True, slots=True)
class _Revoked:
    """A list that was verified."""

    file: tuple[int, int, int]
    """(mtime in ns, size, inode) of the file it was read from."""
    number: int
    this_update: float
    next_update: float
    """Unix seconds; it says nothing outside the two."""
    serials: frozenset[int]


class Revocations:
    """The revocation list in a file, kept current. Thread-safe; a question costs well under a microsecond.

    A list is refused when it is unreadable, not signed by the authority, partial (an extension that is not
    understood), outside its dates, or lower in number than one seen before by this object. While the file
    holds a refused list every question raises, even if a good list was seen before: whoever can replace
    the file must not be able to choose between lists.
    """

    def __init__(
        self, crl_path: Path, ca_cert: x509.Certificate, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = crl_path
        self._ca = ca_cert
        self._clock = clock
        self._lock = threading.Lock()
        self._look_again = 0.0
        self._highest = 0
        self._current: _Revoked | None = None

    def is_revoked(self, serial: int) -> bool:
        """Whether the authority revoked the certificate of this serial.

        Raises:
            Unavailable: REVOCATIONS_UNREADABLE; there is no trustworthy current list.
        """
        if time.monotonic() >= self._look_again:
            self._refresh()
        current = self._current
        if current is None or not current.this_update <= self._clock() < current.next_update:
            raise Unavailable(Reason.REVOCATIONS_UNREADABLE)
        return serial in current.serials

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() < self._look_again:
                return  # another thread has just looked
            try:
                self._current = self._read()
            except (OSError, *UNREADABLE):
                self._current = None
            self._look_again = time.monotonic() + CHECK_EVERY

    def _read(self) -> _Revoked:
        status = os.stat(self._path)
        file = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._current is not None and self._current.file == file:
            return self._current
        # Of the file as it was before reading: if it changes meanwhile, the next look reads it again.
        read = self._verified(x509.load_pem_x509_crl(self._path.read_bytes()), file)
        self._highest = read.number
        return read

    def _verified(self, crl: x509.CertificateRevocationList, file: tuple[int, int, int]) -> _Revoked:
        key = self._ca.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not crl.is_signature_valid(key):
            raise ValueError("not signed by the authority")
        if crl.issuer != self._ca.subject:
            raise ValueError("issued by another")
        if any(extension.oid not in _KNOWN_EXTENSIONS for extension in crl.extensions):
            raise ValueError("may be partial")
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        if number < self._highest:
            raise ValueError("older than one seen before")
        if crl.next_update_utc is None:
            raise ValueError("never expires")
        serials = frozenset(revoked.serial_number for revoked in crl)
        return _Revoked(
            file, number, crl.last_update_utc.timestamp(), crl.next_update_utc.timestamp(), serials
        )
