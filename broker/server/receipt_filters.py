"""What a reader asks of the list of receipts, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from broker.apply.admission import text_violations
from broker.errors import MalformedRequest
from broker.model import EntryKind, ReceiptFilter, Verdict
from broker.receipt.statement import instant
from broker.server.services import filter_id, malformed
from broker.v1 import exchange_pb2, receipt_pb2
from broker.vault.seals import TAG_BYTES

MOST_TAGS = 1_000
RULE = re.compile(r"[!-~]{1,200}")
REASON = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


def filter_of(
    request: receipt_pb2.ListReceiptsRequest, *, party: str = "", consumer_uri: str = ""
) -> ReceiptFilter:
    """The filter in a request, beside what its reader may see.

    Raises:
        MalformedRequest: a member can match nothing by its form, so that a slip does not read as "none".
    """
    return ReceiptFilter(
        department=filter_id(request.department, "departments/", "department"),
        dataset=filter_id(request.dataset, "datasets/", "dataset"),
        purpose=filter_id(request.purpose, "", "purpose"),
        verdict=_verdict(request.verdict),
        kind=_kind(request.kind),
        operator=_text(request.operator, "operator"),
        case_no=_text(request.case_no, "case_no"),
        service_item=_text(request.service_item, "service_item"),
        rule=_matching(RULE, request.rule, "rule"),
        reason=_matching(REASON, request.reason, "reason"),
        subject_tags=_tags(request),
        since=_time(request.since, "since") if request.HasField("since") else None,
        until=_time(request.until, "until") if request.HasField("until") else None,
        party=party,
        consumer_uri=consumer_uri,
    )


_TOLD = (
    *("department", "dataset", "purpose", "verdict", "kind", "operator", "case_no", "service_item"),
    *("rule", "reason"),
)


def told(wanted: ReceiptFilter) -> Mapping[str, object]:
    """What was asked for, as a statement tells it; subjects' tags are not here."""
    texts = {name: str(value) for name in _TOLD if (value := getattr(wanted, name))}
    times = {name: instant(value) for name in ("since", "until") if (value := getattr(wanted, name))}
    return {**texts, **times}


def _verdict(value: exchange_pb2.Verdict) -> Verdict | None:
    if value == exchange_pb2.VERDICT_UNSPECIFIED:
        return None
    try:
        return Verdict[exchange_pb2.Verdict.Name(value).removeprefix("VERDICT_")]
    except (KeyError, ValueError):
        raise malformed("verdict", "没有这种结论", "there is no such verdict") from None


def _kind(value: str) -> EntryKind | None:
    try:
        return EntryKind(value) if value else None
    except ValueError:
        raise malformed("kind", "没有这种存证", "there is no such kind of receipt") from None


def _time(stamp: Timestamp, field: str) -> datetime:
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise malformed(field, "不是有效的时间", "not a valid time") from None


def _text(value: str, field: str) -> str:
    if violations := tuple(text_violations(field, value)):
        raise MalformedRequest(violations)
    return value


def _matching(form: re.Pattern[str], value: str, field: str) -> str:
    if value and not form.fullmatch(value):
        raise malformed(field, "格式不符", "is not of its form")
    return value


def _tags(request: receipt_pb2.ListReceiptsRequest) -> tuple[bytes, ...]:
    tags = tuple(dict.fromkeys(request.subject_tags))
    if len(tags) > MOST_TAGS or any(len(tag) != TAG_BYTES for tag in tags):
        raise malformed(
            "subject_tags",
            f"最多 {MOST_TAGS} 个，每个 {TAG_BYTES} 字节",
            f"must be at most {MOST_TAGS}, of {TAG_BYTES} bytes each",
        )
    return tags
