"""``sharebroker review delegate|delegations|revoke``: who reviews in whose place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.applications import Trust, officer
from broker.cli.connection import Address, Folder, Json
from broker.errors import SetUpError

if TYPE_CHECKING:
    from broker.v1 import delegation_pb2

HEADINGS = ("编号 no.", "委托人 officer", "受托人 delegate", "起 from", "止 until", "状态 state")


def delegate(
    to: Annotated[
        str,
        typer.Argument(
            help="受托的管理员：名字、部门/名字，或 SPIFFE 编号 / name, department/name, or SPIFFE id"
        ),
    ],
    address: Address,
    identity: Folder,
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="最后一天，含当日 / last day, included")
    ],
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="第一天，默认现在起 / first day; by default from now"
        ),
    ] = None,
    zone: Annotated[str, typer.Option(help="日期所按的时区 / zone of the days")] = "Asia/Shanghai",
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """委托他人代为审核，到期自动收回 / let another officer review in your place, from day to day."""
    days = _zone(zone)
    begin = datetime.now(UTC).replace(microsecond=0) if first is None else first.replace(tzinfo=days)
    end = (until + timedelta(days=1)).replace(tzinfo=days)
    with officer(address, identity, trust) as broker:
        done = broker.delegations.create(_uri(to, broker.uri), begin, end)
    _tell_act("已委托", "Delegated", done.delegation, done.receipt.leaf_index, as_json=as_json)


def revoke(
    number: Annotated[int, typer.Argument(min=1, help="委托编号 / number of the delegation")],
    address: Address,
    identity: Folder,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """收回委托，立即生效 / take a delegation back, from now on."""
    with officer(address, identity, trust) as broker:
        done = broker.delegations.revoke(number)
    _tell_act("已收回委托", "Taken back", done.delegation, done.receipt.leaf_index, as_json=as_json)


def delegations(
    address: Address,
    identity: Folder,
    all_: Annotated[
        bool, typer.Option("--all", help="连同已到期、已收回的 / those that are over, too")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出本部门的委托，主管部门看全部，新的在前 / delegations of the department, newest first."""
    with officer(address, identity) as broker:
        found = list(islice(broker.delegations.all(in_force=not all_), limit))
    if as_json:
        for one in found:
            typer.echo(orjson.dumps(_as_dict(one)).decode())
    elif not found:
        typer.echo("没有委托。No delegations.")
    else:
        Console().print(_table(found))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SetUpError(f"没有时区 {name}，请写如 Asia/Shanghai。", f"There is no zone {name}.") from None


def _uri(to: str, own: str) -> str:
    """The SPIFFE id of an officer, who is of the own department and city where nothing else is said."""
    if to.startswith("spiffe://"):
        return to
    city, department = own.split("/")[2], own.split("/")[4]
    named, _, name = to.rpartition("/")
    return f"spiffe://{city}/department/{named or department}/officer/{name}"


def _table(found: list[delegation_pb2.Delegation]) -> Table:
    table = Table(*HEADINGS)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    for one in found:
        told = _as_dict(one)
        names = (_short(str(told[name])) for name in ("officer", "delegate"))
        times = (_local(stamp.ToDatetime(UTC)) for stamp in (one.valid_from_time, one.valid_until_time))
        table.add_row(*map(Text, (str(told["delegation"]), *names, *times, _STATES[str(told["state"])])))
    return table


_STATES = {
    "in_force": "生效 in force",
    "revoked": "已收回 taken back",
    "other": "未生效或已到期 not in force",
}


def _state(one: delegation_pb2.Delegation) -> str:
    if one.HasField("revoke_time"):
        return "revoked"
    return "in_force" if one.in_force else "other"


def _short(uri: str) -> str:
    """``department/name`` of a SPIFFE id."""
    parts = uri.split("/")
    return f"{parts[4]}/{parts[-1]}"


def _local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _as_dict(one: delegation_pb2.Delegation) -> dict[str, object]:
    return {
        "delegation": int(one.name.removeprefix("delegations/")),
        "officer": one.officer,
        "delegate": one.delegate,
        "valid_from": one.valid_from_time.ToJsonString(),
        "valid_until": one.valid_until_time.ToJsonString(),
        "state": _state(one),
        "receipt": int(one.receipt.removeprefix("receipts/")),
    }


def _tell_act(zh: str, en: str, one: delegation_pb2.Delegation, receipt: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(_as_dict(one)).decode())
        return
    number, delegate = one.name.removeprefix("delegations/"), _short(one.delegate)
    times = tuple(_local(stamp.ToDatetime(UTC)) for stamp in (one.valid_from_time, one.valid_until_time))
    typer.echo(f"{zh} {delegate}：委托 {number}，{times[0]} 起，{times[1]} 止；回执 {receipt}。")
    typer.echo(f"{en} {delegate}: delegation {number}, from {times[0]} until {times[1]}; receipt {receipt}.")
