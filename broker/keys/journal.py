"""The authority's memory: what it issued, revoked and published, one JSON object per line, only appended.

A line counts once it ends in a newline and is on disk; a tail that a crash cut off belongs to a certificate
that nobody received, and is dropped at the next append.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import orjson
from cryptography import x509

from broker.errors import SetUpError


class RevocationReason(StrEnum):
    """Why a certificate was revoked; the values are those of RFC 5280 §5.3.1."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"


@dataclass(frozen=True, slots=True)
class IssuedRecord:
    """What the authority remembers of a certificate."""

    serial: int
    spiffe_id: str
    issued_at: datetime
    not_after: datetime
    revoked_at: datetime | None = None
    reason: RevocationReason = RevocationReason.UNSPECIFIED

    @property
    def serial_hex(self) -> str:
        """The serial as ``pki list`` shows it and ``pki revoke`` takes it."""
        return f"{self.serial:x}"


class Journal:
    """The journal file. Reading and appending happen under its lock: ``with journal.locked() as page``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def locked(self) -> Iterator[JournalPage]:
        """The journal while no other process uses it.

        Raises:
            SetUpError: it cannot be opened or is damaged.
        """
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise SetUpError(
                f"无法打开 {self._path}（{error.strerror}）。",
                f"{self._path} cannot be opened ({error.strerror}).",
            ) from None
        with os.fdopen(handle, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file closes
            yield JournalPage(self._path, file.fileno())


class JournalPage:
    """The journal under its lock."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle
        data = os.pread(handle, os.fstat(handle).st_size, 0)
        self._end = data.rfind(b"\n") + 1
        self._issued: dict[int, IssuedRecord] = {}
        self._last_crl_number = 0
        try:
            for line in data[: self._end].splitlines():
                self._replay(orjson.loads(line))
        except (ValueError, KeyError, TypeError):
            raise SetUpError(
                f"{path} 已损坏，请从备份恢复。", f"{path} is damaged; restore it from a backup."
            ) from None

    def issued(self) -> tuple[IssuedRecord, ...]:
        """Every certificate, oldest first."""
        return tuple(self._issued.values())

    def record_issue(self, certificate: x509.Certificate, spiffe_id: str, at: datetime) -> None:
        """Remember a certificate; durable on return."""
        self._append(
            {
                "event": "issued",
                "serial": f"{certificate.serial_number:x}",
                "id": spiffe_id,
                "at": at,
                "not_after": certificate.not_valid_after_utc,
            }
        )

    def record_revocation(self, serial: int, reason: RevocationReason, at: datetime) -> None:
        """Remember a revocation; durable on return."""
        self._append({"event": "revoked", "serial": f"{serial:x}", "reason": reason, "at": at})

    def record_crl(self, at: datetime) -> int:
        """Take the next number for a revocation list; durable on return, so that no number is used twice."""
        number = self._last_crl_number + 1
        self._append({"event": "crl", "number": number, "at": at})
        return number

    def _append(self, event: dict[str, object]) -> None:
        line = orjson.dumps(event, option=orjson.OPT_UTC_Z) + b"\n"
        try:
            os.ftruncate(self._handle, self._end)
            written = os.write(self._handle, line)
            os.fsync(self._handle)
        except OSError:
            written = 0
        if written != len(line):
            raise SetUpError(f"无法写入 {self._path}。", f"{self._path} cannot be written.")
        self._end += len(line)
        self._replay(orjson.loads(line))

    def _replay(self, event: dict[str, str]) -> None:
        match event["event"]:
            case "issued":
                serial = int(event["serial"], 16)
                self._issued[serial] = IssuedRecord(
                    serial, event["id"], _time(event["at"]), _time(event["not_after"])
                )
            case "revoked":
                serial = int(event["serial"], 16)
                self._issued[serial] = replace(
                    self._issued[serial],
                    revoked_at=_time(event["at"]),
                    reason=RevocationReason(event["reason"]),
                )
            case "crl":
                self._last_crl_number = int(event["number"])
            case _:
                raise ValueError("unknown event")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
