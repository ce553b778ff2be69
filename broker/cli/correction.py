"""``sharebroker correction``: report what is wrong, answer it, see who was told, and how good data are."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import orjson
import typer
from google.protobuf import json_format
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.connection import Address, Folder, Json, Trust, connect
from broker.cli.correction_text import ERRORS, SETTLEMENTS
from broker.errors import SetUpError
from broker.model import DataError, Settlement

if TYPE_CHECKING:
    from broker.client.correcting import Answered
    from broker.v1 import correction_pb2

app = typer.Typer(
    help="校核纠错：报告、列出、答复、通知、数据质量 / corrections: report, answer, notices, data quality",
    no_args_is_help=True,
)

_STATES = {"open": ("待答复", "open"), "overdue": ("逾期未答复", "overdue")} | SETTLEMENTS

Number = Annotated[int, typer.Argument(min=0, help="校核编号 / number of the correction")]
Dataset = Annotated[str, typer.Option(help="数据资源编号 / id of the dataset")]
Limit = Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")]
Department = Annotated[str, typer.Option(help="部门编号 / id of a department")]


class Told(TypedDict):
    """What is said of the person."""

    subject: str
    claimed: dict[str, str]
    grounds: str


@app.command("report")
def report(
    receipt: Annotated[int, typer.Argument(min=0, help="回执编号 / number of the receipt")],
    address: Address,
    identity: Folder,
    trust: Trust,
    error: Annotated[DataError, typer.Option(help="错误类别 / what is wrong")],
    content: Annotated[
        Path | None,
        typer.Option(
            help="JSON 文件：subject、claimed、grounds；缺省为标准输入 / file with these; else standard input"
        ),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="有误的数据项，可重复 / a field that is wrong, repeatable")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="佐证文件，只报其摘要 / document of which only the digest is sent")
    ] = None,
    operator: Annotated[str, typer.Option(help="经办人 / who is behind the call")] = "",
    citizen: Annotated[
        bool, typer.Option("--citizen", help="应当事人要求 / the citizen asked for it")
    ] = False,
    as_json: Json = False,
) -> None:
    """就一份回执报告有误的数据；个人信息写在文件里，不写在命令行 / report an error against a receipt."""
    told = _content(content)
    with connect(address, identity, trust) as broker:
        found = broker.corrections.report(
            receipt=receipt,
            error=error,
            fields=tuple(field or ()),
            **told,
            evidence=b"" if evidence is None else sha256(evidence.read_bytes()).digest(),
            operator=operator,
            for_citizen=citizen,
        )
    due = found.due_at.astimezone().strftime("%Y-%m-%d %H:%M")
    if as_json:
        due_at = found.due_at.isoformat()
        print(orjson.dumps({"correction": found.number, "due": due_at, "repeated": found.repeated}).decode())
        return
    typer.echo(f"已报告，校核编号 {found.number}，提供部门须在 {due} 前答复。")
    typer.echo(f"Reported as correction {found.number}; the provider must answer by {due}.")


@app.command("list")
def list_corrections(
    address: Address,
    identity: Folder,
    dataset: Dataset = "",
    consumer: Department = "",
    provider: Department = "",
    open_only: Annotated[bool, typer.Option("--open", help="只列未答复的 / only unanswered ones")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="只列逾期的 / only overdue ones")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """列出校核，新的在前；有逾期未答复的，退出码为 1 / list corrections; exit 1 if any is overdue."""
    with connect(address, identity) as broker:
        wanted = broker.corrections.all(
            dataset=dataset, consumer=consumer, provider=provider, open=open_only, overdue=overdue
        )
        found = list(islice(wanted, limit))
    if as_json:
        for one in found:
            print(orjson.dumps(_as_dict(one)).decode())
    elif not found:
        typer.echo("没有校核。There are no corrections.")
    else:
        Console().print(_table(found))
    if any(_state(one) == "overdue" for one in found):
        raise typer.Exit(1)


@app.command("show")
def show(number: Number, address: Address, identity: Folder, as_json: Json = False) -> None:
    """查看一项校核；提供部门的管理员可见所报内容 / show one; officers of the provider see what is held."""
    with connect(address, identity) as broker:
        found = broker.corrections.get(number)
    told = _as_dict(found.correction)
    if found.HasField("content"):
        held = found.content
        claimed = dict(held.claimed_values)
        told["content"] = {"subject": held.subject, "claimed": claimed, "grounds": held.grounds}
    if as_json:
        print(orjson.dumps(told).decode())
        return
    Console().print(_table([found.correction]))
    if not found.HasField("content"):
        return
    table = Table(title="所报内容（个人信息） what is held (personal data)", show_header=False)
    table.add_row("当事人 subject", Text(found.content.subject))
    for name, value in sorted(found.content.claimed_values.items()):
        table.add_row(Text(f"{name} 应为 should be"), Text(value))
    table.add_row("理由 grounds", Text(found.content.grounds))
    Console().print(table)


@app.command("answer")
def answer(
    number: Number,
    address: Address,
    identity: Folder,
    trust: Trust,
    settlement: Annotated[Settlement, typer.Option(help="更正、无误或转办 / how it is settled")],
    grounds: Annotated[str, typer.Option(help="依据，勿写个人信息 / on what grounds, no personal data")],
    right_from: Annotated[
        datetime | None, typer.Option(help="何时起已正确；缺省为现在 / since when it is right; now if absent")
    ] = None,
    wrong_from: Annotated[
        datetime | None, typer.Option(help="何时起有误，不明则不填 / since when it was wrong, if known")
    ] = None,
    referred_to: Annotated[str, typer.Option(help="转办单位 / who holds the master data")] = "",
    as_json: Json = False,
) -> None:
    """以提供部门管理员的身份签署答复 / sign an answer, as an officer of the provider."""
    said: Answered = {"settlement": settlement, "grounds": grounds, "referred_to": referred_to}
    if settlement is Settlement.CORRECTED:
        said["right_from"] = right_from.astimezone() if right_from else datetime.now(UTC)
        if wrong_from is not None:
            said["wrong_from"] = wrong_from.astimezone()
    elif right_from is not None or wrong_from is not None:
        raise SetUpError(
            "只有已更正的才写 --right-from 和 --wrong-from。",
            "--right-from and --wrong-from go with --settlement corrected only.",
        )
    with connect(address, identity, trust) as broker:
        receipt = broker.corrections.answer(number, **said)
    if as_json:
        print(orjson.dumps({"correction": number, "answer": receipt.leaf_index}).decode())
        return
    zh, en = SETTLEMENTS[settlement.value]
    typer.echo(f"校核 {number} 已答复（{zh}），答复回执为第 {receipt.leaf_index} 号。")
    typer.echo(f"Correction {number} is answered ({en}) by receipt {receipt.leaf_index}.")


@app.command("notices")
def notices(
    address: Address, identity: Folder, dataset: Dataset = "", limit: Limit = 50, as_json: Json = False
) -> None:
    """列出本部门曾收到有误数据的通知，新的在前 / list notices that what was received was wrong."""
    with connect(address, identity) as broker:
        found = list(islice(broker.corrections.notices(dataset), limit))
    if as_json:
        for one in found:
            print(orjson.dumps(_notice(one)).decode())
        return
    if not found:
        typer.echo("没有通知。There are no notices.")
        return
    table = _folded(
        "通知 notice", "数据资源 dataset", "数据项 fields", "回执 receipts", "正确起始 right from"
    )
    for one in found:
        told = _notice(one)
        about = f"{told['dataset']}\n{told['consumer']}"
        wrong = f"{', '.join(one.fields)}\n{' '.join(ERRORS[_error(one.error)])}"
        leaves = [", ".join(name.removeprefix("receipts/") for name in one.receipts)]
        if one.streams:
            streams = ", ".join(name.removeprefix("receipts/") for name in one.streams)
            leaves.append(f"可能 perhaps {streams}")
        cells = (
            str(told["notice"]),
            about,
            wrong,
            "\n".join(leaves).strip(),
            _local(one.right_time.ToDatetime(UTC)),
        )
        table.add_row(*map(Text, cells))
    Console().print(table)


@app.command("quality")
def quality(
    dataset: Annotated[str, typer.Argument(help="数据资源编号 / id of the dataset")],
    address: Address,
    identity: Folder,
    since: Annotated[datetime | None, typer.Option(help="期间起始 / beginning of the period")] = None,
    until: Annotated[datetime | None, typer.Option(help="期间结束 / end of the period")] = None,
    as_json: Json = False,
) -> None:
    """数据质量：存疑、过期、不合格行，校核及其答复 / data quality: doubtful, stale, bad rows, corrections."""
    with connect(address, identity) as broker:
        found = broker.corrections.quality(
            dataset, since and since.astimezone(), until and until.astimezone()
        )
    if as_json:
        print(orjson.dumps(_figures(found)).decode())
        return
    first, last = (_local(time.ToDatetime(UTC)) for time in (found.since, found.until))
    table = Table(title=f"{dataset}  {first} – {last}", show_header=False)
    for zh, en, name in _FIGURES:
        table.add_row(f"{zh} {en}", str(getattr(found, name)))
    median = f"{found.median_days:.1f}" if found.HasField("median_days") else "–"
    table.add_row("答复用时中位数（天） median days to answer", median)
    Console().print(table)


_FIGURES = (
    ("答复", "answers", "answers"),
    ("有", "found", "found"),
    ("无", "none", "none"),
    ("存疑", "doubtful", "doubtful"),
    ("过期", "stale", "stale"),
    ("读出行数", "rows read", "rows_read"),
    ("不合格行数", "bad rows", "rows_bad"),
    ("已删除的存证", "statements erased", "erased"),
    ("校核", "corrections", "corrections"),
    ("已更正", "corrected", "corrected"),
    ("经核无误", "confirmed as right", "confirmed"),
    ("已转办", "referred", "referred"),
    ("待答复", "waiting", "waiting"),
    ("逾期", "overdue", "overdue"),
)


def _figures(found: correction_pb2.DataQuality) -> dict[str, object]:
    return {
        "dataset": found.dataset.removeprefix("datasets/"),
        "since": found.since.ToJsonString(),
        "until": found.until.ToJsonString(),
        **{name: getattr(found, name) for _, _, name in _FIGURES},
        "median_days": found.median_days if found.HasField("median_days") else None,
    }


def _content(file: Path | None) -> Told:
    """What is said of the person; on a command line other users of the machine would see it."""
    data = file.read_bytes() if file is not None else typer.get_binary_stream("stdin").read()
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError:
        told = None
    match told:
        case {"grounds": str(grounds), **rest} if rest.keys() <= {"subject", "claimed"}:
            subject, claimed = rest.get("subject", ""), rest.get("claimed", {})
            if isinstance(subject, str) and isinstance(claimed, dict):
                return {
                    "subject": subject,
                    "claimed": {k: str(v) for k, v in claimed.items()},
                    "grounds": grounds,
                }
    raise SetUpError(
        '内容须为 JSON：{"grounds": "理由", "subject": "证件号", "claimed": {"数据项": "应为"}}。',
        'The content must be JSON: {"grounds": "why", "subject": "identifier", "claimed": {"field": "…"}}.',
    )


def _table(found: list[correction_pb2.Correction]) -> Table:
    table = _folded("编号 number", "状态 state", "回执 receipt", "部门 departments", "数据 data", "期限 due")
    for one in found:
        told = _as_dict(one)
        parties = f"{told['consumer']}\n→ {told['provider']}"
        data = f"{told['dataset']}\n{', '.join(one.fields)}\n{' '.join(ERRORS[_error(one.error)])}"
        due = _local(one.due_time.ToDatetime(UTC))
        state = "\n".join(_STATES[_state(one)])
        table.add_row(*map(Text, (str(told["correction"]), state, str(told["receipt"]), parties, data, due)))
    return table


def _folded(*headings: str) -> Table:
    table = Table(*headings)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    return table


def _as_dict(one: correction_pb2.Correction) -> dict[str, object]:
    answered = one.answer_time.ToJsonString() if one.HasField("answer_time") else None
    return {
        "correction": int(one.name.removeprefix("corrections/")),
        "state": _state(one),
        "receipt": _leaf(one.receipt),
        "consumer": one.consumer.removeprefix("departments/"),
        "caller": one.caller,
        "provider": one.provider.removeprefix("departments/"),
        "dataset": one.dataset.removeprefix("datasets/"),
        "purpose": one.purpose,
        "error": _error(one.error),
        "fields": list(one.fields),
        "report_time": one.report_time.ToJsonString(),
        "due_time": one.due_time.ToJsonString(),
        "answer_time": answered,
        "answer_receipt": _leaf(one.answer_receipt),
        "overdue_receipt": _leaf(one.overdue_receipt),
        "told": one.told,
    }


def _notice(one: correction_pb2.CorrectionNotice) -> dict[str, object]:
    return {
        "notice": _leaf(one.receipt),
        "notice_time": one.notice_time.ToJsonString(),
        "consumer": one.consumer.removeprefix("departments/"),
        "caller": one.caller,
        "provider": one.provider.removeprefix("departments/"),
        "dataset": one.dataset.removeprefix("datasets/"),
        "purpose": one.purpose,
        "error": _error(one.error),
        "fields": list(one.fields),
        "receipts": [_leaf(name) for name in one.receipts],
        "streams": [_leaf(name) for name in one.streams],
        "right_time": one.right_time.ToJsonString(),
        "wrong_time": one.wrong_time.ToJsonString() if one.HasField("wrong_time") else None,
        "answer_receipt": _leaf(one.answer_receipt),
    }


def _state(one: correction_pb2.Correction) -> str:
    told: str = json_format.MessageToDict(one)["state"]
    return told.removeprefix("CORRECTION_STATE_").lower()


def _error(value: int) -> str:
    from broker.v1 import correction_pb2

    return correction_pb2.DataError.Name(value).removeprefix("DATA_ERROR_").lower()


def _leaf(name: str) -> int | None:
    return int(name.removeprefix("receipts/")) if name else None


def _local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")
