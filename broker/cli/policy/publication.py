"""``sharebroker policy propose|approve|publish|rollback``: how policy comes into force by two officers."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from broker.cli.connection import Address, Folder
from broker.cli.epoch import DEFAULT_CONFIG, By, Config, Reason, act, order_of, tell
from broker.cli.policy.bundles import operators
from broker.errors import SetUpError

if TYPE_CHECKING:
    from broker.approve.bundle import Bundle
    from broker.approve.files import Files
    from broker.authoring.checks import Report
    from broker.client import OfficerClient, ProposedBundle
    from broker.v1 import policy_pb2

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="草案编号 / number of the proposal")]
OptionalAddress = Annotated[
    str, typer.Option("--broker", envvar="SHAREBROKER_ADDRESS", help="服务地址 / address of the broker")
]
OptionalFolder = Annotated[
    Path | None,
    typer.Option("--identity", envvar="SHAREBROKER_CREDENTIALS", help="证书目录 / folder of the identity"),
]
CASES = "cases"
NO_CASES = "没有运行用例。 / No cases were run."
CHANGES = {
    1: "新增 added",
    2: "修改 changed",
    3: "删除 removed",
    4: "所依据的变而规则未变 affected",
    5: "未变 unchanged",
}
STATES = {
    0: "待审批或可发布 open",
    1: "待审批 open",
    2: "可发布 approved",
    3: "已发布 published",
    4: "已过时，须重新提出 stale",
}


def propose(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")],
    address: Address,
    identity: Folder,
    reason: Annotated[str, typer.Option("--reason", help="原因 / why")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """检查、测试、比较后，以本人签名提出草案 / check, test, compare, then propose with your signature."""
    from broker.server.bundles import read_files

    files = read_files(folder)
    with officer(address, identity) as client:
        current = client.in_force()
        checks = _checks(folder, files, client.files(current.name), config)
        for tool, said in checks.items():
            typer.echo(f"── {tool}")
            typer.echo(said)
        proposal = client.propose(files, reason, checks)
    tell_proposal(proposal)


def approve(
    number: Number,
    address: Address,
    identity: Folder,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="有效至该日，含当日，默认一年 / last day, a year by default"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="本部门未变的文件也重新审批（续期）/ renew all of your files")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """看清改动后，以本人签名审批本部门的文件 / look through the changes, then sign for your files."""
    with officer(address, identity) as client:
        proposed = client.review(number)
        needs = proposed.asked_of(client.department, everything=everything)
        if not needs:
            raise SetUpError(
                f"第 {number} 号草案没有须由本部门审批的文件。",
                f"Nothing of proposal {number} is for your department to approve.",
            )
        bundle = _compiled(proposed.files, config)
        ends = _ends(until, bundle)
        for line in _lines_to_sign(proposed, needs, bundle, config, ends):
            typer.echo(visible(line))
        if not yes and not _agrees():
            typer.echo("未签署。Nothing was signed.")
            raise typer.Exit(1)
        proposal = client.approve(proposed, needs, ends)
    tell_proposal(proposal)


def publish(
    target: Annotated[
        str, typer.Argument(metavar="NUMBER|DIR", help="草案编号，或策略文件夹 / a proposal, or a folder")
    ],
    address: OptionalAddress = "",
    identity: OptionalFolder = None,
    config: Config = DEFAULT_CONFIG,
    by: By = "",
    reason: Reason = "",
) -> None:
    """发布已审批的草案（或整个文件夹），返回时已生效 / publish a proposal or folder; in force on return."""
    from broker.server.bundles import read_files
    from broker.server.parts import scrutiny_of
    from broker.settings import load_settings

    if not _is_number(target):
        files, order = read_files(Path(target)), order_of(by, reason)
        moved = act(config, lambda publisher: publisher.policy(files, order))
        tell(moved, ("策略", "policy"), f"{moved.before.bundle_hash} → {moved.after.bundle_hash}")
        return
    if identity is not None:
        with officer(address, identity) as client:
            bundle = client.publish(int(target))
        typer.echo(f"已发布并生效：第 {bundle.sequence} 个策略包，生效序号 {bundle.epoch}。")
        typer.echo(f"Published and in force: bundle {bundle.sequence}, epoch {bundle.epoch}.")
        return
    from broker.proposals import Proposals

    scrutiny, order = scrutiny_of(load_settings(config)), order_of(by, reason)
    moved = act(config, lambda publisher: Proposals(publisher, scrutiny).publish(int(target), order))
    tell(moved, ("策略", "policy"), f"{moved.before.bundle_hash} → {moved.after.bundle_hash}")


def rollback(
    sequence: Annotated[int, typer.Argument(min=1, help="历史中的序号 / its number in `policy history`")],
    address: Address,
    identity: Folder,
    reason: Annotated[str, typer.Option("--reason", help="原因 / why")] = "",
) -> None:
    """重新提出以前的策略包；审批仍有效的可直接发布 / propose an earlier bundle; what stands counts."""
    with officer(address, identity) as client:
        names = [bundle.name for bundle in client.bundles() if bundle.sequence == sequence]
        if not names:
            raise SetUpError(
                f"历史中没有第 {sequence} 个策略包，请看 sharebroker policy history。",
                f"There is no bundle {sequence}; see `sharebroker policy history`.",
            )
        proposal = client.rollback(names[0], reason)
    tell_proposal(proposal)


def officer(address: str, folder: Path) -> OfficerClient:
    """A client for the officer whose identity is in ``folder``."""
    from broker.client import Credentials, OfficerClient

    if not address:
        raise SetUpError("请用 --broker 写明服务地址。", "Give the broker's address with --broker.")
    return OfficerClient(address, Credentials.load(folder), attempts=1)


def tell_proposal(proposal: policy_pb2.Proposal) -> None:
    """How far it is, what is missing, and what to do next."""
    number = proposal.name.removeprefix("proposals/")
    typer.echo(f"第 {number} 号草案：{STATES[proposal.state]} / proposal {number}")
    for need in proposal.needs:
        if need.required and not need.approved:
            typer.echo(f"  待审批 to approve  {visible(need.path)}  {CHANGES[need.change]}  {_offices(need)}")
    if proposal.state == 2:
        typer.echo(f"下一步 next: sharebroker policy publish {number}")
    elif proposal.state == 1:
        typer.echo(f"下一步 next: sharebroker policy approve {number}")


def visible(text: str) -> str:
    """``text`` by another officer, in which nothing moves the cursor, hides or turns what is beside it."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{{{ord(c):x}}}" for c in text)


def quoted(text: str) -> str:
    """Lines that cannot be taken for ours."""
    return "\n".join(f"│ {line}" for line in text.split("\n"))


def _agrees() -> bool:
    try:
        return typer.confirm("以本人证书签署？Sign with your certificate?", default=False)
    except typer.Abort:  # nobody answers
        typer.echo()
        return False


def _offices(need: policy_pb2.FileNeed) -> str:
    demands = (
        " / ".join(name.removeprefix("departments/") for name in demand.departments)
        for demand in need.demands
    )
    return " + ".join(demands)


def _checks(folder: Path, files: Files, before: Files, config: Path) -> Mapping[str, str]:
    """What the tools say of the draft.

    Raises:
        SetUpError: it does not load.
        Exit: lint finds an error, or a case fails.
    """
    from broker.authoring.casefile import read_case_files
    from broker.authoring.checks import access_report, cases_report, lint_report

    bundle = _compiled(files, config)
    lint = lint_report(bundle, files, datetime.now(UTC))
    _require(lint, "检查有错误", "Lint finds errors", "lint")
    tested = NO_CASES
    if (folder / CASES).is_dir():
        cases = cases_report(read_case_files(folder), bundle)
        _require(cases, "有用例不符", "Cases fail", "test")
        tested = cases.said
    difference = access_report(_compiled(before, config), bundle)
    return {"lint": lint.said, "test": tested, "diff": difference.said}


def _require(report: Report, zh: str, en: str, command: str) -> None:
    if report.passed:
        return
    typer.echo(report.said)
    typer.echo(f"{zh}，未提出草案：请运行 sharebroker policy {command} 查看。")
    typer.echo(f"{en}, so nothing was proposed; run `sharebroker policy {command}`.")
    raise typer.Exit(1)


def _compiled(files: Files, config: Path) -> Bundle:
    from broker.server.bundles import compiler

    return compiler(operators(config))(files)


def _ends(until: datetime | None, bundle: Bundle) -> datetime:
    """The first instant after the last day, in the city's zone; by default a year from now."""
    if until is None:
        return datetime.now(UTC) + timedelta(days=365)
    return datetime.combine(until.date() + timedelta(days=1), time(), bundle.zone).astimezone(UTC)


def _lines_to_sign(
    proposed: ProposedBundle,
    needs: Sequence[policy_pb2.FileNeed],
    bundle: Bundle,
    config: Path,
    ends: datetime,
) -> Iterator[str]:
    """Everything that who signs should have seen; checked and compared here, from files whose hashes hold."""
    from broker.authoring.checks import access_report, lint_report

    proposal = proposed.proposal
    yield f"草案 proposal  {proposal.name.removeprefix('proposals/')}  {proposal.reason}"
    yield f"提出 proposer  {proposal.proposer}  {proposal.propose_time.ToJsonString()}"
    yield "── lint"
    yield lint_report(bundle, proposed.files, datetime.now(UTC)).said
    yield "── test（提出者所报 as the proposer reports）"
    yield quoted(proposal.checks.get("test", NO_CASES))
    yield "── 谁能看什么，有何变化 · who may see what, and what changes"
    yield access_report(_compiled(proposed.before, config), bundle).said
    yield "── 文字改动 · changes of the text"
    for need in needs:
        yield from _text_changes(need.path, proposed)
    yield f"── 将签署 · you sign: {proposed.bundle}"
    for need in needs:
        digest = need.digest.hex() or "–"
        yield f"  {need.path}  {CHANGES[need.change]}  sha256 {digest}"
    last = (ends.astimezone(ZoneInfo(bundle.catalog.zone)) - timedelta(seconds=1)).date()
    yield f"  有效至 standing until {last}"


def _text_changes(path: str, proposed: ProposedBundle) -> Iterator[str]:
    before, after = (
        files.get(path, b"").decode("utf-8", "replace").splitlines()
        for files in (proposed.before, proposed.files)
    )
    yield from difflib.unified_diff(before, after, f"生效/{path}", f"草案/{path}", lineterm="")


def _is_number(target: str) -> bool:
    return target.isascii() and target.isdigit() and not Path(target).exists()
