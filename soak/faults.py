"""``faults``: a disk that fails under load, old backups, power failures; then what clients hold is judged."""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from benchmarks.report import show
from broker.receipt.backup import backup, restore
from soak import asks, house, kills, powerloss
from soak.clients import AGAIN
from soak.facts import Fault, Wrong
from soak.house import House
from soak.kills import Kill, Siege
from soak.ledger import UNARY, Ledger, ask, channel_to
from soak.postgres import Postgres
from soak.shim import Calls, Failure, Shim

FOR_EVER = 1 << 40
SHORT, LONG = 1, 3
"""How many calls in a row fail, unless all do until the disk is well again."""
LONGEST_SECONDS = 3.0
"""How long a disk is ill at most."""
ANSWER_SECONDS = 15
"""After that the broker is started again, as an operator would."""
RESTARTED = 0.3
"""How often it is started again though it answers."""
STATES = 50
"""Of one trace, in which the power is cut at so many moments."""
SET_UP_ERROR = 2
"""The exit code of a broker that refuses to start."""

Failures = Mapping[str, tuple[tuple[Calls, int, bool], ...]]
"""File → what can fail of it: the calls, the error, and whether half of a write is done."""

WRITES = (
    (Calls.WRITE, errno.EIO, False),
    (Calls.WRITE, errno.ENOSPC, False),
    (Calls.WRITE, errno.ENOSPC, True),
)
FLUSH = (Calls.SYNC, errno.EIO, False)
SQLITE: Failures = {"broker.db-wal$": (*WRITES, FLUSH), "broker.db$": (*WRITES, FLUSH)}
POSTGRES: Failures = {
    "/pg_wal/": (*WRITES, FLUSH, (Calls.RENAME, errno.EIO, False)),
    "/base/": (*WRITES, FLUSH),
}
SIGNER: Failures = {"log.checkpoint$": (*WRITES, FLUSH)}


@dataclass(frozen=True, slots=True)
class Plan:
    """``rounds`` illnesses of the disk under load, and ``states`` of the disk after power failures."""

    folder: Path
    rounds: int
    states: int
    seed: int
    postgres: bool


@dataclass(frozen=True, slots=True)
class Illness(Kill):
    """A disk that failed for a while, and what became of it."""

    title: ClassVar[str] = "illnesses of the disk"

    failure: Failure
    injected: int
    restarted: bool
    """Whether it took a person."""

    def __str__(self) -> str:
        return str(self.failure)


def run(plan: Plan) -> bool:
    """Make disks fail, judge, print; whether nothing was wrong."""
    print(f"seed {plan.seed}, everything in {plan.folder}", flush=True)
    faults = _ill(plan)
    if plan.states and not plan.postgres:
        faults += _power(plan)
    for fault in faults[: kills.MOST_FAULTS]:
        print(f"{fault.wrong}: {fault.where}")
    return not faults


def _power(plan: Plan) -> list[Fault]:
    per_run = min(plan.states, STATES)
    runs = -(-plan.states // per_run)
    return powerloss.run(powerloss.Plan(plan.folder / "power", plan.seed, runs, per_run))


def _ill(plan: Plan) -> list[Fault]:
    siege_plan = kills.Plan(plan.folder, plan.rounds, plan.seed, plan.postgres)
    with ExitStack() as stack:
        server = Postgres(shimmed=True) if plan.postgres else None
        if server:
            stack.enter_context(closing(server))
        broker = kills.build(siege_plan, server)
        shims = [stack.enter_context(closing(Shim(broker.embedded.folder, plan.folder / "shim")))]
        broker.environment |= shims[0].environment
        if server and server.shim:
            shims.append(server.shim)
        stack.callback(broker.discard)
        broker.start()
        siege = Sickness(siege_plan, broker, server, shims)
        illnesses = siege.run()
        with closing(Ledger(siege.folder("last") / "0.jsonl")) as ledger:
            siege.probe(ledger)
            house.wait_for(lambda: not broker.under_way())  # or their outcomes come after the backup, too
            old = (siege.old, kept(broker, plan.folder / "one.backup"))
            siege.probe(ledger)
        faults = [*siege.faults, *kills.judged(broker, siege.address, plan.folder / "ledgers", illnesses)]
        _show(siege.illnesses)
        urls = [server.new_url() if server else f"sqlite:///{file}.db" for file in old]
        faults += [fault for pair in zip(old, urls, strict=True) for fault in refusal(broker, *pair)]
    if siege.interrupted:
        raise KeyboardInterrupt
    return faults


class Sickness(Siege):
    """Clients at work while the disk fails for a while, again and again."""

    def __init__(self, plan: kills.Plan, broker: House, server: Postgres | None, shims: list[Shim]) -> None:
        super().__init__(plan, broker, server)
        self._shims = shims
        self.illnesses: list[Illness] = []
        self.old: Path
        """A backup from before the first of them."""

    def strike(self, ledger: Ledger) -> Illness:
        if not self.illnesses:
            self.old = kept(self.broker, self._plan.folder / "many.backup")
        failure, shim = self._failure()
        began = time.monotonic()
        shim.arm(failure)
        end = began + self.chance.uniform(0.5, LONGEST_SECONDS)
        while time.monotonic() < end and shim.injected < failure.times:
            time.sleep(0.02)
        shim.disarm()
        self.recover()
        restarted = not self._answers(ledger) or self.chance.random() < RESTARTED
        if restarted:
            self.restart()
            self.probe(ledger)
        illness = Illness(began, (), failure, shim.injected, restarted)
        self.illnesses.append(illness)
        return illness

    def _failure(self) -> tuple[Failure, Shim]:
        places = [(SIGNER, self._shims[0]), (POSTGRES if self.postgres else SQLITE, self._shims[-1])]
        files, shim = places[self.chance.random() < 0.7]
        file = self.chance.choice(sorted(files))
        calls, error, half = self.chance.choice(files[file])
        times = self.chance.choice((SHORT, LONG, FOR_EVER))
        after = self.chance.randrange(20 if calls is Calls.WRITE else 3)
        return Failure(calls, file, error, after, times, half), shim

    def _answers(self, ledger: Ledger) -> bool:
        """Whether somebody is answered again, of himself."""
        request = asks.unary(asks.MARRIAGE, self.chance.choice(self.residents))
        end = time.monotonic() + ANSWER_SECONDS
        retried = False
        with channel_to(self.address, self.broker.credentials(asks.FUND)) as channel:
            while (failure := ask(channel, ledger, UNARY, request, retried=retried)) in AGAIN:
                if time.monotonic() > end:
                    return False
                retried = True
                threading.Event().wait(0.05)
        return not failure


# ── old backups ──────────────────────────────────────────────────────────────────────────────────


def kept(broker: House, file: Path) -> Path:
    """A backup of the database as it is now."""
    backup(broker.store_url, file, _state(broker), broker.trust)
    return file


def refusal(broker: House, file: Path, url: str) -> Iterator[Fault]:
    """Restores a backup that lacks signed leaves into the empty database ``url``; a broker must not start."""
    missing = len(restore(url, file, _state(broker), broker.trust).missing)
    elsewhere = broker.environment | {"SHAREBROKER_STORE__URL": url}
    other = replace(broker, store_url=url, environment=elsewhere, process=None)
    try:
        code = other.launch().wait(house.WAIT_SECONDS)
        refused = code == SET_UP_ERROR and "but" in other.said() and "were signed" in other.said()
    finally:
        other.discard()
    print(f"backup that lacks {missing} signed leaves: {'refused' if refused else 'NOT refused'}", flush=True)
    if not refused or missing < 1:
        yield Fault(Wrong.FORKED, f"a backup that lacks {missing} leaves was started: {other.said()}")


def _state(broker: House) -> Path:
    return broker.settings.path(broker.settings.keys.signer_state)


def _show(illnesses: list[Illness]) -> None:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for illness in illnesses:
        failure = illness.failure
        half = ", half of it written" if failure.half else ""
        what = f"{errno.errorcode[failure.error]} on {failure.calls.name}{half}".lower()
        counts = found[failure.file.rstrip("$"), what]
        counts["times"] += 1
        counts["injected"] += illness.injected
        counts["restarted"] += illness.restarted
    rows = [
        (f"{file}: {what}", *(str(counts[name]) for name in ("times", "injected", "restarted")))
        for (file, what), counts in sorted(found.items())
    ]
    show("Failing disks", ("file, failure", "times", "calls that failed", "started again after it"), rows)
