"""The gRPC service of the receipt log: what a reader may see of it, on record where an auditor reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from broker.epoch import Epochs
from broker.errors import NotFound
from broker.model import Entry, EntryKind, Identity, Receipt, ReceiptFilter, Role
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.receipt.lookups import audit_read
from broker.server import paging, wire
from broker.server.calls import Call
from broker.server.receipt_filters import filter_of, told
from broker.server.services import is_of_authority, malformed, receipt_leaf
from broker.v1 import receipt_pb2, receipt_pb2_grpc

Listed = Sequence[tuple[int, Entry]]


class ReceiptService(receipt_pb2_grpc.ReceiptServiceServicer):
    """The receipt log, to those who may read it; heads and proofs to everyone."""

    def __init__(self, log: ReceiptLog, epochs: Epochs, clock: Callable[[], datetime]) -> None:
        self._log = log
        self._epochs = epochs
        self._clock = clock

    def GetReceipt(
        self, request: receipt_pb2.GetReceiptRequest, call: Call
    ) -> receipt_pb2.GetReceiptResponse:
        leaf_index = receipt_leaf(request.name)
        entry = self._log.entry(leaf_index)
        record = partial(self._record, call.identity, {"receipt": leaf_index}, (), proofs=True)
        if entry is None or not entry.statement or not self._may_read(call.identity, entry):
            record(())
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        if request.cose:
            receipt, cose = self._log.cose_receipt(leaf_index)
        else:
            receipt, cose = self._log.receipt(leaf_index), b""
        if request.acts:
            receipt = self._log.with_acts(receipt)
        record((leaf_index,))
        return receipt_pb2.GetReceiptResponse(receipt=wire.receipt_message(receipt), cose_receipt=cose)

    def ListReceipts(
        self, request: receipt_pb2.ListReceiptsRequest, call: Call
    ) -> receipt_pb2.ListReceiptsResponse:
        size = paging.page_size(request.page_size, default=50)
        wanted = self._filter(request, call.identity)
        list_page = self._proved_page if request.proofs else self._page
        found, response = list_page(wanted, request.page_token, size)
        leaves = [index for index, _ in found]
        self._record(call.identity, told(wanted), wanted.subject_tags, leaves, proofs=request.proofs)
        return response

    def GetCheckpoint(
        self, request: receipt_pb2.GetCheckpointRequest, call: Call
    ) -> receipt_pb2.GetCheckpointResponse:
        history = self._log.key_history()
        return receipt_pb2.GetCheckpointResponse(
            checkpoint=history[-1].checkpoint if history else self._log.checkpoint(),
            verifier_key=str(self._log.verifier_key),
            key_history=map(wire.receipt_message, history),
            cosigned_checkpoint=self._log.cosigned(),
        )

    def GetInclusionProof(
        self, request: receipt_pb2.GetInclusionProofRequest, call: Call
    ) -> receipt_pb2.GetInclusionProofResponse:
        size = self._size(request.tree_size, "tree_size")
        if not 0 <= request.leaf_index < size:
            raise malformed("leaf_index", "须小于 tree_size", "must be below tree_size")
        return receipt_pb2.GetInclusionProofResponse(
            leaf_hash=self._log.leaf_hash(request.leaf_index),
            proof=self._log.inclusion_proof(request.leaf_index, size),
            tree_size=size,
        )

    def GetConsistencyProof(
        self, request: receipt_pb2.GetConsistencyProofRequest, call: Call
    ) -> receipt_pb2.GetConsistencyProofResponse:
        second = self._size(request.second_size, "second_size")
        if not 0 < request.first_size <= second:
            raise malformed("first_size", "须在 1 与 second_size 之间", "must be from 1 to second_size")
        return receipt_pb2.GetConsistencyProofResponse(
            proof=self._log.consistency_proof(request.first_size, second), second_size=second
        )

    def _page(
        self, wanted: ReceiptFilter, token: str, size: int
    ) -> tuple[Listed, receipt_pb2.ListReceiptsResponse]:
        query = f"receipts {wanted}"
        before = paging.decode(token, query)
        found = self._log.entries(wanted, before, size + 1)
        following = paging.encode(found[size - 1][0], query) if len(found) > size else ""
        found = found[:size]
        return found, _response(found, 0, {}, next_page_token=following)

    def _proved_page(
        self, wanted: ReceiptFilter, token: str, size: int
    ) -> tuple[Listed, receipt_pb2.ListReceiptsResponse]:
        query = f"proved receipts {wanted}"
        begun = paging.decode_proved(token, query)
        if begun is None:
            tree_size, note, successions = self._log.proving_head()
            before = tree_size
        else:
            before, tree_size = begun
            note, successions = "", ()
            self._size(tree_size, "page_token")
        found = self._log.entries(wanted, min(before, tree_size), size + 1)
        following = paging.encode(found[size - 1][0], query, tree_size) if len(found) > size else ""
        found = found[:size]
        statements = {index: entry.statement for index, entry in found if entry.statement}
        proofs = self._log.inclusion_proofs(statements, tree_size)
        response = _response(found, tree_size, proofs, next_page_token=following)
        response.checkpoint = note
        response.log_key_successions.extend(successions)
        return found, response

    def _record(
        self,
        reader: Identity,
        filters: Mapping[str, object],
        subject_tags: Collection[bytes],
        found: Collection[int],
        *,
        proofs: bool,
    ) -> None:
        """What an auditor is about to be told stands in the log first; without that it is not told.

        Raises:
            Unavailable: it cannot be recorded.
        """
        if reader.role is not Role.AUDITOR:
            return
        now = self._clock()
        statement = audit_read(reader, now, filters, subject_tags, found, proofs=proofs)
        self._log.append(Entry(EntryKind.AUDIT_READ, statement, now))

    def _size(self, asked: int, field: str) -> int:
        current = self._log.size()
        if not 0 <= asked <= current:
            raise malformed(field, "不得超过日志当前大小", "must not exceed the log's current size")
        return asked or current

    def _filter(self, request: receipt_pb2.ListReceiptsRequest, reader: Identity) -> ReceiptFilter:
        return filter_of(
            request,
            party="" if self._reads_all(reader) else reader.department,
            consumer_uri=reader.uri if reader.role is Role.SYSTEM else "",
        )

    def _may_read(self, reader: Identity, entry: Entry) -> bool:
        if self._reads_all(reader):
            return True
        if reader.role is Role.SYSTEM:
            return entry.consumer_uri == reader.uri
        return reader.department in (entry.consumer, entry.provider)

    def _reads_all(self, reader: Identity) -> bool:
        return reader.role is Role.AUDITOR and is_of_authority(reader, self._epochs)


def _response(
    found: Listed, tree_size: int, proofs: Mapping[int, tuple[bytes, ...]], *, next_page_token: str
) -> receipt_pb2.ListReceiptsResponse:
    receipts = [
        Receipt(entry.statement, index, tree_size, proofs.get(index, ()), "") for index, entry in found
    ]
    return receipt_pb2.ListReceiptsResponse(
        receipts=map(wire.receipt_message, receipts), next_page_token=next_page_token, tree_size=tree_size
    )
