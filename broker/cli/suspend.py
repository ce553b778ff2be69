"""``sharebroker suspend``: the kill switch, on the broker's host or, with ``--broker``, as an officer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.connection import Json
from broker.cli.epoch import DEFAULT_CONFIG, By, act, order_of, stated, store_of
from broker.errors import SetUpError
from broker.model import Suspension, Target
from broker.settings import load_settings

if TYPE_CHECKING:
    from broker.client import OfficerClient
    from broker.client.suspending import Suspended
    from broker.v1 import suspension_pb2

app = typer.Typer(
    help="紧急暂停共享：添加、解除、列出 / the kill switch: add, lift, list", no_args_is_help=True
)

Broker = Annotated[
    str,
    typer.Option("--broker", help="服务地址：以管理员身份远程办理 / address of the broker, as an officer"),
]
Identity = Annotated[
    Path | None,
    typer.Option(
        "--identity",
        envvar="SHAREBROKER_CREDENTIALS",
        help="证书目录，与 --broker 同用 / folder that `pki issue` wrote, with --broker",
    ),
]
Config = Annotated[
    Path,
    typer.Option("--config", "-c", help="在服务主机上办理：配置文件 / on the broker's host: settings file"),
]
Why = Annotated[str, typer.Option("--reason", help="原因，写入存证 / why; stands in the log")]
HEADINGS = (
    "编号 number",
    "自 since",
    "暂停对象 what",
    "原因 why",
    "状态 state",
)


@app.command("add")
def add_suspension(
    reason: Why,
    consumer: Annotated[str, typer.Option(help="需求部门编号 / department as consumer")] = "",
    dataset: Annotated[str, typer.Option(help="数据资源编号 / dataset")] = "",
    purpose: Annotated[str, typer.Option(help="使用场景编号 / purpose")] = "",
    everything: Annotated[bool, typer.Option("--all", help="全部共享 / all sharing")] = False,
    provider: Annotated[
        str, typer.Option(help="仅限该提供部门的数据 / only what this department provides")
    ] = "",
    mend_by: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="限期整改，至该日止，含当日 / to be put right by then, included"
        ),
    ] = None,
    broker: Broker = "",
    identity: Identity = None,
    config: Config = DEFAULT_CONFIG,
    by: By = "",
) -> None:
    """立即暂停共享，返回时已生效 / stop sharing at once; in force on return."""
    target, name = _target(consumer, dataset, purpose, everything)
    stated(reason)
    # The day is the officer's; it ends with the next.
    deadline = None if mend_by is None else (mend_by + timedelta(days=1)).astimezone()
    if broker:
        with _officer(broker, identity) as client:
            done = client.suspend(target, name, reason=reason, provider=provider, mend_by=deadline)
        _tell(_suspension(done.suspension), done)
        return
    order = order_of(by, reason)
    suspension, _ = act(
        config,
        lambda publisher: publisher.suspend(target, name, order, provider=provider, mend_by=deadline),
    )
    _tell(suspension)


@app.command("lift")
def lift_suspension(
    number: Annotated[int, typer.Argument(help="编号 / number")],
    reason: Why,
    broker: Broker = "",
    identity: Identity = None,
    config: Config = DEFAULT_CONFIG,
    by: By = "",
) -> None:
    """解除一项暂停 / lift a suspension."""
    stated(reason)
    if broker:
        with _officer(broker, identity) as client:
            done = client.lift(number, reason=reason)
        _tell(_suspension(done.suspension), done)
        return
    order = order_of(by, reason)
    _tell(act(config, lambda publisher: publisher.lift(number, order))[0])


@app.command("list")
def list_suspensions(
    lifted: Annotated[bool, typer.Option("--lifted", help="包括已解除的 / also those lifted")] = False,
    broker: Broker = "",
    identity: Identity = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """列出暂停，逾期未整改的有标注 / list the suspensions, and which were not mended in time."""
    found: Sequence[Suspension]
    if broker:
        with _officer(broker, identity) as client:
            found = [_suspension(one) for one in client.suspensions(lifted=lifted)]
    else:
        with store_of(load_settings(config)) as store, store.epochs() as tables:
            found = tables.suspensions(lifted=lifted)
    now = datetime.now(UTC)
    if as_json:
        told = [asdict(one) | {"overdue": one.is_overdue(now)} for one in found]
        typer.echo(orjson.dumps({"suspensions": told}, option=orjson.OPT_UTC_Z).decode())
        return
    if found:
        Console().print(_table(found, now))
    typer.echo(f"共 {len(found)} 项 / {len(found)} suspension(s)")


def _officer(broker: str, identity: Path | None) -> OfficerClient:
    from broker.cli.policy.publication import officer  # Arrow is loaded by the commands that need it

    if identity is None:
        raise SetUpError(
            "请用 --identity 写明管理员的证书目录。", "Give the officer's credentials with --identity."
        )
    return officer(broker, identity)


def _suspension(message: suspension_pb2.Suspension) -> Suspension:
    """As the broker's host has it, but for what the caller may not read."""
    from broker.v1.suspension_pb2 import SuspensionTarget

    kind = SuspensionTarget.Name(message.target)
    return Suspension(
        int(message.name.removeprefix("suspensions/")),
        Target[kind.removeprefix("SUSPENSION_TARGET_")],
        message.subject.rpartition("/")[2],
        message.reason,
        message.actor,
        message.suspend_time.ToDatetime(UTC),
        message.lift_epoch or None,
        message.provider.removeprefix("departments/"),
        message.department.removeprefix("departments/"),
        message.mend_time.ToDatetime(UTC) if message.HasField("mend_time") else None,
    )


def _target(consumer: str, dataset: str, purpose: str, everything: bool) -> tuple[Target, str]:
    given = [
        (target, name)
        for target, name in (
            (Target.CONSUMER, consumer),
            (Target.DATASET, dataset),
            (Target.PURPOSE, purpose),
        )
        if name
    ]
    if everything:
        given.append((Target.EVERYTHING, ""))
    if len(given) != 1:
        raise SetUpError(
            "请从 --consumer、--dataset、--purpose、--all 中选一项。",
            "Give exactly one of --consumer, --dataset, --purpose and --all.",
        )
    return given[0]


_TARGETS = {
    Target.CONSUMER: "需求部门 consumer",
    Target.DATASET: "数据资源 dataset",
    Target.PURPOSE: "使用场景 purpose",
    Target.EVERYTHING: "全部共享 everything",
}


def _what(one: Suspension) -> str:
    said = f"{_TARGETS[one.target]} {one.name}".rstrip()
    return f"{said}（仅限 {one.provider} 的数据 only of {one.provider}）" if one.provider else said


def _tell(one: Suspension, done: Suspended | None = None) -> None:
    if one.lifted is None:
        typer.echo(f"已暂停：{_what(one)}，编号 {one.number}。")
        typer.echo(f"Suspended, number {one.number}, in force now.")
    else:
        typer.echo(f"已解除：{_what(one)}，编号 {one.number}，生效序号 {one.lifted}。")
        typer.echo(f"Lifted, epoch {one.lifted}.")
    if done is not None and done.receipt is not None:
        typer.echo(f"回执 receipt {done.receipt.leaf_index}")


def _table(found: Sequence[Suspension], now: datetime) -> Table:
    table = Table(*HEADINGS)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    for one in found:
        table.add_row(*map(Text, _row(one, now)))
    return table


def _row(one: Suspension, now: datetime) -> tuple[str, ...]:
    state = "生效 in force" if one.lifted is None else f"已解除 lifted ({one.lifted})"
    if one.is_overdue(now):
        state += "，逾期未整改 not mended in time"
    elif one.mend_by is not None:
        state += f"，限期整改 to be mended by {one.mend_by.astimezone():%Y-%m-%d %H:%M}"
    why = f"{one.reason}\n{one.actor}" if one.actor else ""
    return str(one.number), f"{one.since.astimezone():%Y-%m-%d %H:%M:%S}", _what(one), why, state
