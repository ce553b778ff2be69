"""``sharebroker needs``: what departments asked for and nobody shares yet."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.connection import Address, Folder, Json, connect
from broker.v1 import catalog_pb2

app = typer.Typer(help="需求清单 / the list of needs", no_args_is_help=True)

_WORDS = ("consumer", "dataset", "fields", "purpose", "cause", "applications")
HEADINGS = (
    "需求部门 consumer",
    "数据资源 dataset",
    "数据项 fields",
    "使用场景 purpose",
    "原因 cause",
    "次数 times",
    "首次 first",
    "最近 last",
    "回执 receipt",
)


@app.callback()
def needs() -> None:
    """需求清单 / the list of needs."""


@app.command("list")
def list_needs(
    address: Address,
    identity: Folder,
    department: Annotated[str, typer.Option(help="需求部门编号 / id of the department that asked")] = "",
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出有人申请而尚无人共享的数据，新的在前；主管部门看全部，其他部门看本部门的。
    List what was applied for and nobody shares yet, newest first: the authority sees all, others their own.
    """
    with connect(address, identity) as broker:
        found = list(islice(broker.needs(department), limit))
    if as_json:
        for need in found:
            print(orjson.dumps(_as_dict(need)).decode())
    elif not found:
        typer.echo("需求清单为空。The list of needs is empty.")
    else:
        Console().print(_table(found))


def _table(needs: list[catalog_pb2.Need]) -> Table:
    table = Table(*HEADINGS)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    for need in needs:
        told = _as_dict(need)
        told["fields"] = ", ".join(need.fields)
        told["cause"] = f"{need.cause.zh} {need.cause.en}"
        words = [str(told[name]) for name in _WORDS]
        days = [time.ToDatetime().strftime("%Y-%m-%d") for time in (need.first_time, need.last_time)]
        table.add_row(*map(Text, (*words, *days, need.last_receipt.removeprefix("receipts/"))))
    return table


def _as_dict(need: catalog_pb2.Need) -> dict[str, object]:
    return {
        "consumer": need.department.removeprefix("departments/"),
        "dataset": need.dataset.removeprefix("datasets/"),
        "fields": list(need.fields),
        "purpose": need.purpose,
        "cause": need.cause.code,
        "applications": need.applications,
        "first_time": need.first_time.ToJsonString(),
        "last_time": need.last_time.ToJsonString(),
        "first_receipt": need.first_receipt,
        "last_receipt": need.last_receipt,
    }
