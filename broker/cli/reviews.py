"""``sharebroker review``: what waits for an officer's decision, and the decision."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from broker.cli import application_text as say
from broker.cli.applications import LegalBasis, Number, Reason, Trust, Yes, look_and_agree, officer
from broker.cli.connection import Address, Folder, Json
from broker.cli.delegations import delegate, delegations, revoke

app = typer.Typer(
    help="审核：待我审核的申请、同意、不同意 / reviews: what waits for me, approve, refuse",
    no_args_is_help=True,
)


@app.command("queue")
def queue(
    address: Address,
    identity: Folder,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出现在可由我审核的申请；有逾期的，退出码为 1 / what I may review now; exit 1: some are overdue."""
    with officer(address, identity) as broker:
        found = list(islice(broker.applications.all(mine_to_review=True), limit))
    say.tell_list(found, "没有待您审核的申请。Nothing waits for your review.", as_json=as_json)
    if any(one.overdue for one in found):
        raise typer.Exit(1)


@app.command("overdue")
def overdue(
    address: Address,
    identity: Folder,
    limit: Annotated[int, typer.Option(min=1, help="最多条数 / at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """列出逾期未办的申请，主管部门看全部；有则退出码为 1 / what was not decided in time; exit 1: some."""
    with officer(address, identity) as broker:
        found = list(islice(broker.applications.all(overdue=True), limit))
    say.tell_list(found, "没有逾期未办的申请。No limit has passed.", as_json=as_json)
    if found:
        raise typer.Exit(1)


@app.command("show")
def show(number: Number, address: Address, identity: Folder, as_json: Json = False) -> None:
    """查看一份申请：内容、须谁审核、谁已审核 / show an application: terms, who must review, who has."""
    with officer(address, identity) as broker:
        say.tell(broker.applications.get(number), as_json=as_json)


@app.command("approve")
def approve(
    number: Number,
    address: Address,
    identity: Folder,
    trust: Trust = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """看清内容后，以本人签名同意 / look through it, then approve with your signature."""
    with officer(address, identity, trust) as broker:
        seen = broker.applications.get(number)
        look_and_agree(seen, yes=yes, as_json=as_json)
        filed = broker.applications.approve(seen)
    say.tell_act("已签名同意", "Approved", filed.application, filed.receipt.leaf_index, as_json=as_json)


@app.command("refuse")
def refuse(
    number: Number,
    address: Address,
    identity: Folder,
    reason: Reason,
    legal_basis: LegalBasis,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """不同意共享，须写明理由和依据 / refuse, with a reason and its legal basis."""
    with officer(address, identity, trust) as broker:
        filed = broker.applications.refuse(broker.applications.get(number), reason, legal_basis)
    say.tell_act("已答复不同意", "Refused", filed.application, filed.receipt.leaf_index, as_json=as_json)


for command in (delegate, delegations, revoke):
    app.command(command.__name__)(command)
