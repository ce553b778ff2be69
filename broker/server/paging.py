"""Page tokens (AIP-158): opaque, bound to the list they came from, and refused when anything is off."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import TypeVar

from broker.errors import MalformedRequest, Violation

Item = TypeVar("Item")
MAX_PAGE = 1_000


def page_size(asked: int, default: int) -> int:
    """Size of a page for what was asked: 0 means ``default``, more than 1,000 means 1,000.

    Raises:
        MalformedRequest: it is negative.
    """
    if asked < 0:
        raise MalformedRequest((Violation("page_size", "不得为负", "must not be negative"),))
    return min(asked or default, MAX_PAGE)


def encode(position: int, query: str) -> str:
    """Token for ``position`` in the list that ``query`` describes."""
    return base64.urlsafe_b64encode(position.to_bytes(8, "big") + _bind(query)).decode()


def decode(token: str, query: str) -> int | None:
    """The position that :func:`encode` put into ``token``; None for the empty token.

    Raises:
        MalformedRequest: the token is not one that this list gave.
    """
    if not token:
        return None
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 16 or raw[8:] != _bind(query) or raw[0] > 0x7F:
        violation = Violation(
            "page_token",
            "不是本列表给出的分页标记",
            "not a page token that this list gave under these filters",
        )
        raise MalformedRequest((violation,))
    return int.from_bytes(raw[:8], "big")


def page(items: Sequence[Item], size: int, token: str, query: str) -> tuple[Sequence[Item], str]:
    """One page of ``items`` and the token of the next."""
    start = decode(token, query) or 0
    end = start + size
    return items[start:end], encode(end, query) if end < len(items) else ""


def _bind(query: str) -> bytes:
    """Eight bytes that tie a token to its filters; against mistakes, as forgery gains nothing."""
    return hashlib.sha256(query.encode()).digest()[:8]
