"""The supervisor: starts signer and workers, replaces those that die, rolls them over, stops them.

It holds no database handle and answers no call; what it holds is the ports, so that no second broker takes
them, and a Unix socket at which ``sharebroker status`` asks. SIGHUP replaces all workers one after another
(new certificates, new code); SIGTERM drains.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import structlog

from broker.errors import SetUpError
from broker.server.asking import Status, answer, status_socket
from broker.server.listening import Kind, announce, port_of, reserve
from broker.server.signing import KeptSigner
from broker.settings import Settings

log = structlog.get_logger("sharebroker.supervisor")

SETTLED_SECONDS = 5.0
"""A worker that lived so long did not die of starting."""
LONGEST_PAUSE = 5.0
"""Longest pause before a worker that keeps dying is started again, in seconds."""


@dataclass(slots=True)
class Worker:
    """One worker process in its slot."""

    process: subprocess.Popen[bytes]
    started: float
    ready: bool = False
    leaving: bool = False
    places: dict[str, Any] = field(default_factory=dict)
    """What it last said of its places (``Lanes.status``)."""


@dataclass(slots=True)
class Slot:
    """One place for a worker; ``workers`` holds two while one takes over from the other."""

    kind: Kind
    core: int | None
    workers: list[Worker] = field(default_factory=list)
    deaths: int = 0
    """Since a worker last settled."""
    not_before: float = 0.0

    @property
    def ready(self) -> bool:
        return any(worker.ready and not worker.leaving for worker in self.workers)


class Supervisor:
    """Runs one broker from its settings file until SIGTERM."""

    def __init__(self, config: Path, settings: Settings, workers: int) -> None:
        self._config = config
        self._settings = settings
        self._slots = [*_unary_slots(workers), *(Slot(Kind.STREAM, None) for _ in range(_streams(settings)))]
        self._selector = selectors.DefaultSelector()
        self._rolling: list[Slot] = []
        """Slots whose workers are still to be replaced."""
        self._successor: Worker | None = None
        """The worker that is to take over in the first of them."""
        self._stopping = False
        self._announced = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            SetUpError: a port is in use, or what a worker says keeps it from starting.
        """
        with ExitStack() as closing:
            server = self._settings.server
            self._held = closing.enter_context(reserve(server.listen))
            self._stream_held = closing.enter_context(reserve(server.stream_listen))
            self._signer = KeptSigner(self._settings)
            closing.callback(self._signer.close)  # after the workers, who need signatures while they drain
            closing.enter_context(self._signals())
            listening = closing.enter_context(status_socket(self._settings))
            listening.setblocking(False)
            self._selector.register(listening, selectors.EVENT_READ, lambda: answer(listening, self.status))
            closing.callback(self._kill_workers)
            self._loop()

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────

    def _loop(self) -> None:
        while not (self._stopping and not any(slot.workers for slot in self._slots)):
            if not self._stopping:
                self._fill()
            for key, _ in self._selector.select(timeout=0.2):
                key.data()
            self._reap()
            self._roll()
            self._announce()

    def _fill(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if not slot.workers and now >= slot.not_before:
                self._start_worker(slot)

    def _reap(self) -> None:
        for slot in self._slots:
            for worker in [w for w in slot.workers if w.process.poll() is not None]:
                slot.workers.remove(worker)
                if not (worker.leaving or worker is self._successor or self._stopping):
                    self._mourn(slot, worker)
        self._signer.revive()

    def _mourn(self, slot: Slot, worker: Worker) -> None:
        lived = time.monotonic() - worker.started
        slot.deaths = 1 if lived > SETTLED_SECONDS else slot.deaths + 1
        pause = 0.0 if slot.deaths == 1 else min(LONGEST_PAUSE, 0.1 * 2**slot.deaths)
        slot.not_before = time.monotonic() + pause
        log.error("worker died", worker=worker.process.pid, kind=slot.kind, code=worker.process.returncode)

    def _roll(self) -> None:
        """Go on with a rolling restart, slot by slot: the old worker leaves when the new one serves."""
        if not self._rolling or self._stopping:
            return
        slot, successor = self._rolling[0], self._successor
        if successor is None:
            self._successor = self._start_worker(slot)
        elif successor.ready:
            for worker in slot.workers:
                if worker is not successor:
                    worker.leaving = True
                    worker.process.terminate()
            self._rolling.pop(0)
            self._successor = None
        elif successor.process.poll() is not None:
            self._rolling.clear()
            self._successor = None
            log.error("rolling restart abandoned, the old workers go on", worker=successor.process.pid)

    def _announce(self) -> None:
        if self._announced or not all(slot.ready for slot in self._slots):
            return
        self._announced = True
        port, stream_port = port_of(self._held), port_of(self._stream_held)
        announce(self._settings, port)
        log.info("serving", port=port, stream_port=stream_port, workers=len(self._slots))

    # ── processes ────────────────────────────────────────────────────────────────────────────────

    def _start_worker(self, slot: Slot) -> Worker:
        stream = slot.kind is Kind.STREAM
        listen = self._settings.server.stream_listen if stream else self._settings.server.listen
        port = port_of(self._stream_held if stream else self._held)
        command = [
            *(sys.executable, "-m", "broker.server.worker", "--config", str(self._config)),
            *("--kind", slot.kind, "--listen", f"{listen.rpartition(':')[0]}:{port}"),
            *("--stream-port", str(port_of(self._stream_held))),
            *(() if slot.core is None else ("--core", str(slot.core))),
        ]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        worker = Worker(process, time.monotonic())
        slot.workers.append(worker)
        assert process.stdout is not None  # noqa: S101 - narrows what PIPE asked for
        self._listen_to(process.stdout, worker)
        return worker

    def _listen_to(self, output: IO[bytes], worker: Worker) -> None:
        def hear() -> None:
            said = output.readline()
            if not said.endswith(b"\n"):  # it ended; the reaper sees to it
                self._selector.unregister(output)
                output.close()
                return
            told = _told(said)
            if "zh" in told:
                if not self._announced:
                    raise SetUpError(told["zh"], told["en"])
                log.error("worker cannot start", worker=worker.process.pid, **told)
            worker.ready = worker.ready or "port" in told
            worker.places = told.get("places", worker.places)

        self._selector.register(output, selectors.EVENT_READ, hear)

    def _stop_workers(self) -> None:
        self._stopping = True
        log.info("draining", seconds=self._settings.server.drain_seconds)
        for slot in self._slots:
            for worker in slot.workers:
                worker.process.terminate()

    def _kill_workers(self) -> None:
        """Whatever is left when the supervisor ends, drained or not."""
        for slot in self._slots:
            for worker in slot.workers:
                worker.process.kill()
                worker.process.wait()

    def _begin_rolling(self) -> None:
        log.info("rolling restart")
        self._rolling = [slot for slot in self._slots if slot.workers]

    # ── signals and status ───────────────────────────────────────────────────────────────────────

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals wake the loop through a pipe, and are acted upon there."""
        receiving, sending = socket.socketpair()
        with receiving, sending:
            sending.setblocking(False)
            receiving.setblocking(False)
            signal.set_wakeup_fd(sending.fileno())
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, lambda *_: None)

            def act() -> None:
                for number in receiving.recv(64):
                    if number in (signal.SIGTERM, signal.SIGINT) and not self._stopping:
                        self._stop_workers()
                    elif number == signal.SIGHUP and not self._rolling and not self._stopping:
                        self._begin_rolling()

            self._selector.register(receiving, selectors.EVENT_READ, act)
            try:
                yield
            finally:
                signal.set_wakeup_fd(-1)

    def status(self) -> Status:
        """Ports and processes, for ``sharebroker status``."""
        now = time.monotonic()
        return {
            "pid": os.getpid(),
            "port": port_of(self._held),
            "stream_port": port_of(self._stream_held),
            "signer": self._signer.pid,
            "workers": [
                {
                    "pid": worker.process.pid,
                    "kind": slot.kind,
                    "core": slot.core,
                    "state": "leaving" if worker.leaving else "serving" if worker.ready else "starting",
                    "seconds": round(now - worker.started, 1),
                    "deaths": slot.deaths,
                    "places": worker.places,
                }
                for slot in self._slots
                for worker in slot.workers
            ],
        }


def worker_count(wanted: int | str) -> int:
    """Unary workers for ``[server] workers``: ``auto`` is one for every core this process may use."""
    return len(os.sched_getaffinity(0)) if wanted == "auto" else int(wanted)


def _unary_slots(workers: int) -> list[Slot]:
    cores = sorted(os.sched_getaffinity(0))
    # More workers than cores: the system places them, pinned they would only get in each other's way.
    return [Slot(Kind.UNARY, cores[i] if workers <= len(cores) else None) for i in range(workers)]


def _streams(settings: Settings) -> int:
    return settings.server.stream_workers


def _told(line: bytes) -> dict[str, Any]:
    """What a worker says of itself; nothing, when something else in it (a plugin) has printed the line."""
    with suppress(ValueError):
        told = json.loads(line)
        if isinstance(told, dict):
            return told
    return {}
