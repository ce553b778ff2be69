"""Unary exchanges beside bare gRPC echoes: same machine, same run, mutual TLS all.

The echoes (``benchmarks.echo``) do nothing but return their request, so they are the limit that gRPC in
Python sets to any service. An exchange adds the five steps and a durable, signed receipt.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks import echo
from benchmarks.load import Job, measure
from benchmarks.report import percentile, show
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.store import migrate
from soak.postgres import Postgres

CALLERS = (1, 16, 64, 1000)
SECONDS = 3.0
CHANNELS = (16, 1)
MANY_AND_ONE = 64
"""Number of callers at which one channel is compared with many: one connection reaches one worker."""


def run() -> None:
    """One worker, then one a core, then these on PostgreSQL; at each number of callers the exchange beside
    both echoes."""
    cores = len(os.sched_getaffinity(0))
    _compare(1)
    _compare(cores)
    with closing(Postgres()) as postgres:
        url = postgres.new_url()
        migrate(url)
        _compare(cores, url)


def _compare(workers: int, url: str = "") -> None:
    """``url`` is that of a PostgreSQL database without leaves; without one the log is in SQLite."""
    rows = []
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        embedded = prepare(folder, 10_000, 1, shipped_policies(), ("housing_fund",))
        subject = json.loads((folder / "data/city.json").read_text("utf-8"))["withdrawal"]["sound"]
        identity = str(embedded.identity("housing_fund"))
        running.enter_context(environment(workers, url))
        broker = running.enter_context(broker_process(embedded))
        sync = echo.start(folder / "pki", "sync", workers, running)
        uvloop = echo.start(folder / "pki", "uvloop", workers, running)
        for callers in CALLERS:
            for channels in CHANNELS if callers == MANY_AND_ONE else CHANNELS[:1]:
                jobs = [
                    Job(uvloop, identity, callers, channels, SECONDS),
                    Job(sync, identity, callers, channels, SECONDS),
                    Job(broker, identity, callers, channels, SECONDS, subject),
                ]
                rows.append(_row(callers, channels, *(measure(job) for job in jobs)))
    database = "PostgreSQL" if url else "SQLite"
    show(
        f"Unary exchanges, {workers} worker(s), mutual TLS, {database}, durable and signed",
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


@contextmanager
def environment(workers: int, url: str, more: Mapping[str, str] | None = None) -> Iterator[None]:
    """What the broker is started with, beside the settings of its folder."""
    given = {
        "SHAREBROKER_SERVER__WORKERS": str(workers),
        "SHAREBROKER_SERVER__STREAM_LISTEN": "127.0.0.1:0",
        **({"SHAREBROKER_STORE__URL": url} if url else {}),
        **(more or {}),
    }
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


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
