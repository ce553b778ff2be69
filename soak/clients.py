"""Clients with ledgers, as a process of their own: ``python -m soak.clients JOB``, until standard input ends.

Each asks until it is answered, under one request id, through however many deaths of the broker; now and then
it asks again what it was answered already. One of them streams.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import grpc

from broker.client import Credentials
from soak import asks
from soak.ledger import STREAM, UNARY, Ledger, ask, channel_to

AGAIN = frozenset({"UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
"""Failures that say nothing of the request: it is made again. Any other is one that should not have been."""
PAUSE_SECONDS = 0.05
LAST_SECONDS = 120
"""How long a client that is to stop goes on asking for its last answer."""
REPEATED = 0.03
"""Share of the answered calls that are made once more."""
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Job:
    """Who asks whom, and where the ledgers are written: ``folder``/0.jsonl and so on, one for each caller."""

    address: str
    stream_address: str
    identities: dict[str, str]
    """Department → folder of its certificate."""
    data: str
    """The providers' data, of which the residents are read."""
    folder: str
    callers: tuple[str, ...]
    """Their departments; that which streams does nothing else."""
    seed: str


def begin(module: str, job: Mapping[str, object], output: int | None = None) -> subprocess.Popen[bytes]:
    """``module`` as a process with a job and a standard output; it stops when its input is closed."""
    command = [sys.executable, "-m", module, json.dumps(job)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"PYTHONPATH": path}
    # A session of its own: Ctrl-C is for the program that started it, which then closes the input.
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        env=environment,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Have it end what it has begun, and wait for that.

    Raises:
        RuntimeError: it failed, so it did not ask what it should have asked.
    """
    if process.stdin is not None:
        process.stdin.close()
    if code := process.wait():
        raise RuntimeError(f"a process of clients ended with {code}")


def work(job: Job) -> None:
    """Ask until standard input ends."""
    residents, stop = asks.residents(Path(job.data)), threading.Event()
    with ThreadPoolExecutor(len(job.callers)) as pool:
        callers = [pool.submit(_call, job, number, residents, stop) for number in range(len(job.callers))]
        sys.stdin.read()
        stop.set()
    for caller in callers:
        caller.result()


def _call(job: Job, number: int, residents: list[str], stop: threading.Event) -> None:
    department, chance = job.callers[number], Random(f"{job.seed} {number}")
    streams = department == asks.INSURANCE
    address = job.stream_address if streams else job.address
    credentials = Credentials.load(job.identities[department])
    with (
        closing(Ledger(Path(job.folder) / f"{number}.jsonl")) as ledger,
        channel_to(address, credentials) as channel,
    ):
        while not stop.is_set():
            if streams:
                if ask(channel, ledger, STREAM, asks.stream()):
                    stop.wait(PAUSE_SECONDS)  # what broke off is not continued; there will be another
                continue
            request = asks.unary(asks.of(department, chance), chance.choice(residents))
            until_answered(channel, ledger, request, stop)
            if chance.random() < REPEATED:
                until_answered(channel, ledger, request, stop, retried=True)


def until_answered(
    channel: grpc.Channel, ledger: Ledger, request: bytes, stop: threading.Event, *, retried: bool = False
) -> None:
    """One unary call, made again under its request id as long as nobody is there."""
    end = 0.0
    while ask(channel, ledger, UNARY, request, retried=retried) in AGAIN:
        if stop.is_set():
            end = end or time.monotonic() + LAST_SECONDS
            if time.monotonic() > end:
                return
        retried = True
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    work(Job(**given | {"callers": tuple(given["callers"])}))
