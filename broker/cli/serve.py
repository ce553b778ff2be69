"""``sharebroker serve`` and ``sharebroker status``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from broker.errors import SetUpError, VerificationFailed

if TYPE_CHECKING:
    from broker.settings import Settings

Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]


def serve(
    config: Config = Path("sharebroker.toml"),
    workers: Annotated[
        str,
        typer.Option(
            help="服务进程数，auto 为每核一个，1 为单进程 / processes; auto: one a core; 1: a single one"
        ),
    ] = "",
) -> None:
    """运行共享交换服务；SIGTERM 排空，SIGHUP 逐个更替 / run the broker; SIGTERM drains, SIGHUP rolls over."""
    from broker.server.logging import configure_logging  # gRPC is loaded by these commands only
    from broker.server.supervisor import Supervisor, worker_count
    from broker.settings import load_settings

    configure_logging()
    settings = load_settings(config)
    count = worker_count(_asked(workers) or settings.server.workers)
    if count == 1:
        from broker.server.serve import serve as serve_alone

        serve_alone(settings)
    else:
        Supervisor(config, settings, count).run()


def status(
    config: Config = Path("sharebroker.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="机器可读输出 / print for machines")] = False,
) -> None:
    """查看各进程、日志头与待签条数 / show processes, head of the log, and leaves not yet signed."""
    from broker.server.supervisor import ask_status
    from broker.settings import load_settings

    settings = load_settings(config)
    running, log = ask_status(settings), _log_status(settings)
    if as_json:
        print(json.dumps({"broker": running, "log": log}))
        return
    print(f"日志 log：{log['leaves']} 条 leaves，已签 signed {log['signed']}，待签 backlog {log['backlog']}")
    if running is None:
        print("没有多进程服务在运行（单进程服务不在此列）。/ No broker with several workers is running.")
        return
    print(f"服务 broker：{running['pid']}，端口 port {running['port']}，流 streams {running['stream_port']}")
    table = Table("进程 pid", "类别 kind", "核 core", "状态 state", "秒 seconds", "异常退出 deaths")
    for worker in running["workers"]:
        table.add_row(*(str(worker[key]) for key in ("pid", "kind", "core", "state", "seconds", "deaths")))
    Console().print(table)


def _log_status(settings: Settings) -> dict[str, int]:
    """Leaves in the database, leaves under the last signed head, and the difference."""
    from broker.cli.maintenance import own_key
    from broker.receipt.memory import remembered
    from broker.receipt.note import parse_checkpoint
    from broker.store import open_store

    store = open_store(settings.store_url)
    try:
        leaves = store.head().size
    finally:
        store.close()
    try:
        note = remembered(settings.path(settings.keys.signer_state), own_key(settings))
        signed = parse_checkpoint(note.partition("\n\n")[0] + "\n").size
    except VerificationFailed:
        signed = 0
    return {"leaves": leaves, "signed": signed, "backlog": leaves - signed}


def _asked(workers: str) -> str:
    if workers and workers != "auto" and not (workers.isdigit() and int(workers) > 0):
        raise SetUpError("--workers 须为 auto 或正整数。", "--workers must be auto or a positive number.")
    return workers
