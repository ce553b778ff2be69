"""Bundles proposed, what officers signed about them, and which were published, through one connection.

Nothing here is believed by those who read it: signatures are verified, and hashes recomputed, above.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Select, func, insert, select

from broker.model import Proposal, Publication
from broker.store.rows import instant, microseconds
from broker.store.tables import APPROVAL, PROPOSAL, PUBLICATION


@dataclass(frozen=True, slots=True)
class ProposalTables:
    """Read anywhere; written only in an append transaction, where nobody else can."""

    connection: Connection

    def proposal(self, number: int) -> Proposal | None:
        """The proposal of that number."""
        return self._proposal(select(PROPOSAL).where(PROPOSAL.c.number == number))

    def proposal_of(self, bundle_hash: str) -> Proposal | None:
        """The proposal of that bundle."""
        return self._proposal(select(PROPOSAL).where(PROPOSAL.c.bundle_hash == bundle_hash))

    def proposals(self, before: int | None, limit: int) -> list[Proposal]:
        """At most ``limit`` proposals below the number ``before``, newest first."""
        query = select(PROPOSAL).order_by(PROPOSAL.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(PROPOSAL.c.number < before)
        return [_proposal(row) for row in self.connection.execute(query).mappings()]

    def next_number(self) -> int:
        """The number of the next proposal."""
        last: int | None = self.connection.scalar(select(func.max(PROPOSAL.c.number)))
        return (last or 0) + 1

    def keep_proposal(self, proposal: Proposal) -> None:
        """Writes a new proposal."""
        values = asdict(proposal) | {"proposed_at": microseconds(proposal.proposed_at)}
        self.connection.execute(insert(PROPOSAL), values)

    def approvals(self, after: datetime) -> list[tuple[bytes, bytes]]:
        """All that officers signed and that expires later than ``after``, each with the signed proposal it is
        about; in no order."""
        query = (
            select(APPROVAL.c.signed, PROPOSAL.c.signed)
            .join_from(APPROVAL, PROPOSAL, APPROVAL.c.bundle_hash == PROPOSAL.c.bundle_hash)
            .where(APPROVAL.c.expires > microseconds(after))
        )
        return [(approval, proposal) for approval, proposal in self.connection.execute(query)]

    def keep_approval(self, bundle_hash: str, expires: datetime, signed: bytes) -> None:
        """Keeps what an officer signed; the same bytes are kept once."""
        digest = hashlib.sha256(signed).hexdigest()
        if self.connection.scalar(select(APPROVAL.c.digest).where(APPROVAL.c.digest == digest)) is None:
            values = {"digest": digest, "bundle_hash": bundle_hash, "signed": signed}
            self.connection.execute(insert(APPROVAL), {**values, "expires": microseconds(expires)})

    def publication_with(self, bundle_hash: str) -> Publication | None:
        """The newest publication of a bundle."""
        query = select(PUBLICATION).where(PUBLICATION.c.bundle_hash == bundle_hash)
        return self._publication(query.order_by(PUBLICATION.c.sequence.desc()).limit(1))

    def publication_of(self, proposal: int) -> Publication | None:
        """The publication of a proposal."""
        return self._publication(select(PUBLICATION).where(PUBLICATION.c.proposal == proposal))

    def last_publication(self) -> Publication | None:
        """The newest; None before the first."""
        return self._publication(select(PUBLICATION).order_by(PUBLICATION.c.sequence.desc()).limit(1))

    def publications(self, before: int | None, limit: int) -> list[Publication]:
        """At most ``limit`` publications below the sequence ``before``, newest first."""
        query = select(PUBLICATION).order_by(PUBLICATION.c.sequence.desc()).limit(limit)
        if before is not None:
            query = query.where(PUBLICATION.c.sequence < before)
        return [_publication(row) for row in self.connection.execute(query).mappings()]

    def keep_publication(self, publication: Publication) -> None:
        """Writes a new publication."""
        values = asdict(publication) | {"published_at": microseconds(publication.published_at)}
        self.connection.execute(insert(PUBLICATION), values)

    def _proposal(self, query: Select[tuple[object, ...]]) -> Proposal | None:
        row = self.connection.execute(query).mappings().first()
        return None if row is None else _proposal(row)

    def _publication(self, query: Select[tuple[object, ...]]) -> Publication | None:
        row = self.connection.execute(query).mappings().first()
        return None if row is None else _publication(row)


def _proposal(row: RowMapping) -> Proposal:
    return Proposal(**{**row, "proposed_at": instant(row["proposed_at"])})


def _publication(row: RowMapping) -> Publication:
    return Publication(**{**row, "published_at": instant(row["published_at"])})
