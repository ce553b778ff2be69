"""``sharebroker status``: what is in force, how far the log is, and how the processes are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from broker.errors import VerificationFailed
from broker.keys.revocation import read_revocations

if TYPE_CHECKING:
    from broker.server.asking import Status
    from broker.settings import Settings
    from broker.store.store import Store

Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]

COLUMNS = {
    "pid": "进程\npid",
    "kind": "类别\nkind",
    "core": "核\ncore",
    "state": "状态\nstate",
    "seconds": "已运行秒\nseconds",
    "deaths": "异常退出\ndeaths",
}
WORDS = {
    "unary": "调用 unary",
    "stream": "流 stream",
    "single": "全部 all",
    "starting": "启动中 starting",
    "serving": "服务中 serving",
    "leaving": "退出中 leaving",
    "None": "–",
}
"""Kinds and states of processes, as people read them."""


def status(
    config: Config = Path("sharebroker.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="机器可读输出 / print for machines")] = False,
) -> None:
    """查看生效策略、日志、待签条数与各进程名额 / show what is in force, log, backlog and processes."""
    from broker.server.asking import (
        ask_status,  # gRPC and the database are loaded by the commands that use them
    )
    from broker.settings import load_settings
    from broker.store import open_store

    settings = load_settings(config)
    running = ask_status(settings)
    store = open_store(settings.store_url)
    try:
        epoch, log, approval = _epoch(store), _log(store, settings), approval_status(store, settings)
        deliveries, disposals = _deliveries(store), _disposals(store)
    finally:
        store.close()
    if as_json:
        told = {"broker": running, "epoch": epoch, "log": log, "approval": approval}
        print(json.dumps(told | {"deliveries": deliveries, "disposals": disposals}))
        return
    _print_epoch(epoch)
    _print_approval(approval)
    print(f"日志 log：{log['leaves']} 条 leaves，已签 signed {log['signed']}，待签 backlog {log['backlog']}")
    waiting, overdue = deliveries["waiting"], deliveries["overdue"]
    print(f"交付 deliveries：待确认 waiting {waiting}，逾期或有争议 overdue or disputed {overdue}")
    print(f"销毁 disposals：待证明 open {disposals['open']}，逾期 overdue {disposals['overdue']}")
    _print_processes(running)


def _epoch(store: Store) -> dict[str, Any] | None:
    """What is in force, from the table that every commit checks: no process can know it better."""
    with store.epochs() as tables:
        found, suspensions = tables.epoch(), tables.suspensions()
    if found is None:
        return None
    since = found.since.isoformat(timespec="seconds")
    names = {"bundle": found.bundle_hash, "crl": found.crl_number, "suspensions": len(suspensions)}
    return {"sequence": found.sequence, "since": since, **names}


def approval_status(store: Store, settings: Settings) -> dict[str, Any]:
    """Whether officers approve what is published, and which of their approvals end soon or are not there."""
    from broker.publication.dossiers import dossier_of
    from broker.publication.expiring import endings
    from broker.publication.responsibility import owners_of
    from broker.publication.scrutiny import bases_of
    from broker.server.bundles import compiler, operators_of
    from broker.server.parts import demanded_scrutiny

    scrutiny = demanded_scrutiny(settings)
    if scrutiny is None:
        return {"by": "operator", "ending": []}
    with store.epochs() as tables:
        epoch = tables.epoch()
        if epoch is None:
            return {"by": "officers", "ending": []}
        dossier = dossier_of(tables, epoch.bundle_hash, scrutiny)
        crl = tables.crl(epoch.crl_number) or b""
    compromised = read_revocations(crl, scrutiny.ca).compromised
    bases = bases_of(compiler(operators_of(settings))(dossier.files))
    standing = scrutiny.standing(dossier.files, bases, dossier.approvals, compromised)
    found = endings(owners_of(dossier.files), standing, datetime.now(UTC))
    ending = [
        {"owner": e.owner, "file": e.file, "until": e.until and e.until.isoformat(timespec="seconds")}
        for e in found
    ]
    return {"by": "officers", "ending": ending}


def _log(store: Store, settings: Settings) -> dict[str, int]:
    """Leaves in the database, leaves under the last signed head, and the difference."""
    from broker.cli.maintenance import own_key
    from broker.receipt.memory import remembered
    from broker.receipt.note import parse_checkpoint

    leaves = store.head().size
    try:
        note = remembered(settings.path(settings.keys.signer_state), own_key(settings))
        signed = parse_checkpoint(note.partition("\n\n")[0] + "\n").size
    except VerificationFailed:
        signed = 0
    return {"leaves": leaves, "signed": signed, "backlog": max(0, leaves - signed)}


def _disposals(store: Store) -> dict[str, int]:
    """Orders without certificate, and those among them whose time is over."""
    with store.disposals() as tables:
        total, overdue = tables.count(datetime.now(UTC))
    return {"open": total, "overdue": overdue}


def _deliveries(store: Store) -> dict[str, int]:
    """Deliveries that wait to be acknowledged in time, and those that are overdue or disputed."""
    total, overdue = store.count_deliveries(datetime.now(UTC))
    return {"waiting": total - overdue, "overdue": overdue}


def _print_epoch(epoch: dict[str, Any] | None) -> None:
    if epoch is None:
        print("生效 epoch：尚无，首次启动服务时建立。/ None yet; the first start of the broker begins it.")
        return
    begun = f"第 {epoch['sequence']} 号，始于 since {epoch['since']}"
    names = f"策略 bundle {epoch['bundle'][:12]}，吊销列表 crl {epoch['crl']}"
    print(f"生效 epoch：{begun}，{names}，暂停 suspensions {epoch['suspensions']}")


def _print_approval(approval: dict[str, Any]) -> None:
    if approval["by"] == "operator":
        print("审批 approval：策略由操作人员一人即可发布，正式运行请改为 officers。")
        print("One person can put policies in force; for real data set [policies] approval = officers.")
        return
    count = len(approval["ending"])
    print(f"审批 approval：两人审批 officers；30 天内到期或没有审批的文件 ending or missing: {count}")
    for one in approval["ending"]:
        print(f"  {one['owner']}  {one['file']}  {one['until'] or '无 none'}")


def _print_processes(running: Status | None) -> None:
    if running is None:
        print("服务 broker：没有运行。/ No broker is running on these settings.")
        return
    ports = f"端口 port {running['port']}，流 streams {running['stream_port']}"
    print(f"服务 broker：{running['pid']}，{ports}，签名 signer {running['signer']}")
    table = Table(*COLUMNS.values(), "调用名额\ncalls", "流名额\nstreams", "拒绝\nrefused")
    for worker in running["workers"]:
        said = (WORDS.get(str(worker[key]), str(worker[key])) for key in COLUMNS)
        places = [worker["places"].get(name) for name in ("calls", "streams")]
        used = (f"{one['used']}/{one['limit']}" if one else "–" for one in places)
        table.add_row(*said, *used, str(sum(one["refused"] for one in places if one)))
    Console().print(table)
