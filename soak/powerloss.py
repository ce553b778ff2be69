"""The power fails while a log is appended to: whatever the disk may have is started again, and judged."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.entries import exchange
from benchmarks.report import show
from broker.errors import BrokerError, SetUpError, VerificationFailed
from broker.journal import Leaf
from broker.keys.log_key import create_log_key, load_log_key
from broker.model import Receipt, ReceiptFilter
from broker.receipt.fsck import open_fsck
from broker.receipt.log import ReceiptLog
from broker.receipt.memory import SignerMemory
from broker.receipt.merkle import leaf_hash
from broker.receipt.note import VerifierKey
from broker.receipt.signer import CheckpointSigner, SignerServer, socket_of
from broker.receipt.verify import verify_receipt
from broker.store import migrate, open_store
from soak.appending import ORIGIN, Job, acknowledgements
from soak.disk import Disk, Fate
from soak.facts import Fault, Wrong
from soak.judge import roots_of
from soak.shim import Calls, Did, Failure, Record, Shim

BAD_FLUSHES = (
    Failure(Calls.SYNC, "broker.db-wal$", errno.EIO),
    Failure(Calls.SYNC, "broker.db$", errno.EIO),
    Failure(Calls.SYNC, "log.checkpoint$", errno.EIO),
)
MOST_BEFORE = 60
"""Flushes that succeed before one does not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Build ``states`` of the disk from each of ``runs`` traces."""

    folder: Path
    seed: int
    runs: int
    states: int
    processes: int = 2
    callers: int = 3
    appends: int = 60
    """Of each caller."""


@dataclass
class Told:
    """What was found out in all runs."""

    records: int = 0
    acknowledged: int = 0
    states: Counter[str] = field(default_factory=Counter)
    receipts: int = 0
    faults: list[Fault] = field(default_factory=list)


def run(plan: Plan) -> list[Fault]:
    """Trace, cut the power, start, judge; prints a table."""
    told = Told()
    for number in range(plan.runs):
        chance = Random(f"{plan.seed} power {number}")
        folder = plan.folder / f"power-{number}"
        # Every other disk has refused to flush once, and then was used on.
        bad = replace(chance.choice(BAD_FLUSHES), after=chance.randrange(MOST_BEFORE)) if number % 2 else None
        cut(traced(plan, folder, bad), folder, plan.states, chance, told)
        print(f"\rpower failures {sum(told.states.values())}\033[K", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    show(
        f"Power failures: {plan.runs} runs of {plan.processes} processes with {plan.callers} callers each",
        ("", "number"),
        [
            ("writes, flushes and names traced", str(told.records)),
            ("receipts acknowledged", str(told.acknowledged)),
            *((f"states, unflushed writes: {fate}", str(number)) for fate, number in told.states.items()),
            ("receipts judged, in all states", str(told.receipts)),
            ("wrong", str(len(told.faults))),
        ],
    )
    return told.faults


def traced(plan: Plan, folder: Path, bad: Failure | None) -> list[Record]:
    """What an appending log did to the disk, ``folder/disk``. When a flush failed, it is started again, as a
    hurried operator would, without that the machine is.

    Raises:
        RuntimeError: it could not be appended to, though no disk failed.
    """
    disk = folder / "disk"
    disk.mkdir(parents=True)
    create_log_key(folder / "log.key")
    with closing(Shim(disk, folder / "work", traced=True)) as shim:
        job = Job(str(disk), str(folder / "log.key"), plan.processes, plan.callers, plan.appends)
        if bad is not None:
            shim.arm(bad)
        for _ in range(1 if bad is None else 2):
            command = [sys.executable, "-m", "soak.appending", json.dumps(asdict(job))]
            done = subprocess.run(command, env=os.environ | shim.environment, check=False)
            if done.returncode and not shim.injected:
                raise RuntimeError("the log could not be appended to, though no disk failed")
            shim.disarm()
        return list(shim.records())


def cut(records: Sequence[Record], folder: Path, states: int, chance: Random, told: Told) -> None:
    """Cut the power at random moments of what :func:`traced` gave, and judge what is left."""
    disk, done = Disk(folder / "disk"), 0
    given: list[Receipt] = []
    told.records += len(records)
    trust = VerifierKey.of(ORIGIN, load_log_key(folder / "log.key"))
    for moment in sorted(chance.choices(range(len(records) + 1), k=states)):
        for record in records[done:moment]:
            disk.add(record)
        given += _acknowledged(records[done:moment])
        done = moment
        fate = chance.choice(list(Fate))
        told.states[fate] += 1
        told.receipts += len(given)
        with TemporaryDirectory(dir=folder) as left:
            for name, content in disk.after_power_failure(fate, chance).items():
                (Path(left) / name).write_bytes(content)
            where = f"{folder.name}, cut after record {moment}, {fate}"
            try:
                leaves = restarted(Path(left), folder / "log.key", trust)
            except (BrokerError, SetUpError) as error:
                told.faults.append(Fault(Wrong.FAILED, f"{where}: {error}"))
            else:
                told.faults += [Fault(f.wrong, f"{where}: {f.where}") for f in judged(given, leaves, trust)]
    told.acknowledged += len(given) + len(_acknowledged(records[done:]))


def _acknowledged(records: Sequence[Record]) -> list[Receipt]:
    written = ((record.path, record.data) for record in records if record.did is Did.WRITE)
    return list(acknowledgements(written))


def restarted(folder: Path, key: Path, trust: VerifierKey) -> list[Leaf]:
    """All leaves of the log whose files are in the folder, after it was started again and appended to.

    Raises:
        BrokerError: it does not start, or what it has contradicts itself.
    """
    job = Job(str(folder), str(key), 1, 1, 1)
    migrate(job.url)
    with ExitStack() as stack:
        signer = stack.enter_context(_signer(job.state, key))
        store = stack.enter_context(closing(open_store(job.url)))
        log = stack.enter_context(closing(ReceiptLog(store, signer, ORIGIN, lambda: datetime.now(UTC))))
        verify_receipt(log.append(exchange()).receipt, trust)
        leaves = store.leaves(ReceiptFilter(), None, log.size())[::-1]
    with open_fsck(job.url, job.state, trust) as check:
        if found := list(check.findings()):
            raise VerificationFailed(f"{found[0].table} {found[0].row} {found[0].column}: {found[0].en}")
    return leaves


def judged(given: Sequence[Receipt], leaves: Sequence[Leaf], trust: VerifierKey) -> Iterator[Fault]:
    """What was handed out stands in the log where it said, and every head was that of a part of it."""
    roots = roots_of(leaf_hash(leaf.log_entry) for leaf in leaves)
    for receipt in given:
        index, checkpoint = receipt.leaf_index, verify_receipt(receipt, trust).checkpoint
        if index >= len(leaves) or leaves[index].entry.statement != receipt.statement:
            yield Fault(Wrong.LOST, f"leaf {index}")
        if checkpoint.size >= len(roots) or roots[checkpoint.size] != checkpoint.root:
            yield Fault(Wrong.FORKED, f"size {checkpoint.size}")


@contextmanager
def _signer(state: Path, key: Path) -> Iterator[CheckpointSigner]:
    """The signer's own program in a thread: a process for each of a thousand states would take long."""
    with ExitStack() as stack:
        memory = stack.enter_context(closing(SignerMemory(state, lambda: [load_log_key(key)], ORIGIN)))
        mask = os.umask(0)
        stack.callback(os.umask, mask)  # which the server changes for its whole process
        server = SignerServer(socket_of(state), memory)
        os.umask(mask)
        stack.callback(server.server_close)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        stack.callback(server.shutdown)
        yield stack.enter_context(closing(CheckpointSigner(socket_of(state))))
