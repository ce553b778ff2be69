"""A small HTTP client: one server, one connection that is kept, no redirects, bounded answers."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from broker.errors import SetUpError

MAX_BYTES = 64 * 1024
"""Longest answer that is read, unless the caller says otherwise."""

SECONDS = 10.0
"""Longest wait for a connection, and for each part of an answer."""


class NoAnswer(Exception):
    """The server cannot be reached, or what it sends is no answer; the message names neither."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whole."""

    status: int
    content: bytes
    content_type: str


class HttpClient:
    """Connects at the first request. Not safe for use by several threads at once.

    Args:
        url: ``http://`` or ``https://``, a host, perhaps a port and a path that all requests begin with.
        ca: root certificates to believe, PEM; those of the system without.

    Raises:
        SetUpError: the address is none of that form, or the certificates cannot be read.
    """

    def __init__(self, url: str, *, ca: Path | None = None, seconds: float = SECONDS) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        plain = url.isascii() and url.isprintable() and " " not in url and not (set("?#@") & set(url))
        if not host or not plain or parts.scheme not in ("http", "https"):
            raise SetUpError(
                "网址须为 http://主机:端口/路径 或 https://…，不含问号、井号和用户名。",
                "An address must read http://host:port/path or https://…, without query, fragment and user.",
            )
        self._prefix = parts.path.rstrip("/")
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=_tls(ca))
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=seconds)

    def get(self, path: str, most: int = MAX_BYTES) -> Response:
        """What is at ``path``, which does not begin with a slash.

        Raises:
            NoAnswer: nobody answered, or with more than ``most`` bytes.
        """
        return self._ask("GET", path, None, most)

    def post(self, path: str, body: bytes, most: int = MAX_BYTES) -> Response:
        """What comes back for ``body``; raises as :meth:`get` does. It may be sent twice, when a connection
        that was kept turns out to be gone."""
        return self._ask("POST", path, body, most)

    def close(self) -> None:
        """End the connection; the next request opens another."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None, most: int) -> Response:
        kept = self._connection.sock is not None
        try:
            return self._once(method, path, body, most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                raise NoAnswer(type(error).__name__) from None
        try:
            return self._once(method, path, body, most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise NoAnswer(type(error).__name__) from None

    def _once(self, method: str, path: str, body: bytes | None, most: int) -> Response:
        self._connection.request(method, f"{self._prefix}/{path}", body)
        answer = self._connection.getresponse()
        content = answer.read(most + 1)
        if len(content) > most:
            raise ValueError("too long")
        answer.close()
        return Response(answer.status, content, answer.headers.get_content_type())


def _tls(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError:
        raise SetUpError(f"无法读取根证书 {ca}。", f"Root certificates {ca} cannot be read.") from None
