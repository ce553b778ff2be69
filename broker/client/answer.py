"""What an exchange gave, and the checks that it must pass before anybody sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pyarrow as pa

from broker.client import frames
from broker.client.acknowledging import Delivery
from broker.client.duties import Duties, Review, duties_of, reviews_of
from broker.client.evidence import require_about, require_digest, require_marked
from broker.errors import VerificationFailed
from broker.model import AnswerStatus, Receipt, Verdict
from broker.receipt import cose_receipt
from broker.receipt.log_keys import Trust
from broker.receipt.verify import verify_receipt
from broker.transmit.digest import Record, Value, answer_digest, canonical_answer
from broker.v1 import exchange_pb2

if TYPE_CHECKING:
    import pandas
    import polars

_ARROW_TYPES: dict[frozenset[type], pa.DataType] = {
    frozenset(): pa.null(),
    frozenset({str}): pa.string(),
    frozenset({int}): pa.int64(),
    frozenset({int, str}): pa.string(),  # an integer that is no exact JSON number comes as text
    frozenset({bool}): pa.bool_(),
}
Named = TypeVar("Named", Verdict, AnswerStatus)


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
    """Every released field → the operator that masked it, empty for one released as it is."""
    duties: Duties = field(default_factory=Duties)
    """What the consumer takes upon itself with the records."""
    reviews: tuple[Review, ...] = ()
    """For a review: by whom."""
    watermark: dict[str, str] = field(default_factory=dict)
    """Marks that must stay with the records wherever they go; empty where policy demands none."""
    advice: tuple[str, str] | None = None
    """What to tell the counter, Chinese and English, when ``status`` is not found."""
    only_totals: bool = False
    """Each record is a total of a group: its columns are such as ``sum(amount)``, ``count(rows)``."""
    suppressed: int = 0
    """Rows left out because too few people share what they would tell."""
    redelivered: bool = False
    attempts: int = 1
    """How often the request was sent until this answer came."""
    delivery: Delivery | None = field(default=None, repr=False)
    """What can be acknowledged; None where nothing was delivered."""
    acknowledgement: Receipt | None = field(default=None, repr=False)
    """Receipt of the delivery's acknowledgement; None where there is none, or it waits."""

    @property
    def permitted(self) -> bool:
        return self.verdict is Verdict.PERMIT

    @property
    def retain_days(self) -> int:
        """Days after which the records must be disposed of; 0: none are set."""
        return self.duties.retain_days

    def table(self) -> pa.Table:
        """The records as a table with a column for every released field.

        Columns are ``string``, ``int64`` or ``bool``, as the values came: dates, instants and decimals are
        text here (a stream has them typed). A column without any value is of Arrow's null type. The
        watermark, if there is one, is metadata of the schema.
        """
        columns = {name: [record.get(name) for record in self.records] for name in self.masks}
        arrays = {name: _array(column) for name, column in columns.items()}
        return pa.table(arrays, metadata=self.watermark or None)

    def to_pandas(self) -> pandas.DataFrame:
        """:meth:`table` as a pandas frame. Needs the extra ``sharebroker[pandas]``, else SetUpError."""
        return frames.to_pandas(self.table())

    def to_polars(self) -> polars.DataFrame:
        """:meth:`table` as a polars frame. Needs the extra ``sharebroker[polars]``, else SetUpError."""
        return frames.to_polars(self.table())


def exchanged_of(
    request: exchange_pb2.ExchangeRequest,
    response: exchange_pb2.ExchangeResponse,
    attempts: int,
    caller: str,
    trust: Trust | None,
) -> Exchanged:
    """The answer in a response to ``caller``, a SPIFFE id.

    Raises:
        VerificationFailed: the receipt does not hold, is of another request or of other data, or the answer
            does not fit the decision.
    """
    decision, answer = response.decision, response.answer
    answered = response.HasField("answer")
    places = {column.field: place for place, column in enumerate(answer.columns)}
    exchanged = Exchanged(
        request_id=request.request_id,
        verdict=verdict_of(decision.verdict),
        rules=tuple(decision.rules),
        reasons=(*decision.reasons, *decision.missing),
        receipt=checked_receipt(response.receipt, trust),
        records=[_record(record, places) for record in answer.records],
        record_subjects=[tuple(record.subjects) for record in answer.records],
        status=_status(answer.status) if answered else None,
        subject_statuses=tuple(_status(subject.status) for subject in answer.subjects),
        as_of=answer.as_of.ToDatetime(tzinfo=UTC) if answer.HasField("as_of") else None,
        masks={column.field: column.mask for column in answer.columns},
        duties=duties_of(decision),
        reviews=reviews_of(decision),
        watermark=dict(answer.watermark),
        advice=(answer.advice.zh, answer.advice.en) if answer.HasField("advice") else None,
        only_totals=decision.obligations.HasField("aggregate"),
        suppressed=answer.counts.suppressed,
        redelivered=response.redelivered,
        attempts=attempts,
    )
    require_about(exchanged.receipt, request, caller, exchanged.verdict)
    if answered is not (exchanged.permitted and not request.validate_only):
        raise VerificationFailed("答复与决定不符 / the answer does not fit the decision")
    if answered:
        parts = exchanged.subject_statuses, exchanged.records, exchanged.record_subjects
        digest = answer_digest(answer.nonce, _canonical(exchanged.status, *parts))
        require_digest(exchanged.receipt, digest, answer.digest)
        if exchanged.duties.watermark:
            require_marked(exchanged.watermark, request, caller)
        hours = exchanged.duties.acknowledge_hours
        exchanged = replace(exchanged, delivery=Delivery.of(exchanged.receipt, digest, hours))
    return exchanged


def received_digest(answer: exchange_pb2.Answer) -> bytes:
    """The digest of an answer, computed from all that came of it.

    Raises:
        VerificationFailed: it holds what no broker sends.
    """
    canonical = _canonical(
        _status(answer.status),
        [_status(subject.status) for subject in answer.subjects],
        [_record(record, {}) for record in answer.records],
        [tuple(record.subjects) for record in answer.records],
    )
    return answer_digest(answer.nonce, canonical)


def receipt_of(message: exchange_pb2.Receipt) -> Receipt:
    """The receipt in a message."""
    return Receipt(
        message.statement,
        message.leaf_index,
        message.tree_size,
        tuple(message.proof),
        message.checkpoint,
        tuple(message.log_key_successions),
        tuple(message.acts),
        tuple(map(receipt_of, message.certificate_chains)),
    )


def checked_receipt(message: exchange_pb2.Receipt, trust: Trust | None) -> Receipt:
    """The receipt in a message, verified if there is a key to do so.

    Raises:
        VerificationFailed: it does not hold.
    """
    receipt = receipt_of(message)
    if trust is not None:
        verify_receipt(receipt, trust)
    return receipt


def checked_cose(data: bytes, trust: Trust | None, successions: tuple[str, ...] = ()) -> bytes:
    """A COSE Receipt, well-formed, and verified if there is a key to do so.

    Raises:
        VerificationFailed: it is not, or does not hold.
    """
    if trust is None:
        cose_receipt.parse(data)
    else:
        cose_receipt.verify(data, trust, successions)
    return data


def verdict_of(value: int) -> Verdict:
    """The verdict on the wire.

    Raises:
        VerificationFailed: it is none that this client knows.
    """
    return _named(Verdict, exchange_pb2.Verdict, "VERDICT_", value)


def _status(value: int) -> AnswerStatus:
    return _named(AnswerStatus, exchange_pb2.AnswerStatus, "ANSWER_STATUS_", value)


def _named(kind: type[Named], wire: Any, prefix: str, value: int) -> Named:
    try:
        return kind[wire.Name(value).removeprefix(prefix)]
    except (KeyError, ValueError):
        raise VerificationFailed(
            "答复含未知的决定或状态 / the answer holds an unknown verdict or status"
        ) from None


def _record(record: exchange_pb2.Record, places: dict[str, int]) -> Record:
    """In the order of the columns: a map on the wire has none. What is no column stays, for the digest."""
    names = sorted(record.values, key=lambda name: places.get(name, len(places)))
    return {name: _value(record.values[name]) for name in names}


def _value(value: exchange_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind is None:
        raise VerificationFailed("答复含未知类型的值 / the answer holds a value of an unknown kind")
    return cast("Value", getattr(value, kind))


def _canonical(
    status: AnswerStatus | None,
    subject_statuses: Sequence[AnswerStatus],
    records: Sequence[Record],
    record_subjects: Sequence[Sequence[int]],
) -> bytes:
    try:
        return canonical_answer(cast("AnswerStatus", status), subject_statuses, records, record_subjects)
    except (TypeError, ValueError):  # a field id or an integer that no broker of ours would send
        raise VerificationFailed("答复不合格式 / the answer is malformed") from None


def _array(column: list[Value | None]) -> pa.Array:
    kind = _ARROW_TYPES.get(frozenset(type(value) for value in column if value is not None))
    if kind is None:
        raise VerificationFailed("一列中有不同类型的值 / a column holds values of different kinds")
    if kind == pa.string():
        column = [None if value is None else str(value) for value in column]
    return pa.array(column, kind)
