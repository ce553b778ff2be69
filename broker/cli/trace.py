"""``sharebroker trace-leak``: to whom the tokens in a file that turned up somewhere were released."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.epoch import DEFAULT_CONFIG, By, Config, order_of, sign_head, stated, store_of
from broker.errors import SetUpError
from broker.settings import Settings, load_settings

if TYPE_CHECKING:
    from broker.publish import Order
    from broker.store.store import Store
    from broker.trace.sightings import Sighting
    from broker.trace.trace import Finding, Marked, Traced
    from broker.trace.words import Leaked

MOST_SHOWN = 10
"""Receipts printed of one finding; ``--json`` has more."""


def trace_leak(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="外泄的文件 / the leaked file")],
    reason: Annotated[str, typer.Option("--reason", help="事由，写入存证 / why; stands in the log")],
    subjects: Annotated[
        Path | None,
        typer.Option(
            "--subjects",
            help="只与此名单比对，每行一个 / compare with this list only, one a line",
        ),
    ] = None,
    dataset: Annotated[str, typer.Option("--dataset", help="只查此数据资源 / only this dataset")] = "",
    by: By = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """由外泄文件中的令牌、假名查出曾提供给谁；先存证后显示 / trace a leak to consumer, purpose, receipts."""
    from broker.trace.words import read_leaked

    settings, order = load_settings(config), order_of(by, stated(reason))
    leaked = read_leaked(file)
    listed = _listed(subjects) if subjects else ()
    with store_of(settings) as store:
        traced = _traced(settings, store, leaked, listed, dataset)
        leaf_index = _record(store, order, leaked, traced)
        sign_head(settings, store)
    if as_json:
        typer.echo(orjson.dumps(_plain(traced, leaf_index)).decode())
    else:
        _tell(traced, leaked, leaf_index)


def _traced(
    settings: Settings, store: Store, leaked: Leaked, listed: tuple[str, ...], dataset: str
) -> Traced:
    from broker.approve.bundle import bundle_of
    from broker.approve.files import unpack
    from broker.marks import Marks
    from broker.releases import Masks, unchecked
    from broker.server.bundles import operators_of
    from broker.server.parts import keyring_of, sources_of, vault_of
    from broker.trace.trace import Tracer

    with store.epochs() as tables:
        epoch = tables.epoch()
        packed = b"" if epoch is None else tables.bundle(epoch.bundle_hash) or b""
    if epoch is None:
        raise SetUpError("数据库中还没有存证可查。", "There is nothing in the database to trace by yet.")
    bundle = bundle_of(unpack(packed, epoch.bundle_hash), unchecked)
    if dataset and dataset not in bundle.catalog.datasets:
        raise SetUpError(f"目录中没有数据资源 {dataset}。", f"The catalog has no dataset {dataset}.")
    keyring = keyring_of(settings)
    with closing(sources_of(settings)) as sources, closing(Marks(vault_of(settings))) as marks:
        tracer = Tracer(
            store,
            Masks(store, operators_of(settings)),
            keyring,
            bundle.catalog,
            sources.open(bundle.catalog),
            bundle.zone,
            marks,
        )
        return tracer.trace(leaked, listed, dataset)


def _record(store: Store, order: Order, leaked: Leaked, traced: Traced) -> int:
    """The leaf that tells of the trace: it is durable before anybody is told what came of it."""
    from broker.model import Entry, EntryKind
    from broker.receipt.log import append_alone
    from broker.receipt.lookups import Named, trace

    now = datetime.now(UTC)
    found = [
        Named(
            finding.key.consumer,
            finding.key.purpose,
            finding.key.provider,
            finding.fields,
            finding.hits,
            finding.chance,
            [sighting.leaf_index for sighting in finding.sightings.told],
        )
        for finding in traced.findings
    ]
    content = trace(
        order.actor,
        order.reason,
        now,
        sha256=leaked.sha256,
        size=leaked.size,
        words=len(leaked.words),
        keys=traced.keys,
        found=found,
    )
    with store.append_transaction() as transaction:
        return append_alone(transaction, store, Entry(EntryKind.TRACE, content, now))


# ── for people ───────────────────────────────────────────────────────────────────────────────────


def _tell(traced: Traced, leaked: Leaked, leaf_index: int) -> None:
    sampled = "" if leaked.is_whole else "（抽样 a sample）"
    typer.echo(f"文件 file  sha256 {leaked.sha256}")
    typer.echo(f"比对 tried  {len(leaked.words)} 个词{sampled} words × {traced.keys} 个密钥 keys")
    if traced.untried:
        typer.echo(
            f"另有 {traced.untried} 项提供因密钥、算子或策略已不在而未能比对。\n"
            f"{traced.untried} releases could not be tried: their key, operator or policy is gone."
        )
    if traced.marked is not None:
        _tell_marks(traced.marked)
    for number, finding in enumerate(traced.findings, 1):
        _tell_finding(number, finding)
    if not traced.findings:
        typer.echo("没有查到：文件中的内容与本服务提供过的令牌、假名都不符。")
        typer.echo("none: nothing in the file fits a token or pseudonym that this broker has released.")
    typer.echo(f"本次追查已存证 receipt of this trace  {leaf_index}")


def _tell_finding(number: int, finding: Finding) -> None:
    key, sightings = finding.key, finding.sightings
    sure = ("确定", "certain") if finding.is_certain else ("很可能", "likely")
    typer.echo("")
    typer.echo(f"【{number}】{sure[0]}：曾提供给 {key.consumer}，使用场景 {key.purpose}")
    typer.echo(f"    {sure[1]}: released to {key.consumer} for {key.purpose}")
    typer.echo(f"    提供部门 provider   {key.provider}")
    typer.echo(
        f"    数据项 fields       {', '.join(finding.fields)}（{key.operator}，密钥 key {key.key_version}）"
    )
    typer.echo(
        f"    符合 hits           {finding.tried} 个词中 {finding.hits} 个 of {finding.tried}；"
        f"偶然可有 by chance {finding.expected:.3g}"
    )
    typer.echo(f"    误认的概率不超过    {finding.chance:.1e} at most the chance of error")
    if finding.people:
        typer.echo(f"    涉及 people         {finding.people}")
    typer.echo(f"    写明其中之人的回执 receipts that name them  {sightings.by_tag}")
    typer.echo(f"    可能的回执 receipts that may be of them     {sightings.at_large}")
    for sighting in sightings.told[:MOST_SHOWN]:
        typer.echo(f"      {_line(sighting)}")


def _line(sighting: Sighting) -> str:
    met = f"符合 {sighting.met}/{sighting.subjects} 人" if sighting.sure else f"可能，共 {sighting.rows} 行"
    broken = " 中断 interrupted" if sighting.interrupted else ""
    return (
        f"#{sighting.leaf_index}  {sighting.recorded_at[:19]}Z  {met}  系统 {sighting.caller}  "
        f"经办人 {sighting.operator}  办件 {sighting.case_no}  事项 {sighting.service_item}{broken}"
    )


def _tell_marks(marked: Marked) -> None:
    from broker.cli.policy.publication import visible

    typer.echo("")
    typer.echo(
        "文件带有水印（明文，可被更改，仅作线索）/ The file is watermarked (in the open, so only a hint):"
    )
    for name, value in marked.marks.items():
        typer.echo(f"    {name}  {visible(value)}")
    if marked.sighting is None:
        typer.echo("    存证日志中没有这一请求 / the log has no such request")
    else:
        typer.echo(f"    {_line(marked.sighting)}")


# ── for machines ─────────────────────────────────────────────────────────────────────────────────


def _plain(traced: Traced, leaf_index: int) -> dict[str, Any]:
    return {
        "receipt": leaf_index,
        "keys": traced.keys,
        "untried": traced.untried,
        "watermark": _plain_marks(traced.marked),
        "findings": [_plain_finding(finding) for finding in traced.findings],
    }


def _plain_finding(finding: Finding) -> dict[str, Any]:
    key, sightings = finding.key, finding.sightings
    return {
        "certainty": "certain" if finding.is_certain else "likely",
        "chance": finding.chance,
        "consumer": key.consumer,
        "purpose": key.purpose,
        "provider": key.provider,
        "fields": finding.fields,
        "operator": f"{key.operator}@{key.version}",
        "key_version": key.key_version,
        "tried": finding.tried,
        "hits": finding.hits,
        "expected": finding.expected,
        "people": finding.people,
        "receipts_naming_them": sightings.by_tag,
        "receipts_possible": sightings.at_large,
        "receipts": [_plain_sighting(sighting) for sighting in sightings.told],
    }


def _plain_sighting(sighting: Sighting) -> dict[str, Any]:
    return {
        "receipt": sighting.leaf_index,
        "recorded_at": sighting.recorded_at,
        "caller": sighting.caller,
        "operator": sighting.operator,
        "case_no": sighting.case_no,
        "service_item": sighting.service_item,
        "rows": sighting.rows,
        "subjects": sighting.subjects,
        "met": sighting.met,
        "interrupted": sighting.interrupted,
    }


def _plain_marks(marked: Marked | None) -> dict[str, Any] | None:
    if marked is None:
        return None
    sighting = marked.sighting and _plain_sighting(marked.sighting)
    return {"marks": dict(marked.marks), "receipt": sighting}


def _listed(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SetUpError(f"无法读取名单 {file}。", f"The list {file} cannot be read.") from None
    return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
