"""Requests and answers of HTTP/1.1 (RFC 9112), as far as a log and its witnesses need them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
BRIEFLY = "public, max-age=2"
FOREVER = "public, max-age=31536000, immutable"
NEVER = "no-store"

_REQUEST_LINE = re.compile(rb"([A-Z]+) /([!-~]*) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")


class BadRequest(Exception):
    """What arrived is no request that can be answered otherwise than with this status."""

    def __init__(self, status: HTTPStatus) -> None:
        self.status = status
        super().__init__(status.phrase)


@dataclass(frozen=True, slots=True)
class Request:
    """A request; its path without the first slash."""

    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before a request's body."""

    method: str
    path: str
    length: int
    """Of the body, in bytes."""
    lasting: bool
    """Whether the connection may serve for another request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: HTTPStatus
    content: bytes = b""
    content_type: str = TEXT
    caching: str = NEVER
    allowed: str = ""
    """Of METHOD_NOT_ALLOWED: the methods that are."""

    def encoded(self, *, head_only: bool = False, lasting: bool = False) -> bytes:
        """The bytes to send; ``lasting`` says that the connection stays open."""
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.content)}",
            f"Cache-Control: {self.caching}",
            "X-Content-Type-Options: nosniff",
            f"Connection: {'keep-alive' if lasting else 'close'}",
        ]
        if self.allowed:
            lines.append(f"Allow: {self.allowed}")
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            lines.append("Retry-After: 5")
        head = "\r\n".join([*lines, "", ""]).encode()
        return head if head_only else head + self.content


def parse_head(head: bytes, most: int) -> Head:
    """Reads a request's head, which ends in an empty line.

    Args:
        most: longest body that is taken, in bytes.

    Raises:
        BadRequest: it is none, or announces a body that is not taken.
    """
    line, *headers = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    method, path, minor = found.groups()
    given = _Headers()
    for header in headers:
        given.add(header)
    if given.length > most:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    lasting = minor == b"1" and b"close" not in given.connection
    return Head(method.decode("ascii"), path.decode("ascii"), given.length, lasting)


@dataclass(slots=True)
class _Headers:
    """Of the headers, those that say where a request ends and whether another may follow."""

    length: int = 0
    connection: bytes = b""
    _lengths: set[bytes] = field(default_factory=set)

    def add(self, header: bytes) -> None:
        found = _HEADER.fullmatch(header)
        if found is None:
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        name, value = found[1].lower(), found[2]
        if name == b"transfer-encoding":  # chunks: nobody who knows what he wants to send needs them
            raise BadRequest(HTTPStatus.LENGTH_REQUIRED)
        if name == b"connection":
            self.connection += value.lower()
        if name == b"content-length":
            self._lengths.add(value)
            if len(self._lengths) > 1 or not value.isdigit() or len(value) > 18:
                raise BadRequest(HTTPStatus.BAD_REQUEST)
            self.length = int(value)
