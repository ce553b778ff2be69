"""A use commitment lodged for a period, and withdrawn.

To lodge one is a leaf of its own, with what was signed beside it. To withdraw one moves the epoch: when that
returns, nothing commits any more that rested on it, and streams that did end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.committed import Verifier
from broker.apply.identity import check_standing
from broker.commitments.found import withdrawn
from broker.epoch import Epochs, InForce
from broker.errors import NotAuthorised, NotFound
from broker.journal import Leaf
from broker.model import (
    DepartmentKind,
    Entry,
    EntryKind,
    Identity,
    Receipt,
    ReceiptFilter,
    Withdrawal,
)
from broker.publish import Order, Publisher
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.commitments import lodged_statement
from broker.receipt.log import ReceiptLog
from broker.standing import in_one_epoch
from broker.store.store import Store


@dataclass(frozen=True, slots=True)
class Lodged:
    """A commitment on record."""

    leaf_index: int
    consumer: str
    provider: str
    dataset: str
    purpose: str
    template: str
    version: int
    signer: str
    """SPIFFE id."""
    recorded_at: datetime
    expires: datetime
    withdrawn: int | None
    """The leaf that withdraws it."""


@dataclass(frozen=True, slots=True)
class Lodger:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    store: Store
    log: ReceiptLog
    publisher: Publisher
    ca: x509.Certificate
    clock: Callable[[], datetime]

    def lodge(self, message: bytes, caller: Identity) -> Receipt:
        """Record a commitment of the caller's department.

        Raises:
            MalformedRequest: COMMITMENT_INVALID, with the check that failed.
            BrokerError: nothing was recorded, or a retry is safe: of two the later counts.
        """
        return in_one_epoch(self.epochs, lambda epoch: self._lodge(epoch, message, caller))

    def withdraw(self, leaf_index: int, reason: str, caller: Identity) -> int:
        """End a commitment; gives the leaf that says so, the first one if it was withdrawn before.

        Raises:
            NotFound: there is no such commitment that the caller may see.
            NotAuthorised: the caller is no officer of consumer, provider or authority.
            SetUpError: the reason is too long.
        """
        found = self.one(leaf_index, caller)
        if not self._may_withdraw(found, caller):
            raise NotAuthorised(Reason.ROLE_NOT_ALLOWED)
        with self.publisher.act() as act:
            leaves = self.store.commitments(found.consumer, found.dataset, found.purpose)
            if (before := withdrawn(leaves).get(leaf_index)) is not None:
                return before
            parties = (found.consumer, found.provider, found.dataset, found.purpose)
            ended = Withdrawal(leaf_index, found.template, *parties)
            moved = act.move("withdraw", act.next(), Order(caller.uri, reason), withdrawal=ended)
        assert moved.leaf_index is not None  # noqa: S101 - an act that moves has a leaf
        return moved.leaf_index

    def one(self, leaf_index: int, reader: Identity) -> Lodged:
        """A commitment on record.

        Raises:
            NotFound: there is none that the reader may see, or it was erased.
        """
        leaf = self.store.leaf(leaf_index)
        if leaf is None or leaf.entry.kind is not EntryKind.COMMITMENT or not leaf.entry.statement:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        if not self._sees_all(reader) and reader.department not in (leaf.entry.consumer, leaf.entry.provider):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return self._on_record([leaf])[0]

    def listed(self, consumer: str, reader: Identity, before: int | None, limit: int) -> list[Lodged]:
        """At most ``limit`` of those that the reader may see, of one consumer if it is named, of leaves below
        ``before``; newest first."""
        party = "" if self._sees_all(reader) else reader.department
        wanted = ReceiptFilter(kind=EntryKind.COMMITMENT, department=consumer, party=party)
        return self._on_record(self.store.leaves(wanted, before, limit))

    def _lodge(self, epoch: InForce, message: bytes, caller: Identity) -> Receipt:
        now, catalog = self.clock(), epoch.bundle.catalog
        check_standing(caller, catalog.city, epoch.revocations, now)
        commitment = Verifier(catalog, self.ca, epoch.revocations, now).lodged(message, caller)
        provider = catalog.datasets[commitment.dataset].department
        authority = self.ca.public_bytes(serialization.Encoding.DER)
        entry = Entry(
            kind=EntryKind.COMMITMENT,
            statement=lodged_statement(commitment, caller, provider, now, epoch.sequence),
            recorded_at=now,
            consumer=caller.department,
            consumer_uri=caller.uri,
            provider=provider,
            dataset=commitment.dataset,
            purpose=commitment.purpose,
            epoch=epoch.sequence,
            chains=tuple(chain_of(one, authority) for one in (caller, commitment.signer)),
            acts=(commitment.message,),
        )
        return self.log.append(entry).receipt

    def _on_record(self, leaves: Sequence[Leaf]) -> list[Lodged]:
        gone: dict[tuple[str, str, str], dict[int, int]] = {}
        for leaf in leaves:
            key = (leaf.entry.consumer, leaf.entry.dataset, leaf.entry.purpose)
            if key not in gone:
                gone[key] = withdrawn(self.store.commitments(*key))
        return [
            _lodged(leaf, gone[leaf.entry.consumer, leaf.entry.dataset, leaf.entry.purpose].get(leaf.index))
            for leaf in leaves
            if leaf.entry.statement
        ]

    def _sees_all(self, reader: Identity) -> bool:
        department = self.epochs.current().bundle.catalog.departments.get(reader.department)
        return department is not None and department.kind is DepartmentKind.AUTHORITY

    def _may_withdraw(self, found: Lodged, caller: Identity) -> bool:
        return caller.department in (found.consumer, found.provider) or self._sees_all(caller)


def _lodged(leaf: Leaf, gone: int | None) -> Lodged:
    entry = leaf.entry
    (told,) = orjson.loads(entry.statement)["commitments"]
    return Lodged(
        leaf_index=leaf.index,
        consumer=entry.consumer,
        provider=entry.provider,
        dataset=entry.dataset,
        purpose=entry.purpose,
        template=told["template"],
        version=told["version"],
        signer=told["signer"],
        recorded_at=entry.recorded_at,
        expires=datetime.fromisoformat(told["expires"]),
        withdrawn=gone,
    )
