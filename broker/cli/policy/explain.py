"""``sharebroker policy explain``: one application, and why it is decided as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.authoring.applications import parse_time
from broker.authoring.facts import facts
from broker.cli.connection import Json
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder
from broker.errors import SetUpError
from broker.reasons import Sentence
from broker.receipt.bundle import FILE, read_json
from broker.receipt.bundle import parse as parse_receipt

if TYPE_CHECKING:
    from broker.approve.bundle import Bundle
    from broker.authoring.asking import Question
    from broker.authoring.explain import InWords, RuleInWords

INDENT = "  "


class Reader(StrEnum):
    """To whom it is explained: what the consumer may learn, or all that the rule's owner may."""

    OWNER = "owner"
    CONSUMER = "consumer"


def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")],
    request: Annotated[
        Path | None, typer.Option(help="申请，YAML 或 JSON 文件 / an application in YAML or JSON")
    ] = None,
    case: Annotated[str, typer.Option(help="用例：文件#编号 / a case, FILE#ID")] = "",
    receipt: Annotated[
        Path | None, typer.Option(help="导出的回执（不验证） / an exported receipt, unverified")
    ] = None,
    department: Annotated[str, typer.Option(help="需求部门 / consumer")] = "",
    system: Annotated[str, typer.Option(help="调用系统 / calling system")] = "",
    dataset: Annotated[str, typer.Option(help="数据资源 / dataset")] = "",
    field: Annotated[list[str] | None, typer.Option(help="数据项，可写多次 / field, repeatable")] = None,
    purpose: Annotated[str, typer.Option(help="使用场景 / purpose")] = "",
    subjects: Annotated[str, typer.Option(help="查询对象个数，或 all / how many subjects, or all")] = "",
    service_item: Annotated[str, typer.Option(help="事项编码 / service item")] = "",
    case_no: Annotated[str, typer.Option(help="办件编号 / case number")] = "",
    legal_basis: Annotated[str, typer.Option(help="使用依据 / legal basis")] = "",
    operator: Annotated[str, typer.Option(help="经办人 / operator")] = "",
    signed: Annotated[bool, typer.Option("--signed", help="附签名申请 / with a signed application")] = False,
    at: Annotated[
        str, typer.Option(help="时刻，如 “2026-11-23 10:30”，默认现在 / when, by default now")
    ] = "",
    reader: Annotated[Reader, typer.Option("--as", help="说给谁听 / for whom")] = Reader.OWNER,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """说明一份申请为什么这样判定、差在哪里 / explain why an application is decided so, and what it lacks."""
    bundle = bundle_in_folder(folder, config)
    options = {
        "department": department,
        "system": system,
        "dataset": dataset,
        "fields": field,
        "purpose": purpose,
        "subjects": subjects,
        "service_item": service_item,
        "case_no": case_no,
        "legal_basis": legal_basis,
        "operator": operator,
        "signed_application": "true" if signed else "",
    }
    written = {name: value for name, value in options.items() if value}
    question = _question(bundle, request, case, receipt, written)
    explained = _explained(question, _instant(at, question, bundle))
    if as_json:
        print(orjson.dumps(record(explained, reader)).decode())
    else:
        for line in lines(explained, reader, question.bundle_hash not in ("", bundle.hash)):
            typer.echo(line)


def _question(
    bundle: Bundle, request: Path | None, case: str, receipt: Path | None, options: dict[str, str | list[str]]
) -> Question:
    """What is asked about, from the one place that was given."""
    from broker.authoring.asking import of_case, of_file, of_options, of_statement

    if sum([request is not None, bool(case), receipt is not None, bool(options)]) != 1:
        raise SetUpError(
            "请写明一份申请：用 --department、--dataset 等选项，或者 --request、--case、--receipt 之一。",
            "Name one application: by --department, --dataset …, or by --request, --case or --receipt.",
        )
    if request is not None:
        return of_file(request, bundle)
    if receipt is not None:
        return of_statement(read_json(parse_receipt(receipt.read_bytes()).statement, FILE), bundle)
    return of_case(case, bundle) if case else of_options(options, bundle)


def _explained(question: Question, now: datetime) -> InWords:
    from broker.authoring.explain import explain

    return explain(question.application, question.grant, question.bundle, now, question.suspensions)


def _instant(at: str, question: Question, bundle: Bundle) -> datetime:
    if not at:
        return question.now or datetime.now(UTC)
    try:
        return parse_time(at, bundle.zone)
    except ValueError:
        raise SetUpError(
            "--at 须为日期和时间，形如 “2026-11-23 10:30”。",
            "Write --at as day and time, such as “2026-11-23 10:30”.",
        ) from None


def lines(explained: InWords, reader: Reader, other_bundle: bool) -> Iterator[str]:
    """The explanation as text, for whom it is meant."""
    yield explained.said.zh
    yield explained.said.en
    if other_bundle:
        yield "回执是按另一版策略判定的；以下按此文件夹里的策略说明。"
        yield "The receipt was decided under another bundle; this explains it by the one in the folder."
    yield from _section("原因", "Reasons", explained.reasons)
    yield from _section("须遵守", "To be kept to", explained.duties)
    if reader is Reader.CONSUMER:
        return
    yield from _section("无法判定之处", "What could not be decided", explained.troubles)
    if explained.rules:
        yield from ("", "起作用的规则 · Rules that decided")
    for rule in explained.rules:
        yield from _rule(rule)
    if explained.near:
        yield from ("", "最接近的规则，以及差在哪里 · The nearest rules, and what is missing")
    for miss in explained.near:
        yield from _rule(miss.rule)
        for lacks in miss.lacks:
            yield f"{INDENT * 2}✗ {lacks.zh} / {lacks.en}"


def _rule(rule: RuleInWords) -> Iterator[str]:
    yield f"{INDENT}{rule.id}  {rule.at.file}:{rule.at.line}:{rule.at.column}"
    yield f"{INDENT * 2}{rule.does.zh}"
    yield f"{INDENT * 2}{rule.does.en}"


def _section(zh: str, en: str, said: Sequence[Sentence]) -> Iterator[str]:
    if said:
        yield from ("", f"{zh} · {en}")
    for sentence in said:
        yield f"{INDENT}{sentence.zh} / {sentence.en}"


def record(explained: InWords, reader: Reader) -> dict[str, object]:
    """The same for programs."""
    told: dict[str, object] = {
        "decision": facts(explained.decision),
        "said": _both(explained.said),
        "reasons": [_both(reason) for reason in explained.reasons],
        "duties": [_both(duty) for duty in explained.duties],
    }
    if reader is Reader.OWNER:
        told["troubles"] = [_both(trouble) for trouble in explained.troubles]
        told["rules"] = [_told(rule) for rule in explained.rules]
        told["near"] = [
            {**_told(miss.rule), "lacks": [_both(lacks) for lacks in miss.lacks]} for miss in explained.near
        ]
    return told


def _told(rule: RuleInWords) -> dict[str, object]:
    return {"rule": rule.id, "at": list(rule.at), "does": _both(rule.does)}


def _both(said: Sentence) -> dict[str, str]:
    return {"zh": said.zh, "en": said.en}
