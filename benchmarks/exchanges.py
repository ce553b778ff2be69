"""Unary exchanges beside a bare gRPC echo: same machine, same run, mutual TLS both, one server process each.

The echo (``benchmarks.echo``) does nothing but return its request, so it is the limit that gRPC in Python
sets to any service in one process. An exchange adds the five steps and a durable, signed receipt.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

from benchmarks.report import percentile, show
from broker.client import Credentials
from broker.demo.run import broker_process
from broker.demo.setup import Embedded, prepare, shipped_policies
from broker.v1 import exchange_pb2, exchange_pb2_grpc

CALLERS = (1, 16, 64)
SECONDS = 5.0
CHANNELS = 4


def run() -> None:
    """Print rates and latencies, and the exchange's as a share of the echo's."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        embedded = prepare(Path(folder), 10_000, 1, shipped_policies(), ("housing_fund",))
        address = running.enter_context(broker_process(embedded))
        echo = _start_echo(embedded, running)
        rows = []
        for callers in CALLERS:
            echoed = _load(embedded, echo, callers, _echo)
            exchanged = _load(embedded, address, callers, _exchange(embedded))
            rows.append(_row(callers, echoed, exchanged))
    show(
        "Unary exchanges, one server process, mutual TLS, SQLite, durable and signed",
        ("callers", "echo/s", "exchange/s", "ratio", "echo p50/p99 ms", "exchange p50/p99 ms"),
        rows,
        "beside a bare synchronous gRPC echo in the same run; the callers share the machine",
    )


def _row(callers: int, echoed: list[float], exchanged: list[float]) -> tuple[str, ...]:
    rate, base = len(exchanged) / SECONDS, len(echoed) / SECONDS

    def latency(times: list[float]) -> str:
        return f"{percentile(times, 0.5) * 1000:.1f} / {percentile(times, 0.99) * 1000:.1f}"

    return (
        str(callers),
        f"{base:.0f}",
        f"{rate:.0f}",
        f"{rate / base:.2f}",
        latency(echoed),
        latency(exchanged),
    )


def _start_echo(embedded: Embedded, running: ExitStack) -> str:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.echo", str(embedded.folder / "pki")],
        stdout=subprocess.PIPE,
        text=True,
    )
    running.callback(process.wait)
    running.callback(process.terminate)
    assert process.stdout is not None
    return f"127.0.0.1:{int(process.stdout.readline())}"


def _load(
    embedded: Embedded, address: str, callers: int, calls: Callable[[grpc.Channel], Callable[[], object]]
) -> list[float]:
    """Times of all calls that ``callers`` threads complete in :data:`SECONDS`, in seconds."""
    credentials = Credentials.load(embedded.identity("housing_fund")).channel_credentials()
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.secure_channel(address, credentials, options) for _ in range(min(callers, CHANNELS))]
    for channel in channels:
        calls(channel)()  # the handshake is no part of the measurement
    end = time.perf_counter() + SECONDS

    def caller(number: int) -> list[float]:
        call, times = calls(channels[number % len(channels)]), []
        while (began := time.perf_counter()) < end:
            call()
            times.append(time.perf_counter() - began)
        return times

    with ThreadPoolExecutor(callers) as pool:
        times = [t for some in pool.map(caller, range(callers)) for t in some]
    for channel in channels:
        channel.close()
    return times


def _echo(channel: grpc.Channel) -> Callable[[], object]:
    method = channel.unary_unary("/benchmark.Echo/Echo")
    return lambda: method(b"x" * 200, timeout=30)


def _exchange(embedded: Embedded) -> Callable[[grpc.Channel], Callable[[], Any]]:
    city = json.loads((embedded.folder / "data/city.json").read_text("utf-8"))
    application = exchange_pb2.Application(
        dataset="datasets/civil_affairs.marriage",
        fields=["status", "registered_on"],
        subjects=[city["withdrawal"]["sound"]],
        purpose="housing_fund_withdrawal",
        service_item="990100-GJJ-0003",
        case_no="GJJ-2026-000001",
        legal_basis="住房公积金管理条例 第二十四条",
        operator="GJJ-0088",
    )

    def bind(channel: grpc.Channel) -> Callable[[], Any]:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)

        def call() -> None:
            request = exchange_pb2.ExchangeRequest(request_id=str(uuid.uuid4()), application=application)
            answer = stub.Exchange(request, timeout=30)
            if not answer.answer.records:
                raise AssertionError("the exchange released nothing")

        return call

    return bind
