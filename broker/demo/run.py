"""The main job: start the broker, let the departments' processes run the scenarios, verify what they got."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from adapters.sources.contract import Query
from adapters.sources.registry import load_sources
from broker.approve.bundle import Bundle
from broker.client import VerifierKey, parse_receipt, verify_receipt
from broker.demo.reviewed import Reviewed, reviewed
from broker.demo.scenarios import SCENARIOS, WITHDRAWAL, Ask, Scenario
from broker.demo.setup import Embedded
from broker.errors import SetUpError

START_SECONDS = 120
"""Longest wait for a broker that neither serves nor gives up; on a slow machine it has much to load."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """A first sharing, as its consumer's clock saw it, in milliseconds."""

    filing_to_grant: float
    """From the application (decided, no data) to the decision."""
    grant_to_first_data: float
    """From there to the first masked record, with its receipt."""
    call: float
    """One call later on, under the same policy."""


@dataclass(frozen=True, slots=True)
class Told:
    """One exchange of a scenario: what was asked, what the provider has, what came back."""

    scenario: Scenario
    ask: Ask
    before: list[dict[str, object]]
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the demo has to tell."""

    exchanges: tuple[Told, ...]
    clocks: Clocks
    bulk: Reviewed
    verified: int
    receipts: Path
    trust: Path


def run(embedded: Embedded, bundle: Bundle) -> Report:
    """Run all scenarios and verify every receipt with the broker stopped.

    Raises:
        SetUpError: the broker or a department's process did not run.
        VerificationFailed: a receipt does not hold.
    """
    with broker_process(embedded) as address:
        told = [t for scenario in SCENARIOS for t in _scenario(embedded, bundle, address, scenario)]
        clocks = _clocks(embedded, address)
        bulk = reviewed(embedded, address)
    receipts = embedded.folder / "receipts"
    receipts.mkdir(exist_ok=True)
    trust = VerifierKey.parse(embedded.trust.read_text("utf-8").strip())
    for number, one in enumerate(told, 1):
        exported = orjson.dumps(one.result["receipt"], option=orjson.OPT_INDENT_2)
        (receipts / f"{number}.json").write_bytes(exported + b"\n")
        verify_receipt(parse_receipt(exported), trust)
    return Report(tuple(told), clocks, bulk, len(told), receipts, embedded.trust)


@contextmanager
def broker_process(embedded: Embedded) -> Iterator[str]:
    """A broker in a process of its own, while the block runs and this process lives; gives its address.

    Raises:
        SetUpError: it did not start, with what it said itself; or another demo uses the folder.
    """
    port_file, log = embedded.folder / "broker.port", embedded.folder / "broker.log"
    serve = [sys.executable, "-m", "broker.cli", "serve", "--config", str(embedded.settings)]
    with _alone_in(embedded.folder):
        before = _written(port_file)  # never removed: it may be that of a broker which is running
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "broker.demo.leash", *serve], stdin=subprocess.PIPE, stderr=output
            )
        try:
            yield f"127.0.0.1:{_port(process, port_file, before, log)}"
        finally:
            process.communicate()  # the end of its input is what it stops at


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SetUpError(
            f"另一个演示正在使用 {folder}，请等它结束，或用 --folder 另选目录。",
            f"Another demo is using {folder}; wait for it, or choose another --folder.",
        ) from None
    finally:
        os.close(held)


def _written(file: Path) -> int | None:
    return file.stat().st_mtime_ns if file.exists() else None


def _port(process: subprocess.Popen[bytes], port_file: Path, before: int | None, log: Path) -> int:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if _written(port_file) != before and (text := port_file.read_text().strip()):
            return int(text)
        time.sleep(0.02)
    said = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line]
    zh, en = (
        said[-2:] if process.poll() == 2 else ("", "")
    )  # two lines, as of every command that cannot start
    raise SetUpError(f"服务未能启动，日志在 {log}。{zh}", f"The broker did not start; its log is {log}. {en}")


def _scenario(embedded: Embedded, bundle: Bundle, address: str, scenario: Scenario) -> Iterator[Told]:
    asks = [_terms(embedded, scenario, ask) for ask in scenario.asks]
    for ask, result in zip(scenario.asks, _department(embedded, address, scenario, asks), strict=True):
        yield Told(scenario, ask, _before(embedded, bundle, ask), result)


def _terms(embedded: Embedded, scenario: Scenario, ask: Ask) -> dict[str, Any]:
    return {
        "dataset": ask.dataset,
        "fields": ask.fields,
        "subjects": [_subject(embedded, ask)],
        "purpose": ask.purpose,
        "service_item": ask.service_item or scenario.service_item,
        "legal_basis": scenario.legal_basis,
        "case_no": scenario.case_no,
        "operator": scenario.operator,
        "sign": ask.sign,
        "commit": True,
    }


def _department(
    embedded: Embedded, address: str, scenario: Scenario, asks: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Let the department's own process ask; what it prints comes back."""
    identity = embedded.identity(scenario.consumer)
    done = subprocess.run(
        [sys.executable, "-m", "broker.demo.department", address, str(identity), str(embedded.trust)],
        input=orjson.dumps(asks),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise SetUpError(
            f"部门 {scenario.consumer} 的进程未能完成。",
            f"The process of {scenario.consumer} did not finish.",
        )
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def _clocks(embedded: Embedded, address: str) -> Clocks:
    """File one application, exchange under it, and once more: three calls over one connection."""
    terms = _terms(embedded, WITHDRAWAL, WITHDRAWAL.asks[0])
    asks = [{**terms, "validate_only": True}, terms, terms]
    filed, first, later = _department(embedded, address, WITHDRAWAL, asks)
    return Clocks(filed["elapsed_ms"], first["elapsed_ms"], later["elapsed_ms"])


def _subject(embedded: Embedded, ask: Ask) -> str:
    city = embedded.city
    return {
        "newborn_mother": city.newborn.mother_id,
        "applicant": city.withdrawal.sound,
        "doubtful_applicant": city.withdrawal.doubtful,
        "low_income": city.low_income.applicant,
    }[ask.subject]


def _before(embedded: Embedded, bundle: Bundle, ask: Ask) -> list[dict[str, object]]:
    """The records as the provider has them, read where the provider keeps them."""
    dataset = bundle.catalog.datasets[ask.dataset]
    kind = load_sources((dataset.source.kind,))[dataset.source.kind]
    source = kind(dataset.source.options, str(embedded.folder / "data"))
    query = Query(
        columns={name: dataset.source.columns[name] for name in ask.fields},
        subject_columns=[dataset.source.columns[name] for name in dataset.subject_fields],
        subjects=[_subject(embedded, ask)],
    )
    try:
        return [row for batch in source.read(query, 100) for row in batch.to_pylist()]
    finally:
        source.close()
