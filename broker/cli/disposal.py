"""``sharebroker disposal``: what must be disposed of, ordering it, certifying that it was."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from google.protobuf import json_format
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.connection import Address, Folder, Json, Trust, connect
from broker.cli.disposal_text import CAUSES, METHODS
from broker.errors import SetUpError
from broker.model import DisposalCause, DisposalMethod

if TYPE_CHECKING:
    from broker.v1 import disposal_pb2

app = typer.Typer(
    help="数据销毁：列出指令、下达、证明 / disposal: list the orders, order, certify",
    no_args_is_help=True,
)

HEADINGS = (
    "指令 order",
    "需求部门 consumer",
    "数据资源 dataset",
    "使用场景 purpose",
    "交付次数 deliveries",
    "缘由 cause",
    "处置方式 method",
    "期限 due",
    "状态 state",
)
HELD = (
    "需求部门 consumer",
    "提供部门 provider",
    "数据资源 dataset",
    "使用场景 purpose",
    "授权 grant",
    "交付次数 deliveries",
    "保存至 kept until",
)
_STATES = {
    "open": "待证明 open",
    "overdue": "逾期 overdue",
    "certified": "已证明 certified",
    "partial": "已证明，有例外 certified with exceptions",
}

Order = Annotated[int, typer.Argument(min=0, help="销毁指令的编号 / number of the order")]
Method = Annotated[
    DisposalMethod,
    typer.Option(
        help="处置方式：clear 清除、purge 净化、destroy 物理销毁 / method, from the weakest to the strongest"
    ),
]


@app.command("list")
def list_disposals(
    address: Address,
    identity: Folder,
    consumer: Annotated[str, typer.Option(help="需求部门编号 / id of the consumer")] = "",
    dataset: Annotated[str, typer.Option(help="数据资源编号 / id of the dataset")] = "",
    still_open: Annotated[
        bool, typer.Option("--open", help="只列还没有销毁证明的 / only those without certificate")
    ] = False,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="只列逾期未证明的 / only those that are overdue")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出销毁指令，新的在前；有逾期的退出码为 1 / list orders, newest first; exit 1 if any is overdue."""
    with connect(address, identity) as broker:
        orders = broker.disposals(consumer, dataset, open=still_open, overdue=overdue)
        found = list(islice(orders, limit))
    if as_json:
        for one in found:
            print(orjson.dumps(_as_dict(one)).decode())
    elif not found:
        typer.echo("没有销毁指令。There is no disposal order.")
    else:
        Console().print(_table(found))
    if any(_state(one) == "overdue" for one in found):
        raise typer.Exit(1)


@app.command("held")
def held(
    address: Address,
    identity: Folder,
    consumer: Annotated[str, typer.Option(help="需求部门编号 / id of the consumer")] = "",
    dataset: Annotated[str, typer.Option(help="数据资源编号 / id of the dataset")] = "",
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出尚可保存的数据及期限，先到期的在前 / list what may be kept and until when, the earliest first."""
    with connect(address, identity) as broker:
        found = list(islice(broker.holdings(consumer, dataset), limit))
    if as_json:
        for one in found:
            print(orjson.dumps(_held(one)).decode())
    elif not found:
        typer.echo("没有尚可保存的数据。Nothing is held.")
    else:
        table = Table(*HELD)
        for column in table.columns:
            column.overflow = "fold"
        for one in found:
            told = _held(one) | {"until": _local(one.dispose_time.ToDatetime(UTC))}
            names = ("consumer", "provider", "dataset", "purpose", "grant", "deliveries", "until")
            table.add_row(*(Text(str(told[name])) for name in names))
        Console().print(table)


@app.command("show")
def show(
    order: Order,
    address: Address,
    identity: Folder,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="日志公钥文件 / the log's verifier key, got separately")
    ] = None,
    as_json: Json = False,
) -> None:
    """显示一份指令及其所列交付 / show an order, and the deliveries that it names."""
    with connect(address, identity, trust) as broker:
        found = broker.disposal(order)
    told = _as_dict(found.disposal) | {"digest": found.digest.hex()}
    if as_json:
        print(orjson.dumps(told).decode())
        return
    Console().print(_table([found.disposal]))
    table = Table("交付批次 receipts", "交付 delivered", "次数 deliveries", "保存至 kept until")
    for column in table.columns:
        column.overflow = "fold"
    for one in found.disposal.sets:
        first, last = _leaf(one.first_receipt), _leaf(one.last_receipt)
        days = f"{_local(one.first_time.ToDatetime(UTC))} – {_local(one.last_time.ToDatetime(UTC))}"
        until = _local(one.dispose_time.ToDatetime(UTC))
        table.add_row(*map(Text, (f"{first} – {last}", days, str(one.deliveries), until)))
    Console().print(table)
    typer.echo(f"清单摘要 digest: {found.digest.hex()}")


@app.command("order")
def order_disposal(
    address: Address,
    identity: Folder,
    consumer: Annotated[str, typer.Option(help="需求部门编号 / id of the consumer")],
    dataset: Annotated[str, typer.Option(help="数据资源编号 / id of the dataset")],
    reason: Annotated[str, typer.Option(help="原因，不含个人信息 / why, without personal data")],
    cause: Annotated[
        DisposalCause,
        typer.Option(
            help="缘由：purpose_ended 使用目的已实现、misuse 滥用、ordered 其他 / cause",
        ),
    ] = DisposalCause.ORDERED,
    purpose: Annotated[str, typer.Option(help="使用场景，缺省全部 / id of a purpose; all if absent")] = "",
    grant: Annotated[str, typer.Option(help="共享授权，缺省为全部 / number of a grant; all if absent")] = "",
    method: Method = DisposalMethod.CLEAR,
    days: Annotated[
        int, typer.Option(min=1, max=250, help="多少个工作日内证明 / working days for the certificate")
    ] = 10,
    as_json: Json = False,
) -> None:
    """提前下达销毁指令：提供部门或主管部门的数据资源管理员使用。
    Order before the time: for officers of the provider and of the authority.
    """
    if cause is DisposalCause.RETENTION:
        raise SetUpError(
            "保存期满的指令由系统下达，请用 purpose_ended、misuse 或 ordered。",
            "What was kept for its time is ordered by itself; give purpose_ended, misuse or ordered.",
        )
    with connect(address, identity) as broker:
        ordered = broker.order_disposal(
            consumer=consumer,
            dataset=dataset,
            purpose=purpose,
            grant=grant,
            cause=cause,
            reason=reason,
            method=method,
            within_working_days=days,
        )
    if as_json:
        for one in ordered:
            print(orjson.dumps(_as_dict(one)).decode())
        return
    Console().print(_table(list(ordered)))


@app.command("certify")
def certify(
    order: Order,
    address: Address,
    identity: Folder,
    trust: Trust,
    operator: Annotated[str, typer.Option(help="经办人：对处置负责的人 / who is responsible for it")],
    method: Method = DisposalMethod.CLEAR,
    disposed: Annotated[
        datetime | None, typer.Option(help="处置完成的时间，缺省为现在 / when it was done; now if absent")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="例外：回执号=依据，可重复 / an exception, repeatable: receipt=legal basis"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="证明回执的文件 / file for the receipt")] = None,
    as_json: Json = False,
) -> None:
    """用本部门证书签署销毁证明 / sign, with the department's certificate, that it was disposed of."""
    from broker.client import export_receipt

    with connect(address, identity, trust) as broker:
        receipt = broker.certify_disposal(
            order,
            operator=operator,
            method=method,
            disposed_at=None if disposed is None else disposed.astimezone(),
            kept=_kept(keep or []),
        )
    if out is not None:
        out.write_bytes(export_receipt(receipt) + b"\n")
    if as_json:
        print(orjson.dumps({"order": order, "certificate": receipt.leaf_index}).decode())
        return
    typer.echo(f"第 {order} 号销毁指令已证明，证明回执为第 {receipt.leaf_index} 号。")
    typer.echo(f"Disposal order {order} is certified by receipt {receipt.leaf_index}.")


def _kept(told: list[str]) -> dict[str, list[int]]:
    """Legal basis → receipts."""
    kept: dict[str, list[int]] = {}
    for one in told:
        leaf, _, basis = one.partition("=")
        if not (leaf.isascii() and leaf.isdigit() and len(leaf) < 19 and basis.strip()):
            raise SetUpError(
                "例外请写作 --keep 回执号=依据，例如 --keep 1204=会计档案管理办法第十四条。",
                "Write an exception as --keep receipt=legal basis, such as --keep 1204=…",
            )
        kept.setdefault(basis.strip(), []).append(int(leaf))
    return kept


def _table(disposals: list[disposal_pb2.Disposal]) -> Table:
    table = Table(*HEADINGS)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    for one in disposals:
        told = _as_dict(one)
        names = [str(told[name]) for name in ("order", "consumer", "dataset", "purpose", "deliveries")]
        words = [" ".join(CAUSES[str(told["cause"])]), " ".join(METHODS[str(told["method"])])]
        due = _local(one.due_time.ToDatetime(UTC))
        table.add_row(*map(Text, (*names, *words, due, _STATES[_state(one)])))
    return table


def _local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _state(one: disposal_pb2.Disposal) -> str:
    return _word(one, "state", "DISPOSAL_STATE_")


def _word(one: disposal_pb2.Disposal, field: str, prefix: str) -> str:
    """The value of an enumeration, in lower case and without its prefix."""
    told: str = json_format.MessageToDict(one, preserving_proto_field_name=True)[field]
    return told.removeprefix(prefix).lower()


def _as_dict(one: disposal_pb2.Disposal) -> dict[str, object]:
    return {
        "order": _leaf(one.receipt),
        "state": _state(one),
        "consumer": one.consumer.removeprefix("departments/"),
        "provider": one.provider.removeprefix("departments/"),
        "dataset": one.dataset.removeprefix("datasets/"),
        "purpose": one.purpose,
        "grant": one.grant.removeprefix("grants/"),
        "cause": _word(one, "cause", "DISPOSAL_CAUSE_"),
        "method": _word(one, "method", "DISPOSAL_METHOD_"),
        "deliveries": one.deliveries,
        "order_time": one.order_time.ToJsonString(),
        "due_time": one.due_time.ToJsonString(),
        "certificate_receipt": _leaf(one.certificate_receipt),
        "kept": one.kept,
        "missing_receipt": _leaf(one.missing_receipt),
        "sets": [
            {
                "first_receipt": _leaf(each.first_receipt),
                "last_receipt": _leaf(each.last_receipt),
                "deliveries": each.deliveries,
                "dispose_time": each.dispose_time.ToJsonString(),
                "digest": each.digest.hex(),
            }
            for each in one.sets
        ],
    }


def _held(one: disposal_pb2.Holding) -> dict[str, object]:
    return {
        "consumer": one.consumer.removeprefix("departments/"),
        "provider": one.provider.removeprefix("departments/"),
        "dataset": one.dataset.removeprefix("datasets/"),
        "purpose": one.purpose,
        "grant": one.grant.removeprefix("grants/"),
        "dispose_time": one.dispose_time.ToJsonString(),
        "deliveries": one.deliveries,
        "last_receipt": _leaf(one.last_receipt),
    }


def _leaf(name: str) -> int | None:
    return int(name.removeprefix("receipts/")) if name else None
