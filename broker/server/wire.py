"""From the wire's messages to the domain's records and back; no decision is taken here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from broker.apply.admission import Request
from broker.exchange import Exchanged
from broker.journal import NeedOnRecord
from broker.model import (
    Aggregate,
    AnswerStatus,
    Below,
    Claim,
    Dataset,
    Decision,
    Department,
    DepartmentKind,
    Field,
    FieldType,
    KAnonymity,
    Obligations,
    Receipt,
    ReviewBy,
    RowCounts,
    SharingAttribute,
    Verdict,
    Why,
)
from broker.reasons import sentence
from broker.streaming import Closing, Opening
from broker.transmit.reading import Answer
from broker.v1 import catalog_pb2, exchange_pb2

NOTHING = Obligations()

# Enums go onto the wire by name, which the generated code checks.
VERDICTS = {verdict: f"VERDICT_{verdict.name}" for verdict in Verdict}
STATUSES = {status: f"ANSWER_STATUS_{status.name}" for status in AnswerStatus}
KINDS = {kind: f"DEPARTMENT_KIND_{kind.name}" for kind in DepartmentKind}
ATTRIBUTES = {attribute: f"SHARING_ATTRIBUTE_{attribute.name}" for attribute in SharingAttribute}
TYPES = {kind: f"FIELD_TYPE_{kind.name}" for kind in FieldType}

ADVICE = {
    AnswerStatus.NONE: exchange_pb2.Advice(
        zh="提供部门的现行数据中没有记录。", en="The provider's current data hold no record."
    ),
    AnswerStatus.DOUBTFUL: exchange_pb2.Advice(
        zh="提供部门的记录存疑，未予返回，请转人工核验，不得据此拒绝办理。",
        en="The provider's record is doubtful and was not released; verify by hand, refuse nobody.",
    ),
    AnswerStatus.STALE: exchange_pb2.Advice(
        zh="数据已超过更新周期，请转人工核验。",
        en="The data are older than their update cycle; verify by hand.",
    ),
}


def request_of(message: exchange_pb2.ExchangeRequest | exchange_pb2.StreamExchangeRequest) -> Request:
    """The request in either kind of exchange."""
    application = message.application
    return Request(
        request_id=message.request_id,
        dataset=application.dataset,
        fields=tuple(application.fields),
        subjects=tuple(application.subjects),
        purpose=application.purpose,
        service_item=application.service_item,
        case_no=application.case_no,
        legal_basis=application.legal_basis,
        operator=application.operator,
        grant=message.grant,
        signed_application=message.signed_application,
        validate_only=getattr(message, "validate_only", False),
        streamed=isinstance(message, exchange_pb2.StreamExchangeRequest),
        signed_commitments=tuple(message.signed_commitments),
        claims=tuple(Claim(claim.field, tuple(claim.values)) for claim in application.claims),
    )


def exchange_response(exchanged: Exchanged) -> exchange_pb2.ExchangeResponse:
    """The whole answer to a unary exchange."""
    response = exchange_pb2.ExchangeResponse(
        decision=decision_message(exchanged.decision, exchanged.masks or {}),
        receipt=receipt_message(exchanged.receipt),
        redelivered=exchanged.redelivered,
    )
    if exchanged.answer is not None:
        response.answer.CopyFrom(_answer(exchanged.answer, exchanged))
    return response


def opening_part(opening: Opening) -> exchange_pb2.StreamExchangeResponse:
    """First message of a stream."""
    return exchange_pb2.StreamExchangeResponse(
        opening=exchange_pb2.StreamOpening(
            decision=decision_message(opening.decision, opening.masks or {}),
            receipt=receipt_message(opening.receipt),
            columns=_columns(opening.masks or {}),
            nonce=opening.nonce,
        )
    )


def closing_part(closing: Closing) -> exchange_pb2.StreamExchangeResponse:
    """Last message of a stream."""
    outcome = closing.outcome
    return exchange_pb2.StreamExchangeResponse(
        outcome=exchange_pb2.StreamOutcome(
            status=STATUSES[outcome.status],
            as_of=timestamp(outcome.as_of),
            counts=_counts(outcome.counts),
            digest=outcome.digest,
            receipt=receipt_message(closing.receipt),
            redelivered=closing.redelivered,
        )
    )


def decision_message(decision: Decision, masks: Mapping[str, str]) -> exchange_pb2.Decision:
    """A decision; ``masks`` are the operators as bound, or the policy's own when nothing was bound."""
    message = exchange_pb2.Decision(
        verdict=VERDICTS[decision.verdict],
        rules=decision.rules,
        reasons=reason_messages(decision.reasons),
        missing=reason_messages(decision.missing),
        bundle_hash=decision.bundle_hash,
    )
    obligations = decision.obligations
    if decision.verdict is Verdict.PERMIT or (decision.verdict is Verdict.REVIEW and obligations != NOTHING):
        message.obligations.CopyFrom(_obligations(obligations, masks))
    message.reviews.extend(_review(review) for review in decision.reviews)
    return message


def _obligations(obligations: Obligations, masks: Mapping[str, str]) -> exchange_pb2.Obligations:
    named = {name: mask.operator for name, mask in obligations.masks.items()}
    named.update({name: mask for name, mask in masks.items() if mask})
    return exchange_pb2.Obligations(
        masks=named,
        retain_days=obligations.retain_days or 0,
        signed_application=obligations.signed_application,
        acknowledge_hours=obligations.acknowledge_hours or 0,
        no_onward_sharing=obligations.no_onward_sharing,
        watermark=obligations.watermark,
        notify_subject=obligations.notify_subject,
        countersignature=obligations.countersignature,
        k_anonymity=_k_anonymity(obligations.k_anonymity) if obligations.k_anonymity else None,
        aggregate=_aggregate(obligations.aggregate) if obligations.aggregate else None,
        commitments=[f"commitmentTemplates/{template}" for template in obligations.commitments],
    )


def _k_anonymity(wanted: KAnonymity) -> exchange_pb2.KAnonymity:
    return exchange_pb2.KAnonymity(
        quasi_identifiers=wanted.quasi_identifiers, k=wanted.k, refuse=wanted.below is Below.REFUSE
    )


def _aggregate(wanted: Aggregate) -> exchange_pb2.Aggregate:
    return exchange_pb2.Aggregate(
        by=wanted.by,
        measures={field: exchange_pb2.Measures(measures=measures) for field, measures in wanted.measures},
        smallest_group=wanted.smallest_group,
        largest_share=wanted.largest_share or 0,
        named_subjects=wanted.named_subjects,
    )


def _review(review: ReviewBy) -> exchange_pb2.Review:
    return exchange_pb2.Review(
        departments=[f"departments/{department}" for department in sorted(review.departments)],
        count=review.count,
        within_working_days=review.within_working_days or 0,
        never_own=review.never_own,
    )


def receipt_message(receipt: Receipt) -> exchange_pb2.Receipt:
    """A receipt under its resource name."""
    return exchange_pb2.Receipt(
        name=f"receipts/{receipt.leaf_index}",
        leaf_index=receipt.leaf_index,
        tree_size=receipt.tree_size,
        statement=receipt.statement,
        proof=receipt.proof,
        checkpoint=receipt.checkpoint,
        log_key_successions=receipt.successions,
        acts=receipt.acts,
        certificate_chains=map(receipt_message, receipt.chains),
    )


def timestamp(time: datetime | None) -> Timestamp | None:
    """``time`` on the wire; None stays unset."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time.astimezone(UTC))
    return message


def department_message(department: Department) -> catalog_pb2.Department:
    return catalog_pb2.Department(
        name=f"departments/{department.id}",
        title=department.title,
        title_en=department.title_en,
        kind=KINDS[department.kind],
        region=department.region,
        sharing_office=department.sharing_office,
    )


def dataset_message(dataset: Dataset) -> catalog_pb2.Dataset:
    return catalog_pb2.Dataset(
        name=f"datasets/{dataset.id}",
        department=f"departments/{dataset.department}",
        title=dataset.title,
        catalog_code=dataset.catalog_code,
        sharing_attribute=ATTRIBUTES[dataset.sharing_attribute],
        attribute_basis=dataset.attribute_basis,
        sharing_modes=dataset.sharing_modes,
        use_conditions=dataset.use_conditions,
        update_cycle_seconds=int(dataset.update_cycle.total_seconds()),
        subject_format=dataset.subject_format,
        fields=[field_message(dataset, field) for field in dataset.fields.values()],
    )


def field_message(dataset: Dataset, field: Field) -> catalog_pb2.Field:
    return catalog_pb2.Field(
        name=f"datasets/{dataset.id}/fields/{field.name}",
        field=field.name,
        title=field.title,
        type=TYPES[field.type],
        format=field.format or "",
        level=field.level,
        required=field.required,
        shared=field.shared,
    )


def need_message(recorded: NeedOnRecord) -> catalog_pb2.Need:
    need = recorded.need
    (cause,) = reason_messages([Why(need.cause)])
    return catalog_pb2.Need(
        dataset=f"datasets/{need.dataset}",
        fields=need.fields,
        department=f"departments/{need.consumer}",
        purpose=need.purpose,
        cause=cause,
        applications=recorded.applications,
        first_time=timestamp(recorded.first_at),
        last_time=timestamp(recorded.last_at),
        first_receipt=f"receipts/{recorded.first_leaf}",
        last_receipt=f"receipts/{recorded.last_leaf}",
    )


def _answer(answer: Answer, exchanged: Exchanged) -> exchange_pb2.Answer:
    return exchange_pb2.Answer(
        status=STATUSES[answer.status],
        as_of=timestamp(answer.as_of),
        subjects=[
            exchange_pb2.SubjectAnswer(index=s.index, status=STATUSES[s.status], records=s.rows)
            for s in answer.subjects
        ],
        columns=_columns(exchanged.masks or {}),
        records=[
            exchange_pb2.Record(subjects=subjects, values={k: _value(v) for k, v in record.items()})
            for record, subjects in zip(answer.records, answer.record_subjects, strict=True)
        ],
        counts=_counts(answer.counts),
        nonce=exchanged.nonce,
        digest=exchanged.digest,
        advice=ADVICE.get(answer.status),
        watermark=exchanged.watermark,
    )


def _value(value: str | int | bool) -> exchange_pb2.Value:
    if isinstance(value, bool):
        return exchange_pb2.Value(truth=value)
    if isinstance(value, int):
        return exchange_pb2.Value(integer=value)
    return exchange_pb2.Value(text=value)


def _columns(masks: Mapping[str, str]) -> list[exchange_pb2.Column]:
    return [exchange_pb2.Column(field=name, mask=mask) for name, mask in masks.items()]


def _counts(counts: RowCounts) -> exchange_pb2.RowCounts:
    return exchange_pb2.RowCounts(
        read=counts.read, bad=counts.bad, released=counts.released, suppressed=counts.suppressed
    )


def reason_messages(reasons: Iterable[Why]) -> list[exchange_pb2.Reason]:
    """Reasons with their sentences."""
    messages = []
    for why in reasons:
        said = sentence(why.reason, why.about)
        messages.append(exchange_pb2.Reason(code=why.reason, zh=said.zh, en=said.en, about=why.about))
    return messages
