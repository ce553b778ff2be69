"""The log over HTTP, read-only (C2SP tlog-tiles): a process of its own, with no part in any exchange.

Deliberately little: GET and HEAD of exact paths, no TLS, no compression (hashes do not shrink). Put a web
server in front, or serve an export (:mod:`broker.receipt.export`) instead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

import structlog

from broker.errors import BrokerError, SetUpError, VerificationFailed
from broker.http.message import BINARY, BRIEFLY, FOREVER, TEXT, Answer, Request
from broker.http.server import HttpServer
from broker.receipt.key_history import LOG_KEYS
from broker.receipt.public import CHECKPOINT, PublicLog, parse_path

JSON = "application/json"

log = structlog.get_logger("sharebroker.public_log")


def serve_log(public: PublicLog, listen: str, listening: Callable[[str], None]) -> None:
    """Serves the log on ``listen`` until SIGTERM or SIGINT; ``listening`` is told the address then.

    Raises:
        SetUpError: the address is wrong or in use.
    """
    try:
        HttpServer(partial(answer, public)).run(listen, listening)
    except OSError:
        raise SetUpError(
            f"无法监听 [log] http_listen = {listen}：地址有误或已被占用。",
            f"[log] http_listen = {listen} cannot be listened on: wrong, or in use.",
        ) from None


def answer(public: PublicLog, request: Request) -> Answer:
    """The answer to a request."""
    if request.method not in ("GET", "HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, allowed="GET, HEAD")
    try:
        return _resource(public, request.path)
    except BrokerError:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE)
    except VerificationFailed as error:
        log.critical("log_inconsistent", error=str(error))
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE)


def _resource(public: PublicLog, path: str) -> Answer:
    if path == CHECKPOINT:
        signed = public.checkpoint()
        if signed is not None:
            return Answer(HTTPStatus.OK, signed[0].encode(), TEXT, BRIEFLY)
    if path == LOG_KEYS and (history := public.key_history()) is not None:
        return Answer(HTTPStatus.OK, history, JSON, BRIEFLY)
    part = parse_path(path)
    content = public.read(part) if part else None
    if content is None:
        return Answer(HTTPStatus.NOT_FOUND)
    return Answer(HTTPStatus.OK, content, BINARY, FOREVER)
