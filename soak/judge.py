"""The judgement: what clients wrote down, held against every leaf of the log.

The log is read where it is stored, and its root at every size derived from the leaves by code that shares
nothing with the broker's tree but its two hash functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

from broker.client import Client, VerifierKey, verify_receipt
from broker.errors import BrokerError, VerificationFailed
from broker.journal import Leaf
from broker.model import AnswerStatus, EntryKind, Receipt, Verdict
from broker.receipt.merkle import EMPTY_ROOT, leaf_entry, leaf_hash, node_hash, verify_consistency
from broker.receipt.note import Checkpoint
from broker.receipt.verify import verify_checkpoint
from broker.transmit.digest import answer_digest, canonical_answer
from broker.v1 import exchange_pb2 as pb
from soak.facts import Fact, Fault, Wrong
from soak.ledger import Call
from soak.streams import Streams

PROOFS = 20
"""Receipts for which the broker itself is asked again."""
PATIENCE_SECONDS = 600
"""Longest wait for its answer, on the slowest machine."""


class Judge:
    """Holds calls against a log.

    Args:
        leaves: all of them, in order.
        head: the newest that the broker signed.
        trust: the log's key.
    """

    def __init__(self, leaves: Iterable[Leaf], head: Checkpoint, trust: VerifierKey) -> None:
        self.head = head
        self.facts: list[Fact] = []
        self.claims: dict[str, int] = {}
        """Request id → leaf of its permitted exchange."""
        self.streams = Streams()
        self._trust = trust
        self._hashes: list[bytes] = []
        self._faults: list[Fault] = []
        self._redelivered: Counter[int] = Counter()
        for place, leaf in enumerate(leaves):
            self._read(place, leaf)
        self._roots = roots_of(self._hashes)

    def log(self) -> Iterator[Fault]:
        """The log is whole: no gap, every hash that of its statement, the signed head over all of it, and no
        second exchange of one request id."""
        yield from self._faults
        size, where = self.head.size, f"signed head of {self.head.size}, {len(self._hashes)} leaves"
        if size >= len(self._roots) or self._roots[size] != self.head.root:
            yield Fault(Wrong.FORKED, where)
        elif size < len(self._hashes):
            yield Fault(Wrong.DAMAGED, where)

    def call(self, call: Call) -> Iterator[Fault]:
        """What one client was told stands in the log, in the place and under the root it was told."""
        for receipt in call.receipts():
            yield from self._receipt(receipt)
        for answer in call.answers():
            if answer.HasField("answer"):
                yield from self._released(call.request_id, answer)
        if call.pieces():
            yield from self.streams.received(call.pieces())

    def retry(self, call: Call, claims: dict[str, int]) -> Iterator[Fault]:
        """A call made again is answered as the first time, if the earlier ``claims`` have one."""
        for answer in call.answers():
            before, now = claims.get(call.request_id), answer.receipt.leaf_index
            as_before = before in {None, now} and answer.redelivered == (before is not None)
            if answer.HasField("answer") and not as_before:
                yield Fault(Wrong.REPEATED, f"request {call.request_id}")

    def deliveries(self) -> Iterator[Fault]:
        """To be asked after all calls: nobody got an answer again without a leaf that says so."""
        said = Counter(fact.of for fact in self.facts if fact.kind == EntryKind.REDELIVERED)
        for leaf in self._redelivered - said:
            yield Fault(Wrong.UNRECEIPTED, f"redelivery of leaf {leaf}")

    def _read(self, place: int, leaf: Leaf) -> None:
        statement = leaf.entry.statement
        if leaf.index != place or leaf.log_entry != leaf_entry(statement):
            self._faults.append(Fault(Wrong.DAMAGED, f"leaf {place}"))
        fact = Fact.from_statement(statement)
        self.facts.append(fact)
        self._hashes.append(leaf_hash(leaf.log_entry))
        if fact.kind == EntryKind.EXCHANGE and fact.verdict == Verdict.PERMIT:
            if fact.request_id in self.claims:
                self._faults.append(Fault(Wrong.REPEATED, f"leaf {place}"))
            self.claims[fact.request_id] = place
        self.streams.read(place, fact)

    def _receipt(self, receipt: Receipt) -> Iterator[Fault]:
        where = f"leaf {receipt.leaf_index}"
        try:
            own = verify_receipt(receipt, self._trust).checkpoint
        except VerificationFailed:
            yield Fault(Wrong.UNVERIFIED, where)
            return
        if own.size >= len(self._roots) or self._roots[own.size] != own.root:
            yield Fault(Wrong.FORKED, f"tree of size {own.size}")
        if not self._holds(receipt):
            yield Fault(Wrong.LOST, where)

    def _holds(self, receipt: Receipt) -> bool:
        index = receipt.leaf_index
        return index < len(self._hashes) and self._hashes[index] == leaf_hash(leaf_entry(receipt.statement))

    def _fact(self, index: int) -> Fact:
        return self.facts[index] if index < len(self.facts) else Fact("")

    def _released(self, request_id: str, response: pb.ExchangeResponse) -> Iterator[Fault]:
        index, digest = response.receipt.leaf_index, digest_of(response.answer).hex()
        fact = self._fact(index)
        if fact.kind != EntryKind.EXCHANGE or {fact.digest, response.answer.digest.hex()} != {digest}:
            yield Fault(Wrong.UNRECEIPTED, f"leaf {index}")
        if self.claims.get(request_id) != index:
            yield Fault(Wrong.REPEATED, f"request {request_id}")
        self._redelivered[index] += response.redelivered


def ask_again(
    auditor: Client, trust: VerifierKey, receipts: Sequence[Receipt], most: int = PROOFS
) -> Iterator[Fault]:
    """Through the broker itself: some of the receipts again, and proof that the log grew from then to now."""
    for receipt in receipts[:: len(receipts) // most + 1]:
        where = f"leaf {receipt.leaf_index}"
        try:
            own = verify_checkpoint(receipt.checkpoint, trust)
            fresh = auditor.receipt(receipt.leaf_index, timeout=PATIENCE_SECONDS)
            now = verify_receipt(fresh, trust).checkpoint
            proof = auditor.consistency_proof(own.size, now.size, timeout=PATIENCE_SECONDS)
            verify_consistency(own.size, now.size, own.root, now.root, proof)
        except VerificationFailed:
            yield Fault(Wrong.FORKED, where)
        except BrokerError:
            yield Fault(Wrong.LOST, where)
        else:
            if fresh.statement != receipt.statement:
                yield Fault(Wrong.LOST, where)


def roots_of(hashes: Iterable[bytes]) -> list[bytes]:
    """Root of the tree at every size, from its complete subtrees (RFC 6962 §2.1)."""
    peaks: list[bytes] = []
    roots = [EMPTY_ROOT]
    for size, leaf in enumerate(hashes, 1):
        peaks.append(leaf)
        while size % 2 == 0:
            right = peaks.pop()
            peaks[-1], size = node_hash(peaks[-1], right), size // 2
        roots.append(reduce(lambda root, peak: node_hash(peak, root), reversed(peaks)))
    return roots


def digest_of(answer: pb.Answer) -> bytes:
    """Digest of the records that an answer holds."""
    records = [
        {name: getattr(value, value.WhichOneof("kind") or "") for name, value in record.values.items()}
        for record in answer.records
    ]
    content = canonical_answer(
        _status_of(answer.status),
        [_status_of(subject.status) for subject in answer.subjects],
        records,
        [tuple(record.subjects) for record in answer.records],
    )
    return answer_digest(answer.nonce, content)


def _status_of(value: pb.AnswerStatus) -> AnswerStatus:
    return AnswerStatus[pb.AnswerStatus.Name(value).removeprefix("ANSWER_STATUS_")]
