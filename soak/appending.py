"""A log on its own, appended to by several processes, each acknowledgement on record: ``python -m
soak.appending JOB``. Runs below the shim, which writes down what reaches the disk, and may make it fail."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.entries import exchange
from broker.errors import BrokerError
from broker.model import Receipt
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of, start_signer
from broker.store import migrate, open_store

ORIGIN = "soak.example/log"


@dataclass(frozen=True, slots=True)
class Job:
    """``appends`` for each of ``callers`` of each of ``processes``; after one that fails its caller stops."""

    folder: str
    """Of the database, the signer's state and what was acknowledged."""
    key: str
    """File of the log's key, which no disk loses here."""
    processes: int
    callers: int
    appends: int
    joins: bool = False
    """Whether it is one of the processes that the first has started."""

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/broker.db"

    @property
    def state(self) -> Path:
        return Path(self.folder) / "log.checkpoint"


def acknowledgements(records: Iterator[tuple[str, bytes]]) -> Iterator[Receipt]:
    """The receipts in what was written to ledgers: (path, bytes)."""
    for path, data in records:
        if Path(path).name.startswith("acknowledged-"):
            for line in data.splitlines():
                yield _read(json.loads(line))


def run(job: Job) -> bool:
    """Append; whether nothing failed."""
    with ExitStack() as stack:
        if not job.joins:
            migrate(job.url)
            signer = stack.enter_context(closing(start_signer(Path(job.key), job.state, ORIGIN)))
            for _ in range(1, job.processes):
                stack.callback(_begin(job).wait)
        else:
            signer = stack.enter_context(closing(CheckpointSigner(socket_of(job.state))))
        store = stack.enter_context(closing(open_store(job.url)))
        log = stack.enter_context(closing(ReceiptLog(store, signer, ORIGIN, lambda: datetime.now(UTC))))
        with ThreadPoolExecutor(job.callers) as pool:
            return all([*pool.map(lambda number: _call(job, log, number), range(job.callers))])


def _begin(job: Job) -> subprocess.Popen[bytes]:
    joining = asdict(job) | {"joins": True}
    return subprocess.Popen([sys.executable, "-m", "soak.appending", json.dumps(joining)])


def _call(job: Job, log: ReceiptLog, number: int) -> bool:
    path = f"{job.folder}/acknowledged-{os.getpid()}-{number}"
    ledger = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(job.appends):
            receipt = log.append(exchange()).receipt
            os.write(ledger, json.dumps(_written(receipt)).encode() + b"\n")
    except BrokerError:
        return False
    finally:
        os.close(ledger)
    return True


def _written(receipt: Receipt) -> Mapping[str, object]:
    return {
        "statement": base64.b64encode(receipt.statement).decode(),
        "leaf_index": receipt.leaf_index,
        "tree_size": receipt.tree_size,
        "proof": [value.hex() for value in receipt.proof],
        "checkpoint": receipt.checkpoint,
    }


def _read(said: Mapping[str, object]) -> Receipt:
    proof = said["proof"]
    assert isinstance(proof, list)
    return Receipt(
        base64.b64decode(str(said["statement"])),
        int(str(said["leaf_index"])),
        int(str(said["tree_size"])),
        tuple(bytes.fromhex(value) for value in proof),
        str(said["checkpoint"]),
    )


if __name__ == "__main__":
    sys.exit(0 if run(Job(**json.loads(sys.argv[1]))) else 1)
