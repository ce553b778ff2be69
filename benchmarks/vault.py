"""What the subject vault costs an exchange: two brokers, with and without one, loaded by turns in one run."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.exchanges import environment
from benchmarks.load import Job, measure
from benchmarks.report import percentile, show
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies

CALLERS = (1, 16, 64)
ROUNDS = 3
SECONDS = 2.0
WITHOUT = {"SHAREBROKER_VAULT__URL": ""}


def run() -> None:
    """With one worker, then with one a core."""
    for workers in (1, len(os.sched_getaffinity(0))):
        with ExitStack() as running:
            sides = [_broker(running, workers, given) for given in ({}, WITHOUT)]
            rows = [
                _row(callers, [_measured(side, callers) for side in sides * ROUNDS]) for callers in CALLERS
            ]
        show(
            f"Unary exchanges with and without the subject vault, {workers} worker(s), SQLite both",
            ("callers", "with/s", "without/s", "with ÷ without", "p50 ms", "without", "p99 ms", "without"),
            rows,
            f"medians of {ROUNDS} rounds by turns; all calls are about one person",
        )


def _broker(running: ExitStack, workers: int, given: dict[str, str]) -> Job:
    folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
    embedded = prepare(folder, 1_000, 1, shipped_policies(), ("housing_fund",))
    subject = json.loads((folder / "data/city.json").read_text("utf-8"))["withdrawal"]["sound"]
    with environment(workers, "", given):
        address = running.enter_context(broker_process(embedded))
    return Job(address, str(embedded.identity("housing_fund")), 1, 1, SECONDS, subject)


def _measured(side: Job, callers: int) -> tuple[float, float, float]:
    """Calls a second, p50 and p99 in milliseconds."""
    times = measure(Job(side.address, side.identity, callers, min(callers, 16), SECONDS, side.subject))
    return len(times) / SECONDS, percentile(times, 0.5) * 1e3, percentile(times, 0.99) * 1e3


def _row(callers: int, measured: list[tuple[float, float, float]]) -> tuple[str, ...]:
    kept, bare = measured[::2], measured[1::2]
    rate, rate_bare = (median(one[0] for one in side) for side in (kept, bare))
    figures = [f"{median(one[at] for one in side):.1f}" for at in (1, 2) for side in (kept, bare)]
    return str(callers), f"{rate:.0f}", f"{rate_bare:.0f}", f"{rate / rate_bare:.2f}", *figures
