"""``sharebroker audit report``: a period by department and month, as one page or for machines."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from broker.approve.calendar import read_calendar
from broker.approve.document import parse
from broker.approve.problem import Problems
from broker.audit.reporting import WORKING_DAYS, Counted, Report, Reporter
from broker.cli.audit import wanted as of
from broker.cli.audit.report_page import About, page
from broker.cli.connection import Json
from broker.durable import sync_folder
from broker.errors import SetUpError
from broker.model import Calendar

DAY = ["%Y-%m-%d"]


def report(
    first: Annotated[datetime, typer.Option("--from", formats=DAY, help="首日 / first day")],
    last: Annotated[datetime, typer.Option("--to", formats=DAY, help="末日，含当日 / last day, included")],
    broker: of.Broker = "",
    identity: of.Identity = None,
    export: of.Export = None,
    out: Annotated[
        Path | None,
        typer.Option(help="网页文件，缺省 audit-report.html / page to write; audit-report.html if absent"),
    ] = None,
    calendar: Annotated[
        Path | None,
        typer.Option(help="工作日历 calendar.yaml，用以扣除节假日 / calendar.yaml: which days are worked"),
    ] = None,
    department: of.Department = "",
    as_json: Json = False,
) -> None:
    """按部门、按月的审计报告，一个网页文件 / a report by department and month, as one page.

    申请、未同意及理由、用时、行数、未确认的交付。网页不含脚本，不联网，可直接打印或归档。

    Applications, refusals and their reasons, times, rows, deliveries not acknowledged. The page has no script
    and loads nothing.
    """
    if last < first:
        raise SetUpError("--to 早于 --from。", "--to is before --from.")
    until = last + timedelta(days=1)
    ended = min(until.astimezone(UTC), datetime.now(UTC)) - timedelta.resolution
    reporter = Reporter(_calendar(calendar), ended)
    filters = of.wanted(department=department, since=first, until=until)
    with of.receipts_of(broker, identity, export, filters) as lines:
        reporter.take(lines)
    found = reporter.report()
    if as_json:
        print(orjson.dumps(_machine(found, first, last)).decode())
    if out is not None or not as_json:
        about = About(
            period=f"{first:%Y-%m-%d} 至 {last:%Y-%m-%d}" + (f"，限 {department}" if department else ""),
            made_at=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
            source=f"导出文件 {export.name}" if export else f"服务 {broker}，本人有权查阅的存证",
        )
        _write(out or Path("audit-report.html"), page(found, about), as_json=as_json)


def _machine(found: Report, first: datetime, last: datetime) -> dict[str, Any]:
    return {
        "from": f"{first:%Y-%m-%d}",
        "to": f"{last:%Y-%m-%d}",
        "receipts": found.receipts,
        "erased": found.erased,
        "kinds": found.kinds,
        "working_days_compared": WORKING_DAYS,
        "years_without_calendar": found.guessed_years,
        "total": _counted(found.total()),
        "by": [
            {"department": department, "month": month, **_counted(counted)}
            for (department, month), counted in found.by.items()
        ],
        "waiting": [asdict(one) for one in found.waiting],
    }


def _counted(counted: Counted) -> dict[str, Any]:
    return {
        "requests": counted.requests,
        "verdicts": dict(sorted(counted.verdicts.items())),
        "reasons": dict(counted.reasons.most_common()),
        "rows": counted.rows,
        "unacknowledged": counted.unacknowledged,
        "acknowledged_late": counted.late,
        "disputed": counted.disputed,
        "corrections": counted.corrections,
        "corrections_overdue": counted.corrections_overdue,
        "disposal_orders": counted.disposals,
        "undisposed": counted.undisposed,
        "disposed_late": counted.disposed_late,
        "first_permits": len(counted.days),
        "median_working_days": counted.median_days,
        "longer_than_compared": counted.overdue,
    }


def _calendar(path: Path | None) -> Calendar:
    if path is None:
        return Calendar()
    problems = Problems()
    calendar = read_calendar(parse(path.read_bytes(), path.name, problems), problems)
    problems.refuse()
    return calendar


def _write(out: Path, content: bytes, *, as_json: bool) -> None:
    unfinished = out.with_name(f".{out.name}.new")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(out)
        sync_folder(out.parent)
    finally:
        unfinished.unlink(missing_ok=True)
    if not as_json:
        print(f"已写入 / written: {out}")
