"""``sharebroker policy new``: a rule by question and answer; nothing is written before the end."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, operators
from broker.errors import SetUpError
from broker.keys.authority import write_public_file

if TYPE_CHECKING:
    from broker.approve.files import Files
    from broker.cli.policy.asking import Terminal
    from broker.cli.policy.interview import Answered
    from broker.epoch import Compile

CANCELLED = 130
"""Exit code of what was broken off, as a shell has it for Ctrl-C."""


def _answer(zh: str, en: str) -> object:
    return typer.Option(help=f"{zh} / {en}")


def new(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="策略文件夹 / folder of policies")] = Path(
        "policies"
    ),
    owner: Annotated[str | None, _answer("制定部门", "department that makes the rule")] = None,
    effect: Annotated[str | None, _answer("permit、review、deny、delegate", "what it does")] = None,
    dataset: Annotated[str | None, _answer("数据资源", "dataset")] = None,
    fields: Annotated[str | None, _answer("数据项，逗号隔开，或 all", "fields, by commas, or all")] = None,
    departments: Annotated[str | None, _answer("需求部门或部门组，或 all", "consumers, or all")] = None,
    purposes: Annotated[str | None, _answer("使用场景，或 all", "purposes, or all")] = None,
    legal_basis: Annotated[str | None, _answer("使用依据，分号隔开，或 all", "bases, by semicolons")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="起始日 / first day")] = None,
    until: Annotated[str | None, _answer("截止日", "last day")] = None,
    own_region: Annotated[str | None, _answer("只给本辖区：y 或 n", "own region only: y or n")] = None,
    whole_dataset: Annotated[str | None, _answer("可整体共享：y 或 n", "in bulk as well: y or n")] = None,
    subjects_per_call: Annotated[str | None, _answer("每次查询对象数", "subjects a call")] = None,
    rows_per_call: Annotated[str | None, _answer("每次行数", "rows a call")] = None,
    calls_per_day: Annotated[str | None, _answer("每日次数", "calls a day")] = None,
    mask: Annotated[
        str | None,
        _answer("脱敏，如 name=surname; mobile=partial keep_start=3 keep_end=4", "masks by field"),
    ] = None,
    retain_days: Annotated[str | None, _answer("保存天数", "days of retention")] = None,
    duties: Annotated[str | None, _answer("其他义务", "other duties")] = None,
    application_no: Annotated[str | None, _answer("共享申请编号", "number of the application")] = None,
    consumer_head: Annotated[str | None, _answer("需求部门同意人", "head of the consumer's office")] = None,
    provider_head: Annotated[str | None, _answer("提供部门同意人", "head of the provider's office")] = None,
    review_by: Annotated[str | None, _answer("由谁审核", "who reviews")] = None,
    review_count: Annotated[str | None, _answer("须几人同意", "how many must agree")] = None,
    review_days: Annotated[str | None, _answer("几个工作日内", "within how many working days")] = None,
    policy_id: Annotated[str | None, typer.Option("--policy", help="写进哪份策略 / which policy")] = None,
    rule: Annotated[str | None, _answer("规则编号", "the rule's id")] = None,
    remark: Annotated[str | None, _answer("说明，写在规则上方", "remark above the rule")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="不提问：未给出的取默认值 / ask nothing, take defaults")
    ] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """一问一答写一条规则，确认后才写入 / write a rule by question and answer, once you confirm it."""
    from broker.cli.policy.asking import Terminal

    named = {"from_": "from", "policy_id": "policy"}
    said = {name: one for name, one in context.params.items() if isinstance(one, str)}
    given = {named.get(name, name.replace("_", "-")): one for name, one in said.items()}
    try:
        _new(folder, config, Terminal(given, asks=not yes), confirmed=yes)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses twice is told once
        typer.echo("\n已取消，什么都没有写。\nCancelled; nothing was written.", err=True)
        raise typer.Exit(CANCELLED) from None


def _new(folder: Path, config: Path, terminal: Terminal, *, confirmed: bool) -> None:
    from broker.cli.policy.interview import Interview
    from broker.cli.policy.questions import CONFIRM
    from broker.server.bundles import checker, compiler, read_files

    available = operators(config)
    compile_bundle, files = compiler(available), read_files(folder)
    bundle = compile_bundle(files)
    today = datetime.now(UTC).astimezone(ZoneInfo(bundle.catalog.zone)).date()
    answered = Interview(terminal, bundle, checker(available), today).answered()
    content = _checked(answered, files, compile_bundle)
    if not confirmed and not terminal.yes(CONFIRM):
        typer.echo("什么都没有写。Nothing was written.")
        return
    _write(folder / answered.place.file, files.get(answered.place.file), content)
    _tell(folder, answered)


def _checked(answered: Answered, files: Files, compile_bundle: Compile) -> bytes:
    """The file with the rule, shown with what the broker reads in it.

    Raises:
        SetUpError: the folder would not load with it.
    """
    from broker.authoring.new import rule_text, with_rule
    from broker.authoring.sentences import sentence

    place = answered.place
    before = files.get(place.file)
    content = with_rule(before, place, answered.heading, answered.entry, answered.remark)
    bundle = compile_bundle({**files, place.file: content})
    typer.echo(f"\n{place.file}{'' if before else '（新文件 new file）'}\n")
    typer.echo(rule_text(answered.entry, answered.remark))
    for rule in bundle.rules:
        if rule.id == f"{place.policy}/{answered.entry['id']}":
            said = sentence(rule, bundle.catalog)
            typer.echo(f"{said.zh}\n{said.en}")
    return content


def _write(path: Path, before: bytes | None, content: bytes) -> None:
    now = path.read_bytes() if path.exists() else None
    if now != before:
        raise SetUpError(
            f"{path} 在提问期间被别人改过，什么都没有写；请重新来过。",
            f"{path} was changed by somebody meanwhile; nothing was written. Start again.",
        )
    path.parent.mkdir(exist_ok=True)
    write_public_file(path, content)


def _tell(folder: Path, answered: Answered) -> None:
    rule = f"{answered.place.policy}/{answered.entry['id']}"
    typer.echo(f"\n已写入 {folder / answered.place.file}：{rule}。草稿，发布以后才生效。")
    typer.echo(f"Written: {rule}, a draft until it is published. 接下来 / next:")
    typer.echo(f"  sharebroker policy show {folder} --rule {rule}")
    typer.echo(f"  sharebroker policy lint {folder}")
