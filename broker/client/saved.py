"""A delivery in a saved answer: for departments whose systems call the broker without this client.

The answer is saved as it came: an ``ExchangeResponse`` as protobuf or as protobuf's JSON, or all the
``StreamExchangeResponse`` of a stream as JSON, one after the other (``grpcurl`` prints them so).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message

from broker.client.acknowledging import Delivery
from broker.client.answer import checked_receipt, received_digest
from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt.acknowledgements import Delivered
from broker.receipt.log_keys import Trust
from broker.v1 import exchange_pb2


@dataclass(frozen=True, slots=True)
class Saved:
    """What a saved answer holds."""

    delivery: Delivery
    receipt: Receipt
    attested: bool
    """Whether what was received is what the receipt attests; else it is something else."""


def read_saved(data: bytes, received_at: datetime, trust: Trust | None) -> Saved:
    """The delivery in a saved answer; its digest is computed from what was received.

    Raises:
        VerificationFailed: it holds no answer, nothing was delivered in it, or its receipt does not hold.
    """
    messages = list(_messages(data))
    if isinstance(messages[0], exchange_pb2.ExchangeResponse):
        receipt, digest = _unary(messages[0], trust)
    else:
        receipt, digest = _stream(messages, trust)
    delivered, hours = _delivered(receipt)
    delivery = Delivery.of(receipt, digest, hours, received_at)
    return Saved(delivery, receipt, hmac.compare_digest(digest, delivered.digest))


def _unary(response: exchange_pb2.ExchangeResponse, trust: Trust | None) -> tuple[Receipt, bytes]:
    if not response.HasField("answer"):
        raise _nothing()
    return checked_receipt(response.receipt, trust), received_digest(response.answer)


def _stream(parts: Sequence[Any], trust: Trust | None) -> tuple[Receipt, bytes]:
    opening, *chunks, outcome = parts if len(parts) > 1 else (*parts, None)
    if outcome is None or not (opening.HasField("opening") and outcome.HasField("outcome")):
        raise _nothing()
    digest = hashlib.sha256(opening.opening.nonce)
    for part in chunks:
        if not part.HasField("chunk"):
            raise VerificationFailed("流中有多余的部分 / the stream holds a part out of place")
        digest.update(part.chunk)
    return checked_receipt(outcome.outcome.receipt, trust), digest.digest()


def _messages(data: bytes) -> Iterator[Message]:
    """One ExchangeResponse, or at least one StreamExchangeResponse."""
    try:
        if not data.lstrip().startswith(b"{"):
            yield exchange_pb2.ExchangeResponse.FromString(data)
            return
        for number, document in enumerate(_documents(data.decode("utf-8").strip())):
            whole = number == 0 and document.keys() & {"decision", "receipt", "answer"}
            message = exchange_pb2.ExchangeResponse() if whole else exchange_pb2.StreamExchangeResponse()
            yield ParseDict(document, message, ignore_unknown_fields=True)
    except (ParseError, DecodeError, ValueError, AttributeError, RecursionError):
        raise VerificationFailed("不是所保存的答复 / the file holds no saved answer") from None


def _documents(text: str) -> Iterator[Any]:
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        document, place = decoder.raw_decode(text, place)
        yield document
        while place < len(text) and text[place].isspace():
            place += 1


def _delivered(receipt: Receipt) -> tuple[Delivered, int]:
    """What the receipt says was delivered, and the hours in which that is to be acknowledged."""
    try:
        said = orjson.loads(receipt.statement)
        delivered = Delivered.of(receipt.leaf_index, said)
        hours = int(said.get("obligations", {}).get("acknowledge_hours", 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise VerificationFailed("存证内容格式不符 / statement: not of the documented form") from None
    if delivered is None:
        raise _nothing()
    return delivered, hours


def _nothing() -> VerificationFailed:
    return VerificationFailed(
        "所存的答复没有完整交付任何结果，无须确认 / nothing was delivered whole in the saved answer"
    )
