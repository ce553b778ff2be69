"""Applications in words: for officers, Chinese first, and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

import orjson
import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.v1 import application_pb2

Application = application_pb2.FiledApplication

STATES = {
    "draft": "草稿",
    "filed": "已提交",
    "needs_supplement": "待补正",
    "under_review": "审核中",
    "approved": "已同意，未到使用期",
    "refused": "不同意共享",
    "active": "使用中",
    "suspended": "已暂停",
    "expired": "已到期",
    "terminated": "已终止",
    "withdrawn": "已撤回",
}
ACTS = {
    "create": "新建",
    "supplement": "补正",
    "consent": "本部门同意并提交",
    "return": "一次性告知所缺",
    "accept": "受理",
    "endorse": "审核同意，尚须他人",
    "approve": "审核同意",
    "refuse": "不同意",
    "ask_extension": "请求延期",
    "extend": "同意延期",
    "withdraw": "撤回",
    "activate": "开始使用",
    "suspend": "暂停",
    "resume": "恢复",
    "terminate": "终止",
    "expire": "到期",
    "remind": "催办",
    "escalate": "逾期上报",
}
STAGES = {"conformity": "主管部门合规性审查", "answer": "提供部门答复"}
MODES = {"api": "服务接口", "batch": "批量交换", "file": "文件下载"}
NEXT = {
    "draft": ("sharebroker application consent {number}", "需求部门管理员", "an officer of the consumer"),
    "needs_supplement": ("sharebroker application supplement {number}", "需求部门", "the consumer"),
    "under_review": ("sharebroker review approve {number}", "审核人", "a reviewer"),
}
"""State → what is next, and whose turn it is."""
HEADINGS = (
    "编号 no.",
    "需求部门 consumer",
    "数据资源 dataset",
    "使用场景 purpose",
    "状态 state",
    "期限 due",
)


def word(kind: str, value: int) -> str:
    """The wire's name of a state, act, stage or mode, in lower case; ``kind`` is that of its enum."""
    name: str = getattr(application_pb2, kind).Name(value)
    prefix = "".join(f"_{one}" if one.isupper() else one.upper() for one in kind).lstrip("_")
    return name.removeprefix(f"{prefix}_").lower()


def state_of(one: Application) -> str:
    """E.g. ``under_review``."""
    return word("ApplicationState", one.state)


def number_of(one: Application) -> int:
    """Of its name."""
    return int(one.name.removeprefix("applications/"))


def as_dict(one: Message) -> dict[str, Any]:
    """For machines: as the wire contract names things."""
    return MessageToDict(one, preserving_proto_field_name=True)


def print_json(value: object) -> None:
    """One line."""
    print(orjson.dumps(value).decode())


def tell_list(found: Iterable[Application], nothing: str, *, as_json: bool) -> None:
    """Applications as a table, or one JSON object a line."""
    found = list(found)
    if as_json:
        for one in found:
            print_json(as_dict(one))
    elif not found:
        typer.echo(nothing)
    else:
        Console().print(_table(found))


def tell(one: Application, *, as_json: bool) -> None:
    """An application with all that was done to it."""
    if as_json:
        print_json(as_dict(one))
        return
    console = Console()
    console.print(_card(one))
    if one.missing:
        console.print(_missing(one))
    if one.steps:
        console.print(_steps(one))
    _tell_next(one)


def tell_act(zh: str, en: str, one: Application, leaf_index: int, *, as_json: bool) -> None:
    """What was done, how far the application is now, and what is next."""
    if as_json:
        print_json({"application": as_dict(one), "receipt": leaf_index})
        return
    number, state = number_of(one), state_of(one)
    typer.echo(f"{zh}：第 {number} 号申请，现为{STATES[state]}。存证第 {leaf_index} 号。")
    typer.echo(f"{en}: application {number} is now {state.replace('_', ' ')}. Receipt {leaf_index}.")
    if one.missing:
        Console().print(_missing(one))
    _tell_next(one)


def notice_line(notice: application_pb2.Notice) -> str:
    """One notice in one line."""
    act, state = ACTS.get(notice.act, notice.act), STATES.get(notice.state, notice.state)
    due = f"  期限 due {local(notice.due_time)}" if notice.HasField("due_time") else ""
    return (
        f"{local(notice.notice_time)}  {notice.name}  {act} {notice.act} → {state} {notice.state}  "
        f"{_id(notice.consumer)} ← {_id(notice.provider)}  {_id(notice.dataset)}  {notice.receipt}{due}"
    )


def local(time: Timestamp) -> str:
    """As the machine's clock has it."""
    return time.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def visible(text: str) -> str:
    """``text`` by somebody else, in which nothing moves the cursor or hides what is beside it."""
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)


def _tell_next(one: Application) -> None:
    if following := NEXT.get(state_of(one)):
        command, zh, en = following
        typer.echo(f"下一步 next: {command.format(number=number_of(one))}（{zh} / {en}）")
    elif one.grant and state_of(one) in ("approved", "active"):
        typer.echo(f"共享时写明授权 exchange under: grant={one.grant.removeprefix('grants/')}")


def _table(found: list[Application]) -> Table:
    table = Table(*HEADINGS)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    for one in found:
        state = state_of(one)
        cells = (
            str(number_of(one)),
            _id(one.terms.consumer),
            _id(one.terms.dataset),
            one.terms.purpose,
            f"{STATES[state]} {state}",
            _due(one),
        )
        table.add_row(*map(Text, map(visible, cells)))
    return table


def _due(one: Application) -> str:
    if not one.HasField("due_time"):
        return ""
    moves = "  暂定 provisional" if one.due_provisional else ""
    return local(one.due_time) + ("  逾期 overdue" if one.overdue else moves)


def _card(one: Application) -> Table:
    table = Table(title=f"共享申请 application {number_of(one)}", show_header=False, title_justify="left")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for label, value in _lines(one):
        if value:
            table.add_row(label, Text(visible(value)))
    return table


def _lines(one: Application) -> Iterator[tuple[str, str]]:
    terms, state = one.terms, state_of(one)
    stage = word("ReviewStage", one.stage)
    yield "状态 state", f"{STATES[state]} {state}" + (f"：{STAGES[stage]} {stage}" if stage in STAGES else "")
    yield "期限 due", _due(one)
    yield "需求部门 consumer", _id(terms.consumer)
    yield "提供部门 provider", _id(one.provider)
    yield "数据资源 dataset", _id(terms.dataset)
    yield "数据项 fields", ", ".join(terms.fields)
    yield "使用场景 purpose", f"{terms.purpose}  {terms.scenario}".rstrip()
    yield "使用依据 legal basis", terms.legal_basis
    yield "使用范围 scope", _scope(terms.scope)
    mode = word("SharingMode", terms.mode)
    yield "共享方式 mode", f"{MODES[mode]} {mode}" if mode in MODES else ""
    yield "每次行数 rows a call", str(terms.rows_per_call or "")
    yield "合计行数 rows in all", str(terms.rows_total or "")
    yield "使用时限 time", _period(terms)
    yield "经办人 operator", terms.operator
    yield "附件 papers", "\n".join(f"{p.kind}: {p.name}  sha256 {p.digest.hex()}" for p in terms.papers)
    yield "须审核 reviews", "\n".join(_demand(demand) for demand in one.reviews)
    yield "签名 signatures", "\n".join(_signature(signed) for signed in one.signatures)
    yield "延期 extension", _extension(one)
    yield "授权 grant", one.grant.removeprefix("grants/")
    yield "签名摘要 digest", one.digest.hex()


def _scope(scope: application_pb2.UseScope) -> str:
    whole = "整体 every row" if scope.whole else "逐个查询 named subjects"
    return "\n".join([whole, *(f"{row.field}: {', '.join(row.values)}" for row in scope.rows)])


def _period(terms: application_pb2.ApplicationTerms) -> str:
    if not (terms.HasField("valid_from_time") or terms.HasField("valid_until_time")):
        return ""
    ends = [
        local(getattr(terms, name)) if terms.HasField(name) else "?"
        for name in ("valid_from_time", "valid_until_time")
    ]
    return " → ".join(ends)


def _demand(demand: application_pb2.ReviewDemand) -> str:
    departments = " / ".join(map(_id, demand.departments))
    own = "，需求部门的人不算 none of the consumer's" if demand.never_own else ""
    return f"{departments}：{demand.count} 人 officer(s){own}"


def _signature(signed: application_pb2.ApplicationSignature) -> str:
    act = word("ApplicationAct", signed.act)
    on_behalf = f"，代 for {signed.on_behalf_of}" if signed.on_behalf_of else ""
    return f"{ACTS.get(act, act)} {act}  {signed.officer}{on_behalf}  {local(signed.sign_time)}"


def _extension(one: Application) -> str:
    if not one.HasField("extension"):
        return ""
    agreed = one.extension.consented_by or "待主管部门同意 waits for the authority"
    return f"{one.extension.working_days} 个工作日 working days；{one.extension.asked_by} → {agreed}"


def _missing(one: Application) -> Table:
    title = f"一次性告知：共缺 {len(one.missing)} 项 · all that is missing"
    table = Table(
        "", "缺什么、怎样补 what is missing, and how to supply it", title=title, title_justify="left"
    )
    table.columns[1].overflow = "fold"
    for number, paper in enumerate(one.missing, 1):
        table.add_row(str(number), Text(f"{paper.zh}\n{paper.en} ({paper.reason})"))
    return table


def _steps(one: Application) -> Table:
    table = Table("时间 time", "动作 act", "状态 state", "何人 actor", "说明 reason", "存证 receipt")
    for column in table.columns:
        column.overflow = "fold"
    for step in one.steps:
        act, after = word("ApplicationAct", step.act), word("ApplicationState", step.after)
        said = "；".join(filter(None, (step.reason, step.legal_basis)))
        leaf = step.receipt.removeprefix("receipts/")
        cells = (
            local(step.act_time),
            f"{ACTS[act]} {act}",
            f"{STATES[after]} {after}",
            step.actor,
            said,
            leaf,
        )
        table.add_row(*map(Text, map(visible, cells)))
    return table


def _id(name: str) -> str:
    return name.partition("/")[2] or name
