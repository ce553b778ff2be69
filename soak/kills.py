"""``kills``: SIGKILL to random processes at random moments under load; then what clients hold is judged."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import ClassVar

from benchmarks.report import show
from broker.model import Receipt
from soak import asks, house
from soak.clients import AGAIN, Job, begin, finish, until_answered
from soak.facts import Fault, Wrong
from soak.house import House, wait_for
from soak.judge import Judge, ask_again
from soak.ledger import UNARY, Ledger, calls_in, channel_to
from soak.postgres import Postgres

CALLERS = (asks.FUND, asks.FUND, asks.POLICE, asks.INSURANCE)
"""Of each client process."""
TWICE = 0.15
"""How often two are killed at once."""
HASTE = 0.15
"""How often the next kill does not wait until there is an answer again."""
LEASE_SECONDS = 5
"""Of streams: short, so that many run out."""
CLOSING_SECONDS = 120
"""How long streams that were cut off may remain without an outcome after the last kill."""
RESTART_SECONDS = 120
"""After which a broker that does not come back is a fault, and what is left of the one before is killed."""
PROOFS = 200
MOST_FAULTS = 50
"""Printed; the rest is counted."""


class Target(StrEnum):
    """What is killed."""

    WORKER = "worker"
    STREAM_WORKER = "stream worker"
    SIGNER = "signer"
    SUPERVISOR = "supervisor"
    BACKEND = "PostgreSQL backend"
    POSTMASTER = "PostgreSQL postmaster"


BROKER = (Target.WORKER, Target.STREAM_WORKER, Target.SIGNER, Target.SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed at one moment of the machine's monotonic clock."""

    title: ClassVar[str] = "kills"

    at: float
    targets: tuple[Target, ...]

    def __str__(self) -> str:
        return " + ".join(sorted(self.targets))


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to kill: ``kills`` moments, in ``folder``, with everything random drawn from ``seed``."""

    folder: Path
    kills: int
    seed: int
    postgres: bool
    workers: int = 2
    processes: int = 2
    """Of clients."""
    residents: int = 1_000


@dataclass
class Told:
    """What all ledgers tell together."""

    calls: int = 0
    answered: int = 0
    refused: int = 0
    retried: int = 0
    redelivered: int = 0
    streams: int = 0
    attempts: int = 0
    """Streams asked for again."""
    whole: int = 0
    """Streams received to the end."""
    receipts: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    unary_times: list[float] = field(default_factory=list)
    stream_times: list[float] = field(default_factory=list)


def run(plan: Plan) -> bool:
    """Kill, judge, print; whether nothing was wrong."""
    print(f"seed {plan.seed}, everything in {plan.folder}", flush=True)
    with ExitStack() as stack:
        postgres = stack.enter_context(closing(Postgres())) if plan.postgres else None
        broker = build(plan, postgres)
        stack.callback(broker.discard)
        broker.start()
        siege = Siege(plan, broker, postgres)
        kills = siege.run()
        faults = [*siege.faults, *judged(broker, siege.address, plan.folder / "ledgers", kills)]
    for fault in faults[:MOST_FAULTS]:
        print(f"{fault.wrong}: {fault.where}")
    if siege.interrupted:
        raise KeyboardInterrupt
    return not faults


def build(plan: Plan, postgres: Postgres | None) -> House:
    """The broker to be besieged, not yet started."""
    port, stream_port = house.free_ports(2)
    settings = {
        "SERVER__WORKERS": str(plan.workers),
        "SERVER__LISTEN": f"127.0.0.1:{port}",
        "SERVER__STREAM_LISTEN": f"127.0.0.1:{stream_port}",
        # Streams of many parts, of which many wait in the broker for a client who does not read, so that
        # kills and retries find them under way.
        "SERVER__STREAM_CHUNK_BYTES": "1024",
        "SERVER__STREAM_BATCH_ROWS": "1",
        "SERVER__STREAM_LEASE_SECONDS": str(LEASE_SECONDS),
    }
    url = postgres.new_url() if postgres else ""
    return house.build(house.Plan(plan.folder / "broker", plan.residents, url, settings))


class Siege:
    """The clients at work and the kills among them."""

    def __init__(self, plan: Plan, broker: House, postgres: Postgres | None) -> None:
        self._plan, self.broker, self.postgres = plan, broker, postgres
        self.chance = Random(plan.seed)
        self.residents = asks.residents(broker.embedded.folder / "data")
        self.faults: list[Fault] = []
        self.interrupted = False
        self.address = broker.environment["SHAREBROKER_SERVER__LISTEN"]

    def run(self) -> list[Kill]:
        """All kills, one after the other, with clients from before the first until after the last; after
        Ctrl-C those that were done by then."""
        kills: list[Kill] = []
        with ExitStack() as stack:
            for number in range(self._plan.processes):
                stack.callback(finish, begin("soak.clients", asdict(self._job(number))))
            written = stack.enter_context((self._plan.folder / "kills.jsonl").open("w"))
            ledger = stack.enter_context(closing(Ledger(self.folder("probe") / "0.jsonl")))
            try:
                while len(kills) < self._plan.kills:
                    time.sleep(self.chance.uniform(0.1, 1.5))
                    kills.append(self.strike(ledger))
                    written.write(json.dumps({"at": kills[-1].at, "what": str(kills[-1])}) + "\n")
                    progress = f"{len(kills)}/{self._plan.kills} {kills[-1]}"
                    print(f"\r{progress}\033[K", end="", file=sys.stderr, flush=True)
            except KeyboardInterrupt:
                self.interrupted = True
            self.recover()
            self.probe(ledger)
            print(file=sys.stderr)
        return kills

    def strike(self, ledger: Ledger) -> Kill:
        """One attack, and what has to be done by hand after it."""
        there = wait_for(self._there)
        number = 2 if self.chance.random() < TWICE else 1
        kill = Kill(time.monotonic(), tuple(self.chance.sample(sorted(there), number)))
        for target in kill.targets:
            with suppress(ProcessLookupError):  # a backend may have ended meanwhile
                os.kill(self.chance.choice(there[target]), signal.SIGKILL)
        if self.postgres and Target.POSTMASTER in kill.targets:
            self.postgres.wait()
        if Target.SUPERVISOR in kill.targets:
            self.broker.running.wait(house.WAIT_SECONDS)
        self.recover()
        if self.chance.random() >= HASTE:
            self.probe(ledger)
        return kill

    def recover(self) -> None:
        """Start again what nobody starts by itself."""
        if self.postgres and self.postgres.ended:
            self.postgres.start()
        if self.broker.running.poll() is not None:
            self._start_again()

    def restart(self) -> None:
        """End the broker in order, and start it again."""
        self.broker.running.terminate()
        self.broker.running.wait(house.WAIT_SECONDS)
        self._start_again()

    def _there(self) -> dict[Target, list[int]]:
        """Processes that can be killed now; nothing while the supervisor does not answer."""
        if self.broker.running.poll() is not None:  # by nobody's hand
            self.faults.append(Fault(Wrong.FAILED, f"the supervisor ended: {self.broker.said()}"))
            self._start_again()
        status = self.broker.status()
        if not status:
            return {}
        found = defaultdict(list, {Target.SIGNER: [status["signer"]], Target.SUPERVISOR: [status["pid"]]})
        for worker in status["workers"]:
            found[Target.STREAM_WORKER if worker["kind"] == "stream" else Target.WORKER].append(worker["pid"])
        if self.postgres:
            found[Target.POSTMASTER] = [self.postgres.pid]
            if backends := self.postgres.backends():
                found[Target.BACKEND] = backends
        return found

    def _start_again(self) -> None:
        """As an init system would: until the last workers of the one before have given up its ports. If they
        never do, as an operator would."""

        def started() -> str:
            try:
                return self.broker.start()
            except RuntimeError:
                return ""

        try:
            wait_for(started, seconds=RESTART_SECONDS)
        except RuntimeError:
            self.faults.append(Fault(Wrong.FAILED, f"the broker did not start again: {self.broker.said()}"))
            self.broker.discard()
            wait_for(started)

    def probe(self, ledger: Ledger) -> None:
        """Wait until a call is answered."""
        request = asks.unary(asks.MARRIAGE, self.chance.choice(self.residents))
        with channel_to(self.address, self.broker.credentials(asks.FUND)) as channel:
            until_answered(channel, ledger, request, threading.Event())

    def _job(self, number: int) -> Job:
        broker = self.broker
        return Job(
            address=self.address,
            stream_address=broker.environment["SHAREBROKER_SERVER__STREAM_LISTEN"],
            identities={d: str(broker.embedded.identity(d)) for d in asks.DEPARTMENTS},
            data=str(broker.embedded.folder / "data"),
            folder=str(self.folder(str(number))),
            callers=CALLERS,
            seed=f"{self._plan.seed} {number}",
        )

    def folder(self, name: str) -> Path:
        """A new one for the ledgers of one process."""
        folder = self._plan.folder / "ledgers" / name
        folder.mkdir(parents=True)
        return folder


# ── afterwards ───────────────────────────────────────────────────────────────────────────────────


def judged(broker: House, address: str, ledgers: Path, kills: Sequence[Kill]) -> list[Fault]:
    """Everything that is wrong; prints the tables."""
    sample = [receipt for file in sorted(ledgers.glob("*/*.jsonl")) for receipt in _some(file)]
    with broker.auditor(address) as auditor:
        faults = list(ask_again(auditor, broker.trust, sample, PROOFS))
    with suppress(RuntimeError):  # then the judge says which streams
        wait_for(lambda: not broker.under_way(), seconds=CLOSING_SECONDS)
    if code := broker.end():
        faults.append(Fault(Wrong.FAILED, f"the broker ended with {code}: {broker.said()}"))
    judge = Judge(broker.leaves(), broker.signed(), broker.trust)
    faults += judge.log()
    told = Told()
    for file in sorted(ledgers.glob("*/*.jsonl")):
        faults += _ledger(file, judge, told)
    faults += [*judge.deliveries(), *judge.streams.closed()]
    if (charged := broker.charged(house.STREAM_RULE)) != judge.streams.decisions:
        faults.append(Fault(Wrong.REPEATED, f"{judge.streams.decisions} streams, {charged} charged"))
    faults += [Fault(Wrong.DAMAGED, found) for found in broker.fsck()]
    _show(kills, told, judge, faults)
    return faults


def _some(file: Path) -> list[Receipt]:
    receipts = [receipt for call in calls_in(file) for receipt in call.receipts()]
    return receipts[:: len(receipts) // PROOFS + 1]


def _ledger(file: Path, judge: Judge, told: Told) -> Iterator[Fault]:
    for call in calls_in(file):
        yield from judge.call(call)
        told.calls += 1
        told.receipts += len(call.receipts())
        if call.method == UNARY:
            told.unary_times += call.times
            told.answered += len(call.parts)
            told.refused += sum(not answer.HasField("answer") for answer in call.answers())
            told.redelivered += sum(answer.redelivered for answer in call.answers())
            told.retried += call.retried
        else:
            told.stream_times += call.times
            told.streams += bool(call.parts)
            told.attempts += call.retried
            told.whole += any(piece.HasField("outcome") for piece in call.pieces())
        if call.failure:
            told.failures[call.failure] += 1
            by_others = call.failure == "ABORTED" and judge.streams.ended_by_others(call.pieces())
            if call.failure not in AGAIN and not by_others:
                yield Fault(Wrong.FAILED, f"{call.failure}, request {call.request_id}")


def _show(kills: Sequence[Kill], told: Told, judge: Judge, faults: list[Fault]) -> None:
    unary, streams = sorted(told.unary_times), sorted(told.stream_times)
    by_kind: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number, kill in enumerate(kills):
        until = kills[number + 1].at if number + 1 < len(kills) else float("inf")
        by_kind[str(kill)].append((longest_gap(unary, kill.at, until), longest_gap(streams, kill.at, until)))
    rows = [
        (kind, str(len(gaps)), *(f"{max(gap[which] for gap in gaps):.1f}" for which in (0, 1)))
        for kind, gaps in sorted(by_kind.items())
    ]
    show(
        f"{len(kills)} {kills[0].title if kills else Kill.title}",
        ("what", "times", "longest without an answer, s", "without a part of a stream, s"),
        rows,
        "over all clients, from before it until the next one; on this machine, beside its other work",
    )
    failures = ", ".join(f"{name} {number}" for name, number in sorted(told.failures.items())) or "none"
    show(
        "Calls",
        ("", "number"),
        [
            ("leaves of the log", str(judge.head.size)),
            ("calls, every attempt", str(told.calls)),
            ("unary answers acknowledged", str(told.answered)),
            ("… of them refusals", str(told.refused)),
            ("… of them delivered again", str(told.redelivered)),
            ("… attempts under an earlier request id", str(told.retried)),
            ("streams begun / received whole", f"{told.streams} / {told.whole}"),
            ("… attempts under an earlier request id", str(told.attempts)),
            ("streams decided, and charged", str(judge.streams.decisions)),
            *((kind, str(number)) for kind, number in sorted(judge.streams.tally.items())),
            ("receipts judged", str(told.receipts)),
        ],
        f"attempts that failed: {failures}",
    )
    wrong = Counter(fault.wrong for fault in faults)
    show("Judgement", ("", "number"), [(kind, str(wrong[kind])) for kind in Wrong])


def longest_gap(times: list[float], begin: float, until: float) -> float:
    """The longest pause between two neighbours of the sorted ``times`` that lies at least in part between the
    two moments; in seconds."""
    near = times[max(0, bisect_left(times, begin) - 1) : bisect_right(times, until) + 1]
    return max((after - before for before, after in pairwise(near)), default=0.0)
