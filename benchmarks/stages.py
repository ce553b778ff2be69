"""What each stage of a unary exchange costs in processor time, beside a peer in the same run.

The receipt's way into the log is left out (see ``appends``), and so are gRPC and TLS (see ``exchanges``).
Processor time of one thread: once the least of many short rounds, in which everything is in the processor's
caches; and once the median of single calls, each two milliseconds after the one before, in which it no longer
is. Service lies between the two, nearer to the second: that is what a process does between two calls.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import orjson
from cryptography import x509

from adapters.masking.registry import load_operators
from adapters.sources.registry import load_sources
from benchmarks.report import percentile, show
from broker.apply.admission import Request, admit
from broker.apply.identity import check_standing
from broker.approve.bundle import compile_bundle
from broker.approve.evaluate import evaluate
from broker.approve.rule import Limits
from broker.demo.setup import Embedded, load_shipped, prepare, shipped_policies
from broker.epoch import Epochs, InForce
from broker.exchange import Exchange
from broker.keys.revocation import read_revocations
from broker.leases import Keeper
from broker.model import Entry, EntryKind, Epoch, Identity, Receipt, Role
from broker.receipt.log import Appended, ReceiptLog
from broker.server.parts import keyring_of
from broker.settings import Masking, load_settings
from broker.standing import Decided
from broker.transmit.reading import Reader
from broker.transmit.sources import Sources

ROUND_SECONDS = 0.002
MOST_SECONDS = 0.5
"""Of processor time, for one measurement."""
PAUSE_SECONDS = 0.002
SINGLE_CALLS = 101
RESIDENTS = 10_000
MANY = 1_000


@dataclass(frozen=True, slots=True)
class _Case:
    """One exchange to measure, and its query as a program without a broker would write it."""

    title: str
    department: str
    request: Request
    database: str
    statement: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of processor time."""

    warm: float
    single: float


class _Unlogged:
    """In the log's place: it takes every entry, and keeps none."""

    def append(self, entry: Entry, rows: int = 0) -> Appended:
        return Appended(Receipt(entry.statement, 0, 1, (), ""), redelivered=False)


def run() -> None:
    """Print microseconds of each stage for one row, for six fields of one row, and for many rows."""
    with tempfile.TemporaryDirectory() as folder:
        embedded = prepare(Path(folder), RESIDENTS, 1, shipped_policies(), ())
        for case in _cases(embedded):
            _show(case, _stages(case, embedded))


def _show(case: _Case, stages: dict[str, tuple[Cost, str, Cost]]) -> None:
    rows = [
        (
            stage,
            f"{ours.warm:.1f}",
            f"{ours.single:.0f}",
            peer,
            f"{theirs.warm:.1f}",
            f"{theirs.single:.0f}",
            f"{ours.warm / theirs.warm:.1f}",
        )
        for stage, (ours, peer, theirs) in stages.items()
    ]
    show(
        f"One exchange by stages: {case.title}",
        ("stage", "warm µs", "single µs", "beside", "warm µs", "single µs", "warm ratio"),
        rows,
        "processor time of one thread, over and over (warm) or every 2 ms (single); without gRPC and the "
        "log's append",
    )


def _stages(case: _Case, embedded: Embedded) -> dict[str, tuple[Cost, str, Cost]]:
    """Microseconds of each stage, what stands beside it, and microseconds of that."""
    exchange, epoch = _exchange(embedded)
    consumer, request, now = _consumer(case.department), case.request, datetime.now(UTC)
    catalog, reader = epoch.bundle.catalog, epoch.reader
    application = admit(request, consumer, catalog, _unsigned)
    decided = Decided(epoch, application, evaluate(application, None, epoch.bundle, now), now)
    approved = decided.approved()
    mask_plan = exchange._planner.plan(approved, epoch.keyring)
    answer = reader.read(approved, now, mask_plan.apply_to_values)
    assert answer.counts.released == len(answer.records) >= len(request.subjects)
    reading = reader.stream(approved, now, MANY)
    rows = next(reading.parts())[0].good_values()
    source, query = reading.source, replace(reading._query(), limit=MANY)

    def apply() -> None:
        check_standing(consumer, catalog.city, epoch.revocations, now)
        admit(request, consumer, catalog, _unsigned)

    with closing(sqlite3.connect(embedded.folder / "data" / case.database)) as database:
        select = _beside("sqlite3 alone", lambda: database.execute(case.statement, case.values).fetchall())
        parse = _beside("orjson.loads of the request", partial(orjson.loads, _asked(request)))
        write = _beside("orjson.dumps of the answer", partial(orjson.dumps, answer.records))
        state = _beside("orjson.dumps of the statement", partial(orjson.dumps, _stated(exchange, decided)))
        return {
            "1 apply": (_time(apply), *parse),
            "2 approve": (_time(lambda: evaluate(application, None, epoch.bundle, now)), *parse),
            "3 mask plan": (_time(lambda: exchange._planner.plan(approved, epoch.keyring)), *parse),
            "4 source": (_time(lambda: list(source.read(query, MANY))), *select),
            "4 mask": (_time(lambda: mask_plan.apply_to_values(rows)), *write),
            "4 all of transmit": (
                _time(lambda: reader.read(approved, now, mask_plan.apply_to_values)),
                *select,
            ),
            "5 digest, statement": (
                _time(lambda: exchange._release(decided, mask_plan, answer, lambda: True)),
                *state,
            ),
            "all": (_time(lambda: exchange._unary(epoch, request, consumer, lambda: True)), *select),
        }


def _beside(peer: str, call: Callable[[], object]) -> tuple[str, Cost]:
    return peer, _time(call)


def _asked(request: Request) -> bytes:
    return orjson.dumps(request, default=bytes.hex)


def _stated(exchange: Exchange, decided: Decided) -> object:
    return orjson.loads(exchange.entries.entry(EntryKind.EXCHANGE, decided).statement)


def _exchange(embedded: Embedded) -> tuple[Exchange, InForce]:
    """An exchange whose receipts go nowhere, and an epoch under which many rows may be read at once."""
    shipped = load_shipped(shipped_policies())
    rules = [replace(rule, limits=Limits()) for rule in shipped.rules]
    bundle = compile_bundle(shipped.catalog, rules, shipped.hash)
    pki = embedded.folder / "pki"
    ca = x509.load_pem_x509_certificate((pki / "ca.pem").read_bytes())
    revocations = read_revocations((pki / "crl.pem").read_bytes(), ca)
    sources = Sources(load_sources(["sql", "files"]), str(embedded.folder / "data")).open(bundle.catalog)
    epoch = Epoch(1, bundle.hash, revocations.number, datetime.now(UTC))
    exchange = Exchange(
        epochs=cast("Epochs", None),
        operators=load_operators(Masking().allowed),
        log=cast("ReceiptLog", _Unlogged()),
        keeper=cast("Keeper", None),
        ca=ca,
        clock=lambda: datetime.now(UTC),
        max_answer_bytes=64 * 1024 * 1024,
        batch_rows=MANY,
        chunk_bytes=1024 * 1024,
    )
    return exchange, InForce(
        epoch,
        bundle,
        revocations,
        (),
        Reader(sources, bundle.zone),
        keyring_of(load_settings(embedded.settings)),
    )


def _unsigned(message: bytes, application: object) -> bytes:
    raise AssertionError("no application here is signed")


def _consumer(department: str) -> Identity:
    return Identity(
        "xinghe", department, Role.SYSTEM, "counter", 1, datetime.now(UTC) + timedelta(1), bytes(32)
    )


def _cases(embedded: Embedded) -> list[_Case]:
    city: dict[str, Any] = json.loads((embedded.folder / "data/city.json").read_text("utf-8"))
    married, mother = city["withdrawal"]["sound"], city["newborn"]["mother_id"]
    with closing(sqlite3.connect(embedded.folder / "data/public_security.db")) as database:
        found = database.execute("SELECT sfzh FROM czrk WHERE substr(xzqh, 1, 4) = '9901' LIMIT ?", (MANY,))
        residents = tuple(subject for (subject,) in found)
    withdrawal = ("housing_fund_withdrawal", "990100-GJJ-0003", "住房公积金管理条例 第二十四条")
    birth = ("newborn_registration", "990100-GA-0012", "户口登记条例 第七条")
    either = "WHERE (({0} IN (?, ?)) OR ({1} IN (?, ?))) LIMIT 11"
    return [
        _Case(
            "one row, 2 fields",
            "housing_fund",
            _request("civil_affairs.marriage", ("status", "registered_on"), (married,), *withdrawal),
            "civil_affairs.db",
            "SELECT hyzt, djrq, nan_sfzh, nv_sfzh, gxsj, xzqh "
            f"FROM hydj {either.format('nan_sfzh', 'nv_sfzh')}",
            (married,) * 4,
        ),
        _Case(
            "one row, 6 fields",
            "public_security",
            _request(
                "healthcare.birth",
                ("certificate_no", "child_name", "sex", "born_on", "mother_id", "father_id"),
                (mother,),
                *birth,
            ),
            "healthcare.db",
            "SELECT zmbh, xsexm, xb, csrq, mqsfzh, fqsfzh, gxsj "
            f"FROM csyxzm {either.format('mqsfzh', 'fqsfzh')}",
            (mother,) * 4,
        ),
        _Case(
            f"{MANY:,} rows, 4 fields",
            "housing_fund",
            _request(
                "public_security.household",
                ("relation", "household_no", "address", "district"),
                residents,
                *withdrawal,
            ),
            "public_security.db",
            "SELECT yhzgx, hh, hjdz, xzqh, sfzh, gxsj FROM czrk "
            f"WHERE sfzh IN ({', '.join('?' * len(residents))})",
            residents,
        ),
    ]


def _request(
    dataset: str, fields: tuple[str, ...], subjects: tuple[str, ...], purpose: str, item: str, basis: str
) -> Request:
    name = str(uuid.uuid4())
    return Request(
        name, f"datasets/{dataset}", fields, subjects, purpose, item, "2026-000001", basis, "GJJ-0088"
    )


def _time(call: Callable[[], object]) -> Cost:
    return Cost(_warm(call), _single(call))


def _warm(call: Callable[[], object]) -> float:
    """Microseconds of this thread's processor time a call takes, in the best of many short rounds."""
    began = time.thread_time()
    call()
    calls = max(1, int(ROUND_SECONDS / max(1e-6, time.thread_time() - began)))
    best, end = float("inf"), time.thread_time() + MOST_SECONDS
    while (began := time.thread_time()) < end:
        for _ in range(calls):
            call()
        best = min(best, (time.thread_time() - began) / calls)
    return best * 1e6


def _single(call: Callable[[], object]) -> float:
    """The same of a call that comes a while after the last one, in the median."""
    times = []
    for _ in range(SINGLE_CALLS):
        end = time.perf_counter() + PAUSE_SECONDS
        while time.perf_counter() < end:
            pass
        began = time.thread_time()
        call()
        times.append(time.thread_time() - began)
    return percentile(times, 0.5) * 1e6
