"""Tokens turned back (还原): one person draws the request up, an officer approves it, the first makes it.

::

    released, me = broker.receipt(17), credentials.uri
    request = TokenRequest.of(released, me, "resident_id", tokens, reason="…", legal_basis="…")
    approval = request.approved_by(officer, until)  # elsewhere, by an officer of the provider
    found = broker.detokenize(request, approval)
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

import orjson

from broker.client.acknowledging import Delivery
from broker.client.answer import checked_receipt, verdict_of
from broker.client.credentials import Credentials
from broker.client.evidence import require_digest, require_said
from broker.detokenize.approval import Asked, sign, tokens_digest
from broker.detokenize.values import Values, canonical
from broker.errors import VerificationFailed
from broker.model import Receipt, Verdict
from broker.receipt.log_keys import Trust
from broker.transmit.digest import answer_digest
from broker.v1 import exchange_pb2, masking_pb2

FORMAT = "share-token-request/v1"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Which tokens are to be turned back, for whom and why."""

    asked: Asked
    tokens: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(
        cls,
        receipt: Receipt,
        caller: str,
        field: str,
        tokens: Sequence[str],
        *,
        reason: str,
        legal_basis: str,
        request_id: str = "",
    ) -> TokenRequest:
        """Draws up a request of ``caller``, a SPIFFE id, about tokens that were released under ``receipt``.

        Raises:
            VerificationFailed: the receipt is of no release of that field.
        """
        said = _object(receipt.statement)
        if field not in said.get("obligations", {}).get("masks", {}):
            raise VerificationFailed(
                "该回执没有提供经脱敏的此数据项 / the receipt is of no release of that field"
            )
        asked = Asked(
            request_id=request_id or str(uuid.uuid4()),
            receipt=receipt.leaf_index,
            dataset=said["dataset"],
            field=field,
            consumer=said["consumer"]["department"],
            purpose=said["purpose"],
            tokens=tokens_digest(tokens),
            count=len(tokens),
            reason=reason,
            legal_basis=legal_basis,
            caller=caller,
        )
        return cls(asked, tuple(tokens))

    @classmethod
    def parse(cls, content: bytes) -> TokenRequest:
        """The inverse of :meth:`export`.

        Raises:
            VerificationFailed: it is none, or its tokens are not those that it says.
        """
        said = _object(content)
        tokens = said.pop("tokens", None)
        named = {name.name for name in fields(Asked)} - {"tokens"}
        listed = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
        if said.pop("format", "") != FORMAT or said.keys() != named or not listed:
            raise VerificationFailed("不是还原申请文件 / not a request to turn tokens back")
        asked = Asked(tokens=tokens_digest(tokens), **said)
        numbers = ("receipt", "count")
        wrong = [name for name in named if not isinstance(said[name], int if name in numbers else str)]
        if wrong or asked.count != len(tokens):
            raise VerificationFailed("不是还原申请文件 / not a request to turn tokens back")
        return cls(asked, tuple(tokens))

    def export(self) -> bytes:
        """JSON, for the officer who shall approve it; the tokens stand in it, no value does."""
        content = asdict(self.asked) | {"format": FORMAT, "tokens": self.tokens}
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)

    def approved_by(self, officer: Credentials, at: datetime, until: datetime) -> bytes:
        """The officer's approval, given ``at`` (now), until before ``until``, at most 24 hours later."""
        return sign(self.asked, at, until, officer.private_key(), officer.chain[0])


@dataclass(frozen=True, slots=True)
class Detokenized:
    """What came of it. For a refusal ``values`` is empty and ``reasons`` says why."""

    verdict: Verdict
    reasons: tuple[exchange_pb2.Reason, ...]
    receipt: Receipt
    values: Values = field(default=(), repr=False)
    redelivered: bool = False
    delivery: Delivery | None = field(default=None, repr=False)
    """What can be acknowledged; None for a refusal."""


def detokenized_of(
    request: TokenRequest, response: masking_pb2.DetokenizeResponse, caller: str, trust: Trust | None
) -> Detokenized:
    """The answer in a response to ``caller``, a SPIFFE id.

    Raises:
        VerificationFailed: the receipt does not hold, or is of another request or of other values.
    """
    asked, verdict = request.asked, verdict_of(response.verdict)
    values = tuple(one.value if one.known else None for one in response.values)
    receipt = checked_receipt(response.receipt, trust)
    require_said(
        receipt,
        {
            ("kind",): "detokenization",
            ("request_id",): asked.request_id,
            ("consumer", "uri"): caller,
            ("dataset",): asked.dataset,
            ("fields",): [asked.field],
            ("released", "receipt"): asked.receipt,
            ("decision", "verdict"): verdict,
        },
    )
    if len(values) != (asked.count if verdict is Verdict.PERMIT else 0):
        raise VerificationFailed("答复与决定不符 / the answer does not fit the decision")
    delivery = None
    if verdict is Verdict.PERMIT:
        digest = answer_digest(response.nonce, canonical(values))
        require_digest(receipt, digest, response.digest)
        delivery = Delivery.of(receipt, digest)
    return Detokenized(verdict, tuple(response.reasons), receipt, values, response.redelivered, delivery)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise VerificationFailed("不是 JSON 对象 / not a JSON object")
    return found
