"""``sharebroker receipt``: list, show, export and verify receipts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.cli import receipt_forms as forms
from broker.cli.connection import Address, Folder, Json, Trust, Witnesses, connect, read_trust, read_witnesses
from broker.cli.receipt_text import Lang, became, describe, row
from broker.errors import VerificationFailed
from broker.model import Receipt, Verdict

app = typer.Typer(
    help="存证回执：列出、查看、导出、验证 / list, show, export and verify receipts", no_args_is_help=True
)

Language = Annotated[Lang, typer.Option("--lang", help="语言 / language")]
_HEADINGS = (
    "序号\nleaf",
    "时间\nrecorded",
    "需求\nconsumer",
    "数据、场景\ndataset, purpose",
    "结论\nverdict",
)
_NO_STATEMENT = VerificationFailed("存证内容格式不符 / statement: not of the documented form")


@app.command("list")
def list_receipts(
    address: Address,
    identity: Folder,
    department: Annotated[str, typer.Option(help="提供或需求部门 / provider or consumer")] = "",
    dataset: Annotated[str, typer.Option(help="数据资源 / dataset")] = "",
    purpose: Annotated[str, typer.Option(help="使用场景 / purpose")] = "",
    decision: Annotated[Verdict | None, typer.Option(help="结论 / verdict")] = None,
    since: Annotated[datetime | None, typer.Option(help="起 / recorded at or after")] = None,
    until: Annotated[datetime | None, typer.Option(help="止 / recorded before")] = None,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出本人可查的回执，新的在前 / list the receipts you may read, newest first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")  # a name cut short is no name
    outcomes: dict[int, int] = {}
    with connect(address, identity) as broker:
        found = broker.receipts(
            department=department,
            dataset=dataset,
            purpose=purpose,
            verdict=decision,
            since=since,
            until=until,
        )
        for _, receipt in zip(range(limit), found, strict=False):
            statement, index = orjson.loads(receipt.statement), receipt.leaf_index
            if "decision_leaf" in statement:  # newest first: it comes before what it is the outcome of
                outcomes[statement["decision_leaf"]] = index
            if as_json:
                _print_json({"leaf_index": index, "statement": statement})
            else:
                stream = became(statement, outcomes.get(index))
                table.add_row(str(index), *map(Text, _cells(row(statement), stream)))
    if not as_json:
        Console().print(table)


def _cells(told: Sequence[str], stream: str) -> tuple[str, str, str, str]:
    """What belongs together in one column, so that names are whole in a terminal of 80."""
    recorded, consumer, dataset, purpose, verdict = told
    about, became_of = (f"{dataset}\n{purpose}", f"{verdict}\n{stream}")
    return recorded.replace(" ", "\n"), consumer, about.rstrip(), became_of.rstrip()


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="导出的回执文件 / exported receipt")],
    lang: Language = Lang.zh,
    as_json: Json = False,
) -> None:
    """显示一份导出的回执（不验证） / show an exported receipt, unverified."""
    receipt = forms.read(file).receipt
    statement = _statement(receipt)
    if as_json:
        _print_json(
            {"leaf_index": receipt.leaf_index, "tree_size": receipt.tree_size, "statement": statement}
        )
        return
    try:
        described = describe(receipt.leaf_index, statement, lang)
    except (AttributeError, KeyError, TypeError, ValueError):  # nobody has verified what is in the file
        raise _NO_STATEMENT from None
    Console().print(described)


@app.command()
def export(
    leaf_index: Annotated[int, typer.Argument(min=0, help="序号 / leaf index")],
    address: Address,
    identity: Folder,
    out: Annotated[
        Path | None, typer.Option(help="输出文件，缺省为标准输出 / file; standard output if absent")
    ] = None,
    form: Annotated[
        forms.Form | None,
        typer.Option(
            "--as",
            help="形式，缺省依文件名（.zip 即 bundle，含说明页） / form; by the file's name if absent: "
            ".zip is a bundle, with a page",
        ),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(
            help="日志公钥文件：导出前先验证，bundle 必需 / the log's key: verify first; needed for bundle"
        ),
    ] = None,
) -> None:
    """导出回执及其证明，可离线验证 / export a receipt with its proof, to be verified offline."""
    key = read_trust(trust) if trust else None
    with connect(address, identity, trust) as broker:
        exported = forms.ask(broker, leaf_index, form or forms.Form.of_file(out), key)
    if out is None:
        sys.stdout.buffer.write(exported)
    else:
        out.write_bytes(exported)
        print(f"已写入 / written: {out}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="导出的回执文件，各种形式 / exported receipt, of any form")],
    trust: Trust,
    ca: Annotated[
        Path | None,
        typer.Option(help="根证书：并验证确认书的签署者 / root certificate: also verify who acknowledged"),
    ] = None,
    witnesses: Witnesses = None,
    as_json: Json = False,
) -> None:
    """离线验证一份回执：签名、证明、内容 / verify a receipt offline: signature, proof, content."""
    exported = forms.read(file)
    checkpoint = forms.verify(exported, read_trust(trust))
    seen = read_witnesses(witnesses).require(exported.receipt.checkpoint)
    index, signer = exported.receipt.leaf_index, forms.signed_by(exported.receipt, ca)
    signers = forms.acted(exported, read_trust(trust), ca)
    if as_json:
        said = {"verified": True, "form": exported.form, "origin": checkpoint.origin, "leaf_index": index}
        names = {"witnesses": [one.witness.name for one in seen]} if witnesses else {}
        signed = {"signed_by": signer, "signer_verified": ca is not None} if signer else {}
        _print_json(said | names | signed | ({"acts_signed_by": signers} if signers else {}))
        return
    print(
        f"验证通过：第 {index} 条存证在日志 {checkpoint.origin} 前 {checkpoint.size} 条之中，签名有效。\n"
        f"Verified: leaf {index} is among the first {checkpoint.size} of log {checkpoint.origin}, and the "
        "signature holds."
    )
    page = (forms.PAGE_HOLDS,) if exported.bundle else ()
    holds, holds_not = forms.of_signer(signer, verified=ca is not None)
    acts, acts_not = forms.of_acts(exported, signers, verified=ca is not None)
    for mark, said_of in (
        ("成立 holds", (*forms.HOLDS, *page, *holds, *acts, *forms.of_witnesses(seen))),
        ("未证明 not proved", (*forms.HOLDS_NOT, *holds_not, *acts_not)),
    ):
        for sentence in said_of:
            print(f"  {mark}：{sentence.zh} / {sentence.en}")


def _statement(receipt: Receipt) -> dict[str, Any]:
    try:
        statement = orjson.loads(receipt.statement)
    except orjson.JSONDecodeError:
        raise _NO_STATEMENT from None
    if not isinstance(statement, dict):
        raise _NO_STATEMENT
    return statement


def _print_json(value: object) -> None:
    print(orjson.dumps(value).decode())
