"""``sharebroker application``: apply for data, follow what becomes of it, end it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli import application_text as say
from broker.cli.application_names import drafted, names_of
from broker.cli.connection import Address, Folder, Json, read_trust
from broker.model import SharingMode, State

if TYPE_CHECKING:
    from broker.client import OfficerClient
    from broker.client.filing import Application, Filed

app = typer.Typer(
    help="共享申请：新建、提交、查看、补正、撤回、终止授权 / "
    "applications: create, file, show, supplement, withdraw, end",
    no_args_is_help=True,
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="申请编号 / number of the application")]
Trust = Annotated[
    Path | None,
    typer.Option("--trust", help="日志公钥文件，给出即验证回执 / log's verifier key: verify the receipt"),
]
Yes = Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")]
Reason = Annotated[str, typer.Option("--reason", help="原因，不写人名 / why; names nobody")]
LegalBasis = Annotated[str, typer.Option("--legal-basis", help="依据的法律条款 / law and article")]
DEFAULT_ZONE = "Asia/Shanghai"

File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="申请文件（share-application/v1） / the application, YAML"),
]
Dataset = Annotated[str | None, typer.Option(help="数据资源，编号或名称 / dataset, by id or title")]
Fields = Annotated[str | None, typer.Option(help="数据项，逗号隔开，或 all / fields, by commas, or all")]
Purpose = Annotated[str | None, typer.Option(help="使用场景 / purpose")]
Basis = Annotated[str | None, typer.Option("--legal-basis", help="使用依据 / legal basis")]
Scenario = Annotated[
    str | None, typer.Option(help="用于什么业务、怎样使用 / what the data are for, and how used")
]
Whole = Annotated[
    bool | None, typer.Option("--whole/--named", help="整体，或逐个查询 / every row, or named people only")
]
Mode = Annotated[SharingMode | None, typer.Option(help="共享方式 / sharing mode")]
RowsPerCall = Annotated[int | None, typer.Option(min=1, help="每次最多行数 / the most rows of one call")]
RowsTotal = Annotated[int | None, typer.Option(min=1, help="合计最多行数 / the most rows of all calls")]
FirstDay = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="首日 / first day")]
LastDay = Annotated[
    datetime | None,
    typer.Option("--until", formats=["%Y-%m-%d"], help="末日，含当日 / last day, which counts"),
]
Operator = Annotated[str | None, typer.Option(help="经办人 / who answers questions")]
Papers = Annotated[
    list[str] | None,
    typer.Option("--paper", help="附件，形如 kind=文件，可多次 / a paper, as kind=file; may repeat"),
]
Zone = Annotated[str, typer.Option(help="日期所按的时区 / zone of the days")]


@app.command("create")
def create(
    address: Address,
    identity: Folder,
    file: File = None,
    dataset: Dataset = None,
    fields: Fields = None,
    purpose: Purpose = None,
    legal_basis: Basis = None,
    scenario: Scenario = None,
    whole: Whole = None,
    mode: Mode = None,
    rows_per_call: RowsPerCall = None,
    rows_total: RowsTotal = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    operator: Operator = None,
    papers: Papers = None,
    zone: Zone = DEFAULT_ZONE,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """由文件或选项新建草稿；还没有提交 / make a draft from a file or options; it is not filed yet."""
    from broker.applications.message import terms_message
    from broker.authoring.filing import terms

    draft = drafted(
        file, dataset, fields, purpose, legal_basis, scenario, whole, mode, rows_per_call, rows_total,
        first_day, last_day, operator, papers,
    )  # fmt: skip
    with officer(address, identity, trust) as broker:
        wanted = terms(draft, names_of(broker, zone), broker.department)
        filed = broker.applications.create(terms_message(wanted))
    _done("已新建草稿", "The draft is made", filed, as_json=as_json)


@app.command("supplement")
def supplement(
    number: Number,
    address: Address,
    identity: Folder,
    file: File = None,
    dataset: Dataset = None,
    fields: Fields = None,
    purpose: Purpose = None,
    legal_basis: Basis = None,
    scenario: Scenario = None,
    whole: Whole = None,
    mode: Mode = None,
    rows_per_call: RowsPerCall = None,
    rows_total: RowsTotal = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    operator: Operator = None,
    papers: Papers = None,
    zone: Zone = DEFAULT_ZONE,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """补正：改写所给的各项，其余不变；须重新同意提交 / supply or change what is given; then consent anew."""
    from broker.applications.message import terms_message, terms_of
    from broker.authoring.filing import terms

    draft = drafted(
        file, dataset, fields, purpose, legal_basis, scenario, whole, mode, rows_per_call, rows_total,
        first_day, last_day, operator, papers,
    )  # fmt: skip
    with officer(address, identity, trust) as broker:
        seen = broker.applications.get(number)
        before = terms_of(seen.terms)
        wanted = terms(draft, names_of(broker, zone), before.consumer, before)
        filed = broker.applications.supplement(seen, terms_message(wanted))
    _done("已补正", "Supplemented", filed, as_json=as_json)


@app.command("show")
def show(number: Number, address: Address, identity: Folder, as_json: Json = False) -> None:
    """查看一份申请：内容、所缺、签名、经过 / show one: terms, what is missing, signatures, history."""
    with officer(address, identity) as broker:
        say.tell(broker.applications.get(number), as_json=as_json)


@app.command("list")
def list_applications(
    address: Address,
    identity: Folder,
    state: Annotated[State | None, typer.Option(help="只列此状态的 / only those in this state")] = None,
    consumer: Annotated[str, typer.Option(help="需求部门编号 / id of the consumer")] = "",
    provider: Annotated[str, typer.Option(help="提供部门编号 / id of the provider")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="只列逾期的 / only overdue ones")] = False,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出看得到的申请，新的在前；有逾期的，退出码为 1 / list, newest first; exit 1: some are overdue."""
    with officer(address, identity) as broker:
        wanted = broker.applications.all(state=state, consumer=consumer, provider=provider, overdue=overdue)
        found = list(islice(wanted, limit))
    say.tell_list(found, "没有这样的申请。There is no such application.", as_json=as_json)
    if any(one.overdue for one in found):
        raise typer.Exit(1)


@app.command("consent")
def consent(
    number: Number,
    address: Address,
    identity: Folder,
    trust: Trust = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """看清内容后签名同意，即提交；有所缺的，退出码为 1 / look, sign and so file; exit 1: papers missing."""
    with officer(address, identity, trust) as broker:
        seen = broker.applications.get(number)
        look_and_agree(seen, yes=yes, as_json=as_json)
        filed = broker.applications.consent(seen)
    _done("已同意并提交", "Consented to and filed", filed, as_json=as_json)
    if filed.application.missing:
        raise typer.Exit(1)


@app.command("withdraw")
def withdraw(
    number: Number,
    address: Address,
    identity: Folder,
    reason: Reason = "",
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """撤回尚未答复的申请 / take back an application that was not decided yet."""
    _act(
        number, address, identity, trust, lambda broker, seen: broker.applications.withdraw(seen, reason),
        "已撤回", "Withdrawn", as_json=as_json,
    )  # fmt: skip


@app.command("extend")
def extend(
    number: Number,
    address: Address,
    identity: Folder,
    days: Annotated[
        int,
        typer.Option(
            min=0,
            max=10,
            help="请求延长几个工作日；主管部门同意时不写 / working days asked for; none to consent",
        ),
    ] = 0,
    reason: Reason = "",
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """延长答复期限：提供部门请求，主管部门同意 / more time to answer: provider asks, authority consents."""
    zh, en = ("已请求延期", "Asked for more time") if days else ("已同意延期", "Extended")
    _act(
        number, address, identity, trust, lambda broker, seen: broker.applications.extend(seen, days, reason),
        zh, en, as_json=as_json,
    )  # fmt: skip


@app.command("suspend")
def suspend(
    number: Number,
    address: Address,
    identity: Folder,
    reason: Reason,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """暂停授权，须写明原因 / suspend a grant, with a reason."""
    _act(
        number, address, identity, trust, lambda broker, seen: broker.applications.suspend(seen, reason),
        "已暂停", "Suspended", as_json=as_json,
    )  # fmt: skip


@app.command("resume")
def resume(
    number: Number,
    address: Address,
    identity: Folder,
    reason: Reason,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """恢复已暂停的授权 / resume a suspended grant."""
    _act(
        number, address, identity, trust, lambda broker, seen: broker.applications.resume(seen, reason),
        "已恢复", "Resumed", as_json=as_json,
    )  # fmt: skip


@app.command("terminate")
def terminate(
    number: Number,
    address: Address,
    identity: Folder,
    reason: Reason,
    legal_basis: LegalBasis,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """提前终止授权，须写明原因和依据 / end a grant for good, with a reason and its legal basis."""
    _act(
        number, address, identity, trust,
        lambda broker, seen: broker.applications.terminate(seen, reason, legal_basis),
        "已终止", "Terminated", as_json=as_json,
    )  # fmt: skip


@app.command("watch")
def watch(
    address: Address,
    identity: Folder,
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", min=1, help="只看这一份 / only this one")
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="从这份存证之后起 / from after this receipt on")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="看到几条为止 / end after so many")] = None,
    as_json: Json = False,
) -> None:
    """持续显示办理动态，直到 Ctrl-C / show what happens as it happens, until Ctrl-C."""
    name = "" if number is None else f"applications/{number}"
    begin = "" if after is None else f"receipts/{after}"
    with (
        officer(address, identity) as broker,
        broker.applications.watch(begin, name) as notices,
        suppress(KeyboardInterrupt),
    ):
        for notice in islice(notices, count):
            if as_json:
                say.print_json(say.as_dict(notice))
            else:
                typer.echo(say.notice_line(notice))


def officer(address: str, folder: Path, trust: Path | None = None) -> OfficerClient:
    """A client under the identity in ``folder``, an officer's or a system's."""
    from broker.client import Credentials, OfficerClient

    key = read_trust(trust) if trust else None
    return OfficerClient(address, Credentials.load(folder), trust=key, attempts=1)


def look_and_agree(seen: Application, *, yes: bool, as_json: bool) -> None:
    """Show all that is signed, and ask.

    Raises:
        Exit: who looks does not agree.
    """
    if yes:
        return
    say.tell(seen, as_json=as_json)
    try:
        agreed = typer.confirm("以本人证书签署？Sign with your certificate?", default=False, err=as_json)
    except typer.Abort:  # nobody answers
        agreed = False
        typer.echo(err=as_json)
    if not agreed:
        typer.echo("未签署。Nothing was signed.", err=as_json)
        raise typer.Exit(1)


def _act(
    number: int,
    address: str,
    identity: Path,
    trust: Path | None,
    act: Callable[[OfficerClient, Application], Filed],
    zh: str,
    en: str,
    *,
    as_json: bool,
) -> None:
    with officer(address, identity, trust) as broker:
        filed = act(broker, broker.applications.get(number))
    _done(zh, en, filed, as_json=as_json)


def _done(zh: str, en: str, filed: Filed, *, as_json: bool) -> None:
    say.tell_act(zh, en, filed.application, filed.receipt.leaf_index, as_json=as_json)
