"""Unary exchanges beside a bulk stream: how much longer they wait than alone.

The callers come at a counter's pace, so that the machine has time left; what is measured is whether a
stream takes it from them. ``python -m benchmarks.streams ADDRESS IDENTITY`` is the stream: one after another
until its input ends, then rows and bytes as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.load import Job, measure
from benchmarks.report import percentile, show
from broker.client import Client, Credentials
from broker.client.terms import Terms
from broker.demo.run import broker_process
from broker.demo.setup import Embedded, prepare, shipped_policies

RESIDENTS = 100_000
CALLERS = 8
PAUSE = 0.05
"""Seconds between an answer and the same caller's next question."""

SECONDS = 8.0
ROUNDS = 3


def run() -> None:
    """Print the latencies alone and beside a stream, in turns."""
    rows, every_alone, every_beside, total = [], [], [], 0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        departments = ("housing_fund", "medical_insurance")
        embedded = prepare(Path(folder), RESIDENTS, 1, shipped_policies(), departments)
        os.environ["SHAREBROKER_SERVER__WORKERS"] = str(len(os.sched_getaffinity(0)))
        os.environ["SHAREBROKER_SERVER__STREAM_LISTEN"] = "127.0.0.1:0"
        address = running.enter_context(broker_process(embedded))
        for number in range(1, ROUNDS + 1):
            alone = measure(_job(embedded, address))
            streamed: dict[str, int] = {}
            with _streaming(embedded, address, streamed):
                beside = measure(_job(embedded, address))
            rows.append((str(number), *_row(alone, beside, streamed["bytes"])))
            every_alone, every_beside = every_alone + alone, every_beside + beside
            total += streamed["bytes"]
    rows.append(("all", *_row(every_alone, every_beside, total // ROUNDS)))
    show(
        f"Unary exchanges beside a bulk stream ({CALLERS} callers, {PAUSE * 1000:.0f} ms between calls)",
        (
            "round",
            "alone p50 ms",
            "p99 ms",
            "beside p50 ms",
            "p99 ms",
            "p50 ratio",
            "p99 ratio",
            "stream MB/s",
        ),
        rows,
        f"the stream: the register of {RESIDENTS:,} residents, masked, over and over, checked by its client",
    )


def _job(embedded: Embedded, address: str) -> Job:
    city = json.loads((embedded.folder / "data/city.json").read_text("utf-8"))
    identity = str(embedded.identity("housing_fund"))
    return Job(address, identity, CALLERS, CALLERS, SECONDS, city["withdrawal"]["sound"], PAUSE)


def _row(alone: list[float], beside: list[float], streamed: int) -> tuple[str, ...]:
    p50, p99, beside_p50, beside_p99 = (
        percentile(times, share) * 1000 for times in (alone, beside) for share in (0.5, 0.99)
    )
    latencies = [f"{value:.1f}" for value in (p50, p99, beside_p50, beside_p99)]
    ratios = [f"{beside_p50 / p50:.2f}", f"{beside_p99 / p99:.2f}"]
    return *latencies, *ratios, f"{streamed / SECONDS / 1e6:.1f}"


@contextmanager
def _streaming(embedded: Embedded, address: str, streamed: dict[str, int]) -> Iterator[None]:
    """A stream is under way when this begins, and to its end."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.streams",
        address,
        str(embedded.identity("medical_insurance")),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.stdin.close()
        streamed.update(json.loads(process.stdout.read()))
        process.wait()


def stream(address: str, identity: str) -> None:
    """Stream until the input ends; say when the first batch is there, and at the end how much it was."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    rows = size = 0
    with Client(address, Credentials.load(identity)) as client:
        while not ended.is_set():
            with client.stream(**TERMS) as batches:
                for batch in batches:
                    if not rows:
                        print("streaming", flush=True)
                    rows, size = rows + batch.num_rows, size + batch.nbytes
                    if ended.is_set():
                        break
    print(json.dumps({"rows": rows, "bytes": size}))


TERMS: Terms = {
    "dataset": "public_security.household",
    "fields": ["resident_id", "name", "household_no", "born_on", "district", "mobile"],
    "purpose": "grid_service",
    "service_item": "990100-YB-0007",
    "case_no": "YB-2026-000001",
    "legal_basis": "医疗保障基金使用监督管理条例 第六条",
    "operator": "YB-0001",
}

if __name__ == "__main__":
    stream(*sys.argv[1:])
