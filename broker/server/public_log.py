"""The log over HTTP, read-only (C2SP tlog-tiles): a process of its own, with no part in any exchange.

Deliberately little: GET and HEAD of exact paths, one request a connection, no TLS, no compression (hashes
do not shrink). Put a web server in front, or serve an export (:mod:`broker.receipt.export`) instead.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

import structlog

from broker.errors import BrokerError, SetUpError, VerificationFailed
from broker.receipt.public import CHECKPOINT, PublicLog, parse_path

log = structlog.get_logger("sharebroker.public_log")

MAX_HEAD_BYTES = 8 * 1024
MAX_CONNECTIONS = 256
REQUEST_SECONDS = 10.0
"""How long a request may take to arrive, and its answer to be taken."""
THREADS = 4
"""That read the database."""

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
BRIEFLY = "public, max-age=2"
FOREVER = "public, max-age=31536000, immutable"
NEVER = "no-store"

_REQUEST_LINE = re.compile(rb"([A-Z]+) /([!-~]*) HTTP/1\.[01]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: HTTPStatus
    content: bytes = b""
    content_type: str = TEXT
    caching: str = NEVER
    head_only: bool = False

    def __bytes__(self) -> bytes:
        """As HTTP/1.1 (RFC 9112)."""
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.content)}",
            f"Cache-Control: {self.caching}",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        if self.status is HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append("Allow: GET, HEAD")
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            lines.append("Retry-After: 5")
        head = "\r\n".join([*lines, "", ""]).encode()
        return head if self.head_only else head + self.content


def answer(public: PublicLog, head: bytes) -> Answer:
    """The answer to a request's head. Never raises."""
    found = _REQUEST_LINE.fullmatch(head.partition(b"\r\n")[0])
    if found is None:
        return Answer(HTTPStatus.BAD_REQUEST)
    method, path = found.groups()
    if method not in (b"GET", b"HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED)
    try:
        return _resource(public, path.decode("ascii"), head_only=method == b"HEAD")
    except BrokerError:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE)
    except VerificationFailed as error:
        log.critical("log_inconsistent", error=str(error))
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE)
    except Exception as error:  # noqa: BLE001 - a defect: who asks is told no more than that there is one
        log.error("request_failed", error=type(error).__name__)
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)


def _resource(public: PublicLog, path: str, *, head_only: bool) -> Answer:
    if path == CHECKPOINT:
        signed = public.checkpoint()
        if signed is not None:
            return Answer(HTTPStatus.OK, signed[0].encode(), TEXT, BRIEFLY, head_only)
    part = parse_path(path)
    content = public.read(part) if part else None
    if content is None:
        return Answer(HTTPStatus.NOT_FOUND, head_only=head_only)
    return Answer(HTTPStatus.OK, content, BINARY, FOREVER, head_only)


class PublicLogServer:
    """Serves a log until SIGTERM or SIGINT."""

    def __init__(self, public: PublicLog) -> None:
        self._public = public
        self._connections = 0
        self._threads = ThreadPoolExecutor(THREADS, "log")

    def run(self, listen: str, listening: Callable[[str], None]) -> None:
        """Serves on ``listen`` (``host:port``, port 0 for any); ``listening`` is told the address then.

        Raises:
            SetUpError: the address is wrong or in use.
        """
        with self._threads:
            asyncio.run(self._run(listen, listening))

    async def _run(self, listen: str, listening: Callable[[str], None]) -> None:
        host, _, port = listen.rpartition(":")
        try:
            server = await asyncio.start_server(
                self._serve, host.strip("[]") or None, int(port), limit=MAX_HEAD_BYTES
            )
        except (OSError, OverflowError, ValueError):
            raise SetUpError(
                f"无法监听 [log] http_listen = {listen}：地址有误或已被占用。",
                f"[log] http_listen = {listen} cannot be listened on: wrong, or in use.",
            ) from None
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listening(f"{host}:{server.sockets[0].getsockname()[1]}")
        await stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            # Cancelled is who was connected when the server ended; asyncio would log that as a failure.
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                writer.write(bytes(await self._answer(reader)))
                async with asyncio.timeout(REQUEST_SECONDS):
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        if self._connections > MAX_CONNECTIONS:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return Answer(HTTPStatus.REQUEST_TIMEOUT)
        except asyncio.LimitOverrunError:
            return Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError:
            return Answer(HTTPStatus.BAD_REQUEST)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, answer, self._public, head)
