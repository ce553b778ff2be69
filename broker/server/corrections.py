"""The correction service: reports, answers, notices and figures. Thin, like the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from broker.correction.answer import Answerer
from broker.correction.held import Content
from broker.correction.quality import LONGEST, Quality, quality
from broker.correction.report import Report, Reporter
from broker.epoch import Epochs
from broker.errors import NotFound
from broker.model import (
    CorrectionFilter,
    CorrectionOnRecord,
    DataError,
    EntryKind,
    Identity,
    ReceiptFilter,
    Role,
)
from broker.reasons import Reason
from broker.receipt.log import ReceiptLog
from broker.server import paging, wire
from broker.server.calls import Call
from broker.server.services import filter_id, is_of_authority, malformed, receipt_leaf, resource_leaf
from broker.store.store import Store
from broker.v1 import correction_pb2, correction_pb2_grpc

PERIOD = timedelta(days=30)
"""Of the figures, unless another is asked for."""
_ERRORS = {correction_pb2.DataError.Value(f"DATA_ERROR_{error.name}"): error for error in DataError}


class CorrectionService(correction_pb2_grpc.CorrectionServiceServicer):
    """Corrections, and what they and the receipts tell of the quality of data."""

    def __init__(
        self,
        reporter: Reporter,
        answerer: Answerer,
        store: Store,
        log: ReceiptLog,
        epochs: Epochs,
        clock: Callable[[], datetime],
    ) -> None:
        self._reporter = reporter
        self._answerer = answerer
        self._store = store
        self._log = log
        self._epochs = epochs
        self._clock = clock

    def ReportCorrection(
        self, request: correction_pb2.ReportCorrectionRequest, call: Call
    ) -> correction_pb2.ReportCorrectionResponse:
        if (error := _ERRORS.get(request.error)) is None:
            raise malformed("error", "须写明错误类别", "must say what is wrong")
        asked = Report(
            receipt=receipt_leaf(request.receipt),
            error=error,
            fields=tuple(request.fields),
            content=Content(request.subject, dict(request.claimed_values), request.grounds),
            evidence=request.evidence_digest,
            operator=request.operator,
            for_citizen=request.for_citizen,
        )
        taken = self._reporter.report(asked, call.identity)
        call.facts.update(correction=taken.receipt.leaf_index, repeated=taken.repeated)
        return correction_pb2.ReportCorrectionResponse(
            receipt=wire.receipt_message(taken.receipt),
            correction=f"corrections/{taken.receipt.leaf_index}",
            due_time=wire.timestamp(taken.due_at),
            repeated=taken.repeated,
        )

    def GetCorrection(
        self, request: correction_pb2.GetCorrectionRequest, call: Call
    ) -> correction_pb2.GetCorrectionResponse:
        reader = call.identity
        with self._store.corrections() as tables:
            found = tables.get(resource_leaf(request.name, "corrections/"))
        if found is None or not self._may_see(reader, found):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        response = correction_pb2.GetCorrectionResponse(correction=_message(found, self._clock()))
        if reader.role is Role.OFFICER and reader.department == found.provider:
            content = self._answerer.content(found)
            call.facts.update(correction=found.correction.leaf_index, content=content is not None)
            if content is not None:
                response.content.CopyFrom(_content(content))
        return response

    def ListCorrections(
        self, request: correction_pb2.ListCorrectionsRequest, call: Call
    ) -> correction_pb2.ListCorrectionsResponse:
        size, now, reader = paging.page_size(request.page_size, default=50), self._clock(), call.identity
        dataset = filter_id(request.dataset, "datasets/", "dataset")
        consumer = filter_id(request.consumer, "departments/", "consumer")
        provider = filter_id(request.provider, "departments/", "provider")
        wanted = CorrectionFilter(
            dataset=dataset,
            consumer=consumer,
            provider=provider,
            open_only=request.open,
            overdue_at=now if request.overdue else None,
            party="" if self._sees_all(reader) else reader.department,
            reporter=reader.uri if reader.role is Role.SYSTEM else "",
        )
        query = f"corrections {dataset} {consumer} {provider} {request.open} {request.overdue}"
        before = paging.decode(request.page_token, query)
        with self._store.corrections() as tables:
            found = tables.listed(wanted, before, size + 1)
        token = paging.encode(found[size - 1].correction.leaf_index, query) if len(found) > size else ""
        return correction_pb2.ListCorrectionsResponse(
            corrections=[_message(one, now) for one in found[:size]], next_page_token=token
        )

    def AnswerCorrection(
        self, request: correction_pb2.AnswerCorrectionRequest, call: Call
    ) -> correction_pb2.AnswerCorrectionResponse:
        number = resource_leaf(request.name, "corrections/")
        recorded = self._answerer.answer(number, request.signed_answer, call.identity)
        call.facts.update(correction=number, receipt=recorded.receipt.leaf_index)
        return correction_pb2.AnswerCorrectionResponse(
            receipt=wire.receipt_message(recorded.receipt), repeated=recorded.repeated
        )

    def ListCorrectionNotices(
        self, request: correction_pb2.ListCorrectionNoticesRequest, call: Call
    ) -> correction_pb2.ListCorrectionNoticesResponse:
        size, reader = paging.page_size(request.page_size, default=50), call.identity
        dataset = filter_id(request.dataset, "datasets/", "dataset")
        wanted = ReceiptFilter(
            kind=EntryKind.CORRECTION_NOTICE,
            dataset=dataset,
            party="" if self._sees_all(reader) else reader.department,
            consumer_uri=reader.uri if reader.role is Role.SYSTEM else "",
        )
        query = f"notices {dataset}"
        found = self._log.entries(wanted, paging.decode(request.page_token, query), size + 1)
        token = paging.encode(found[size - 1][0], query) if len(found) > size else ""
        notices = [_notice(leaf, entry.statement) for leaf, entry in found[:size] if entry.statement]
        return correction_pb2.ListCorrectionNoticesResponse(notices=notices, next_page_token=token)

    def GetDataQuality(
        self, request: correction_pb2.GetDataQualityRequest, call: Call
    ) -> correction_pb2.GetDataQualityResponse:
        now, reader = self._clock(), call.identity
        name = filter_id(request.dataset, "datasets/", "dataset")
        dataset = self._epochs.current().bundle.catalog.datasets.get(name)
        if dataset is None or not (self._sees_all(reader) or reader.department == dataset.department):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        until = request.until.ToDatetime(UTC) if request.HasField("until") else now
        since = request.since.ToDatetime(UTC) if request.HasField("since") else until - PERIOD
        if not timedelta() < until - since <= LONGEST:
            days = LONGEST.days
            raise malformed("since", f"期间须为 1 至 {days} 天", f"the period must be of 1 to {days} days")
        counted = quality(self._log, self._store, name, (since, until), now, call.still_wanted)
        return correction_pb2.GetDataQualityResponse(quality=_quality(name, (since, until), counted))

    def _may_see(self, reader: Identity, found: CorrectionOnRecord) -> bool:
        if reader.role is Role.SYSTEM:
            return reader.uri == found.reporter
        return reader.department in (found.consumer, found.provider) or self._sees_all(reader)

    def _sees_all(self, reader: Identity) -> bool:
        return reader.role in (Role.OFFICER, Role.AUDITOR) and is_of_authority(reader, self._epochs)


def _message(found: CorrectionOnRecord, now: datetime) -> correction_pb2.Correction:
    correction = found.correction
    return correction_pb2.Correction(
        name=f"corrections/{correction.leaf_index}",
        state=_state(found, now),
        receipt=f"receipts/{correction.receipt}",
        consumer=f"departments/{found.consumer}",
        caller=found.reporter,
        provider=f"departments/{found.provider}",
        dataset=f"datasets/{found.dataset}",
        purpose=found.purpose,
        error=f"DATA_ERROR_{correction.error.name}",
        fields=correction.fields,
        report_time=wire.timestamp(found.reported_at),
        due_time=wire.timestamp(correction.due_at),
        answer_time=wire.timestamp(found.answered_at),
        answer_receipt=_receipt(correction.answered),
        overdue_receipt=_receipt(correction.overdue),
        told=correction.told is not None,
    )


def _state(found: CorrectionOnRecord, now: datetime) -> str:
    correction = found.correction
    if correction.settlement is not None:
        return f"CORRECTION_STATE_{correction.settlement.name}"
    return "CORRECTION_STATE_OVERDUE" if correction.due_at <= now else "CORRECTION_STATE_OPEN"


def _content(content: Content) -> correction_pb2.CorrectionContent:
    return correction_pb2.CorrectionContent(
        subject=content.subject, claimed_values=dict(content.claimed), grounds=content.grounds
    )


def _notice(leaf_index: int, statement: bytes) -> correction_pb2.CorrectionNotice:
    said: dict[str, Any] = orjson.loads(statement)
    return correction_pb2.CorrectionNotice(
        receipt=_receipt(leaf_index),
        notice_time=_time(said["recorded_at"]),
        consumer=f"departments/{said['consumer']['department']}",
        caller=said["consumer"]["uri"],
        provider=f"departments/{said['provider']}",
        dataset=f"datasets/{said['dataset']}",
        purpose=said["purpose"],
        error=f"DATA_ERROR_{said['error'].upper()}",
        fields=said["fields"],
        receipts=[_receipt(leaf) for leaf in said["receipts"]],
        streams=[_receipt(leaf) for leaf in said["streams"]],
        right_time=_time(said["right_from"]),
        wrong_time=_time(said.get("wrong_from")),
        answer_receipt=_receipt(said["answered"]),
    )


def _quality(dataset: str, period: tuple[datetime, datetime], counted: Quality) -> correction_pb2.DataQuality:
    statuses = counted.statuses
    return correction_pb2.DataQuality(
        dataset=f"datasets/{dataset}",
        since=wire.timestamp(period[0]),
        until=wire.timestamp(period[1]),
        answers=counted.answers,
        found=statuses["found"],
        none=statuses["none"],
        doubtful=statuses["doubtful"],
        stale=statuses["stale"],
        rows_read=counted.rows_read,
        rows_bad=counted.rows_bad,
        erased=counted.erased,
        corrections=counted.reported,
        corrected=counted.corrected,
        confirmed=counted.confirmed,
        referred=counted.referred,
        waiting=counted.waiting,
        overdue=counted.overdue,
        median_days=counted.median_days,
    )


def _receipt(leaf: int | None) -> str:
    return "" if leaf is None else f"receipts/{leaf}"


def _time(text: str | None) -> Any:
    return None if text is None else wire.timestamp(datetime.fromisoformat(text))
