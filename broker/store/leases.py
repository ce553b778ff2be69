"""The leases of streams under way, through one connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from broker.journal import Claim, Lease, RequestKey
from broker.store.tables import LEASE, REQUEST

_READ = select(LEASE).order_by(LEASE.c.opening)
_RENEW = (
    update(LEASE)
    .where(LEASE.c.opening == bindparam("of"))
    .values(renewals=LEASE.c.renewals + 1, unfinished=bindparam("said"))
)
_END = delete(LEASE).where(LEASE.c.opening == bindparam("of"))
_ANSWER = (
    update(REQUEST)
    .where(REQUEST.c.request_id == bindparam("id"), REQUEST.c.consumer_uri == bindparam("uri"))
    .values(leaf_index=bindparam("leaf"), answer_digest=bindparam("digest"))
)


@dataclass(frozen=True, slots=True)
class LeaseTables:
    """A :class:`broker.journal.LeaseTable`. Read anywhere; written only in an append transaction."""

    connection: Connection

    def live(self) -> list[Lease]:
        return [_lease(row) for row in self.connection.execute(_READ).mappings()]

    def renew(self, unfinished: Mapping[int, bytes]) -> set[int]:
        """Renews those leases (opening leaf → statement) that are still there; gives which."""
        found = set(self.connection.scalars(select(LEASE.c.opening))) & unfinished.keys()
        if found:
            self.connection.execute(_RENEW, [{"of": leaf, "said": unfinished[leaf]} for leaf in found])
        return found

    def settle(
        self, begun: Collection[Lease], ended: Collection[int], answered: Mapping[RequestKey, Claim]
    ) -> None:
        # First what ends: an attempt that takes over has the same request id as the one before it.
        if ended:
            self.connection.execute(_END, [{"of": opening} for opening in ended])
        if begun:
            self.connection.execute(insert(LEASE), [_row(lease) for lease in begun])
        if answered:
            self.connection.execute(_ANSWER, [_answer(key, claim) for key, claim in answered.items()])


def _row(lease: Lease) -> dict[str, object]:
    consumer_uri, request_id = lease.key
    return {
        "opening": lease.opening,
        "request_id": request_id,
        "consumer_uri": consumer_uri,
        "milliseconds": lease.milliseconds,
        "renewals": lease.renewals,
        "unfinished": lease.unfinished,
    }


def _lease(row: RowMapping) -> Lease:
    key = (row["consumer_uri"], row["request_id"])
    return Lease(row["opening"], key, row["milliseconds"], row["renewals"], row["unfinished"])


def _answer(key: RequestKey, claim: Claim) -> dict[str, object]:
    consumer_uri, request_id = key
    return {
        "uri": consumer_uri,
        "id": request_id,
        "leaf": claim.leaf_index,
        "digest": claim.answer_digest,
    }
