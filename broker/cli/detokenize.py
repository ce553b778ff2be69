"""``sharebroker detokenize``: one person asks, an officer of the provider signs, the first is told."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from broker.cli.connection import Address, Folder, Json, connect
from broker.cli.policy.publication import OptionalAddress, visible
from broker.errors import SetUpError, VerificationFailed

if TYPE_CHECKING:
    from broker.client import TokenRequest
    from broker.model import Receipt

app = typer.Typer(
    help="还原令牌：申请、审批、执行 / turn tokens back: request, approve, run", no_args_is_help=True
)

RequestFile = Annotated[Path, typer.Argument(metavar="REQUEST", help="申请文件 / the request")]
MOST_HOURS = 24
SHOWN = 5
"""Tokens that the officer is shown; of all of them the digest is signed."""


@app.command("request")
def request(
    receipt: Annotated[int, typer.Argument(min=0, help="提供令牌的回执序号 / receipt of the release")],
    field: Annotated[str, typer.Argument(help="数据项 / field")],
    tokens: Annotated[Path, typer.Argument(help="令牌文件，每行一个 / file with a token a line")],
    address: Address,
    identity: Folder,
    reason: Annotated[str, typer.Option("--reason", help="事由，写入存证 / why; stands in the log")],
    legal_basis: Annotated[str, typer.Option("--legal-basis", help="依据，写入存证 / legal basis")],
    out: Annotated[Path, typer.Option("--out", help="申请文件，交审批人 / file for the officer")],
) -> None:
    """拟写还原申请，交提供部门的数据资源管理员审批 / draw up a request for an officer of the provider."""
    from broker.client import Credentials, TokenRequest

    with connect(address, identity) as broker:
        released = broker.receipt(receipt)
    caller = Credentials.load(identity).uri
    drawn = TokenRequest.of(released, caller, field, _tokens(tokens), reason=reason, legal_basis=legal_basis)
    out.write_bytes(drawn.export() + b"\n")
    typer.echo(f"已写入 {out}，请交提供部门的数据资源管理员审批：")
    typer.echo(f"Written to {out}; an officer of the provider must now approve it:")
    typer.echo(f"  sharebroker detokenize approve {out}")


@app.command("approve")
def approve(
    file: RequestFile,
    identity: Folder,
    out: Annotated[Path, typer.Option("--out", help="审批文件 / file for the approval")],
    hours: Annotated[
        int, typer.Option("--hours", min=1, max=MOST_HOURS, help="有效小时数 / hours that it holds")
    ] = 4,
    address: OptionalAddress = "",
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """看清所批内容后以本人签名审批，可离线 / look through the request, then sign it; works offline."""
    from broker.client import Credentials

    asked, officer = _request(file), Credentials.load(identity)
    if asked.asked.caller == officer.uri:
        raise SetUpError("不得审批本人的申请。", "Nobody approves a request of their own.")
    receipt = None
    if address:
        with connect(address, identity) as broker:
            receipt = broker.receipt(asked.asked.receipt)
    now = datetime.now(UTC)
    until = now + timedelta(hours=hours)
    for line in _lines_to_sign(asked, receipt, until):
        typer.echo(visible(line))
    if not (yes or _agrees()):
        typer.echo("未签署。Nothing was signed.")
        raise typer.Exit(1)
    out.write_bytes(asked.approved_by(officer, now, until))
    typer.echo(f"已签署，写入 {out}。Signed, written to {out}.")


@app.command("run")
def run(
    file: RequestFile,
    approval: Annotated[Path, typer.Argument(metavar="APPROVAL", help="审批文件 / the approval")],
    address: Address,
    identity: Folder,
    out: Annotated[
        Path | None, typer.Option("--out", help="结果文件，只有本人可读 / file for the values, yours only")
    ] = None,
    as_json: Json = False,
) -> None:
    """凭审批还原令牌，先存证后返回 / turn the tokens back; receipted before they are returned."""
    from broker.keys.files import write_private_file
    from broker.model import Verdict

    asked = _request(file)
    with connect(address, identity) as broker:
        found = broker.detokenize(asked, _read(approval))
    if found.verdict is not Verdict.PERMIT:
        for reason in found.reasons:
            typer.echo(f"{reason.zh}\n{reason.en} ({reason.code})", err=True)
        raise typer.Exit(1)
    pairs = list(zip(asked.tokens, found.values, strict=True))
    if out is not None:
        said = io.StringIO()
        csv.writer(said, lineterminator="\n").writerows([("token", "value"), *pairs])
        write_private_file(out, said.getvalue().encode())
        typer.echo(f"已写入 {out}，回执 {found.receipt.leaf_index}。Written; receipt as given.")
    elif as_json:
        typer.echo(orjson.dumps({"receipt": found.receipt.leaf_index, "values": dict(pairs)}).decode())
    else:
        for token, value in pairs:
            told = "不是该数据项的令牌 no token of this field" if value is None else value
            typer.echo(visible(f"{token}  {told}"))
        typer.echo(f"回执 receipt  {found.receipt.leaf_index}")


def _lines_to_sign(request: TokenRequest, receipt: Receipt | None, until: datetime) -> Iterator[str]:
    """Everything that who signs should have seen; all of it is signed, the tokens by their digest."""
    asked = request.asked
    yield f"申请还原 {asked.count} 个令牌，即获知其所代表的真实值。"
    yield f"Asks what {asked.count} tokens really stand for."
    yield f"  谁将获知 who learns it     {asked.caller}"
    yield f"  事由 why                   {asked.reason}"
    yield f"  依据 legal basis           {asked.legal_basis}"
    yield f"  数据项 field               {asked.dataset} / {asked.field}"
    yield f"  令牌曾提供给 released to   {asked.consumer}（{asked.purpose}）"
    yield f"  提供时的回执 receipt       {asked.receipt}"
    if receipt is None:
        yield "  （离线：回执内容由服务在执行时核对 offline: the broker compares the receipt when it runs）"
    else:
        yield from _of_receipt(request, receipt)
    for token in request.tokens[:SHOWN]:
        yield f"  令牌 token                 {token}"
    if asked.count > SHOWN:
        yield f"  另有 and more              {asked.count - SHOWN}"
    yield f"  令牌摘要 sha256            {asked.tokens.hex()}"
    yield f"  申请号 request id          {asked.request_id}"
    yield f"  有效至 until               {until.astimezone():%Y-%m-%d %H:%M %z}"


def _of_receipt(request: TokenRequest, receipt: Receipt) -> Iterator[str]:
    """What the broker's receipt adds.

    Raises:
        VerificationFailed: the request tells it otherwise.
    """
    asked = request.asked
    said: dict[str, Any] = orjson.loads(receipt.statement)
    told = (said["dataset"], said["consumer"]["department"], said["purpose"])
    if told != (asked.dataset, asked.consumer, asked.purpose):
        raise VerificationFailed("申请所述与回执不符 / the request tells the receipt otherwise")
    yield f"    时间 recorded            {said['recorded_at']}"
    yield f"    办件 case                {said['case_no']}  经办人 operator {said['operator']}"


def _agrees() -> bool:
    try:
        return typer.confirm("以本人证书签署？Sign with your certificate?", default=False)
    except typer.Abort:  # nobody answers
        typer.echo()
        return False


def _request(file: Path) -> TokenRequest:
    from broker.client import TokenRequest

    return TokenRequest.parse(_read(file))


def _tokens(file: Path) -> list[str]:
    try:
        lines = _read(file).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise SetUpError(
            f"令牌文件 {file} 须为 UTF-8 文本。", f"The tokens in {file} must be UTF-8 text."
        ) from None
    return [line.strip() for line in lines if line.strip()]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise SetUpError(f"无法读取文件 {file}。", f"{file} cannot be read.") from None
