"""A streamed exchange: the decision at once, Arrow batches by iterating, the outcome at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
import pyarrow as pa

from broker.client import frames
from broker.client.acknowledging import Delivery
from broker.client.answer import checked_receipt, verdict_of
from broker.client.batches import Batches
from broker.client.duties import duties_of, reviews_of
from broker.client.evidence import require_about, require_digest, require_marked, require_outcome_of
from broker.client.retry import Tries
from broker.client.status import failure_of
from broker.errors import VerificationFailed
from broker.model import Receipt, Verdict
from broker.receipt.log_keys import Trust
from broker.transmit.watermark import watermark_of
from broker.v1 import exchange_pb2

if TYPE_CHECKING:
    import pandas
    import polars

Part = exchange_pb2.StreamExchangeResponse


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """What a stream answers: a request, who made it (a SPIFFE id), and the log's key if that is known."""

    request: exchange_pb2.StreamExchangeRequest
    caller: str
    trust: Trust | None


class Reception:
    """What has come of a streamed exchange, checked part by part; how the parts come is left to others.

    Iterate once, to the end: only then is :attr:`outcome` set and the digest of all chunks verified. A stream
    that breaks off raises: what came of it counts for nothing, and asked for again under its
    :attr:`request_id` it begins anew.
    """

    def __init__(
        self, call: Any, parts: Any, opening: Part | None, question: StreamQuestion, tries: Tries
    ) -> None:
        if opening is None or not opening.HasField("opening"):
            raise VerificationFailed("流没有以决定开头 / the stream does not begin with a decision")
        self._call = call
        self._parts = parts
        self._question = question
        self._tries = tries
        self._cancelled = False
        self.request_id = tries.request_id
        self.attempts = tries.number
        self.decision = opening.opening.decision
        self.verdict = verdict_of(self.decision.verdict)
        self.duties = duties_of(self.decision)
        self.reviews = reviews_of(self.decision)
        self.receipt = self._checked(opening.opening.receipt)
        self.masks = {column.field: column.mask for column in opening.opening.columns}
        self.outcome: exchange_pb2.StreamOutcome | None = None
        self.outcome_receipt: Receipt | None = None
        self.delivery: Delivery | None = None
        """What can be acknowledged; known at the end."""
        self.acknowledgement: Receipt | None = None
        """Receipt of its acknowledgement, likewise; None where there is none, or it waits."""
        self._digest = hashlib.sha256(opening.opening.nonce)
        self._batches = Batches()

    @property
    def permitted(self) -> bool:
        return self.verdict is Verdict.PERMIT

    @property
    def redelivered(self) -> bool:
        """Whether an earlier attempt under this request id had delivered the same; known at the end."""
        return self.outcome is not None and self.outcome.redelivered

    @property
    def only_totals(self) -> bool:
        """Whether each row is a total of a group: columns are such as ``sum(amount)``, ``count(rows)``."""
        return bool(self.decision.obligations.HasField("aggregate"))

    @property
    def suppressed(self) -> int:
        """Rows left out because too few people share what they would tell; known at the end."""
        return self.outcome.counts.suppressed if self.outcome is not None else 0

    @property
    def reasons(self) -> tuple[exchange_pb2.Reason, ...]:
        """Why not, for a refusal."""
        return (*self.decision.reasons, *self.decision.missing)

    def cancel(self) -> None:
        """Stop receiving; the broker receipts what it had released by then."""
        self._cancelled = True
        self._call.cancel()

    @property
    def expects_more(self) -> bool:
        """Whether parts are still to come: until the outcome, for a permit."""
        return self.permitted and self.outcome is None

    def _take(self, part: Part | None) -> Iterator[pa.RecordBatch]:
        if part is None:
            raise VerificationFailed("流未完成：没有结束回执 / the stream is incomplete: it has no outcome")
        if part.HasField("outcome"):
            self._finish(part.outcome)
            return
        if not part.HasField("chunk"):
            raise VerificationFailed("流中有多余的部分 / the stream holds a part out of place")
        self._digest.update(part.chunk)
        for batch in self._batches.feed(part.chunk):
            self._require_marked()
            yield batch

    def _finish(self, outcome: exchange_pb2.StreamOutcome) -> None:
        receipt = self._checked(outcome.receipt)
        require_outcome_of(receipt, self.receipt)
        require_digest(receipt, self._digest.digest(), outcome.digest)
        self._batches.end()
        self._require_marked()
        self.outcome, self.outcome_receipt = outcome, receipt
        self.delivery = Delivery.of(receipt, self._digest.digest(), self.duties.acknowledge_hours)

    @property
    def watermark(self) -> dict[str, str]:
        """Marks that must stay with the batches wherever they go; empty where policy demands none."""
        return watermark_of(self._batches.schema) if self._batches.schema is not None else {}

    def _require_marked(self) -> None:
        if self.duties.watermark:
            require_marked(self.watermark, self._question.request, self._question.caller)

    def _checked(self, message: exchange_pb2.Receipt) -> Receipt:
        receipt = checked_receipt(message, self._question.trust)
        require_about(receipt, self._question.request, self._question.caller, self.verdict)
        return receipt

    def _broken(self, error: grpc.RpcError) -> Exception:
        return self._tries.marked(failure_of(error).error)

    def _table(self, batches: list[pa.RecordBatch]) -> pa.Table:
        if self._batches.schema is None:
            return pa.table({})
        return pa.Table.from_batches(batches, self._batches.schema)


class Stream(Reception):
    """What :meth:`broker.client.Client.stream` gives; as a context manager, cancelled at its end.

    Args:
        settle: acknowledges what was delivered.
    """

    def __init__(
        self,
        call: Any,
        opening: Part | None,
        question: StreamQuestion,
        tries: Tries,
        settle: Callable[[Delivery], Receipt | None],
    ) -> None:
        super().__init__(call, call, opening, question, tries)
        self._settle = settle

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while self.expects_more:
            yield from self._take(self._next())
            if self.delivery is not None:
                self.acknowledgement = self._settle(self.delivery)

    def table(self) -> pa.Table:
        """All batches as one table, in the types of the catalog."""
        return self._table(list(self))

    def to_pandas(self) -> pandas.DataFrame:
        """:meth:`table` as a pandas frame. Needs the extra ``sharebroker[pandas]``, else SetUpError."""
        return frames.to_pandas(self.table())

    def to_polars(self) -> polars.DataFrame:
        """:meth:`table` as a polars frame. Needs the extra ``sharebroker[polars]``, else SetUpError."""
        return frames.to_polars(self.table())

    def _next(self) -> Part | None:
        try:
            part: Part | None = next(self._parts, None)
        except grpc.RpcError as error:
            if self._cancelled:
                return None
            raise self._broken(error) from None
        return part
