"""One process that appends to a log, as a worker does: ``python -m benchmarks.appending URL STATE ORIGIN``.

It says on standard output that it is ready, then answers each ``{"callers": …, "seconds": …}`` on standard
input with what it reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from benchmarks.entries import exchange
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.store import Store, open_store
from broker.store.connection import connect
from broker.store.store import StoreTransaction

MOST_A_SECOND = 8_000
"""Entries made beforehand for a second of one process: an exchange makes them, not the log."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What processes reached together."""

    seconds: float
    times: list[float]
    """How long each append took, in seconds."""
    transactions: int

    @property
    def rate(self) -> float:
        """Appends a second."""
        return len(self.times) / self.seconds

    @property
    def batch(self) -> float:
        """Appends a transaction."""
        return len(self.times) / max(1, self.transactions)


class Counted(Store):
    """A store that counts its transactions."""

    transactions = 0

    @contextmanager
    def append_transaction(self) -> Iterator[StoreTransaction]:
        with super().append_transaction() as transaction:
            self.transactions += 1
            yield transaction


class Appender:
    """The process, from outside.

    Raises:
        RuntimeError: it ended.
    """

    def __init__(self, url: str, state: Path, origin: str) -> None:
        command = [sys.executable, "-m", "benchmarks.appending", url, str(state), origin]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def begin(self, callers: int, seconds: float) -> None:
        """Have it make its entries; :meth:`go` once all have."""
        self._write({"callers": callers, "seconds": seconds})
        self._read()

    def go(self) -> None:
        """Have it append."""
        self._write({})

    def reached(self) -> Reached:
        """What it reached, once it is done."""
        return Reached(**self._read())

    def close(self) -> None:
        """End it."""
        self._pipe(self._process.stdin).close()
        self._process.wait()
        self._pipe(self._process.stdout).close()

    def _write(self, said: dict[str, float]) -> None:
        pipe = self._pipe(self._process.stdin)
        pipe.write(json.dumps(said) + "\n")
        pipe.flush()

    def _read(self) -> dict[str, float]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError("a process that appends has ended")
        said: dict[str, float] = json.loads(line)
        return said

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def together(appenders: list[Appender], callers: int, seconds: float) -> Reached:
    """So many callers, spread over the processes, append for so long."""
    shares = [callers // len(appenders) + (n < callers % len(appenders)) for n in range(len(appenders))]
    busy = [(one, share) for one, share in zip(appenders, shares, strict=True) if share]
    for one, share in busy:
        one.begin(share, seconds)
    for one, _ in busy:
        one.go()
    reached = [one.reached() for one, _ in busy]
    times = [t for one in reached for t in one.times]
    return Reached(max(one.seconds for one in reached), times, sum(one.transactions for one in reached))


def _append(log: ReceiptLog, store: Counted, callers: int, seconds: float) -> Reached:
    entries = [[exchange() for _ in range(int(MOST_A_SECOND * seconds) // callers)] for _ in range(callers)]
    print("{}", flush=True)
    sys.stdin.readline()
    before, began = store.transactions, time.perf_counter()
    end = began + seconds

    def caller(own: int) -> list[float]:
        times = []
        for entry in entries[own]:
            start = time.perf_counter()
            if start > end:
                break
            log.append(entry)
            times.append(time.perf_counter() - start)
        return times

    with ThreadPoolExecutor(callers) as pool:
        times = [t for own in pool.map(caller, range(callers)) for t in own]
    return Reached(time.perf_counter() - began, times, store.transactions - before)


def main(url: str, state: str, origin: str) -> None:
    """Append as often as asked."""
    open_store(url).close()  # which checks the schema
    with ExitStack() as stack:
        store = stack.enter_context(closing(Counted(connect(url))))
        signer = stack.enter_context(closing(CheckpointSigner(socket_of(Path(state)))))
        log = stack.enter_context(closing(ReceiptLog(store, signer, origin, lambda: datetime.now(UTC))))
        print("{}", flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            reached = _append(log, store, asked["callers"], asked["seconds"])
            said = {"seconds": reached.seconds, "times": reached.times}
            print(json.dumps(said | {"transactions": reached.transactions}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
