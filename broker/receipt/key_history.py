"""The signed history of a log's keys, as it is published: receipts of all successions, oldest first.

``log-keys`` beside the checkpoint is JSON: ``{"format": "share-log-keys/v1", "successions": [<receipt>,
…]}``, each receipt as ``sharebroker receipt get`` writes it (:mod:`broker.receipt.bundle`). With one key that
a verifier trusts it proves the others: each succession is signed by the key before and the key after, and is
a leaf of the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.reasons import Sentence
from broker.receipt import bundle
from broker.receipt.log_keys import MAX_SUCCESSIONS, LogKeys, Trust, succession_of
from broker.receipt.merkle import leaf_entry, leaf_hash, verify_inclusion

FORMAT = "share-log-keys/v1"
LOG_KEYS = "log-keys"
"""Where it is, beside ``checkpoint``."""
MAX_BYTES = MAX_SUCCESSIONS * 8 * 1024

_WHAT = Sentence("密钥历史", "log keys")


def export(receipts: Iterable[Receipt]) -> bytes:
    """The file, UTF-8."""
    successions = [json.loads(bundle.export(receipt)) for receipt in receipts]
    content = {"format": FORMAT, "successions": successions}
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"


def parse(data: bytes) -> list[Receipt]:
    """The receipts in a file; nothing is verified.

    Raises:
        VerificationFailed: it is none.
    """
    if len(data) > MAX_BYTES:
        raise VerificationFailed("密钥历史过长 / log keys: too long")
    content = bundle.read_json(data, _WHAT)
    successions = content.get("successions")
    if content.get("format") != FORMAT or not isinstance(successions, list) or len(content) != 2:
        raise VerificationFailed("密钥历史格式不符 / log keys: malformed")
    return [bundle.parse(json.dumps(one, ensure_ascii=False).encode()) for one in successions]


def proved(trust: Trust, receipts: Sequence[Receipt]) -> LogKeys:
    """The keys that ``trust`` leads to by these receipts, each of which holds under them.

    Raises:
        VerificationFailed: they lead to no key that is trusted, or a succession is not in the log where it
        says.
    """
    keys = LogKeys.of(trust).extended(succession_of(receipt.statement) for receipt in receipts)
    places = {one.leaf_index for one in keys.successions}
    for receipt in receipts:
        checkpoint = keys.checkpoint(receipt.checkpoint)
        if receipt.leaf_index not in places or receipt.tree_size != checkpoint.size:
            raise VerificationFailed("密钥更替的位置不符 / log keys: not the leaf or tree that it says")
        leaf = leaf_hash(leaf_entry(receipt.statement))
        verify_inclusion(leaf, receipt.leaf_index, checkpoint.size, receipt.proof, checkpoint.root)
    return keys
