"""``sharebroker delivery``: acknowledge what was received, and list what nobody has acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.connection import Address, Folder, Json, Trust, connect, read_trust
from broker.errors import SetUpError, VerificationFailed

if TYPE_CHECKING:
    from broker.client.saved import Saved
    from broker.v1 import delivery_pb2

app = typer.Typer(
    help="交付：确认收到、列出未确认的 / deliveries: acknowledge, list what is not acknowledged",
    no_args_is_help=True,
)

HEADINGS = (
    "交付回执 receipt",
    "需求部门 consumer",
    "提供部门 provider",
    "数据资源 dataset",
    "使用场景 purpose",
    "交付 delivered",
    "期限 due",
    "状态 state",
)
_STATES = {
    "disputed": "有争议 disputed",
    "overdue": "逾期未确认 overdue",
    "waiting": "待确认 waiting",
}


@app.command("list")
def list_deliveries(
    address: Address,
    identity: Folder,
    consumer: Annotated[str, typer.Option(help="需求部门编号 / id of the consumer")] = "",
    overdue: Annotated[
        bool, typer.Option("--overdue", help="只列逾期和有争议的 / only overdue or disputed ones")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出待确认、逾期、有争议的交付，旧的在前；有逾期或争议时退出码为 1。
    List deliveries that wait to be acknowledged, are overdue or disputed; exit 1 if any is not just waiting.
    """
    with connect(address, identity) as broker:
        found = list(islice(broker.deliveries(consumer, overdue=overdue), limit))
    if as_json:
        for one in found:
            print(orjson.dumps(_as_dict(one)).decode())
    elif not found:
        typer.echo("没有待确认的交付。No delivery waits to be acknowledged.")
    else:
        Console().print(_table(found))
    if any(_state(one) != "waiting" for one in found):
        raise typer.Exit(1)


@app.command("acknowledge")
def acknowledge(
    file: Annotated[
        Path,
        typer.Argument(help="保存的答复：protobuf 或其 JSON / the answer as it came: protobuf, or its JSON"),
    ],
    address: Address,
    identity: Folder,
    trust: Trust,
    received: Annotated[
        datetime | None,
        typer.Option(help="收到的时间，缺省为文件时间 / when it was received; the file's time if absent"),
    ] = None,
    dispute: Annotated[
        bool,
        typer.Option("--dispute", help="与回执不符也据实签署 / sign even if it is something else"),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="确认回执的文件 / file for the receipt")] = None,
    as_json: Json = False,
) -> None:
    """确认收到一份保存的答复：先验证，再用本部门证书签署 / acknowledge a saved answer: verify, then sign."""
    from broker.client import export_receipt

    saved = _read(file, received, trust)
    if not saved.attested and not dispute:
        raise VerificationFailed(
            "所收到的与回执中的摘要不符，未予确认：请勿使用，立即联系主管部门；用 --dispute 据实存证 / "
            "what was received is not what the receipt attests, and was not acknowledged: do not use it, "
            "tell the authority; --dispute puts that on record"
        )
    with connect(address, identity, trust) as broker:
        receipt = broker.acknowledge(saved.delivery)
    if out is not None:
        out.write_bytes(export_receipt(receipt) + b"\n")
    if as_json:
        told = {"delivery": saved.receipt.leaf_index, "acknowledgement": receipt.leaf_index}
        print(orjson.dumps(told).decode())
        return
    typer.echo(f"已确认第 {saved.receipt.leaf_index} 号回执的交付，确认回执为第 {receipt.leaf_index} 号。")
    typer.echo(
        f"The delivery of receipt {saved.receipt.leaf_index} is acknowledged by receipt {receipt.leaf_index}."
    )


def _read(file: Path, received: datetime | None, trust: Path) -> Saved:
    from broker.client.saved import read_saved

    try:
        data, at = file.read_bytes(), datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        raise SetUpError(f"无法读取答复文件 {file}。", f"The answer {file} cannot be read.") from None
    return read_saved(data, received.astimezone() if received else at, read_trust(trust))


def _table(deliveries: list[delivery_pb2.Delivery]) -> Table:
    table = Table(*HEADINGS)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    for one in deliveries:
        told = _as_dict(one)
        names = [str(told[name]) for name in ("receipt", "consumer", "provider", "dataset", "purpose")]
        delivered = _local(one.delivery_time.ToDatetime(UTC))
        due = _local(one.due_time.ToDatetime(UTC)) if one.HasField("due_time") else ""
        table.add_row(*map(Text, (*names, delivered, due, _STATES[_state(one)])))
    return table


def _local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _state(one: delivery_pb2.Delivery) -> str:
    if one.disputed_receipt:
        return "disputed"
    return "overdue" if one.overdue else "waiting"


def _as_dict(one: delivery_pb2.Delivery) -> dict[str, object]:
    return {
        "receipt": int(one.receipt.removeprefix("receipts/")),
        "state": _state(one),
        "consumer": one.consumer.removeprefix("departments/"),
        "caller": one.caller,
        "provider": one.provider.removeprefix("departments/"),
        "dataset": one.dataset.removeprefix("datasets/"),
        "purpose": one.purpose,
        "delivery_time": one.delivery_time.ToJsonString(),
        "due_time": one.due_time.ToJsonString() if one.HasField("due_time") else None,
        "missing_receipt": _leaf(one.missing_receipt),
        "disputed_receipt": _leaf(one.disputed_receipt),
    }


def _leaf(name: str) -> int | None:
    return int(name.removeprefix("receipts/")) if name else None
