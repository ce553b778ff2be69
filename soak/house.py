"""A whole broker in a folder: started, ended, killed, asked, and its log read where it is stored."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from broker.client import Client, Credentials, VerifierKey
from broker.demo.setup import Embedded, prepare, shipped_policies
from broker.journal import Leaf, Lease
from broker.model import ReceiptFilter, Role
from broker.receipt.fsck import open_fsck
from broker.receipt.memory import remembered
from broker.receipt.note import Checkpoint
from broker.receipt.verify import verify_checkpoint
from broker.server.asking import Status, ask_status
from broker.settings import Settings, load_settings
from broker.store import migrate, open_store
from broker.store.snapshot import open_snapshot
from soak import asks
from soak.processes import children_of, with_argument

STREAM_RULE = "grid-service"
"""The rule of the sample city by which streams are permitted."""
WAIT_SECONDS = 600
"""Longest wait for what must happen; how long it takes is judged by nobody."""
PAGE_LEAVES = 4096

T = TypeVar("T")


@dataclass
class House:
    """One broker's folder, and the process that runs in it."""

    embedded: Embedded
    store_url: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0

    # ── its process ──────────────────────────────────────────────────────────────────────────────

    def launch(self, failpoints: str = "") -> subprocess.Popen[bytes]:
        """Start the broker's process, whatever becomes of it."""
        (self.embedded.folder / "broker.port").unlink(missing_ok=True)
        with (self.embedded.folder / "broker.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "broker.cli", "serve", "--config", str(self.embedded.settings)],
                env=self.environment | {"SHAREBROKER_FAILPOINTS": failpoints},
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the program that started it, which then ends it
            )
        return self.process

    def start(self, failpoints: str = "") -> str:
        """Start the broker; gives its address once it serves.

        Raises:
            RuntimeError: it ended instead; the message holds the end of its log.
        """
        process, port_file = self.launch(failpoints), self.embedded.folder / "broker.port"

        def port() -> str:
            if process.poll() is not None:
                raise RuntimeError(self.said())
            return port_file.read_text().strip() if port_file.exists() else ""

        return f"127.0.0.1:{wait_for(port, 0.01)}"

    def said(self) -> str:
        """The end of its log."""
        return (self.embedded.folder / "broker.log").read_text("utf-8", errors="replace")[-2000:]

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """Its process, which must have been started."""
        if self.process is None:
            raise RuntimeError("the broker was not started")
        return self.process

    def end(self) -> int:
        """SIGTERM; gives the exit code."""
        self.running.terminate()
        return self.running.wait(WAIT_SECONDS)

    def kill(self) -> None:
        """kill -9."""
        self.running.kill()
        self.die()

    def die(self) -> None:
        """Wait until the broker was killed and its signer has noticed: the next one needs its place."""
        code = self.running.wait(WAIT_SECONDS)
        if code != -signal.SIGKILL:
            raise RuntimeError(f"it was not killed but ended with {code}: {self.said()}")
        wait_for(lambda: not self.processes())
        self.kills += 1

    def kill_signer(self) -> None:
        """kill -9 to the signer alone, of a broker of one process."""
        (child,) = children_of(self.running.pid)
        os.kill(child, signal.SIGKILL)
        self.kills += 1

    def discard(self) -> None:
        """Leave no process behind, in whatever state they are: worker and signer may outlive a supervisor."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_SECONDS)
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self) -> list[int]:
        """Those of its broker, also when their supervisor is gone."""
        state = self.settings.path(self.settings.keys.signer_state)
        return [*with_argument(str(self.embedded.settings)), *with_argument(str(state))]

    def status(self) -> Status | None:
        """What its supervisor says of itself; None when it does not answer."""
        return ask_status(self.settings)

    # ── its log ──────────────────────────────────────────────────────────────────────────────────

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf of the log, in order, read where it is stored, while nothing is appended."""
        with TemporaryDirectory() as folder, closing(open_store(self._copied(folder))) as store:
            size = store.head().size
            for first in range(0, size, PAGE_LEAVES):
                following = min(first + PAGE_LEAVES, size)
                yield from store.leaves(ReceiptFilter(), following, following - first)[::-1]

    def _copied(self, folder: str) -> str:
        """URL of a copy of the database, where that is files: to open those would repair what a kill left."""
        if not self.store_url.startswith("sqlite:///"):
            return self.store_url
        database = Path(self.store_url.removeprefix("sqlite:///"))
        for file in (database, database.with_name(f"{database.name}-wal")):
            if file.exists():
                shutil.copy(file, folder)
        return f"sqlite:///{folder}/{database.name}"

    def under_way(self) -> list[Lease]:
        """The streams that have begun and have no outcome yet."""
        with closing(open_store(self.store_url)) as store, store.leases() as leases:
            return leases.live()

    def charged(self, rule: str) -> int:
        """How much of the quotas of a policy's rule is used up, all together."""
        with open_snapshot(self.store_url) as snapshot:
            return sum(int(row["used"]) for row in snapshot.rows("quota") if rule in row["counter"])

    def chains(self) -> int:
        """How many leaves have the chain of a certificate that acted for the first time."""
        with open_snapshot(self.store_url) as snapshot:
            return sum(1 for _ in snapshot.rows("certificate"))

    def fsck(self) -> list[str]:
        """What ``fsck`` finds wrong, one line each."""
        state = self.settings.path(self.settings.keys.signer_state)
        with open_fsck(self.store_url, state, self.trust) as check:
            return [f"{found.table} {found.row} {found.column}: {found.en}" for found in check.findings()]

    def signed(self) -> Checkpoint:
        """The newest head that its signer remembers to have signed."""
        state = self.settings.path(self.settings.keys.signer_state)
        return verify_checkpoint(remembered(state, self.trust), self.trust)

    # ── who uses it ──────────────────────────────────────────────────────────────────────────────

    @property
    def settings(self) -> Settings:
        return load_settings(self.embedded.settings)

    def credentials(self, department: str, role: Role = Role.SYSTEM) -> Credentials:
        return Credentials.load(self.embedded.identity(department, role))

    def auditor(self, address: str) -> Client:
        return Client(address, self.credentials(asks.AUTHORITY, Role.AUDITOR), trust=self.trust)

    def head(self, address: str) -> Checkpoint:
        """The log head that the broker shows, its signature verified."""
        with self.auditor(address) as auditor:
            return verify_checkpoint(auditor.checkpoint(timeout=WAIT_SECONDS), self.trust)

    @property
    def trust(self) -> VerifierKey:
        """The log's key, as the authority would give it to an auditor."""
        return VerifierKey.parse(self.embedded.trust.read_text("utf-8").strip())


@dataclass(frozen=True, slots=True)
class Plan:
    """What house to build."""

    folder: Path
    residents: int
    url: str = ""
    """Of an empty PostgreSQL database; else the log is in SQLite, in the folder."""
    settings: dict[str, str] = field(default_factory=dict)
    """``SECTION__SETTING`` → value, beside those of the folder."""


def build(plan: Plan) -> House:
    """A house with a city and an empty log; nothing runs in it."""
    policies = _metered(plan.folder.with_name("policies"))
    embedded = prepare(plan.folder, plan.residents, 7, policies, asks.DEPARTMENTS)
    if plan.url:
        migrate(plan.url)
    given = {f"SHAREBROKER_{name}": value for name, value in plan.settings.items()}
    elsewhere = {"SHAREBROKER_STORE__URL": plan.url} if plan.url else {}
    return House(
        embedded, plan.url or load_settings(embedded.settings).store_url, {**os.environ, **given, **elsewhere}
    )


def _metered(folder: Path) -> Path:
    """The sample city's policies, with a quota on streams that is never used up: it counts them."""
    shutil.copytree(shipped_policies(), folder)
    file = folder / "sharing/public-security-household.yaml"
    before, rule, after = file.read_text("utf-8").partition(f"- id: {STREAM_RULE}\n")
    text, quota, rest = after.partition("calls_per_day: 2000}")
    if not (rule and quota):
        raise RuntimeError(f"the sample city has no rule {STREAM_RULE} with a quota")
    file.write_text(f"{before}{rule}{text}calls_per_day: 1000000}}{rest}", "utf-8")
    return folder


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, outside the range from which the system takes those of connections: they
    are still free when a killed broker comes back."""
    chance, found = random.SystemRandom(), set[int]()
    while len(found) < count:
        port = chance.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
    return list(found)


def wait_for(condition: Callable[[], T], pause: float = 0.05, seconds: float = WAIT_SECONDS) -> T:
    """What ``condition`` gives once it is true.

    Raises:
        RuntimeError: it did not come about.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(pause)
    raise RuntimeError("what was waited for did not come about")
