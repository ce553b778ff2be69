"""Forgetting a person: the act is a leaf of the log first, then the key is destroyed.

What the log says is what counts: every broker that starts does what it finds there and the vault has not done
yet. So a crash in between does no harm, and neither does a vault restored from a backup, which would bring a
forgotten key back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import orjson
import structlog

from broker.model import Entry, EntryKind
from broker.receipt.log import append_alone
from broker.receipt.lookups import subject_forgotten
from broker.store.store import Store
from broker.vault.vault import Vault

log = structlog.get_logger("sharebroker.vault")


def forget(vault: Vault, store: Store, subject: str, actor: str, reason: str, now: datetime) -> int | None:
    """Destroys the subject's key; gives the leaf that says so, or None if the vault does not know them.

    Raises:
        Unavailable: database or vault cannot be used. Once the leaf is there, the next start finishes it.
    """
    name = vault.name(subject)
    if name is None:
        return None
    content = subject_forgotten(actor, reason, now, name)
    with store.append_transaction() as transaction:
        leaf = append_alone(transaction, store, Entry(EntryKind.SUBJECT_FORGOTTEN, content, now))
    obey(vault, store)
    return leaf


def obey(vault: Vault, store: Store) -> int:
    """Destroys the keys that the log says are destroyed, as far as the vault still has them; how many.

    Raises:
        Unavailable: database or vault cannot be used.
    """
    obeyed, size = vault.obeyed, store.head().size
    if obeyed >= size:
        return 0
    return vault.obey(set(_forgotten(store, obeyed)), size)


def _forgotten(store: Store, start: int) -> Iterator[str]:
    with store.searches() as searches:
        for leaf in searches.of_kind(EntryKind.SUBJECT_FORGOTTEN, start):
            try:
                yield orjson.loads(leaf.entry.statement)["forgotten"]
            except (ValueError, KeyError, TypeError):  # erased or damaged: whom it was about, nobody knows
                log.critical("forgetting_unknown", receipt=leaf.index)
