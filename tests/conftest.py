"""Fixtures that several folders share: a real PostgreSQL server, one fresh database per test."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from secrets import token_bytes
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import orjson
import pymysql
import pytest
from hypothesis import HealthCheck, settings

from broker.keys.log_key import create_log_key
from broker.model import (
    AnswerStatus,
    Application,
    CertificateChain,
    Charge,
    Decision,
    Entry,
    EntryKind,
    Identity,
    LeaseBegin,
    LeaseEnd,
    Need,
    Retained,
    Role,
    RowCounts,
    Verdict,
    Why,
)
from broker.reasons import Reason
from broker.receipt.acknowledgements import (
    Delivered,
    Signed,
    acknowledgement,
    dispute,
    key_of,
    missing,
)
from broker.receipt.log import ReceiptLog
from broker.receipt.note import VerifierKey
from broker.receipt.signer import start_signer
from broker.receipt.statement import HandedOver, Outcome, instant, statement
from broker.store import migrate, open_store
from soak.postgres import Postgres

# Brokers and commands are started hundreds of times: to compile their modules each time costs more than
# many a test. Where no bytecode may be written beside them, it is kept apart.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    kept = Path(__file__).parents[1] / ".pytest_cache" / "bytecode"
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(kept))

# How long an example takes says something of the machine only. What CI examines of one commit is the same
# every time; people at work, with "CI" not set, examine something else each time.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the server, so that ``-m 'not postgres'`` runs without it."""
    for item in items:
        if {"postgres_url", "new_postgres_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def new_postgres_url() -> Iterator[Callable[[], str]]:
    """Gives the ``postgresql+psycopg://…`` URL of a new empty database at each call."""
    with closing(Postgres()) as server:
        yield server.new_url


@pytest.fixture
def postgres_url(new_postgres_url: Callable[[], str]) -> str:
    """URL of a fresh, empty PostgreSQL database."""
    return new_postgres_url()


@pytest.fixture(scope="session")
def new_mariadb_url() -> Iterator[Callable[[], str]]:
    """Gives the URL of a new empty MariaDB database at each call; skips where no server is installed."""
    search = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path=search)
    install = shutil.which("mariadb-install-db") or shutil.which("mariadb-install-db", path=search)
    if server is None or install is None:
        pytest.skip("no mariadbd on this machine: install the package mariadb-server to run this")
    folder = tempfile.mkdtemp(prefix="sharebroker-my-")  # short, as above
    data, socket, me = f"{folder}/data", f"{folder}/s", getpass.getuser()
    rights = [f"--datadir={data}", f"--user={me}"]
    anew = ["--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal"]
    subprocess.run([install, "--no-defaults", *rights, *anew], check=True, capture_output=True)
    small = [
        "--innodb-buffer-pool-size=16M",
        "--innodb-log-file-size=8M",
        "--innodb-flush-log-at-trx-commit=0",
    ]
    alone = ["--skip-networking", f"--socket={socket}", f"--pid-file={folder}/pid"]
    with open(f"{folder}/log", "wb") as log:
        process = subprocess.Popen([server, "--no-defaults", *rights, *alone, *small], stderr=log)
    try:
        root = _mariadb(socket, process)
        numbers = count()

        def new() -> str:
            name = f"test_{next(numbers)}"
            with root.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
            return f"mysql+pymysql://root@localhost/{name}?unix_socket={socket}"

        yield new
        root.close()
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _mariadb(socket: str, process: subprocess.Popen[bytes]) -> pymysql.Connection:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        if Path(socket).exists():  # a refused attempt would leave its own end open
            return pymysql.connect(unix_socket=socket, user="root", autocommit=True)
        time.sleep(0.05)
    raise RuntimeError("mariadbd did not start")


class BrokerLog:
    """A broker's files: database, log key, signer's memory; and entries such as a broker appends."""

    ORIGIN = "xinghe.example/log"

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.private_key = folder / "log.key"
        self.state = folder / "log.checkpoint"
        self.key = VerifierKey.of(self.ORIGIN, create_log_key(self.private_key))
        migrate(url)

    @contextmanager
    def running(self, url: str = "") -> Iterator[ReceiptLog]:
        """The log, as one broker has it open; on the database at ``url`` if one is given."""
        with (
            closing(start_signer(self.private_key, self.state, self.ORIGIN)) as signer,
            closing(open_store(url or self.url)) as store,
            closing(ReceiptLog(store, signer, self.ORIGIN, lambda: datetime.now(UTC))) as log,
        ):
            yield log

    def fill(self, count: int) -> None:
        """Appends so many exchanges, at once, of which every third is a refusal."""
        with self.running() as log, ThreadPoolExecutor(64) as pool:
            entries = [self.exchange(permit=number % 3 > 0) for number in range(count)]
            list(pool.map(log.append, entries))

    @classmethod
    def exchange(cls, *, permit: bool = True) -> Entry:
        """An exchange on its way into the log."""
        verdict, digest = (Verdict.PERMIT, token_bytes(32)) if permit else (Verdict.DENY, b"")
        now, request_id = datetime.now(UTC), str(uuid4())
        outcome = Outcome(AnswerStatus.FOUND, now, RowCounts(1, 0, 1), digest) if permit else None
        return replace(
            cls._entry(EntryKind.EXCHANGE, request_id, verdict, outcome),
            request_id=request_id if permit else "",
            request_mac=b"m" * 32 if permit else b"",
            answer_digest=digest,
            charges=(Charge("calls/civil-affairs-marriage-001/low-income/tax/2026-11-23", 10**6, 1),),
        )

    @classmethod
    def delivery(cls, due_at: datetime) -> Entry:
        """An exchange whose answer must be acknowledged by then, on its way into the log."""
        entry = cls.exchange()
        content = orjson.loads(entry.statement) | {"acknowledge_by": instant(due_at)}
        said = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return replace(entry, statement=said, acknowledge_by=due_at)

    @classmethod
    def retained(cls, dispose_by: datetime, grant: str = "") -> Entry:
        """An exchange whose records must be disposed of by then, on its way into the log."""
        entry = cls.exchange()
        content = orjson.loads(entry.statement) | {"dispose_by": instant(dispose_by), "grant": grant}
        content["obligations"]["retain_days"] = max(1, (dispose_by - entry.recorded_at).days + 1)
        said = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return replace(entry, statement=said, retained=Retained(dispose_by, grant))

    @classmethod
    def said_of(cls, kind: EntryKind, leaf_index: int, delivery: Entry) -> Entry:
        """What is said of a delivery under a leaf, on its way into the log."""
        now, due_at = datetime.now(UTC), delivery.acknowledge_by
        delivered = Delivered.of(leaf_index, orjson.loads(delivery.statement))
        assert delivered is not None
        signed = Signed(b"COSE", delivered.digest, now, delivery.consumer_uri, b"f" * 32, 1)
        if kind is EntryKind.ACKNOWLEDGEMENT:
            content = acknowledgement(delivered, signed, now, due_at)
        elif kind is EntryKind.ACKNOWLEDGEMENT_DISPUTED:
            content = dispute(delivered, replace(signed, digest=b"x" * 32), now)
        else:
            assert due_at is not None
            content = missing(leaf_index, delivery, due_at, now)
        key = {"request_id": key_of(leaf_index), "request_mac": b"m" * 32}
        claimed = key if kind is EntryKind.ACKNOWLEDGEMENT else {"request_id": "", "request_mac": b""}
        return replace(
            delivery,
            kind=kind,
            statement=content,
            recorded_at=now,
            verdict=None,
            answer_digest=b"",
            charges=(),
            acknowledge_by=None,
            delivery=leaf_index,
            **claimed,
        )

    @classmethod
    def signed(cls, message: bytes = b"signed", certificate: bytes = b"certificate") -> Entry:
        """An exchange that a certificate acts in, which an officer approved."""
        digest = sha256(message)
        entry = cls._entry(EntryKind.EXCHANGE, str(uuid4()), Verdict.DENY)
        content = orjson.loads(entry.statement) | {"approval": {"digest": digest.hexdigest()}}
        chain = (certificate, b"authority")
        chains = (CertificateChain(entry.consumer_uri, sha256(certificate).digest(), chain),)
        said = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return replace(entry, statement=said, chains=chains, acts=(message,))

    @classmethod
    def need(cls, dataset: str = "tax.vehicle", *, most: int = 50) -> Entry:
        """A refusal that enters a need, of which so many new ones are allowed, on its way into the log."""
        reasons = (Why(Reason.DATASET_UNKNOWN), Why(Reason.NEED_RECORDED))
        request = {"dataset": dataset, "fields": ("plate_no", "bought_on")}
        entry = cls._entry(
            EntryKind.EXCHANGE, str(uuid4()), Verdict.DENY, reasons=reasons, provider="", request=request
        )
        fields, day = ("bought_on", "plate_no"), entry.recorded_at.date()
        need = Need("tax", dataset, entry.purpose, fields, Reason.DATASET_UNKNOWN)
        return replace(entry, need=need, charges=(Charge(f"needs/tax/{day}", most, 1),))

    @classmethod
    def opening(cls, request_id: str, seconds: float = 30.0) -> Entry:
        """A stream's decision on its way into the log."""
        digest, counts = sha256(b"").digest(), RowCounts()
        nothing = Outcome(
            AnswerStatus.DOUBTFUL, None, counts, digest, interrupted=True, handed_over=HandedOver(0, 0)
        )
        unfinished = cls._entry(
            EntryKind.STREAM_OUTCOME, request_id, Verdict.PERMIT, nothing, lease_seconds=seconds
        )
        return replace(
            cls._entry(EntryKind.STREAM_DECISION, request_id, Verdict.PERMIT, lease_seconds=seconds),
            request_id=request_id,
            request_mac=b"m" * 32,
            charges=(Charge("rows/civil-affairs-marriage-001/low-income/tax/2026-11-23", 10**6, 10),),
            lease=LeaseBegin(round(seconds * 1000), unfinished.statement),
        )

    @classmethod
    def outcome(
        cls, request_id: str, opening: int, content: bytes = b"", *, interrupted: bool = False
    ) -> Entry:
        """The outcome of the stream that leaf ``opening`` opened, by its holder."""
        digest, handed = sha256(content).digest(), HandedOver(1, len(content))
        outcome = Outcome(
            AnswerStatus.FOUND, None, RowCounts(1, 0, 1), digest, interrupted=interrupted, handed_over=handed
        )
        entry = cls._entry(
            EntryKind.STREAM_OUTCOME,
            request_id,
            Verdict.PERMIT,
            outcome,
            decision_leaf=opening,
            lease_seconds=30.0,
        )
        complete = {} if interrupted else {"request_id": request_id, "answer_digest": digest}
        return replace(entry, lease=LeaseEnd(opening), **complete)

    @staticmethod
    def _entry(
        kind: EntryKind,
        request_id: str,
        verdict: Verdict,
        outcome: Outcome | None = None,
        *,
        reasons: tuple[Why, ...] = (),
        provider: str = "civil_affairs",
        request: Mapping[str, Any] = MappingProxyType({}),
        **more: Any,
    ) -> Entry:
        now = datetime.now(UTC)
        caller = Identity("xinghe", "tax", Role.SYSTEM, "counter-1", 7, now, b"f" * 32)
        asked = {"dataset": "civil_affairs.marriage", "fields": ("status",), **request}
        application = Application(
            consumer=caller,
            request_id=request_id,
            subjects=("990101189901010015",),
            purpose="low_income_check",
            case_no="TAX-2026-000001",
            **asked,
        )
        content = statement(
            kind,
            application,
            Decision(verdict, "a" * 64, ("civil-affairs-marriage-001/low-income",), reasons),
            now,
            provider=provider,
            subject_tags=[b"t" * 16],
            masks={},
            epoch=1,
            outcome=outcome,
            **more,
        )
        return Entry(
            kind=kind,
            statement=content,
            recorded_at=now,
            consumer="tax",
            consumer_uri=caller.uri,
            provider=provider,
            dataset=application.dataset,
            purpose=application.purpose,
            verdict=verdict,
        )


@pytest.fixture(scope="session")
def broker_log() -> type[BrokerLog]:
    """Makes a log in a database and a folder."""
    return BrokerLog
