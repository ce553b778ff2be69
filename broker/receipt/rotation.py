"""Another key for the log: made, put beside the old one, and named by a leaf that both have signed.

In this order, so that a crash between any two steps leaves a log that goes on: the new key is on disk; under
the log's lock the signer signs the succession for the leaf that comes next; leaf and head are committed
together; whoever has the next head signed proves the leaf to the signer, which writes the key into its file
and signs with it (:mod:`broker.receipt.memory`). A key on disk that no leaf names is used by the next
rotation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from broker import failpoints
from broker.errors import SetUpError
from broker.keys.log_key import create_next_log_key, load_log_keys
from broker.model import Entry, EntryKind
from broker.receipt.head import SignedHead
from broker.receipt.log import append_alone
from broker.receipt.log_keys import LogKeys
from broker.receipt.note import VerifierKey
from broker.receipt.signer import CheckpointSigner
from broker.receipt.statement import log_key
from broker.store.store import Store


@dataclass(frozen=True, slots=True)
class Rotated:
    """One key after another."""

    old: VerifierKey
    new: VerifierKey
    leaf_index: int
    """The leaf that says so; larger logs are signed with the new key."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a key is succeeded, and who orders it why; both stand in the leaf."""

    actor: str
    reason: str
    both: timedelta
    """So long the old key signs along, for verifiers that have not heard of the new one."""
    until: int | None = None
    """The largest log about which the old key is believed, where not the largest it has signed: after a
    theft."""


def prepare(path: Path, keys: LogKeys) -> VerifierKey:
    """The key that comes next: one on disk that the log has not had, or else a new one, put there.

    Raises:
        SetUpError: the keys cannot be read or written.
    """
    held = [VerifierKey.of(keys.name, private) for private in load_log_keys(path)]
    for key in held:
        if key not in keys.keys:
            return key
    create_next_log_key(path, lambda private: VerifierKey.of(keys.name, private).id.hex())
    return prepare(path, keys)


def rotate(
    store: Store, signer: CheckpointSigner, path: Path, clock: Callable[[], datetime], terms: Terms
) -> Rotated:
    """Puts the next key in the place of the present one, while brokers run, and has a head signed with it.

    Args:
        path: of the log's first key; the others lie beside it.

    Raises:
        SetUpError: the log has not begun, the keys cannot be read or written, or ``until`` is beyond the log.
        Unavailable: database or signer cannot be reached; run again.
        VerificationFailed: database and signer contradict each other, or the log has forked.
    """
    head = SignedHead(store, signer)
    _catch_up(store, head)
    old, new = signer.keys.newest, prepare(path, signer.keys)
    failpoints.hit("key_prepared")
    with store.append_transaction() as transaction:
        size, now = transaction.head.size, max(clock(), transaction.head.recorded_at)
        until = size if terms.until is None else terms.until
        if not 0 < size >= until >= max(signer.keys.last_leaf, 0):
            raise SetUpError(
                f"旧密钥可信的最大条数须在 {signer.keys.last_leaf} 与 {size} 之间。",
                f"The old key can be believed about logs of {signer.keys.last_leaf} to {size} leaves.",
            )
        both_until = (now + terms.both).replace(microsecond=0)
        succession = signer.succeed(new, until, size + 1, both_until)
        statement = log_key(
            succession, str(new), transaction.head.log_key, now, actor=terms.actor, reason=terms.reason
        )
        append_alone(transaction, store, Entry(EntryKind.LOG_KEY, statement, now))
        transaction.name_log_key(size)
        failpoints.hit("before_key_commit")
    failpoints.hit("after_key_commit")
    _catch_up(store, head)
    return Rotated(old, new, size)


def _catch_up(store: Store, head: SignedHead) -> None:
    """The signer knows all successions so far."""
    with store.append_transaction() as transaction:
        now = transaction.head
    if now.size:
        head.sign(head.tree(now.size), now.log_key)
