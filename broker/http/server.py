"""A small HTTP server: exact paths, short bodies, TLS where it is given a certificate.

Deliberately little: no compression, no ranges, no chunks, no cookies. What is to face the open Internet
stands behind a web server.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import structlog

from broker.errors import SetUpError
from broker.http.message import Answer, BadRequest, Head, Request, parse_head

log = structlog.get_logger("sharebroker.http")

MAX_HEAD_BYTES = 8 * 1024
MAX_CONNECTIONS = 256
REQUEST_SECONDS = 10.0
"""How long a request may take to arrive, and its answer to be taken; as long a connection may lie idle."""
THREADS = 4
"""That find the answers."""

Respond = Callable[[Request], Answer]
"""Gives the answer to a request; called by several threads."""


class HttpServer:
    """Answers requests until SIGTERM or SIGINT.

    Args:
        respond: should it raise, who asks is told no more than that there is a defect.
        max_body: longest body that is taken, in bytes.
    """

    def __init__(self, respond: Respond, *, max_body: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._respond = respond
        self._max_body = max_body
        self._tls = tls
        self._connections = 0
        self._threads = ThreadPoolExecutor(THREADS, "http")

    def run(self, listen: str, listening: Callable[[str], None]) -> None:
        """Serves on ``listen`` (``host:port``, port 0 for any); ``listening`` is told the address then.

        Raises:
            OSError: the address is wrong or in use.
        """
        with self._threads:
            asyncio.run(self._run(listen, listening))

    async def _run(self, listen: str, listening: Callable[[str], None]) -> None:
        host, _, port = listen.rpartition(":")
        try:
            server = await asyncio.start_server(
                self._serve, host.strip("[]") or None, int(port), limit=MAX_HEAD_BYTES, ssl=self._tls
            )
        except (OverflowError, ValueError) as error:
            raise OSError("no such address") from error
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
                while await self._one(reader, writer):
                    pass
                async with asyncio.timeout(REQUEST_SECONDS):
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; whether another may follow on the connection."""
        head, lasting = None, False
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await self._head(reader)
                if head is None:
                    return False
                body = await reader.readexactly(head.length)
            lasting = head.lasting
            answer = await self._answer(Request(head.method, head.path, body))
        except TimeoutError:
            answer = Answer(HTTPStatus.REQUEST_TIMEOUT)
        except asyncio.LimitOverrunError:
            answer = Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError:
            answer = Answer(HTTPStatus.BAD_REQUEST)
        except BadRequest as bad:
            answer = Answer(bad.status)
        head_only = head is not None and head.method == "HEAD"
        writer.write(answer.encoded(head_only=head_only, lasting=lasting))
        async with asyncio.timeout(REQUEST_SECONDS):
            await writer.drain()
        return lasting

    async def _head(self, reader: asyncio.StreamReader) -> Head | None:
        """The next request's head; None when the caller sends no more."""
        if self._connections > MAX_CONNECTIONS:
            raise BadRequest(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            return parse_head(await reader.readuntil(b"\r\n\r\n"), self._max_body)
        except asyncio.IncompleteReadError as ended:
            if ended.partial:
                raise
            return None

    async def _answer(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._respond, request)
        except Exception as error:  # noqa: BLE001 - a defect, whose message may hold anything
            log.error("request_failed", error=type(error).__name__)
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later under this certificate (chain) and private key, PEM.

    Raises:
        SetUpError: they cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise SetUpError(
            f"证书 {certificate} 与私钥 {key} 无法使用（{said}）。",
            f"Certificate {certificate} and key {key} cannot be used ({said}).",
        ) from None
    return context
