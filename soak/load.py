"""``load``: many exchanges; every process is watched for growth, the log verified as an auditor would."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

from benchmarks.report import show
from broker.client import VerifierKey, verify_receipt
from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.store import open_store
from broker.v1 import exchange_pb2 as pb
from soak import asks, house
from soak.clients import begin, finish
from soak.crowd import Job, Tally
from soak.house import House, wait_for
from soak.judge import ask_again
from soak.ledger import receipt_of
from soak.postgres import Postgres
from soak.watch import (
    CACHES_FULL,
    COUNTS,
    MEMORY,
    MIB,
    SHORTEST,
    WARM_UP,
    Bound,
    Growth,
    Sample,
    growth,
    sample,
    settled,
)

SAMPLES = 100
"""Looks at the processes in one run, at equal distances."""
RECEIPTS = 2_000
"""Receipts verified, drawn by chance from all that clients were given."""
PROOFS = 200
MOST_FAULTS = 50
"""Printed; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to load, in ``folder``, with everything random drawn from ``seed``."""

    folder: Path
    exchanges: int
    seed: int
    postgres: bool
    workers: str = "auto"
    processes: int = 4
    """Of clients."""
    callers: int = 8
    """In each of them."""
    residents: int = 10_000


@dataclass
class Run:
    """What was seen and counted."""

    begun: float
    leaves_before: int
    tally: Tally = field(default_factory=Tally)
    failures: Counter[str] = field(default_factory=Counter)
    receipts: list[bytes] = field(default_factory=list)
    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    """(what it is, its process id) → samples."""
    progress: dict[int, int] = field(default_factory=dict)
    """Number of the client process → exchanges done."""
    ended: int = 0
    """Client processes that have."""
    interrupted: bool = False
    times: list[tuple[int, float]] = field(default_factory=list)
    """(exchanges done, seconds since the beginning), at each look."""

    @property
    def done(self) -> int:
        return self.tally.permits + self.tally.refusals


def run(plan: Plan) -> bool:
    """Load, verify, print; whether nothing was wrong."""
    print(f"seed {plan.seed}, everything in {plan.folder}", flush=True)
    with ExitStack() as stack:
        postgres = stack.enter_context(closing(Postgres())) if plan.postgres else None
        broker = _build(plan, postgres)
        stack.callback(broker.discard)
        address = broker.start()
        wait_for(lambda: _settled(broker))
        seen = _load(plan, broker, address)
        _write(plan.folder / "samples.jsonl", seen)
        faults = [*_growing(seen), *_verify(broker, address, seen)]
        if seen.done < plan.exchanges and not seen.interrupted:
            faults.append(f"{seen.done} of {plan.exchanges} exchanges were made")
    for fault in faults[:MOST_FAULTS]:
        print(fault)
    print(f"{len(faults)} faults" if faults else "nothing wrong")
    if seen.interrupted:
        raise KeyboardInterrupt
    return not faults


def _build(plan: Plan, postgres: Postgres | None) -> House:
    ports = house.free_ports(2)
    settings = {
        "SERVER__WORKERS": plan.workers,
        "SERVER__LISTEN": f"127.0.0.1:{ports[0]}",
        "SERVER__STREAM_LISTEN": f"127.0.0.1:{ports[1]}",
    }
    url = postgres.new_url() if postgres else ""
    return house.build(house.Plan(plan.folder / "broker", plan.residents, url, settings))


def _settled(broker: House) -> bool:
    status = broker.status()
    return status is not None and all(worker["state"] == "serving" for worker in status["workers"])


# ── the load ─────────────────────────────────────────────────────────────────────────────────────


def _load(plan: Plan, broker: House, address: str) -> Run:
    """All exchanges, or after Ctrl-C those that were begun by then."""
    seen = Run(time.monotonic(), broker.head(address).size)
    with ExitStack() as stack:
        _look(broker, seen, 0)
        jobs = [asdict(_job(plan, broker, number)) for number in range(plan.processes)]
        crowd = [begin("soak.crowd", job, subprocess.PIPE) for job in jobs]
        for process in crowd:
            stack.callback(finish, process)
        heard = _heard(crowd)
        while True:
            try:
                _follow(plan, broker, seen, heard)
                break
            except KeyboardInterrupt:
                seen.interrupted = True
                for process in crowd:
                    if process.stdin is not None:
                        process.stdin.close()
    print(file=sys.stderr)
    return seen


def _heard(crowd: list[subprocess.Popen[bytes]]) -> SimpleQueue[tuple[int, bytes]]:
    """Lines that the processes say, as they come, with their number; an empty one from each at its end."""
    heard: SimpleQueue[tuple[int, bytes]] = SimpleQueue()

    def hear(number: int, said: IO[bytes]) -> None:
        with said:
            for line in said:
                heard.put((number, line))
        heard.put((number, b""))

    for number, process in enumerate(crowd):
        assert process.stdout is not None
        Thread(target=hear, args=(number, process.stdout), daemon=True).start()
    return heard


def _follow(plan: Plan, broker: House, seen: Run, heard: SimpleQueue[tuple[int, bytes]]) -> None:
    """Until all of the crowd have said everything."""
    while seen.ended < plan.processes:
        number, line = heard.get()
        if not line:
            seen.ended += 1
            continue
        said = json.loads(line)
        seen.progress[number] = said["done"]
        if "tally" in said:
            _add(seen, said)
        total = sum(seen.progress.values())
        if total >= seen.times[-1][0] + plan.exchanges / SAMPLES or "tally" in said:
            _look(broker, seen, total)
        rate = total / (time.monotonic() - seen.begun)
        print(f"\r{total} exchanges, {rate:.0f}/s\033[K", end="", file=sys.stderr, flush=True)


def _job(plan: Plan, broker: House, number: int) -> Job:
    share = plan.exchanges // plan.processes + (number < plan.exchanges % plan.processes)
    return Job(
        address=broker.environment["SHAREBROKER_SERVER__LISTEN"],
        stream_address=broker.environment["SHAREBROKER_SERVER__STREAM_LISTEN"],
        identities={d: str(broker.embedded.identity(d)) for d in asks.DEPARTMENTS},
        data=str(broker.embedded.folder / "data"),
        exchanges=share,
        callers=plan.callers,
        streams=number == 0,
        sample=RECEIPTS // plan.processes,
        seed=f"{plan.seed} {number}",
    )


def _add(seen: Run, said: dict[str, Any]) -> None:
    """What one process of clients counted."""
    for count in fields(Tally):
        setattr(seen.tally, count.name, getattr(seen.tally, count.name) + said["tally"][count.name])
    seen.failures.update(said["failures"])
    seen.receipts += [base64.b64decode(one) for one in said["sample"]]


def _look(broker: House, seen: Run, done: int) -> None:
    """Measure every process."""
    seen.times.append((done, time.monotonic() - seen.begun))
    status = broker.status() or {"pid": broker.running.pid, "signer": 0, "workers": []}
    found = [("supervisor", status["pid"]), ("signer", status["signer"])]
    found += [(f"{one['kind']} worker", one["pid"]) for one in status["workers"]]
    for name, pid in found:
        with suppress(OSError):  # it died: then it lacks samples, and is asked about
            seen.samples[name, pid].append(sample(pid, done))


def _write(file: Path, seen: Run) -> None:
    """Every sample, for who wants to draw them."""
    with file.open("w") as lines:
        for (name, pid), samples in seen.samples.items():
            for one in samples:
                lines.write(json.dumps({"process": name, "pid": pid} | asdict(one)) + "\n")


# ── growth ───────────────────────────────────────────────────────────────────────────────────────


def _growing(seen: Run) -> Iterator[str]:
    """Processes that died or do not stay flat; prints the tables."""
    rows = []
    looks = len(seen.times)
    for (name, pid), samples in sorted(seen.samples.items()):
        if len(samples) != looks:
            yield f"{name} {pid} lived through {len(samples)} of {looks} looks"
        rest = settled(samples, seen.done)
        lines = _lines(rest) if len(rest) > 1 else {}
        wrong = [what for what, (line, bound) in lines.items() if not line.within(bound)]
        yield from (f"{name} {pid}: {_named(what, *lines[what])}" for what in wrong)
        rows.append(_row(name, pid, rest or samples, lines))
    show(
        f"Processes, over {seen.done} exchanges",
        ("", "pid", "PSS MiB, then … now", "RSS MiB", "growth/million", "threads", "files", "flat"),
        rows,
        f"after the warm-up: {WARM_UP:.0%} of the run, at least {CACHES_FULL} exchanges; growth: least "
        f"squares over PSS, extrapolated; bound {MEMORY.per_million / MIB:.0f} MiB a million, unless less "
        f"than {MEMORY.noise / MIB:.0f} MiB in the run",
    )
    _show_rates(seen)


Lines = dict[str, tuple[Growth, Bound]]


def _lines(rest: list[Sample]) -> Lines:
    done = [one.done for one in rest]
    return {
        "memory": (growth(done, [one.pss for one in rest]), MEMORY),
        "threads": (growth(done, [one.threads for one in rest]), COUNTS),
        "files": (growth(done, [one.files for one in rest]), COUNTS),
    }


def _row(name: str, pid: int, shown: list[Sample], lines: Lines) -> tuple[str, ...]:
    first, last = shown[0], shown[-1]
    wrong = ", ".join(what for what, (line, bound) in lines.items() if not line.within(bound))
    return (
        name,
        str(pid),
        f"{first.pss / MIB:.1f} … {last.pss / MIB:.1f}",
        f"{first.rss / MIB:.1f} … {last.rss / MIB:.1f}",
        f"{lines['memory'][0].per_million / MIB:+.1f} MiB" if lines else "",
        f"{first.threads} … {last.threads}",
        f"{first.files} … {last.files}",
        (f"no: {wrong}" if wrong else "yes") if lines else "too short",
    )


def _named(what: str, line: Growth, bound: Bound) -> str:
    unit = MIB if what == "memory" else 1
    return (
        f"{what} grew by {line.in_run / unit:.1f} in this run, {line.per_million / unit:.1f} in a million "
        f"exchanges; the bounds are {bound.noise / unit:.0f} and {bound.per_million / unit:.0f}"
    )


def _show_rates(seen: Run) -> None:
    """The rate in each tenth of the run: a log that grows must not slow down."""
    marks = seen.times[:: max(1, len(seen.times) // 10)]
    rows = [
        (str(done), f"{(done - before) / (at - then):.0f}")
        for (before, then), (done, at) in pairwise(marks)
        if at > then
    ]
    show("Rate", ("exchanges", "per second since the line above"), rows)


# ── the log ──────────────────────────────────────────────────────────────────────────────────────


def _verify(broker: House, address: str, seen: Run) -> Iterator[str]:
    """As an auditor would: proofs from the running broker, then the stopped one's database, offline."""
    receipts = [receipt_of(pb.Receipt.FromString(one)) for one in seen.receipts]
    # Before the auditor reads, which has leaves of its own, as the callers' certificates have.
    said = broker.head(address).size - broker.chains()
    with broker.auditor(address) as auditor:
        yield from (
            f"{fault.wrong}: {fault.where}" for fault in ask_again(auditor, broker.trust, receipts, PROOFS)
        )
    if code := broker.end():
        yield f"the broker ended with {code}"
    yield from (
        f"receipt of leaf {one.leaf_index} does not verify"
        for one in receipts
        if not _holds(one, broker.trust)
    )
    yield from broker.fsck()
    with closing(open_store(broker.store_url)) as store:
        size = store.head().size
    if (signed := broker.signed().size) != size:
        yield f"{size} leaves are stored, {signed} signed"
    yield from _count(seen, said)


def _holds(receipt: Receipt, trust: VerifierKey) -> bool:
    try:
        verify_receipt(receipt, trust)
    except VerificationFailed:
        return False
    return True


def _count(seen: Run, size: int) -> Iterator[str]:
    """The log has a leaf for everything that was acknowledged, and no more than what nobody heard of."""
    tally = seen.tally
    unheard = sum(seen.failures.values()) + tally.decisions - tally.outcomes
    most = seen.leaves_before + tally.leaves + unheard
    counted = [(one.name.replace("_", " "), str(getattr(tally, one.name))) for one in fields(Tally)]
    failures = ", ".join(f"{name} {number}" for name, number in sorted(seen.failures.items())) or "none"
    rows = [
        *counted,
        ("acknowledged leaves", str(seen.leaves_before + tally.leaves)),
        ("their leaves in the log", str(size)),
    ]
    show("Answers, as clients counted them", ("", "number"), rows, f"attempts that failed: {failures}")
    if not seen.leaves_before + tally.leaves <= size <= most:
        yield f"{size} such leaves in the log, but {seen.leaves_before + tally.leaves} to {most} acknowledged"
    if tally.wrong:
        yield f"{tally.wrong} answers should have been others"
    if not tally.redelivered and seen.done > SHORTEST:
        yield "nothing was delivered again, so nothing was tried"
