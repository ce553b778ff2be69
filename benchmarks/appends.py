"""Durable, signed appends to the receipt log, beside the same rows in bare batched inserts (``bare``)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.appending import Appender, Reached, together
from benchmarks.bare import Bare, Limit, written
from benchmarks.report import percentile, show
from broker.keys.log_key import create_log_key
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import start_signer
from broker.store import migrate, open_store
from soak.postgres import Postgres

ORIGIN = "bench.example/log"
CALLERS = (1, 16, 64, 256)
SECONDS = 2.0
ROUNDS = 3
MOST_ROWS = 8_192
NOTE = (
    "bare: the very rows of the log (leaf, statement, request id, tile, head; all indexes), inserted by one "
    "connection that does nothing else, as many a transaction as the log had, on disk before the next; "
    "statement alone: one table without indexes. "
    f"Medians of {ROUNDS} rounds of {SECONDS:.0f} s, log and bare in turn; latencies over all rounds"
)


@dataclass
class Cell:
    """What one number of callers reached in one number of processes."""

    reached: list[Reached] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)

    def row(self) -> tuple[str, ...]:
        """As it is printed."""
        rate = median(one.rate for one in self.reached)
        whole, alone = median(one.whole for one in self.limits), median(one.alone for one in self.limits)
        times = [t * 1e3 for one in self.reached for t in one.times]
        return (
            f"{median(one.batch for one in self.reached):.0f}",
            f"{rate:,.0f}",
            f"{percentile(times, 0.5):.1f} / {percentile(times, 0.99):.1f}",
            f"{whole:,.0f}",
            f"{rate / whole:.2f}",
            f"{alone:,.0f}",
            f"{rate / alone:.2f}",
        )


def run() -> None:
    """Print appends a second at several numbers of callers, in one process and in one for each core."""
    with tempfile.TemporaryDirectory() as folder:
        _show("SQLite", Path(folder), f"sqlite:///{folder}/log.db", f"sqlite:///{folder}/bare.db")
    with tempfile.TemporaryDirectory() as folder, closing(Postgres()) as server:
        _show("PostgreSQL", Path(folder), server.new_url(), server.new_url())


def _show(name: str, folder: Path, url: str, bare_url: str) -> None:
    cells = _measured(folder, url, bare_url)
    rows = [(str(callers), str(processes), *cell.row()) for (callers, processes), cell in cells.items()]
    headings = ("callers", "processes", "a batch", "appends/s", "p50 / p99 ms", "bare/s", "ratio")
    headings += ("statement alone/s", "ratio")
    show(f"Durable, signed appends to the receipt log ({name})", headings, rows, NOTE)


def _measured(folder: Path, url: str, bare_url: str) -> dict[tuple[int, int], Cell]:
    cores = os.cpu_count() or 1
    counts = [(1, 1), *((callers, n) for callers in CALLERS[1:] for n in sorted({1, cores}))]
    cells = {count: Cell() for count in counts}
    migrate(bare_url)
    with log_at(folder, url) as state, ExitStack() as stack:
        appenders = [stack.enter_context(closing(Appender(url, state, ORIGIN))) for _ in range(cores)]
        bare = stack.enter_context(closing(Bare(bare_url)))
        together(appenders, 16, SECONDS)  # warm, and rows to copy
        for _ in range(ROUNDS):
            for (callers, processes), cell in cells.items():
                reached = together(appenders[:processes], callers, SECONDS)
                rows = written(url, MOST_ROWS)
                cell.reached.append(reached)
                cell.limits.append(bare.limit(rows, max(1, round(reached.batch)), SECONDS / 2))
    return cells


@contextmanager
def log_at(folder: Path, url: str) -> Iterator[Path]:
    """A new log in the database, with its signer running; gives the signer's state."""
    state = folder / "log.checkpoint"
    create_log_key(folder / "log.key")
    migrate(url)
    with closing(start_signer(folder / "log.key", state, ORIGIN)) as signer:
        with closing(open_store(url)) as store:
            ReceiptLog(store, signer, ORIGIN, lambda: datetime.now(UTC)).close()
        yield state
