"""Clients with ledgers, as a process of their own: ``python -m soak.clients JOB``, until standard input ends.

Each asks until it is answered, under one request id, through however many deaths of the broker; now and then
it asks again what it was answered already. One of them streams, and takes over streams of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import grpc

from broker.client import Credentials
from soak import asks
from soak.ledger import SMALL_WINDOW, STREAM, UNARY, Ledger, ask, channel_to, follow

AGAIN = frozenset({"UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
"""Failures that say nothing of the request: it is made again. Any other is one that should not have been."""
PAUSE_SECONDS = 0.05
LAST_SECONDS = 120
"""How long a client that is to stop goes on asking for its last answer."""
REPEATED = 0.03
"""Share of the answered calls that are made once more."""
RETRIED = 0.6
"""How often a stream that broke off is asked for again under its request id; else there is another."""
TAKEN_OVER = 0.2
"""Share of the streams that are asked for again while they are under way."""
MOST_LEFT = 40
"""Parts read of such a stream before that."""
MOST_LEFT_SECONDS = 2.0
"""How long at most it is left alone: about once a second the broker records how far it has come."""
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
    credentials = Credentials.load(job.identities[department])
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(Ledger(Path(job.folder) / f"{number}.jsonl")))
        if department == asks.INSURANCE:
            left = stack.enter_context(closing(Ledger(Path(job.folder) / f"{number}-left.jsonl")))
            channels = [channel_to(job.stream_address, credentials, SMALL_WINDOW) for _ in range(2)]
            for one in channels:
                stack.enter_context(one)
            while not stop.is_set():
                _stream(channels[0], ledger, channels[1], left, chance, stop)
            return
        channel = stack.enter_context(channel_to(job.address, credentials))
        while not stop.is_set():
            request = asks.unary(asks.of(department, chance), chance.choice(residents))
            until_answered(channel, ledger, request, stop)
            if chance.random() < REPEATED:
                until_answered(channel, ledger, request, stop, retried=True)


def _stream(
    channel: grpc.Channel,
    ledger: Ledger,
    other: grpc.Channel,
    left: Ledger,
    chance: Random,
    stop: threading.Event,
) -> None:
    """One stream: perhaps begun over ``other``, left there and taken over; perhaps asked for again under its
    request id, because it broke off or though it did not."""
    request = asks.stream()
    earlier = follow(other, left, STREAM, request) if chance.random() < TAKEN_OVER else iter(())
    begun = len(list(islice(earlier, chance.randint(1, MOST_LEFT))))
    if begun:
        stop.wait(chance.uniform(0, MOST_LEFT_SECONDS))
    failure = ask(channel, ledger, STREAM, request, retried=begun > 0)
    deque(earlier, maxlen=0)  # what became of it
    while failure and not stop.is_set() and chance.random() < RETRIED:
        stop.wait(PAUSE_SECONDS)
        failure = ask(channel, ledger, STREAM, request, retried=True)
    if failure:
        stop.wait(PAUSE_SECONDS)
    elif chance.random() < REPEATED:
        ask(channel, ledger, STREAM, request, retried=True)


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
