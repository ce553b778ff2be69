"""``sharebroker commitment``: the templates of use commitments, and what a department has signed of them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.connection import Address, Folder, Json, Trust, connect
from broker.errors import SetUpError

if TYPE_CHECKING:
    from broker.client import Client
    from broker.client.committing import Template
    from broker.client.terms import Terms
    from broker.v1 import commitment_pb2

app = typer.Typer(
    help="数据使用责任状：模板、签署、登记、撤回 / use commitments: templates, sign, lodge, withdraw",
    no_args_is_help=True,
)

HEADINGS = (
    "模板 template",
    "版本 version",
    "标题 title",
    "制定部门 owner",
    "签署人 signer",
    "有效 valid",
)
LODGED_HEADINGS = (
    "编号 number",
    "模板 template",
    "需求部门 consumer",
    "提供部门 provider",
    "数据资源 dataset",
    "使用场景 purpose",
    "至 until",
    "状态 state",
)
_SIGNERS = {"system": "系统 system", "officer": "管理员 officer"}
_STATES = {"standing": "有效 standing", "expired": "已过期 expired", "withdrawn": "已撤回 withdrawn"}
_SHOWN = ("number", "template", "version", "consumer", "dataset", "purpose", "signer", "expire_time")
EACH_CALL = "逐次签署 each call"

Name = Annotated[str, typer.Argument(metavar="ID", help="模板编号 / id of the template")]
Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=0, help="登记回执的编号 / number of its receipt")
]


@app.command("templates")
def templates(address: Address, identity: Folder, as_json: Json = False) -> None:
    """列出生效的责任状模板 / list the templates in force."""
    with connect(address, identity) as broker:
        found = [_as_dict(one) for one in broker.commitment_templates()]
    if as_json:
        for one in found:
            print(orjson.dumps(one).decode())
        return
    if not found:
        typer.echo("生效的策略没有责任状模板。The policies in force have no commitment template.")
        return
    table = _table(HEADINGS)
    for one in found:
        shown = (one["template"], one["version"], one["title"], one["owner"])
        days = one["valid_days"]
        valid = f"{days} 天 days" if days else EACH_CALL
        table.add_row(*[Text(str(cell)) for cell in (*shown, _SIGNERS[str(one["signer"])], valid)])
    Console().print(table)


@app.command("template")
def template(name: Name, address: Address, identity: Folder, as_json: Json = False) -> None:
    """显示一份模板的全文，空格写作 {dataset} / show a template's text, with blanks such as {dataset}."""
    with connect(address, identity) as broker:
        found = broker.commitment_template(name)
    if as_json:
        print(orjson.dumps(_told(found)).decode())
        return
    typer.echo(found.text)
    signer = _SIGNERS[found.signer.value] if found.signer else ""
    valid = f"{found.valid_days} 天 days" if found.valid_days else EACH_CALL
    typer.echo(f"\n{found.id} · 第 {found.version} 版 version {found.version} · {signer} · {valid}")


@app.command("sign")
def sign(
    name: Name,
    dataset: Annotated[str, typer.Option(help="数据资源编号 / id of the dataset")],
    purpose: Annotated[str, typer.Option(help="使用场景编号 / id of the purpose")],
    out: Annotated[Path, typer.Option(help="签好的责任状文件 / file for what is signed")],
    address: Address,
    identity: Folder,
    days: Annotated[
        int, typer.Option(min=0, max=9999, help="一段时期的天数；不写则只用于一次 / for a period of days")
    ] = 0,
    field: Annotated[list[str] | None, typer.Option(help="数据项，可多个 / fields asked for")] = None,
    service_item: Annotated[str, typer.Option(help="事项编码 / service item")] = "",
    case_no: Annotated[str, typer.Option(help="办件编号 / case number")] = "",
    legal_basis: Annotated[str, typer.Option(help="使用依据 / legal basis")] = "",
    operator: Annotated[str, typer.Option(help="经办人 / the person behind it")] = "",
    request_id: Annotated[
        str, typer.Option(help="请求号，不写则新取 / request id, a fresh one if absent")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
    as_json: Json = False,
) -> None:
    """显示填好的责任状，确认后用本证书的密钥签署 / show the text filled, and sign it with your own key."""
    terms: Terms = {
        "dataset": dataset,
        "fields": tuple(field or ()),
        "purpose": purpose,
        "service_item": service_item,
        "case_no": case_no,
        "legal_basis": legal_basis,
        "operator": operator,
    }
    call = "" if days else request_id or str(uuid.uuid4())
    with connect(address, identity) as broker:
        found = broker.commitment_template(name, terms)
    message = _signed(found, terms, call, timedelta(days=days), identity, ask=not yes, show=not as_json)
    out.write_bytes(message)
    if as_json:
        told = {"template": found.id, "version": found.version, "request_id": call or None, "file": str(out)}
        print(orjson.dumps(told).decode())
        return
    about = f"请求号 request id {call}" if call else f"{days} 天 days"
    typer.echo(f"已签署，写入 {out}（{about}）。Signed into {out}.")


@app.command("lodge")
def lodge(
    file: Annotated[Path, typer.Argument(help="`sign --days` 签好的文件 / what `sign --days` wrote")],
    address: Address,
    identity: Folder,
    trust: Trust,
    as_json: Json = False,
) -> None:
    """登记一份一段时期的责任状，其间调用不必再签 / lodge one for a period: calls need none of their own."""
    try:
        message = file.read_bytes()
    except OSError:
        raise SetUpError(f"无法读取责任状文件 {file}。", f"The commitment {file} cannot be read.") from None
    with connect(address, identity, trust) as broker:
        number = broker.lodge_signed_commitment(message).leaf_index
        told = _lodged(broker.commitment(number))
    if as_json:
        print(orjson.dumps(told).decode())
        return
    typer.echo(f"已登记，编号 {number}，有效至 {told['expire_time']}。")
    typer.echo(f"Lodged as {number}; it stands until {told['expire_time']}.")


@app.command("list")
def list_commitments(
    address: Address,
    identity: Folder,
    department: Annotated[str, typer.Option(help="需求或提供部门编号 / id of consumer or provider")] = "",
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出登记过的责任状，新的在前 / list commitments that were lodged, the newest first."""
    with connect(address, identity) as broker:
        found = [_lodged(one) for one in islice(broker.commitments(department), limit)]
    if as_json:
        for one in found:
            print(orjson.dumps(one).decode())
        return
    if not found:
        typer.echo("没有登记的责任状。No commitment is lodged.")
        return
    table = _table(LODGED_HEADINGS)
    names = ("number", "template", "consumer", "provider", "dataset", "purpose", "expire_time")
    for one in found:
        table.add_row(*[Text(str(one[name])) for name in names], Text(_STATES[str(one["state"])]))
    Console().print(table)


@app.command("show")
def show(number: Number, address: Address, identity: Folder, as_json: Json = False) -> None:
    """显示一份登记的责任状及所签全文 / show one that was lodged, with the text that was signed."""
    with connect(address, identity) as broker:
        told = _lodged(broker.commitment(number))
        text = _text(broker, number)
    if as_json:
        print(orjson.dumps({**told, "text": text}).decode())
        return
    typer.echo(text)
    typer.echo("")
    for name in _SHOWN:
        typer.echo(f"{name}: {told[name]}")
    typer.echo(f"state: {_STATES[str(told['state'])]}")


@app.command("withdraw")
def withdraw(
    number: Number,
    address: Address,
    identity: Folder,
    reason: Annotated[str, typer.Option(help="原因，写入存证 / why; stands in the receipt")],
    as_json: Json = False,
) -> None:
    """提前终止一份登记的责任状，依它进行的传输随即中止 / end one now; streams that rest on it stop."""
    with connect(address, identity) as broker:
        receipt = broker.withdraw_commitment(number, reason)
    if as_json:
        print(orjson.dumps({"number": number, "receipt": receipt}).decode())
        return
    typer.echo(
        f"责任状 {number} 已撤回，回执 {receipt}。Commitment {number} is withdrawn; receipt {receipt}."
    )


def _signed(
    template: Template,
    terms: Terms,
    request_id: str,
    period: timedelta,
    identity: Path,
    *,
    ask: bool,
    show: bool,
) -> bytes:
    """Shows what is to be signed, asks, and signs."""
    from broker.client import Credentials
    from broker.client.committing import LIFETIME, commitment_for, department_of
    from broker.use_commitment import signed

    credentials = Credentials.load(identity)
    department = department_of(credentials)
    said = commitment_for(template, terms, department, request_id, period or LIFETIME)
    if show:
        typer.echo(said.text)
        typer.echo("")
    if ask and not typer.confirm("以本证书的密钥签署以上全文？Sign the text above with your key?"):
        raise typer.Exit(1)
    return signed.sign(said, credentials.private_key(), credentials.chain)


def _text(broker: Client, number: int) -> str:
    """What was signed; empty when it was erased."""
    from broker.use_commitment.signed import text_of

    acts = broker.receipt(number, acts=True).acts
    return next((text for act in acts if (text := text_of(act))), "")


def _table(headings: tuple[str, ...]) -> Table:
    table = Table(*headings)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    return table


def _lodged(one: commitment_pb2.LodgedCommitment) -> dict[str, object]:
    withdrawal = one.withdrawal_receipt
    expires = one.expire_time.ToDatetime(UTC)
    state = "withdrawn" if withdrawal else "expired" if expires <= datetime.now(UTC) else "standing"
    return {
        "number": int(one.name.removeprefix("commitments/")),
        "state": state,
        "template": one.template.removeprefix("commitmentTemplates/"),
        "version": one.version,
        "consumer": one.consumer.removeprefix("departments/"),
        "provider": one.provider.removeprefix("departments/"),
        "dataset": one.dataset.removeprefix("datasets/"),
        "purpose": one.purpose,
        "signer": one.signer,
        "lodge_time": one.lodge_time.ToJsonString(),
        "expire_time": one.expire_time.ToJsonString(),
        "withdrawal_receipt": int(withdrawal.removeprefix("receipts/")) if withdrawal else None,
    }


def _told(one: Template) -> dict[str, object]:
    return {
        "template": one.id,
        "version": one.version,
        "title": one.title,
        "title_en": one.title_en,
        "signer": one.signer and one.signer.value,
        "valid_days": one.valid_days or None,
        "text": one.text,
    }


def _as_dict(one: commitment_pb2.CommitmentTemplate) -> dict[str, object]:
    from broker.v1 import commitment_pb2

    signer = commitment_pb2.CommitmentSigner.Name(one.signer)
    return {
        "template": one.name.removeprefix("commitmentTemplates/"),
        "version": one.version,
        "title": one.title,
        "title_en": one.title_en,
        "owner": one.owner.removeprefix("departments/"),
        "signer": signer.removeprefix("COMMITMENT_SIGNER_").lower(),
        "valid_days": one.valid_days or None,
    }
