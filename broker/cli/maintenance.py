"""``sharebroker backup``, ``restore`` and ``fsck``: keep the database, bring it back, find what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from broker.cli.connection import Json, read_trust
from broker.errors import SetUpError
from broker.keys.log_key import load_log_keys
from broker.receipt import backup as backups
from broker.receipt.finding import Finding
from broker.receipt.fsck import Fsck, open_fsck
from broker.receipt.log_keys import LogKeys
from broker.receipt.note import VerifierKey
from broker.settings import Settings, load_settings
from broker.store.snapshot import Progress as Report
from broker.store.snapshot import no_progress

EXIT_WRONG = 3
MOST_FINDINGS = 1_000
"""Listed; the rest is counted."""

Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]
OwnTrust = Annotated[
    Path | None,
    typer.Option("--trust", help="日志公钥文件，缺省取自 log_key / the log's verifier key; else log_key's"),
]


def backup(
    file: Annotated[Path, typer.Argument(help="备份文件，不得已存在 / file to write; must not exist")],
    config: Config = Path("sharebroker.toml"),
    trust: OwnTrust = None,
    as_json: Json = False,
) -> None:
    """备份数据库，服务可继续运行 / back up the database; the broker may go on."""
    settings = load_settings(config)
    with progress_bars() as report:
        manifest = backups.backup(*_places(settings, file), own_key(settings, trust), report)
    log, size = manifest.log, file.stat().st_size
    if as_json:
        _print_json({"file": str(file), "bytes": size, "leaves": log.size, "root": log.root})
        return
    print(
        f"已备份到 {file}：{log.size} 条存证，{size} 字节，树根 {log.root}。文件含存证原文，请加密保管。\n"
        f"Backed up to {file}: {log.size} leaves, {size} bytes, root {log.root}. It holds the statements "
        "themselves: keep it encrypted."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="备份文件 / backup")],
    config: Config = Path("sharebroker.toml"),
    trust: OwnTrust = None,
    as_json: Json = False,
) -> None:
    """恢复到空数据库；落后于已签名的日志时退出码为 3 / restore into an empty database; exit 3: behind."""
    settings = load_settings(config)
    with progress_bars() as report:
        restored = backups.restore(*_places(settings, file), own_key(settings, trust), report)
    log, missing = restored.manifest.log, restored.missing
    if as_json:
        _print_json(
            {"leaves": log.size, "root": log.root, "signed": restored.signed, "missing": len(missing)}
        )
    else:
        print(
            f"已恢复：{log.size} 条存证，树根 {log.root}，校验和与树均已核对。\n"
            f"Restored: {log.size} leaves, root {log.root}; checksums and tree were verified."
        )
        print(_standing(restored))
    if missing:
        raise typer.Exit(EXIT_WRONG)


def fsck(config: Config = Path("sharebroker.toml"), trust: OwnTrust = None, as_json: Json = False) -> None:
    """重新推导全部存证，指出不符之处，退出码为 3 / derive everything again, name what is wrong; exit 3."""
    settings = load_settings(config)
    state, key = settings.path(settings.keys.signer_state), own_key(settings, trust)
    with progress_bars() as report, open_fsck(settings.store_url, state, key, report) as check:
        findings = check.findings()
        listed = list(islice(findings, MOST_FINDINGS))
        wrong = len(listed) + sum(1 for _ in findings)
    if as_json:
        about: dict[str, object] = {"leaves": check.size, "erased": check.erased, "requests": check.requests}
        about |= {"root": check.root.hex(), "signed": check.signed, "wrong": wrong}
        about["findings"] = [asdict(found) for found in listed]
        _print_json(about)
    else:
        for found in listed:
            print(_line(found))
        if wrong > len(listed):
            print(
                f"… 共 {wrong} 处，只列出前 {len(listed)} 处 / {wrong} in all, the first {len(listed)} listed"
            )
        print(_summary(check, wrong))
    if wrong:
        raise typer.Exit(EXIT_WRONG)


def _places(settings: Settings, file: Path) -> tuple[str, Path, Path]:
    return settings.store_url, file, settings.path(settings.keys.signer_state)


def own_key(settings: Settings, trust: Path | None = None) -> LogKeys:
    """The log's key: given, or the first that the broker itself has."""
    if trust is not None:
        return read_trust(trust)
    private, *_ = load_log_keys(settings.path(settings.keys.log_key))
    try:
        return LogKeys(VerifierKey.of(settings.log.origin, private))
    except ValueError:
        raise SetUpError(
            "日志名称 [log] origin 不得为空，不得含空格或加号。",
            "The log's name [log] origin must not be empty, nor have spaces or plus signs.",
        ) from None


def _standing(restored: backups.Restored) -> str:
    size, missing = restored.manifest.log.size, restored.missing
    if restored.signed is None:
        return (
            "签名状态文件不存在，无从知道备份是否落后；没有它服务不会启动，见 docs/operations.md。\n"
            "There is no signer's state to compare with, so whether the backup is behind is not known; the "
            "broker does not start without it, see docs/operations.md."
        )
    if not missing:
        return (
            "没有缺失：签名过的存证都在，服务可以启动。\n"
            "Nothing is missing: every signed leaf is there, so the broker may start."
        )
    return (
        f"落后：已签名 {restored.signed} 条，备份只有 {size} 条，缺第 {missing[0]} 至 {missing[-1]} 条共 "
        f"{len(missing)} 条，其回执可能已经交出。服务将拒绝启动。\n"
        "请寻找更新的备份或原数据库，恢复到另一空数据库；切勿改动签名状态文件。确已无法找回时，只能以新的 "
        "[log] origin 和新的 [keys] log_key 开始新日志，并公告缺失，见 docs/operations.md。\n"
        f"Behind: {restored.signed} leaves were signed, the backup has {size}; leaves {missing[0]} to "
        f"{missing[-1]} ({len(missing)}) are missing, and their receipts may be in somebody's hands. The "
        "broker will refuse to start.\n"
        "Find a newer backup or the database itself, and restore into another empty database; never touch "
        "the signer's state. Only when they are lost for good: begin a new log under a new [log] origin and "
        "a new [keys] log_key, and publish what is missing; see docs/operations.md."
    )


def _summary(check: Fsck, wrong: int) -> str:
    compared = ("未与签名进程的记忆比较", "not compared with the signer's memory")
    if check.signed is not None:
        compared = (f"已签名 {check.signed} 条", f"{check.signed} signed")
    counted = (
        f"{check.size} 条存证（{check.erased} 条原文已删除，{compared[0]}），树根 {check.root.hex()}",
        f"{check.size} leaves ({check.erased} statements erased, {compared[1]}), root {check.root.hex()}",
    )
    if wrong:
        more = (
            ""
            if wrong <= MOST_FINDINGS
            else f"（只列出前 {MOST_FINDINGS} 处 / first {MOST_FINDINGS} listed）"
        )
        return f"发现 {wrong} 处不符{more}；{counted[0]}。\nWrong in {wrong} places; {counted[1]}."
    return f"完好：{counted[0]}。\nSound: {counted[1]}."


def _line(found: Finding) -> str:
    where = " ".join(part for part in (found.table, found.row, found.column) if part)
    said = f"{found.zh} / {found.en}"
    return f"{where}: {said}" if where else said


@contextmanager
def progress_bars() -> Iterator[Report]:
    """A bar a table, for people; nothing where nobody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield no_progress
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks = {}

        def report(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table, total=total)
            bar.update(tasks[table], completed=done, total=total)

        yield report


def _print_json(value: object) -> None:
    print(orjson.dumps(value).decode())
