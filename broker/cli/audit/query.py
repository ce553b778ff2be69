"""``sharebroker audit query``: receipts by everything that they are looked up by."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.audit.columns import columns_of, object_of
from broker.cli.audit import subject as by_person
from broker.cli.audit import wanted as of
from broker.cli.connection import Address, Folder, Json, connect
from broker.cli.epoch import DEFAULT_CONFIG
from broker.cli.receipt_text import VERDICT_TITLES
from broker.client import Credentials
from broker.model import Receipt

HEADINGS = ("序号、时间\nleaf, time", "谁\nwho", "什么\nwhat", "办件\ncase", "结论\nverdict")


def query(
    address: Address,
    identity: Folder,
    department: of.Department = "",
    dataset: of.Dataset = "",
    purpose: of.Purpose = "",
    decision: of.Decision = None,
    kind: of.Kind = None,
    operator: of.Operator = "",
    case_no: of.CaseNo = "",
    service_item: of.ServiceItem = "",
    rule: of.Rule = "",
    reason: of.Reason = "",
    tags: of.Tags = None,
    subject: by_person.Subject = False,
    why: by_person.Why = "",
    config: by_person.Config = DEFAULT_CONFIG,
    since: of.Since = None,
    until: of.Until = None,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """按部门、办件、经办人、规则、理由等查询存证 / look receipts up by department, case, operator and more.

    新的在前。本次查询本身也会存证。

    Newest first. The query itself leaves a receipt.
    """
    filters = of.wanted(
        department=department,
        dataset=dataset,
        purpose=purpose,
        verdict=decision,
        kind=kind,
        operator=operator,
        case_no=case_no,
        service_item=service_item,
        rule=rule,
        reason=reason,
        tags=tags,
        since=since,
        until=until,
    )
    reader = Credentials.load(identity).uri
    found: list[Receipt] = []
    if not subject or by_person.of_person(filters, why, config, reader):
        filters["page_size"] = min(limit + 1, of.AT_ONCE)
        with connect(address, identity) as broker:
            found = list(islice(broker.receipts(**filters), limit + 1))
    shown = found[:limit]
    if as_json:
        for receipt in shown:
            print(orjson.dumps(_machine(receipt)).decode())
        return
    Console().print(_table(shown))
    more = ("，还有更多，见 --limit", ", and there are more: see --limit") if len(found) > limit else ("", "")
    print(f"{len(shown)} 条{more[0]} / {len(shown)} receipts{more[1]}", file=sys.stderr)


def _machine(receipt: Receipt) -> dict[str, Any]:
    return {"leaf_index": receipt.leaf_index, "statement": object_of(receipt.statement) or None}


def _table(receipts: list[Receipt]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")  # a name cut short is no name
    for receipt in receipts:
        cells = (
            _cells(columns_of(receipt.statement))
            if receipt.statement
            else ("", "", "（已删除 erased）", "", "")
        )
        table.add_row(*map(Text, (_lines(str(receipt.leaf_index), cells[0]), *cells[1:])))
    return table


def _cells(said: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    at = said["recorded_at"]
    recorded = at.astimezone().strftime("%Y-%m-%d\n%H:%M:%S") if isinstance(at, datetime) else ""
    verdict = VERDICT_TITLES.get(said["verdict"], "")
    return (
        recorded,
        _lines(said["consumer"], said["operator"]),
        _lines(said["dataset"], said["purpose"], "" if verdict else said["kind"]),
        said["case_no"] or "",
        _lines(verdict, *(said["reasons"] or ())),
    )


def _lines(*texts: str | None) -> str:
    return "\n".join(text for text in texts if text)
