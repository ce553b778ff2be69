"""A load generator as a process of its own: a job in, latencies out, both as JSON.

Threads on a few channels keep a fixed number of calls under way for a fixed time. Several such processes load
a server better than one, whose interpreter would be the limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import grpc

from broker.client import Credentials
from broker.v1 import exchange_pb2, exchange_pb2_grpc

PROCESSES = 4
ECHO = "/benchmark.Echo/Echo"
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


@dataclass(frozen=True, slots=True)
class Job:
    """What to load with: ``subject`` asks exchanges about that resident, none echoes; each caller rests for
    ``pause`` seconds between its calls."""

    address: str
    identity: str
    callers: int
    channels: int
    seconds: float
    subject: str = ""
    pause: float = 0.0


def measure(job: Job) -> list[float]:
    """Latencies of all calls, in seconds, over as many processes as there are callers, four at most."""
    processes = min(PROCESSES, job.callers)
    shares = [job.callers // processes + (i < job.callers % processes) for i in range(processes)]
    running = []
    for share in shares:
        part = asdict(job) | {"callers": share, "channels": max(1, job.channels // processes)}
        command = [sys.executable, "-m", "benchmarks.load", json.dumps(part)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()  # connected
    times: list[float] = []
    for process in running:
        assert process.stdin is not None
        process.stdin.close()  # go
    for process in running:
        assert process.stdout is not None
        times += json.loads(process.stdout.read())
        process.wait()
    return times


def work(job: Job) -> None:
    """Connect, say so, wait for the word, load, print."""
    credentials = Credentials.load(job.identity).channel_credentials()
    channels = [grpc.secure_channel(job.address, credentials, OPTIONS) for _ in range(job.channels)]
    calls = [_exchange(channel, job.subject) if job.subject else _echo(channel) for channel in channels]
    for call in calls:
        call()
    print("connected", flush=True)
    sys.stdin.read()
    end = time.perf_counter() + job.seconds

    def caller(number: int) -> list[float]:
        call, times = calls[number % len(calls)], []
        while (began := time.perf_counter()) < end:
            call()
            times.append(time.perf_counter() - began)
            if job.pause:
                time.sleep(job.pause)
        return times

    with ThreadPoolExecutor(job.callers) as pool:
        print(json.dumps([t for some in pool.map(caller, range(job.callers)) for t in some]))


def _echo(channel: grpc.Channel) -> Callable[[], None]:
    method = channel.unary_unary(ECHO)

    def call() -> None:
        method(b"x" * 200, timeout=60)

    return call


def _exchange(channel: grpc.Channel, subject: str) -> Callable[[], None]:
    stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
    application = exchange_pb2.Application(
        dataset="datasets/civil_affairs.marriage",
        fields=["status", "registered_on"],
        subjects=[subject],
        purpose="housing_fund_withdrawal",
        service_item="990100-GJJ-0003",
        case_no="GJJ-2026-000001",
        legal_basis="住房公积金管理条例 第二十四条",
        operator="GJJ-0088",
    )

    def call() -> None:
        request = exchange_pb2.ExchangeRequest(request_id=str(uuid.uuid4()), application=application)
        for _ in range(100):
            try:
                answer = stub.Exchange(request, timeout=60)
                break
            except grpc.RpcError as failure:
                if failure.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                time.sleep(0.01)
        if not answer.answer.records:
            raise AssertionError("the exchange released nothing")

    return call


if __name__ == "__main__":
    work(Job(**json.loads(sys.argv[1])))
