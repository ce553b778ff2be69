"""Which certificates the log has the chains of, through one connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, insert, select

from broker.journal import CrlInForce
from broker.store.tables import ACT, APPROVAL, CERTIFICATE, CRL, EPOCH


@dataclass(frozen=True, slots=True)
class ChainTables:
    """A :class:`broker.journal.ChainTable`. Read anywhere; written only in an append transaction."""

    connection: Connection

    def known(self, fingerprints: Collection[bytes]) -> set[bytes]:
        return set(self.leaves(fingerprints))

    def leaves(self, fingerprints: Collection[bytes]) -> dict[bytes, int]:
        """The leaves that have the chains of these certificates, as far as there are any."""
        wanted = [fingerprint.hex() for fingerprint in fingerprints]
        query = select(CERTIFICATE).where(CERTIFICATE.c.fingerprint.in_(wanted))
        found = self.connection.execute(query).all()
        return {bytes.fromhex(fingerprint): leaf for fingerprint, leaf in found}

    def crl(self) -> CrlInForce | None:
        query = select(CRL).join_from(EPOCH, CRL, EPOCH.c.crl_number == CRL.c.number)
        found = self.connection.execute(query).mappings().first()
        return None if found is None else CrlInForce(int(found["number"]), sha256(found["pem"]).digest())

    def record(self, leaves: Mapping[bytes, int]) -> None:
        rows = [
            {"fingerprint": fingerprint.hex(), "leaf_index": leaf} for fingerprint, leaf in leaves.items()
        ]
        self.connection.execute(insert(CERTIFICATE), rows)


def held_acts(connection: Connection, index: int, approvals: Collection[str]) -> list[bytes]:
    """The signed messages that are held beside a leaf, and the approvals with these digests."""
    beside = select(ACT.c.content).where(ACT.c.leaf_index == index).order_by(ACT.c.digest)
    approved = select(APPROVAL.c.signed).where(APPROVAL.c.digest.in_(list(approvals)))
    queries = (beside, approved.order_by(APPROVAL.c.digest)) if approvals else (beside,)
    return [message for query in queries for message in connection.execute(query).scalars()]
