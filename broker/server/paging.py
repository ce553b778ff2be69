"""Page tokens (AIP-158): opaque, bound to the list they came from, and refused when anything is off.

The binding is against mistakes and no secret: whoever forges a token sees what the list would show anyway.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TypeVar

from broker.errors import MalformedRequest, Violation

Item = TypeVar("Item")
MAX_PAGE = 1_000
MAX_POSITION = 2**63 - 1
"""What a database can count."""


def page_size(asked: int, default: int) -> int:
    """Size of a page for what was asked: 0 means ``default``, more than 1,000 means 1,000.

    Raises:
        MalformedRequest: it is negative.
    """
    if asked < 0:
        raise MalformedRequest((Violation("page_size", "不得为负", "must not be negative"),))
    return min(asked or default, MAX_PAGE)


def encode(position: int, query: str, tree_size: int | None = None) -> str:
    """Token for ``position`` in the list that ``query`` describes, proved against a tree of that size."""
    raw = b"".join(number.to_bytes(8, "big") for number in (position, tree_size) if number is not None)
    return base64.urlsafe_b64encode(raw + hashlib.sha256(raw + query.encode()).digest()[:8]).decode()


def decode(token: str, query: str) -> int | None:
    """The position that :func:`encode` put into ``token``; None for the empty token.

    Raises:
        MalformedRequest: the token is not one that this list gave.
    """
    found = _decoded(token, query, 1)
    return found[0] if found else None


def decode_proved(token: str, query: str) -> tuple[int, int] | None:
    """Position and tree size that :func:`encode` put into ``token``; None for the empty token.

    Raises:
        MalformedRequest: the token is not one that this list gave.
    """
    found = _decoded(token, query, 2)
    return (found[0], found[1]) if found else None


def _decoded(token: str, query: str, count: int) -> list[int]:
    """The numbers in a token, of which there must be so many; none in the empty token.

    Raises:
        MalformedRequest: the token is not one that this list gave.
    """
    if not token:
        return []
    try:
        raw = base64.urlsafe_b64decode(token)
        numbers = [int.from_bytes(raw[8 * i : 8 * i + 8], "big") for i in range(count)]
        given_here = encode(numbers[0], query, *numbers[1:]) == token
    except ValueError:  # no base64
        numbers, given_here = [], False
    if not given_here or max(numbers) > MAX_POSITION:
        violation = Violation(
            "page_token",
            "不是本列表给出的分页标记",
            "not a page token that this list gave under these filters",
        )
        raise MalformedRequest((violation,))
    return numbers


def page(items: Sequence[Item], size: int, token: str, query: str) -> tuple[Sequence[Item], str]:
    """One page of ``items`` and the token of the next."""
    start = decode(token, query) or 0
    end = start + size
    return items[start:end], encode(end, query) if end < len(items) else ""
