"""One connection to a broker and the calls over it."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Required, Self, TypedDict, TypeVar, Unpack, cast

import grpc
import pyarrow as pa

from broker.apply.signed import sign_application
from broker.client.credentials import Credentials
from broker.client.evidence import Request, require_about, require_digest, require_outcome_of
from broker.client.status import error_of
from broker.errors import VerificationFailed
from broker.model import AnswerStatus, Receipt, Verdict
from broker.receipt.note import VerifierKey
from broker.receipt.verify import verify_receipt
from broker.transmit.digest import answer_digest, canonical_answer
from broker.v1 import catalog_pb2_grpc, exchange_pb2, exchange_pb2_grpc, receipt_pb2, receipt_pb2_grpc

Message = TypeVar("Message")
Record = dict[str, str | int | bool]
MAX_ANSWER_BYTES = 16 * 1024 * 1024


class Terms(TypedDict, total=False):
    """What is asked, why, and who is behind it; ids as in the catalog."""

    dataset: Required[str]
    fields: Required[Sequence[str]]
    subjects: Sequence[str]
    purpose: Required[str]
    service_item: str
    case_no: str
    legal_basis: str
    operator: str


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What an exchange gave. For a refusal ``records`` is empty, ``status`` None and ``reasons`` says why."""

    request_id: str
    verdict: Verdict
    rules: tuple[str, ...]
    reasons: tuple[exchange_pb2.Reason, ...]
    receipt: Receipt
    records: list[Record] = field(default_factory=list, repr=False)
    record_subjects: list[tuple[int, ...]] = field(default_factory=list)
    status: AnswerStatus | None = None
    subject_statuses: tuple[AnswerStatus, ...] = ()
    as_of: datetime | None = None
    masks: dict[str, str] = field(default_factory=dict)
    retain_days: int = 0
    advice: tuple[str, str] | None = None
    """What to tell the counter, Chinese and English, when ``status`` is not found."""
    redelivered: bool = False

    @property
    def permitted(self) -> bool:
        return self.verdict is Verdict.PERMIT


class Client:
    """A connection to one broker; safe for use by several threads.

    ``trust`` is the log's verifier key, got from the authority and not from the broker: with it every receipt
    is verified before an answer is handed over, without it only the digest is.
    """

    def __init__(self, address: str, credentials: Credentials, *, trust: VerifierKey | None = None) -> None:
        self._credentials = credentials
        self._trust = trust
        options = [
            ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
            # Without it two clients of one process would share a connection, whoever they are.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self._channel = grpc.secure_channel(address, credentials.channel_credentials(), options)
        self._exchanges = exchange_pb2_grpc.ExchangeServiceStub(self._channel)
        self.catalog = catalog_pb2_grpc.CatalogServiceStub(self._channel)
        self._receipts = receipt_pb2_grpc.ReceiptServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def exchange(
        self,
        *,
        grant: str = "",
        sign: bool = False,
        validate_only: bool = False,
        request_id: str | None = None,
        timeout: float = 10.0,
        **terms: Unpack[Terms],
    ) -> Exchanged:
        """Apply, and get decision, masked records and receipt in one call.

        ``sign`` adds an application signed with the caller's own key. Give ``request_id`` to retry an
        earlier call; a fresh one is made otherwise. ``timeout`` is in seconds.

        Raises:
            BrokerError: nothing was released; its subclasses Unavailable and DeadlinePassed may be retried
                under the same request id.
            VerificationFailed: the answer or its receipt does not hold; use neither.
        """
        request = exchange_pb2.ExchangeRequest(
            request_id=request_id or str(uuid.uuid4()),
            application=_application(terms),
            grant=f"grants/{grant}" if grant else "",
            validate_only=validate_only,
        )
        if sign:
            request.signed_application = self._sign(request)
        response = _call(self._exchanges.Exchange, request, timeout)
        exchanged = _exchanged(request.request_id, response)
        self._check(request, exchanged, response)
        return exchanged

    def stream(
        self,
        *,
        grant: str = "",
        sign: bool = False,
        request_id: str | None = None,
        timeout: float = 3600.0,
        **terms: Unpack[Terms],
    ) -> Stream:
        """Apply, and get the decision at once and the masked records as Arrow batches by iterating.

        Raises:
            BrokerError: as for :meth:`exchange`, here or while iterating.
        """
        request = exchange_pb2.StreamExchangeRequest(
            request_id=request_id or str(uuid.uuid4()),
            application=_application(terms),
            grant=f"grants/{grant}" if grant else "",
        )
        if sign:
            request.signed_application = self._sign(request)
        parts = self._exchanges.StreamExchange(request, timeout=timeout)
        return Stream(request, parts, self._credentials.uri, self._trust)

    def receipt(self, leaf_index: int, *, timeout: float = 10.0) -> Receipt:
        """One receipt, proved against the current checkpoint.

        Raises:
            NotFound: there is none that the caller may read.
            VerificationFailed: the receipt does not hold.
        """
        request = receipt_pb2.GetReceiptRequest(name=f"receipts/{leaf_index}")
        receipt = receipt_of(_call(self._receipts.GetReceipt, request, timeout).receipt)
        if self._trust is not None:
            verify_receipt(receipt, self._trust)
        return receipt

    def receipts(
        self,
        *,
        department: str = "",
        dataset: str = "",
        purpose: str = "",
        verdict: Verdict | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        timeout: float = 10.0,
    ) -> Iterator[Receipt]:
        """Receipts that the caller may read, newest first, without proofs; pages are fetched as needed."""
        request = receipt_pb2.ListReceiptsRequest(
            department=f"departments/{department}" if department else "",
            dataset=f"datasets/{dataset}" if dataset else "",
            purpose=purpose,
        )
        if verdict is not None:
            request.verdict = getattr(exchange_pb2, f"VERDICT_{verdict.name}")
        if since is not None:
            request.since.FromDatetime(since.astimezone(UTC))
        if until is not None:
            request.until.FromDatetime(until.astimezone(UTC))
        while True:
            response = _call(self._receipts.ListReceipts, request, timeout)
            yield from map(receipt_of, response.receipts)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def checkpoint(self, *, timeout: float = 10.0) -> str:
        """The log's current signed head (C2SP signed note)."""
        request = receipt_pb2.GetCheckpointRequest()
        return str(_call(self._receipts.GetCheckpoint, request, timeout).checkpoint)

    def consistency_proof(
        self, first_size: int, second_size: int, *, timeout: float = 10.0
    ) -> tuple[bytes, ...]:
        """Proof that the log of ``first_size`` is a prefix of that of ``second_size``."""
        request = receipt_pb2.GetConsistencyProofRequest(first_size=first_size, second_size=second_size)
        return tuple(_call(self._receipts.GetConsistencyProof, request, timeout).proof)

    def _sign(self, request: Request) -> bytes:
        application = request.application
        return sign_application(
            request_id=request.request_id,
            dataset=application.dataset.removeprefix("datasets/"),
            fields=tuple(application.fields),
            subjects=tuple(application.subjects),
            purpose=application.purpose,
            service_item=application.service_item,
            case_no=application.case_no,
            legal_basis=application.legal_basis,
            operator=application.operator,
            grant=request.grant.removeprefix("grants/"),
            consumer=self._credentials.uri,
            key=self._credentials.private_key(),
            chain=self._credentials.chain,
        )

    def _check(
        self,
        request: exchange_pb2.ExchangeRequest,
        exchanged: Exchanged,
        response: exchange_pb2.ExchangeResponse,
    ) -> None:
        """The receipt holds, is of this request, and attests the digest of the records received."""
        if self._trust is not None:
            verify_receipt(exchanged.receipt, self._trust)
        require_about(exchanged.receipt, request, self._credentials.uri, exchanged.verdict)
        answered = response.HasField("answer")
        if answered is not (exchanged.permitted and not request.validate_only):
            raise VerificationFailed("答复与决定不符 / the answer does not fit the decision")
        if answered:
            answer = response.answer
            digest = answer_digest(
                answer.nonce,
                canonical_answer(
                    _status(answer.status),
                    exchanged.subject_statuses,
                    exchanged.records,
                    exchanged.record_subjects,
                ),
            )
            require_digest(exchanged.receipt, digest, answer.digest)


class Stream:
    """A streamed exchange: the decision at once, Arrow batches by iterating, the outcome at the end.

    Iterate once, to the end: only then is :attr:`outcome` set and the digest of all chunks verified. A stream
    that breaks off raises.
    """

    def __init__(self, request: Request, parts: Any, caller: str, trust: VerifierKey | None) -> None:
        self.request_id = request.request_id
        self._request = request
        self._parts = parts
        self._caller = caller
        self._trust = trust
        self._schema = pa.schema([])
        self.outcome: exchange_pb2.StreamOutcome | None = None
        self.outcome_receipt: Receipt | None = None
        opening = self._next()
        if opening is None or not opening.HasField("opening"):
            raise VerificationFailed("流没有以决定开头 / the stream does not begin with a decision")
        self.verdict = _verdict(opening.opening.decision.verdict)
        self.decision = opening.opening.decision
        self.receipt = receipt_of(opening.opening.receipt)
        self.masks = {column.field: column.mask for column in opening.opening.columns}
        self._digest = hashlib.sha256(opening.opening.nonce)
        self._check(self.receipt)

    @property
    def permitted(self) -> bool:
        return self.verdict is Verdict.PERMIT

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if not self.permitted:
            return
        chunks = self._chunks()
        try:
            with pa.ipc.open_stream(io.BufferedReader(_Chunks(chunks))) as reader:
                self._schema = reader.schema
                yield from reader
        except (pa.ArrowException, OSError, EOFError):
            raise VerificationFailed("流不完整或已损坏 / the stream is incomplete or damaged") from None
        for _ in chunks:  # Arrow stops reading at its own end mark, before the outcome
            pass
        if self.outcome is None:
            raise VerificationFailed("流未完成：没有结束回执 / the stream is incomplete: it has no outcome")

    def table(self) -> pa.Table:
        """All batches as one table; for a refusal one without columns."""
        batches = list(self)
        return pa.Table.from_batches(batches, self._schema)

    def cancel(self) -> None:
        """Stop receiving; the broker receipts what it had released by then."""
        self._parts.cancel()

    def _chunks(self) -> Iterator[bytes]:
        while (part := self._next()) is not None:
            if part.HasField("outcome"):
                self._finish(part.outcome)
                return
            if not part.HasField("chunk"):
                raise VerificationFailed("流中有多余的部分 / the stream holds a part out of place")
            self._digest.update(part.chunk)
            yield part.chunk

    def _check(self, receipt: Receipt) -> None:
        if self._trust is not None:
            verify_receipt(receipt, self._trust)
        require_about(receipt, self._request, self._caller, self.verdict)

    def _finish(self, outcome: exchange_pb2.StreamOutcome) -> None:
        receipt = receipt_of(outcome.receipt)
        self._check(receipt)
        require_outcome_of(receipt, self.receipt)
        require_digest(receipt, self._digest.digest(), outcome.digest)
        self.outcome, self.outcome_receipt = outcome, receipt

    def _next(self) -> exchange_pb2.StreamExchangeResponse | None:
        try:
            part = next(self._parts, None)
        except grpc.RpcError as failure:
            raise error_of(failure) from None
        return part


class _Chunks(io.RawIOBase):
    """The chunks as a file, which is what Arrow reads from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def receipt_of(message: exchange_pb2.Receipt) -> Receipt:
    """The receipt in a message."""
    return Receipt(
        message.statement, message.leaf_index, message.tree_size, tuple(message.proof), message.checkpoint
    )


def _application(terms: Terms) -> exchange_pb2.Application:
    return exchange_pb2.Application(
        dataset=f"datasets/{terms['dataset']}",
        fields=terms["fields"],
        subjects=terms.get("subjects", ()),
        purpose=terms["purpose"],
        service_item=terms.get("service_item", ""),
        case_no=terms.get("case_no", ""),
        legal_basis=terms.get("legal_basis", ""),
        operator=terms.get("operator", ""),
    )


def _call(method: Callable[..., Message], request: object, timeout: float) -> Message:
    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as failure:
        raise error_of(failure) from None


def _exchanged(request_id: str, response: exchange_pb2.ExchangeResponse) -> Exchanged:
    decision, answer = response.decision, response.answer
    answered = response.HasField("answer")
    return Exchanged(
        request_id=request_id,
        verdict=_verdict(decision.verdict),
        rules=tuple(decision.rules),
        reasons=(*decision.reasons, *decision.missing),
        receipt=receipt_of(response.receipt),
        records=[{name: _value(value) for name, value in r.values.items()} for r in answer.records],
        record_subjects=[tuple(record.subjects) for record in answer.records],
        status=_status(answer.status) if answered else None,
        subject_statuses=tuple(_status(subject.status) for subject in answer.subjects),
        as_of=answer.as_of.ToDatetime(tzinfo=UTC) if answer.HasField("as_of") else None,
        masks={column.field: column.mask for column in answer.columns},
        retain_days=decision.obligations.retain_days,
        advice=(answer.advice.zh, answer.advice.en) if answer.HasField("advice") else None,
        redelivered=response.redelivered,
    )


def _verdict(value: exchange_pb2.Verdict) -> Verdict:
    try:
        return Verdict[exchange_pb2.Verdict.Name(value).removeprefix("VERDICT_")]
    except (KeyError, ValueError):
        raise VerificationFailed("答复含未知的结论 / the answer holds an unknown verdict") from None


def _status(value: exchange_pb2.AnswerStatus) -> AnswerStatus:
    try:
        return AnswerStatus[exchange_pb2.AnswerStatus.Name(value).removeprefix("ANSWER_STATUS_")]
    except (KeyError, ValueError):
        raise VerificationFailed("答复含未知的状态 / the answer holds an unknown status") from None


def _value(value: exchange_pb2.Value) -> str | int | bool:
    kind = value.WhichOneof("kind")
    if kind is None:
        raise VerificationFailed("答复含未知类型的值 / the answer holds a value of an unknown kind")
    return cast("str | int | bool", getattr(value, kind))
