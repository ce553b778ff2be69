"""Verification of a receipt, offline, under a key that the verifier already trusts.

The chain has five links, from the trusted key to the statement, and a failure names the one that broke:

1. signature – the trust key, or the one that succeeded it by then, has signed the checkpoint;
2. checkpoint – it is well-formed, and its origin is the key's name;
3. tree size – it is that of the receipt;
4. inclusion proof – it leads from the statement's leaf to the checkpoint's root;
5. statement – it is a JSON object that can be read in one way only.

No key is ever taken from the receipt but one to which the trusted key leads by signatures: whoever could
alter the receipt could put a key of his own there.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.reasons import Sentence
from broker.receipt.bundle import read_json
from broker.receipt.log_keys import LogKeys, Trust, led
from broker.receipt.merkle import leaf_entry, leaf_hash, verify_inclusion
from broker.receipt.note import Checkpoint

STATEMENT = Sentence("存证内容", "statement")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a receipt proves: the log with this head holds this statement."""

    statement: dict[str, object]
    checkpoint: Checkpoint


def verify_receipt(receipt: Receipt, trust: Trust) -> Verified:
    """The statement of a receipt, once every link of the chain holds.

    Args:
        receipt: from :func:`broker.receipt.bundle.parse` or from an answer.
        trust: the log's key, from another way than the receipt, or the keys that it has led to. Keys after or
            before it are believed as far as the receipt's successions lead there.

    Raises:
        VerificationFailed: a link broke; the message begins with it.
    """
    checkpoint = led(trust, receipt.successions).checkpoint(receipt.checkpoint)
    if receipt.tree_size != checkpoint.size:
        raise VerificationFailed("树大小与日志头不符 / tree size: not that of the checkpoint")
    leaf = leaf_hash(leaf_entry(receipt.statement))
    verify_inclusion(leaf, receipt.leaf_index, checkpoint.size, receipt.proof, checkpoint.root)
    return Verified(read_json(receipt.statement, STATEMENT), checkpoint)


def verify_checkpoint(note: str, trust: Trust) -> Checkpoint:
    """The log head in a note, as :meth:`LogKeys.checkpoint`.

    Raises:
        VerificationFailed: it is not signed by a key that the trust leads to, or holds no head of that log.
    """
    return LogKeys.of(trust).checkpoint(note)
