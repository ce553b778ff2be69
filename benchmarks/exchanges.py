"""Unary exchanges beside bare gRPC echoes: same machine, same run, mutual TLS all.

The echoes (``benchmarks.echo``) do nothing but return their request, so they are the limit that gRPC in
Python sets to any service. An exchange adds the five steps and a durable, signed receipt.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import echo
from benchmarks.load import Job, measure
from benchmarks.report import percentile, show
from broker.demo.run import broker_process
from broker.demo.setup import Embedded, prepare, shipped_policies

CALLERS = (1, 16, 64, 1000)
SECONDS = 3.0
CHANNELS = (16, 1)
MANY_AND_ONE = 64
"""Number of callers at which one channel is compared with many: one connection reaches one worker."""


def run() -> None:
    """One worker, then one a core; at each number of callers the exchange beside both echoes."""
    with tempfile.TemporaryDirectory() as folder:
        embedded = prepare(Path(folder), 10_000, 1, shipped_policies(), ("housing_fund",))
        for workers in (1, len(os.sched_getaffinity(0))):
            _compare(embedded, workers)


def _compare(embedded: Embedded, workers: int) -> None:
    city = json.loads((embedded.folder / "data/city.json").read_text("utf-8"))
    subject = city["withdrawal"]["sound"]
    pki, identity = embedded.folder / "pki", str(embedded.identity("housing_fund"))
    rows = []
    with ExitStack() as running:
        os.environ["SHAREBROKER_SERVER__WORKERS"] = str(workers)
        os.environ["SHAREBROKER_SERVER__STREAM_LISTEN"] = "127.0.0.1:0"
        broker = running.enter_context(broker_process(embedded))
        sync = echo.start(pki, "sync", workers, running)
        uvloop = echo.start(pki, "uvloop", workers, running)
        for callers in CALLERS:
            for channels in CHANNELS if callers == MANY_AND_ONE else CHANNELS[:1]:
                jobs = [
                    Job(uvloop, identity, callers, channels, SECONDS),
                    Job(sync, identity, callers, channels, SECONDS),
                    Job(broker, identity, callers, channels, SECONDS, subject),
                ]
                rows.append(_row(callers, channels, *(measure(job) for job in jobs)))
    show(
        f"Unary exchanges, {workers} worker(s), mutual TLS, SQLite, durable and signed",
        (
            "callers",
            "channels",
            "uvloop/s",
            "pinned/s",
            "exchange/s",
            "÷ uvloop",
            "÷ pinned",
            "p50 ms",
            "p99 ms",
        ),
        rows,
        "uvloop, pinned: bare grpc.aio and pinned synchronous echoes, as many processes, in the same run; "
        "the callers share the machine; p50 and p99 are the exchange's",
    )


def _row(callers: int, channels: int, *measured: list[float]) -> tuple[str, ...]:
    uvloop, pinned, exchange = (len(times) / SECONDS for times in measured)
    latency = [f"{percentile(measured[2], share) * 1000:.1f}" for share in (0.5, 0.99)]
    rates = [f"{rate:.0f}" for rate in (uvloop, pinned, exchange)]
    return (
        str(callers),
        str(channels),
        *rates,
        f"{exchange / uvloop:.2f}",
        f"{exchange / pinned:.2f}",
        *latency,
    )
