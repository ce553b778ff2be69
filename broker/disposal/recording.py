"""How what concerns an order gets into the log: alone, with what it does to the tables, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from broker.journal import EpochMoved
from broker.model import CertificateChain, Entry, EntryKind, Holding
from broker.receipt.log import append_alone
from broker.store.store import Store, StoreTransaction


@dataclass(frozen=True, slots=True)
class Recording:
    """An append transaction, under the log's lock."""

    store: Store
    transaction: StoreTransaction
    now: datetime
    """Not before the last leaf."""

    def append(
        self, kind: EntryKind, statement: bytes, of: Holding, chains: tuple[CertificateChain, ...] = ()
    ) -> int:
        """Puts the statement into the log; gives its leaf index."""
        entry = Entry(
            kind=kind,
            statement=statement,
            recorded_at=self.now,
            consumer=of.consumer,
            provider=of.provider,
            dataset=of.dataset,
            purpose=of.purpose,
            chains=chains,
        )
        return append_alone(self.transaction, self.store, entry)


@contextmanager
def recording(store: Store, clock: Callable[[], datetime], epoch: int | None = None) -> Iterator[Recording]:
    """Commits at its end, unless it raises.

    Raises:
        EpochMoved: another epoch is in force than ``epoch``.
        Unavailable: the database cannot be reached.
    """
    with store.append_transaction() as transaction:
        if epoch is not None and transaction.head.epoch != epoch:
            raise EpochMoved(transaction.head.epoch)
        yield Recording(store, transaction, max(clock(), transaction.head.recorded_at))
