"""The audit report as a page in Chinese: one file, no script, nothing loaded, every text shown as text."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from broker.audit.reporting import WORKING_DAYS, Counted, Report
from broker.cli.audit.plots import Bar, bars
from broker.model import Verdict
from broker.reasons import Reason, sentence

MOST_REASONS, MOST_WAITING = 15, 100
PERMITTED, REFUSED, OPEN = "#2b6cb0", "#c05621", "#a0aec0"
_OPEN = (Verdict.REVIEW, Verdict.NEEDS_SUPPLEMENT)

_HEAD = """<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>数据共享审计报告</title>
<style>
body { font-family: sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; line-height: 1.5 }
table { border-collapse: collapse; width: 100%; margin-bottom: 1em }
th, td { border: 1px solid #999; padding: .2em .5em; text-align: right; overflow-wrap: break-word }
th { background: #eee; font-weight: normal; min-width: 2em }
th, td { font-size: .9em }
th:first-child, td:first-child, .text th, .text td { text-align: left }
table:not(.text) td:first-child { white-space: nowrap }
.text td { overflow-wrap: anywhere }
tr.sum td { font-weight: bold }
svg { max-width: 100%; height: auto; font-size: 13px }
h2 { font-size: 1.2em; margin: 1.5em 0 .3em }
</style></head><body>
<h1>数据共享审计报告</h1>
"""

_COLUMNS = (
    *("申请", "同意", "不同意", "待补正或审核", "提供行数", "逾期未确认", "逾期后确认", "有争议"),
    *("校核", "逾期未答复", "销毁指令", "逾期未证明销毁", "逾期后证明"),
    *("首次获准", "中位工作日", f"超 {WORKING_DAYS} 日"),
)


@dataclass(frozen=True, slots=True)
class About:
    """What stands first: what the report is about, by whom, and what it rests on."""

    period: str
    made_at: str
    source: str


def page(report: Report, about: About) -> bytes:
    """The page, UTF-8."""
    parts = [
        _HEAD,
        *(f"<p>{_text(line)}</p>" for line in _opening(report, about)),
        "<h2>各月申请</h2>",
        bars("各月申请", [_split(month, report.total(month=month)) for month in report.months], *_COLOURED),
        "<h2>各部门申请</h2>",
        bars("各部门申请", [_split(d, report.total(d)) for d in report.departments], *_COLOURED),
        "<h2>各部门合计</h2>",
        _table("部门", ((name, report.total(name)) for name in report.departments), report.total()),
        "<h2>未同意的理由</h2>",
        *_reasons(report.total().reasons),
        *_departments(report),
        *_waiting(report),
        "<h2>如何计算</h2>",
        *(f"<p>{_text(line)}</p>" for line in _method(report)),
        "</body></html>\n",
    ]
    return "\n".join(parts).encode()


_COLOURED = ((PERMITTED, REFUSED, OPEN), ("同意", "不同意", "待补正或审核"))


def _opening(report: Report, about: About) -> Iterator[str]:
    yield f"期间：{about.period}。制作时间：{about.made_at}。依据：{about.source}。"
    leaves = f"，序号 {report.oldest} 至 {report.newest}" if report.receipts else ""
    erased = f"，其中 {report.erased} 条内容已删除、未计入" if report.erased else ""
    yield f"读取存证 {report.receipts} 条{leaves}{erased}。本报告只供阅读，不是证据；证据见存证及其证明。"


def _split(label: str, counted: Counted) -> Bar:
    return Bar(label, (_of(counted, Verdict.PERMIT), _of(counted, Verdict.DENY), _of(counted, *_OPEN)))


def _of(counted: Counted, *verdicts: Verdict) -> int:
    return sum(counted.verdicts[verdict] for verdict in verdicts)


def _table(heading: str, rows: Iterable[tuple[str, Counted]], total: Counted) -> str:
    head = "".join(f"<th>{name}</th>" for name in (heading, *_COLUMNS))
    body = "\n".join(f"<tr>{_cells(name, counted)}</tr>" for name, counted in rows)
    return f'<table><tr>{head}</tr>\n{body}\n<tr class="sum">{_cells("合计", total)}</tr></table>'


def _cells(name: str, counted: Counted) -> str:
    days = counted.median_days
    figures: Sequence[object] = (
        counted.requests,
        _of(counted, Verdict.PERMIT),
        _of(counted, Verdict.DENY),
        _of(counted, *_OPEN),
        counted.rows,
        counted.unacknowledged,
        counted.late,
        counted.disputed,
        counted.corrections,
        counted.corrections_overdue,
        counted.disposals,
        counted.undisposed,
        counted.disposed_late,
        len(counted.days),
        "—" if days is None else f"{days:g}",
        counted.overdue,
    )
    return "".join(f"<td>{_text(str(value))}</td>" for value in (name, *figures))


def _reasons(reasons: Counter[str]) -> Iterator[str]:
    if not reasons:
        yield "<p>没有。</p>"
        return
    often = reasons.most_common(MOST_REASONS)
    yield bars("未同意的理由", [Bar(code, (count,)) for code, count in often], (REFUSED,))
    yield '<table class="text"><tr><th>代码</th><th>含义</th><th>次数</th></tr>'
    for code, count in reasons.most_common():
        yield f"<tr><td>{_text(code)}</td><td>{_text(_meaning(code))}</td><td>{count}</td></tr>"
    yield "</table>"


def _meaning(code: str) -> str:
    try:
        return sentence(Reason(code), "…").zh
    except ValueError:
        return "本版本不认识的代码"


def _departments(report: Report) -> Iterator[str]:
    for department in report.departments:
        yield f"<h2>{_text(department)}</h2>"
        rows = [
            (month, report.by[department, month])
            for month in report.months
            if (department, month) in report.by
        ]
        yield _table("月份", rows, report.total(department))
        if reasons := report.total(department).reasons:
            listed = "，".join(f"{code} {count}" for code, count in reasons.most_common())
            yield f"<p>未同意的理由：{_text(listed)}</p>"


def _waiting(report: Report) -> Iterator[str]:
    yield "<h2>期间内申请过而未获准</h2>"
    if not report.waiting:
        yield "<p>没有。</p>"
        return
    late = sum(one.days > WORKING_DAYS for one in report.waiting)
    yield f"<p>共 {len(report.waiting)} 项，其中 {late} 项至期末已超过 {WORKING_DAYS} 个工作日。</p>"
    names = ("部门", "数据资源", "使用场景", "首次申请", "至期末工作日")
    yield '<table class="text"><tr>' + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
    for one in report.waiting[:MOST_WAITING]:
        cells = (one.consumer, one.dataset, one.purpose, one.since.isoformat(), str(one.days))
        yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
    yield "</table>"
    if len(report.waiting) > MOST_WAITING:
        yield f"<p>只列出最久的 {MOST_WAITING} 项，其余见 --json。</p>"


def _method(report: Report) -> Iterator[str]:
    yield "申请：每次单笔交换或批量流计一次；重发、试算不计。部门指需求部门，月份按本机时区的记录时间。"
    yield (
        "提供行数：已提供的行数；汇总结果计组数；中断的流计已读出的行数，最后若干行可能没有送达。"
        "逾期未确认：到期没有确认、期间内也没有补确认的交付。"
    )
    yield (
        "首次获准与中位工作日：同一部门就同一数据资源、同一使用场景，从期间内首次申请到首次获准所隔的工作日，"
        f"当日为 0；对照的是人工办理平均 {WORKING_DAYS} 个工作日。日志不知道此前何时发函、协商，"
        "也不含期间以前的申请，因此这不是整个共享事项的办理时长。"
    )
    if report.guessed_years:
        years = "、".join(map(str, report.guessed_years))
        yield f"没有 {years} 年的放假安排（见 --calendar），这些年份只按周一至周五计，未扣节假日。"


def _text(text: str) -> str:
    shown = (c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)
    return html.escape("".join(shown))
