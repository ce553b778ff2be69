"""``sharebroker policy history|proposals|expiring``: what was in force, what is proposed, what ends soon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from google.protobuf.json_format import MessageToDict

from broker.cli.connection import Address, Folder, Json
from broker.cli.policy.publication import CHANGES, STATES, officer, quoted, tell_proposal, visible

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

Limit = Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")]


def history(address: Address, identity: Folder, limit: Limit = 20, as_json: Json = False) -> None:
    """列出曾生效的策略包，新的在前 / list the bundles that were in force, newest first."""
    with officer(address, identity) as client:
        found = [bundle for _, bundle in zip(range(limit), client.bundles(), strict=False)]
    if as_json:
        _print_json(found)
        return
    for bundle in found:
        mark = "*" if bundle.in_force else " "
        proposal = bundle.proposal.removeprefix("proposals/")
        typer.echo(
            f"{mark}{bundle.sequence:>5}  {_time(bundle.publish_time)}  {bundle.name[8:20]}  {bundle.reason}"
        )
        typer.echo(f"        由 by {bundle.actor}" + (f"，草案 proposal {proposal}" if proposal else ""))
        if bundle.approvers:
            typer.echo(f"        审批 approved by {', '.join(bundle.approvers)}")
        typer.echo(f"        改动 {len(bundle.changed_files)} 个文件 file(s): {_few(bundle.changed_files)}")
    typer.echo("* 生效中 in force")


def proposals(
    address: Address,
    identity: Folder,
    number: Annotated[
        int | None, typer.Argument(min=1, help="草案编号，写了就看这一份 / show this one")
    ] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """列出草案，或看一份草案还缺谁的审批 / list proposals, or show what one still needs."""
    with officer(address, identity) as client:
        if number is not None:
            found = [client.proposal(number)]
        else:
            found = [one for _, one in zip(range(limit), client.proposals(), strict=False)]
    if as_json:
        _print_json(found)
    elif number is not None:
        (one,) = found
        for tool, said in sorted(one.checks.items()):
            typer.echo(visible(f"── {tool}\n{quoted(said)}"))
        for need in one.needs:
            if need.required:
                mark = "✓" if need.approved else "✗"
                typer.echo(f"  {mark} {visible(need.path)}  {CHANGES[need.change]}")
        for approval in one.approvals:
            typer.echo(
                f"  {approval.officer}  {_time(approval.approve_time)} → {_time(approval.expire_time)}"
            )
        tell_proposal(one)
    else:
        for one in found:
            number_ = one.name.removeprefix("proposals/")
            typer.echo(
                f"{number_:>6}  {_time(one.propose_time)}  {STATES[one.state]}  {one.proposer}  {one.reason}"
            )


def expiring(
    address: Address,
    identity: Folder,
    days: Annotated[int, typer.Option(min=0, help="今后多少天内 / within so many days")] = 30,
    as_json: Json = False,
) -> None:
    """列出即将到期或没有审批的文件；有则退出码为 1 / list approvals that end soon or are not there."""
    with officer(address, identity) as client:
        bundle = client.in_force()
    if not bundle.approvals_demanded:
        typer.echo("本服务不要求审批（[policies] approval = operator）。")
        typer.echo("This broker demands no approvals ([policies] approval = operator).")
        return
    latest = datetime.now(UTC) + timedelta(days=days)
    found = sorted(
        (
            file
            for file in bundle.files
            if file.owner
            if not file.HasField("standing_until") or file.standing_until.ToDatetime(tzinfo=UTC) < latest
        ),
        key=lambda file: (file.owner, file.path),
    )
    if as_json:
        _print_json(found)
    else:
        for file in found:
            until = _time(file.standing_until) if file.HasField("standing_until") else "无审批 none"
            typer.echo(f"{file.owner.removeprefix('departments/')}  {file.path}  {until}")
        typer.echo(f"共 {len(found)} 个文件 / {len(found)} file(s)")
    if found:
        raise typer.Exit(1)


def _few(paths: object) -> str:
    listed = list(paths)  # type: ignore[call-overload]
    return ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")


def _time(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime(tzinfo=UTC):%Y-%m-%dT%H:%MZ}"


def _print_json(messages: Sequence[Message]) -> None:
    typer.echo(orjson.dumps([MessageToDict(message) for message in messages]).decode())
