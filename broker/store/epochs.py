"""The epoch and what it names (bundles, revocation lists, suspensions), through one connection."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, RowMapping, insert, select, update

from broker.errors import Unavailable
from broker.model import Epoch, KeyInUse, Suspension, Target
from broker.reasons import Reason
from broker.store.applications import ApplicationTables
from broker.store.proposals import ProposalTables
from broker.store.rows import instant, microseconds
from broker.store.tables import BUNDLE, CRL, EPOCH, SUSPENSION

log = structlog.get_logger("sharebroker.store")


@dataclass(frozen=True, slots=True)
class EpochTables:
    """Read anywhere; written only in an append transaction, where nobody else can."""

    connection: Connection

    @property
    def proposals(self) -> ProposalTables:
        """Bundles proposed, approved and published."""
        return ProposalTables(self.connection)

    @property
    def applications(self) -> ApplicationTables:
        """Those whose grants are in force among them."""
        return ApplicationTables(self.connection)

    def epoch(self) -> Epoch | None:
        """The epoch in force; None before the first."""
        row = self.connection.execute(select(EPOCH)).mappings().first()
        if row is None:
            return None
        key = KeyInUse(row["key_version"], row["key_fingerprint"])
        return Epoch(row["sequence"], row["bundle_hash"], int(row["crl_number"]), instant(row["since"]), key)

    def bundle(self, hash_: str) -> bytes | None:
        """The bytes whose SHA-256 should be ``hash_``."""
        found: bytes | None = self.connection.scalar(select(BUNDLE.c.content).where(BUNDLE.c.hash == hash_))
        return found

    def crl(self, number: int) -> bytes | None:
        """A revocation list, PEM."""
        found: bytes | None = self.connection.scalar(select(CRL.c.pem).where(CRL.c.number == str(number)))
        return found

    def suspensions(self, *, lifted: bool = False) -> tuple[Suspension, ...]:
        """Those in force, by number; with ``lifted`` all that ever were."""
        query = select(SUSPENSION).order_by(SUSPENSION.c.number)
        if not lifted:
            query = query.where(SUSPENSION.c.lifted.is_(None))
        return tuple(_suspension(row) for row in self.connection.execute(query).mappings())

    def keep_bundle(self, hash_: str, content: bytes) -> None:
        """Keeps a bundle; one that was in force or proposed before is there already."""
        if self.bundle(hash_) is None:
            self.connection.execute(insert(BUNDLE), {"hash": hash_, "content": content})

    def keep_crl(self, number: int, pem: bytes) -> None:
        """Keeps a revocation list, whose number must be new."""
        self.connection.execute(insert(CRL), {"number": str(number), "pem": pem})

    def suspend(self, suspension: Suspension) -> None:
        """Writes a new suspension."""
        values = {
            "number": suspension.number,
            "target": suspension.target.value,
            "name": suspension.name,
            "reason": suspension.reason,
            "actor": suspension.actor,
            "since": microseconds(suspension.since),
            "provider": suspension.provider,
            "department": suspension.department,
            "mend_by": None if suspension.mend_by is None else microseconds(suspension.mend_by),
        }
        self.connection.execute(insert(SUSPENSION), values)

    def lift(self, number: int, sequence: int) -> None:
        """Marks a suspension as lifted by the epoch ``sequence``."""
        self.connection.execute(
            update(SUSPENSION).where(SUSPENSION.c.number == number).values(lifted=sequence)
        )

    def begin(self, epoch: Epoch) -> None:
        """Writes the first epoch."""
        self.connection.execute(insert(EPOCH), {"id": 1, **_epoch_row(epoch)})

    def move(self, epoch: Epoch) -> None:
        """Puts ``epoch`` in the place of its predecessor; the fence is as for the head."""
        before = EPOCH.c.sequence == epoch.sequence - 1
        if self.connection.execute(update(EPOCH).where(before).values(_epoch_row(epoch))).rowcount != 1:
            log.error("epoch_moved_by_another_writer")
            raise Unavailable(Reason.LOG_UNAVAILABLE)


def _epoch_row(epoch: Epoch) -> dict[str, object]:
    return {
        "sequence": epoch.sequence,
        "bundle_hash": epoch.bundle_hash,
        "crl_number": str(epoch.crl_number),
        "since": microseconds(epoch.since),
        "key_version": epoch.key.version,
        "key_fingerprint": epoch.key.fingerprint,
    }


def _suspension(row: RowMapping) -> Suspension:
    return Suspension(
        number=row["number"],
        target=Target(row["target"]),
        name=row["name"],
        reason=row["reason"],
        actor=row["actor"],
        since=instant(row["since"]),
        lifted=row["lifted"],
        provider=row["provider"],
        department=row["department"],
        mend_by=None if row["mend_by"] is None else instant(row["mend_by"]),
    )
