"""``sharebroker commitment``: the templates of use commitments, and what a department has signed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli.connection import Address, Folder, Json, connect

if TYPE_CHECKING:
    from broker.client.committing import Template
    from broker.v1 import commitment_pb2

app = typer.Typer(
    help="数据使用责任状：模板、签署 / use commitments: templates, signing",
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
_SIGNERS = {"system": "系统 system", "officer": "管理员 officer"}
EACH_CALL = "逐次签署 each call"


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
    table = Table(*HEADINGS)
    for column in table.columns:
        column.overflow = "fold"  # a name cut short is no name
    for one in found:
        shown = (one["template"], one["version"], one["title"], one["owner"])
        days = one["valid_days"]
        valid = f"{days} 天 days" if days else EACH_CALL
        table.add_row(*[Text(str(cell)) for cell in (*shown, _SIGNERS[str(one["signer"])], valid)])
    Console().print(table)


@app.command("template")
def template(
    name: Annotated[str, typer.Argument(metavar="ID", help="模板编号 / id of the template")],
    address: Address,
    identity: Folder,
    as_json: Json = False,
) -> None:
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
