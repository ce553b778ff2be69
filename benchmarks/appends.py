"""Durable appends to the receipt log beside bare batched inserts of the same bytes, same fsync setting."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.report import show
from broker.keys.log_key import create_log_key
from broker.model import Entry, EntryKind
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import start_signer
from broker.store import migrate, open_store

THREADS = (1, 16, 64)
SECONDS = 4.0
STATEMENT = b'{"kind":"exchange","padding":"%s"}' % (b"x" * 1200)


def run() -> None:
    """Print appends a second at several numbers of callers."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        log_rates = _log_rates(Path(folder))
        for threads, rate in log_rates.items():
            limit = _bare_rate(Path(folder) / f"bare-{threads}.db", batch=max(1, threads // 2))
            rows.append((str(threads), f"{rate:.0f}", f"{limit:.0f}", f"{rate / limit:.2f}"))
    show(
        "Durable, signed appends to the receipt log (SQLite)",
        ("callers", "appends/s", "bare inserts/s", "ratio"),
        rows,
        "bare: the same statements, half the callers a transaction; synchronous=FULL, no tree, no signature",
    )


def _log_rates(folder: Path) -> dict[int, float]:
    url = f"sqlite:///{folder}/log.db"
    migrate(url)
    create_log_key(folder / "log.key")
    signer = start_signer(folder / "log.key", folder / "log.checkpoint", "bench.example/log")
    store = open_store(url)
    log = ReceiptLog(store, signer, "bench.example/log", lambda: datetime.now(UTC))
    try:
        return {threads: _log_rate(log, threads) for threads in THREADS}
    finally:
        log.close()
        store.close()
        signer.close()


def _log_rate(log: ReceiptLog, threads: int) -> float:
    end = time.perf_counter() + SECONDS

    def caller(_: int) -> int:
        count = 0
        while time.perf_counter() < end:
            log.append(Entry(EntryKind.EXCHANGE, STATEMENT, datetime.now(UTC), consumer="c", provider="p"))
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(caller, range(threads))) / SECONDS


def _bare_rate(path: Path, batch: int) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE statement (id INTEGER PRIMARY KEY, content BLOB)")
    count, end = 0, time.perf_counter() + SECONDS / 2
    while time.perf_counter() < end:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO statement (content) VALUES (?)", [(STATEMENT,)] * batch)
        connection.execute("COMMIT")
        count += batch
    connection.close()
    return count / (SECONDS / 2)
