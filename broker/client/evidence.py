"""What a receipt must say before its answer is believed: this request, this caller, these bytes."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from broker.errors import VerificationFailed
from broker.model import Receipt, Verdict
from broker.transmit.watermark import watermark
from broker.v1 import exchange_pb2

Request = exchange_pb2.ExchangeRequest | exchange_pb2.StreamExchangeRequest

PAPERS = ("purpose", "service_item", "case_no", "legal_basis", "operator")


def require_about(receipt: Receipt, request: Request, caller: str, verdict: Verdict) -> None:
    """That the statement is of what ``caller`` (a SPIFFE id) asked, and of the verdict that came back.

    Raises:
        VerificationFailed: it is of another request, or another decision.
    """
    application = request.application
    asked = {
        "request_id": request.request_id,
        "dataset": application.dataset.removeprefix("datasets/"),
        "fields": list(application.fields),
        "grant": request.grant.removeprefix("grants/"),
        **{paper: getattr(application, paper) for paper in PAPERS},
    }
    said = _object(receipt.statement)
    if (
        any(said.get(name) != value for name, value in asked.items())
        or _member(said, "consumer", "uri") != caller
    ):
        raise VerificationFailed("回执不是本次请求的 / the receipt is not of this request")
    if _member(said, "decision", "verdict") != verdict:
        raise VerificationFailed("回执与所告知的决定不符 / the receipt is of another decision than was told")


def require_said(receipt: Receipt, told: Mapping[tuple[str, ...], object]) -> None:
    """That the statement has these members, by their paths.

    Raises:
        VerificationFailed: it is of something else.
    """
    said = _object(receipt.statement)
    if any(_member(said, *path) != value for path, value in told.items()):
        raise VerificationFailed("回执不是本次请求的 / the receipt is not of this request")


def require_committed(receipt: Receipt, digest: str) -> None:
    """That the statement is of the use commitment of that digest (SHA-256, hexadecimal).

    Raises:
        VerificationFailed: it is of another.
    """
    said = _object(receipt.statement).get("commitments")
    told = [one.get("digest") for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    if told != [digest]:
        raise VerificationFailed("回执不是这份责任状的 / the receipt is not of this commitment")


def require_outcome_of(outcome: Receipt, decision: Receipt) -> None:
    """That a stream's outcome is that of its decision.

    Raises:
        VerificationFailed: it is of another stream.
    """
    if _object(outcome.statement).get("decision_leaf") != decision.leaf_index:
        raise VerificationFailed("结束回执不属于本次决定 / the outcome is of another decision")


def require_digest(receipt: Receipt, computed: bytes, told: bytes) -> None:
    """That the bytes received are those that the statement attests.

    Raises:
        VerificationFailed: they are others.
    """
    attested = _member(_object(receipt.statement), "outcome", "digest")
    if not (hmac.compare_digest(computed, told) and computed.hex() == attested):
        raise VerificationFailed(
            "收到的数据与回执中的摘要不符 / the data received do not match the digest in the receipt"
        )


def require_marked(marks: Mapping[str, str], request: Request, caller: str) -> None:
    """That data which must have a watermark have that of this request.

    Raises:
        VerificationFailed: they have none, or another.
    """
    if marks != watermark(caller, request.application.purpose, request.request_id):
        raise VerificationFailed("数据没有本次请求的水印 / the data lack the watermark of this request")


def _object(statement: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(statement)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise VerificationFailed("存证内容不是 JSON 对象 / the statement is no JSON object")
    return content


def _member(content: dict[str, Any], *path: str) -> object:
    value: object = content
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
