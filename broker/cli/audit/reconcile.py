"""``sharebroker audit reconcile``: look-ups against the case system's list of case numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.audit.case_list import CaseList, read_cases
from broker.audit.reconciling import LookUp, Reconciled, Why
from broker.audit.reconciling import reconcile as compare
from broker.cli.audit import wanted as of
from broker.cli.connection import Json
from broker.importing.opening import Wanted

EXIT_FOUND = 1
MOST = 100
"""Of each kind that are shown to people; ``--json`` has them all."""
_WHY = {
    Why.NO_NUMBER: ("未填办件编号", "no case number given"),
    Why.NOT_LISTED: ("清单中无此办件", "not in the list"),
}


def reconcile(
    cases: Annotated[
        Path, typer.Argument(help="办件编号清单，CSV 或 Excel / list of case numbers, CSV or Excel")
    ],
    broker: of.Broker = "",
    identity: of.Identity = None,
    export: of.Export = None,
    column: Annotated[str, typer.Option(help="办件编号所在列 / column of the case numbers")] = "",
    sheet: Annotated[str, typer.Option(help="工作表 / worksheet")] = "",
    header_row: Annotated[str, typer.Option(help="表头行号，如 3 或 2-3 / row of the header")] = "",
    encoding: Annotated[str, typer.Option(help="编码，缺省自动识别 / encoding; found out if absent")] = "",
    department: of.Department = "",
    purpose: of.Purpose = "",
    service_item: of.ServiceItem = "",
    since: of.Since = None,
    until: of.Until = None,
    as_json: Json = False,
) -> None:
    """与办件系统的办件编号对账：无件查询、有件未查 / reconcile with a case system's list of case numbers.

    请用部门、事项与起止时间把查询限于清单所涵盖的范围。退出码 1：有须查明的。

    Limit the look-ups to what the list covers, by department, item and time. Exit code 1: something is to be
    looked into.
    """
    listed = read_cases(cases, Wanted(sheet=sheet, header_row=header_row, encoding=encoding), column)
    filters = of.wanted(
        department=department, purpose=purpose, service_item=service_item, since=since, until=until
    )
    with of.receipts_of(broker, identity, export, filters) as lines:
        found = compare(listed, lines)
    if as_json:
        print(orjson.dumps(_machine(listed, found)).decode())
    else:
        _show(listed, found)
    if found.found:
        raise typer.Exit(EXIT_FOUND)


def _machine(listed: CaseList, found: Reconciled) -> dict[str, Any]:
    about = {
        "column": listed.column,
        "rows": listed.rows,
        "cases": len(listed.cases),
        "empty": listed.empty,
        "repeated": listed.repeated,
        "rounded": listed.rounded,
        "notes": [{"zh": note.zh, "en": note.en} for note in listed.notes],
    }
    return {"list": about, **asdict(found)}


def _show(listed: CaseList, found: Reconciled) -> None:
    console = Console()
    if found.caseless:
        console.print(_caseless(found.caseless))
    if found.unused:
        console.print("有件未查 cases without look-ups:", style="bold")
        for case in islice(found.unused, MOST):
            console.print(Text(f"  {case}"))
        if len(found.unused) > MOST:
            print(_cut(len(found.unused)))
    if found.respelled:
        console.print("写法不同、视为同一办件 written otherwise, taken for the same case:", style="bold")
        for one in islice(found.respelled, MOST):
            console.print(Text(f"  {one.listed} ← {'、'.join(one.looked_up_as)}"))
        if len(found.respelled) > MOST:
            print(_cut(len(found.respelled)))
    for line in (*_about(listed), *_summary(listed, found)):
        print(line)


def _caseless(look_ups: tuple[LookUp, ...]) -> Table:
    table = Table(title="无件查询 look-ups without a case", box=box.SIMPLE_HEAD, pad_edge=False)
    if len(look_ups) > MOST:
        table.caption = _cut(len(look_ups))
    for heading in (
        "序号\nleaf",
        "时间\nrecorded",
        "谁\nwho",
        "数据\ndataset",
        "办件编号\ncase",
        "缘由\nwhy",
    ):
        table.add_column(heading, overflow="fold")
    for one in look_ups[:MOST]:
        at = one.recorded_at.astimezone().strftime("%Y-%m-%d\n%H:%M:%S") if one.recorded_at else ""
        cells = (at, f"{one.consumer}\n{one.operator}", one.dataset, one.case_no, "\n".join(_WHY[one.why]))
        table.add_row(str(one.leaf_index), *map(Text, cells))
    return table


def _about(listed: CaseList) -> Iterator[str]:
    """What was made of the list, so that nothing was in silence."""
    for note in listed.notes:
        yield f"清单 list: {note.zh} / {note.en}"
    if listed.empty:
        yield f"清单有 {listed.empty} 行没有办件编号 / {listed.empty} rows of the list have no case number"
    if listed.repeated:
        yield f"清单有 {listed.repeated} 行重复 / {listed.repeated} rows of the list repeat another"
    if listed.rounded:
        yield (
            f"清单有 {len(listed.rounded)} 个编号被表格软件舍入，无法对账，请以文本格式重新导出 / "
            f"{len(listed.rounded)} numbers were rounded by a spreadsheet and fit nothing; export as text"
        )


def _summary(listed: CaseList, found: Reconciled) -> Iterator[str]:
    if found.erased:
        yield f"有 {found.erased} 条存证已删除 / {found.erased} receipts are erased"
    cases, caseless, unused = len(listed.cases), len(found.caseless), len(found.unused)
    yield (
        f"办件 {cases}（列“{listed.column}”），查询 {found.look_ups}，未获准的申请 {found.refused}；"
        f"无件查询 {caseless}，有件未查 {unused}，写法不同 {len(found.respelled)}。"
    )
    yield (
        f"{cases} cases, {found.look_ups} look-ups ({found.refused} applications were not permitted): "
        f"{caseless} without a case, {unused} cases without look-up, "
        f"{len(found.respelled)} written otherwise."
    )


def _cut(total: int) -> str:
    return f"共 {total}，只列出前 {MOST}，其余见 --json / {total} in all, the first listed; --json has all"
