"""What the demo prints: for people in one language, for machines as one JSON object."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from shutil import which
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from broker.approve.bundle import Bundle
from broker.demo.reviewed import Reviewed
from broker.demo.run import Report, Told

WORKING_DAYS_TODAY = 15
VERDICTS = {
    "permit": ("同意", "permit", "green"),
    "deny": ("不同意", "deny", "red"),
    "review": ("转人工审核", "review", "yellow"),
    "needs_supplement": ("待补正", "needs supplement", "yellow"),
}
YES_NO = {True: ("是", "yes"), False: ("否", "no"), None: ("—", "—")}
STATUSES = {"found": "有", "none": "无", "doubtful": "存疑", "stale": "过期"}


def as_json(report: Report) -> dict[str, Any]:
    """One object; every exchange with its receipt, which ``sharebroker receipt verify`` takes."""
    return {
        "exchanges": [
            {
                "scenario": told.scenario.id,
                "consumer": told.scenario.consumer,
                "dataset": told.ask.dataset,
                "purpose": told.ask.purpose,
                "decision": told.result["decision"],
                "rule": ", ".join(told.result["rules"]),
                "reasons": [reason["code"] for reason in told.result["reasons"]],
                "status": told.result["status"],
                "rows": len(told.result["records"]),
                "elapsed_ms": told.result["elapsed_ms"],
                "receipt": told.result["receipt"],
                "verified": True,
            }
            for told in report.exchanges
        ],
        "reviewed": asdict(report.bulk),
        "first_sharing_ms": {
            "filing_to_grant": report.clocks.filing_to_grant,
            "grant_to_first_data": report.clocks.grant_to_first_data,
            "call": report.clocks.call,
        },
    }


def print_report(report: Report, bundle: Bundle, lang: str, console: Console) -> None:
    """The whole story, Chinese unless ``lang`` is ``en``."""
    zh = lang == "zh"
    for scenario, numbered in groupby(enumerate(report.exchanges, 1), lambda one: one[1].scenario):
        title = scenario.title.zh if zh else scenario.title.en
        console.rule(f"[bold]{'场景：' if zh else 'Scenario: '}{title}[/bold]")
        exchanges = list(numbered)
        if scenario.questions:
            console.print(_answers(exchanges, bundle, zh))
        else:
            console.print(*(_panel(number, told, bundle, zh) for number, told in exchanges), sep="\n")
    console.print(_bulk(report.bulk, zh))
    console.print(_clocks(report, zh))
    command = "sharebroker" if which("sharebroker") else str(Path(sys.executable).with_name("sharebroker"))
    verify = [command, "receipt", "verify", str(report.receipts / "1.json"), "--trust", str(report.trust)]
    if zh:
        console.print(f"✔ 服务已停止，{report.verified} 份回执全部离线验证通过。可自行复验：")
    else:
        console.print(
            f"✔ With the broker stopped, all {report.verified} receipts verified offline. Try it yourself:"
        )
    console.print(Text(f"  {shlex.join(verify)}"), soft_wrap=True)


def _panel(number: int, told: Told, bundle: Bundle, zh: bool) -> Panel:
    departments = bundle.catalog.departments
    dataset = bundle.catalog.datasets[told.ask.dataset]
    consumer, provider = departments[told.scenario.consumer], departments[dataset.department]
    result = told.result
    parts: list[Table | Text] = [
        Text(
            f"{consumer.title} → {provider.title}《{dataset.title}》  "
            f"用途：{bundle.catalog.purposes[told.ask.purpose]}  依据：{told.scenario.legal_basis}"
            if zh
            else f"{consumer.title_en} → {provider.title_en}, {dataset.id}  purpose: {told.ask.purpose}  "
            f"basis: {told.scenario.legal_basis}"
        ),
        _decision(result, zh),
    ]
    if result["decision"] == "permit":
        parts.append(_records(told, bundle, zh))
        parts.append(_status(result, zh))
    story = told.ask.story.zh if zh else told.ask.story.en
    leaf = result["receipt"]["leaf_index"]
    footer = (
        f"用时 {result['elapsed_ms']:.1f} 毫秒 · 存证第 {leaf} 条"
        if zh
        else f"{result['elapsed_ms']:.1f} ms · receipt {leaf}"
    )
    if acknowledgement := result["acknowledgement"]:
        footer += f" · 签名确认收到第 {acknowledgement} 条" if zh else f" · acknowledged by {acknowledgement}"
    return Panel(
        Group(*parts), title=f"{number}. {story}", subtitle=footer, title_align="left", subtitle_align="right"
    )


def _bulk(bulk: Reviewed, zh: bool) -> Panel:
    """The part that people review."""
    before, after = (VERDICTS[one][0 if zh else 1] for one in (bulk.without_grant, bulk.under_grant))
    leaves = ", ".join(map(str, bulk.receipts))
    text = (
        f"医疗保障局 → 税务局《医疗保险费征缴信息》整体：未经审核，{before}。\n"
        f"第 {bulk.number} 号申请：本部门同意，税务局两名管理员签名审核；"
        f"凭授权：{after}，{bulk.rows} 行，一律脱敏。\n"
        f"存证：{leaves}"
        if zh
        else "Healthcare Security Bureau → Tax Bureau, tax.contribution as a whole: "
        f"without a review, {before}.\n"
        f"Application {bulk.number}: consented to, and approved by two officers of the Tax Bureau; under the "
        f"grant: {after}, {bulk.rows} masked rows.\nreceipts: {leaves}"
    )
    title = "批量部分：两人审核" if zh else "the bulk part: two officers review"
    subtitle = f"{bulk.elapsed_ms:.1f} 毫秒" if zh else f"{bulk.elapsed_ms:.1f} ms"
    return Panel(Text(text), title=title, subtitle=subtitle, title_align="left", subtitle_align="right")


def _answers(exchanges: list[tuple[int, Told]], bundle: Bundle, zh: bool) -> Group:
    """Yes/no questions, one line each: what the provider has stays there."""
    told = exchanges[0][1]
    consumer = bundle.catalog.departments[told.scenario.consumer]
    purpose, basis = bundle.catalog.purposes[told.ask.purpose], told.scenario.legal_basis
    heading = (
        f"{consumer.title} → {len(exchanges)} 个部门  用途：{purpose}  依据：{basis}"
        if zh
        else f"{consumer.title_en} → {len(exchanges)} departments  purpose: {told.ask.purpose}  "
        f"basis: {basis}"
    )
    table = Table(show_edge=False, pad_edge=False)
    for name in ("", "提供部门", "问题", "提供部门原值", "所得", "毫秒", "存证") if zh else (
        "", "provider", "question", "at the provider", "answer", "ms", "receipt",
    ):  # fmt: skip
        table.add_column(name, overflow="fold")
    for number, one in exchanges:
        table.add_row(str(number), *_answer(one, bundle, zh))
    return Group(Text(heading), table)


def _answer(told: Told, bundle: Bundle, zh: bool) -> tuple[str, ...]:
    (field,) = told.ask.fields
    provider = bundle.catalog.departments[bundle.catalog.datasets[told.ask.dataset].department]
    result = told.result
    return (
        provider.title if zh else provider.title_en,
        told.ask.story.zh if zh else told.ask.story.en,
        _joined(row.get(field) for row in told.before),
        "\n".join(YES_NO[record[field]][0 if zh else 1] for record in result["records"])
        or _no_rows(result, zh),
        f"{result['elapsed_ms']:.1f}",
        str(result["receipt"]["leaf_index"]),
    )


def _no_rows(result: dict[str, Any], zh: bool) -> str:
    """Refused, or what no rows mean."""
    if result["decision"] != "permit":
        return VERDICTS[result["decision"]][0 if zh else 1]
    return STATUSES[result["status"]] if zh else str(result["status"])


def _decision(result: dict[str, Any], zh: bool) -> Text:
    zh_name, en_name, colour = VERDICTS[result["decision"]]
    text = Text("结论：" if zh else "decision: ")
    text.append(zh_name if zh else en_name, style=f"bold {colour}")
    if result["rules"]:
        text.append(("  规则：" if zh else "  rule: ") + ", ".join(result["rules"]))
    if result["commitments"]:
        text.append("  责任状（调用中签署）：" if zh else "  commitment, signed in the call: ")
        text.append(", ".join(result["commitments"]))
    for reason in result["reasons"]:
        text.append(f"\n{reason['code']}  {reason['zh'] if zh else reason['en']}", style=colour)
    return text


def _records(told: Told, bundle: Bundle, zh: bool) -> Table:
    fields = bundle.catalog.datasets[told.ask.dataset].fields
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("数据项", "脱敏", "提供部门原值", "需求部门所得") if zh else (
        "field", "mask", "at the provider", "at the consumer",
    ):  # fmt: skip
        table.add_column(heading, overflow="fold")
    for name in told.ask.fields:
        table.add_row(
            fields[name].title if zh else name,
            told.result["masks"].get(name, ""),
            _joined(row.get(name) for row in told.before),
            _joined(record.get(name) for record in told.result["records"]),
        )
    return table


def _joined(values: Any) -> str:
    return "\n".join("—" if value is None else str(value) for value in values) or "—"


def _status(result: dict[str, Any], zh: bool) -> Text:
    status, as_of = result["status"], (result["as_of"] or "")[:16].replace("T", " ")
    text = Text(
        f"状态：{STATUSES[status]}  数据时点：{as_of or '不详'}"
        if zh
        else f"status: {status}  as of: {as_of or '?'}"
    )
    if result["advice"]:
        text.append(f"\n→ {result['advice'][0 if zh else 1]}", style="bold yellow")
    return text


def _clocks(report: Report, zh: bool) -> Table:
    clocks = report.clocks
    table = Table(
        title="首次共享的三段时间" if zh else "The three clocks of a first sharing", title_justify="left"
    )
    for heading in ("阶段", "现在", "过去") if zh else ("stage", "now", "before"):
        table.add_column(heading)
    before = f"{WORKING_DAYS_TODAY} 个工作日" if zh else f"{WORKING_DAYS_TODAY} working days"
    total = clocks.filing_to_grant + clocks.grant_to_first_data
    for name_zh, name_en, value, past in (
        ("申请 → 授权", "filing → grant", clocks.filing_to_grant, ""),
        ("授权 → 首批数据", "grant → first data", clocks.grant_to_first_data, ""),
        ("合计", "together", total, before),
        ("此后每次调用", "each later call", clocks.call, ""),
    ):
        table.add_row(name_zh if zh else name_en, f"{value:.1f} {'毫秒' if zh else 'ms'}", past)
    return table
