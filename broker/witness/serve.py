"""``sharebroker witness serve``: put a witness together from its folder, and run it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from contextlib import closing
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

import structlog

from broker.errors import SetUpError
from broker.http.message import Answer, Request
from broker.http.server import HttpServer, server_tls
from broker.keys.log_key import load_log_key
from broker.receipt.witnessing import ADD_CHECKPOINT, MAX_BODY
from broker.witness.memory import WitnessMemory
from broker.witness.mirror import Follower, Mirror
from broker.witness.settings import WitnessSettings
from broker.witness.witness import Witness, Witnessed, alarm

log = structlog.get_logger("sharebroker.witness")

_CHECKPOINT = re.compile(r"([0-9a-f]{64})/checkpoint")


def serve(settings: WitnessSettings, listening: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; ``listening`` is told the address, with the scheme, once it does.

    Raises:
        SetUpError: key, memory, certificate or address cannot be used.
    """
    with closing(WitnessMemory(settings.path(settings.state))) as memory:
        witness = witness_of(settings, memory)
        followers = _followers(settings, witness)
        for origin, fork in witness.forks().items():
            alarm(origin, fork)
        tls = _tls(settings)
        scheme = "https" if tls else "http"
        server = HttpServer(partial(answer, witness), max_body=MAX_BODY, tls=tls)
        for follower in followers:
            follower.start()
        try:
            server.run(settings.listen, lambda address: listening(f"{scheme}://{address}/"))
        except OSError:
            raise SetUpError(
                f"无法监听 listen = {settings.listen}：地址有误或已被占用。",
                f"listen = {settings.listen} cannot be listened on: wrong, or in use.",
            ) from None
        finally:
            for follower in followers:
                follower.stop()


def witness_of(settings: WitnessSettings, memory: WitnessMemory) -> Witness:
    """The witness that these settings describe.

    Raises:
        SetUpError: its key cannot be used.
    """
    logs = {
        origin: Witnessed(origin, tuple(log.key for log in logs)) for origin, logs in settings.logs().items()
    }
    return Witness(settings.name, load_log_key(settings.path(settings.key)), memory, logs)


def answer(witness: Witness, request: Request) -> Answer:
    """The answer to a request."""
    if request.path == ADD_CHECKPOINT:
        if request.method != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, allowed="POST")
        return _remembering(lambda: witness.add_checkpoint(request.body))
    if found := _CHECKPOINT.fullmatch(request.path):
        if request.method not in ("GET", "HEAD"):
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, allowed="GET, HEAD")
        return _remembering(lambda: witness.checkpoint(found[1]))
    return Answer(HTTPStatus.NOT_FOUND)


def mirrors(settings: WitnessSettings, witness: Witness) -> dict[str, Mirror]:
    """The own copies, by origin of the log.

    Raises:
        SetUpError: an address or the root certificates cannot be used.
    """
    ca = settings.path(settings.ca) if settings.ca else None
    found = {}
    for origin, logs in settings.logs().items():
        if url := next((log.mirror for log in logs if log.mirror), ""):
            known = Witnessed(origin, tuple(log.key for log in logs))
            found[origin] = Mirror(known, copy_folder(settings, origin), url, ca, witness)
    return found


def copy_folder(settings: WitnessSettings, origin: str) -> Path:
    """Where the own copy of a log is kept, named as tlog-mirror names it."""
    return settings.path(settings.copies) / sha256(origin.encode()).hexdigest()


def _tls(settings: WitnessSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    key = settings.tls_key or settings.tls_certificate
    return server_tls(settings.path(settings.tls_certificate), settings.path(key))


def _followers(settings: WitnessSettings, witness: Witness) -> list[Follower]:
    copies = mirrors(settings, witness)
    witness.examine.update((origin, mirror.examine) for origin, mirror in copies.items())
    return [Follower(origin, mirror, settings.mirror_seconds) for origin, mirror in copies.items()]


def _remembering(ask: Callable[[], Answer]) -> Answer:
    """A witness that cannot write its memory gives no cosignature."""
    try:
        return ask()
    except OSError as error:
        log.critical(
            "memory_failed",
            error=str(error),
            zh="见证记录无法读写，未签名；请检查磁盘。",
            en="The memory cannot be read or written, so nothing was cosigned; check the disk.",
        )
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE)
