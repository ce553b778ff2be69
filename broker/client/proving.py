"""A list of receipts that are all proved against one signed head, which its first page names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from broker.client.answer import receipt_of
from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt.log_keys import Trust, led
from broker.receipt.merkle import leaf_entry, leaf_hash, verify_inclusion
from broker.receipt.note import Checkpoint, claimed_checkpoint
from broker.v1 import receipt_pb2


class ProvedReceipts:
    """Told of the pages in their order."""

    def __init__(self, trust: Trust | None) -> None:
        self._trust = trust
        self._note = ""
        self._successions: tuple[str, ...] = ()
        self._head: Checkpoint | None = None

    def of_page(self, page: receipt_pb2.ListReceiptsResponse) -> Sequence[Receipt]:
        """The receipts of a page, each with the head of the first; those of erased statements lack a proof.

        Raises:
            VerificationFailed: the head is not signed by the key trusted, if there is one; or a receipt is
                not under it.
        """
        if self._head is None:
            self._note, self._successions = page.checkpoint, tuple(page.log_key_successions)
            self._head = self._checked()
        return [self._proved(receipt_of(receipt), self._head) for receipt in page.receipts]

    def _checked(self) -> Checkpoint:
        if self._trust is None:
            return claimed_checkpoint(self._note)
        return led(self._trust, self._successions).checkpoint(self._note)

    def _proved(self, receipt: Receipt, head: Checkpoint) -> Receipt:
        if receipt.tree_size != head.size:
            raise VerificationFailed("证明与日志头不符 / the proof leads to another head than the list's")
        receipt = replace(receipt, checkpoint=self._note, successions=self._successions)
        if receipt.statement:
            leaf = leaf_hash(leaf_entry(receipt.statement))
            verify_inclusion(leaf, receipt.leaf_index, head.size, receipt.proof, head.root)
        return receipt
