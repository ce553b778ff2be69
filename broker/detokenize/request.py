"""The request to turn tokens back, as it came off the wire, and what can be wrong with its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from broker.apply.admission import CANONICAL_UUID, list_violations, text_violations
from broker.errors import MalformedRequest, Violation

MAX_TOKENS = 1_000
MAX_TOKEN = 1_000
"""Characters of one."""
_RECEIPT = re.compile(r"receipts/(0|[1-9][0-9]{0,17})")
_FIELD = re.compile("[a-z][a-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Request:
    """Nothing of it is checked yet."""

    request_id: str
    receipt: str
    """Resource name of the receipt under which the tokens were released."""
    field: str
    tokens: tuple[str, ...]
    reason: str
    legal_basis: str
    signed_approval: bytes


def require_well_formed(request: Request) -> None:
    """Raises:
    MalformedRequest: with all that is wrong.
    """
    if violations := tuple(_violations(request)):
        raise MalformedRequest(violations)


def leaf_of(receipt: str) -> int:
    """The leaf index in the name of a receipt, which is well formed."""
    return int(receipt.removeprefix("receipts/"))


def _violations(request: Request) -> Iterator[Violation]:
    if not CANONICAL_UUID.fullmatch(request.request_id):
        yield Violation("request_id", "须为小写带连字符的 UUID", "must be a UUID in lower case with hyphens")
    if not _RECEIPT.fullmatch(request.receipt):
        yield Violation("receipt", "须形如 receipts/序号", "must read receipts/{leaf_index}")
    if not _FIELD.fullmatch(request.field):
        yield Violation("field", "须为数据项编号", "must be the id of a field")
    if not request.tokens:
        yield Violation("tokens", "至少写明一个令牌", "name at least one token")
    yield from list_violations("tokens", request.tokens, MAX_TOKENS)
    for index, token in enumerate(request.tokens[:MAX_TOKENS]):
        if not 0 < len(token) <= MAX_TOKEN:
            zh, en = f"须为 1 至 {MAX_TOKEN} 个字符", f"must be of 1 to {MAX_TOKEN} characters"
            yield Violation(f"tokens[{index}]", zh, en)
    for name in ("reason", "legal_basis"):
        if not getattr(request, name):
            yield Violation(name, "不得为空", "must not be empty")
        yield from text_violations(name, getattr(request, name))
