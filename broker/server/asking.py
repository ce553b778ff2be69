"""The Unix socket at which a running broker tells ``sharebroker status`` about its processes."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from broker.settings import Settings

STATUS_SOCKET = "sharebroker.sock"
STATUS_SECONDS = 30.0
"""Longest wait for the answer of a supervisor that is there: while it starts a signer it answers nobody."""

Status = Mapping[str, Any]
"""What a broker says of itself: its ``pid``, ``port``, ``stream_port``, ``signer`` (pid) and ``workers``,
each with ``pid``, ``kind``, ``core``, ``state``, ``seconds``, ``deaths``, ``places`` (of :class:`Lanes`)."""


@contextmanager
def status_socket(settings: Settings) -> Iterator[socket.socket]:
    """Listens while the block runs, for the broker's own user only."""
    path = settings.path(Path(STATUS_SOCKET))
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen(8)
        yield listening
    path.unlink(missing_ok=True)


def answer(listening: socket.socket, status: Callable[[], Status]) -> None:
    """Answer one who asks."""
    with suppress(OSError):
        connection, _ = listening.accept()
        with connection:
            connection.sendall(json.dumps(status()).encode())


@contextmanager
def answering(settings: Settings, status: Callable[[], Status]) -> Iterator[None]:
    """Answers everyone who asks, from a thread of its own, while the block runs."""
    with status_socket(settings) as listening:

        def run() -> None:
            while listening.fileno() >= 0:
                answer(listening, status)

        threading.Thread(target=run, name="status", daemon=True).start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # wakes the thread


def ask_status(settings: Settings) -> Status | None:
    """What the running broker says of itself; None when none answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(STATUS_SECONDS)
        try:
            connection.connect(str(settings.path(Path(STATUS_SOCKET))))
            with connection.makefile("rb") as told:
                return cast("Status", json.loads(told.read()))
        except (OSError, ValueError):
            return None
