"""``sharebroker retention``: erase statements whose time is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.epoch import DEFAULT_CONFIG, By, Config, Reason, order_of, sign_head, stated
from broker.errors import SetUpError
from broker.receipt.retention import Rule, due, erase
from broker.settings import Settings, load_settings
from broker.store.store import open_store

app = typer.Typer(
    help="存证原文的保存期限：查看、执行 / how long statements are kept: show, run", no_args_is_help=True
)


@app.command()
def show(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """查看到期的原文，不作删除 / show what is due; erases nothing."""
    settings = load_settings(config)
    rule = _rule(settings)
    with closing(open_store(settings.store_url)) as store:
        found = due(store, rule)
    if as_json:
        said: dict[str, object] = {"years": rule.years, "before": rule.before, "due": found.count}
        typer.echo(orjson.dumps(said | {"first": found.first, "last": found.last}).decode())
        return
    typer.echo(f"保存 {rule.years} 年（{rule.before:%Y-%m-%d} 之前）：{found.count} 条原文到期。")
    typer.echo(
        f"Kept for {rule.years} years (before {rule.before:%Y-%m-%d}): {found.count} statements are due."
    )
    for zh, en in _exceptions(rule):
        typer.echo(zh)
        typer.echo(en)


@app.command()
def run(
    reason: Reason = "",
    by: By = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """删除到期的原文，散列与证明不变；不可恢复 / erase what is due; hashes and proofs stay. Final."""
    settings = load_settings(config)
    rule, order = _rule(settings), order_of(by, stated(reason))
    with closing(open_store(settings.store_url)) as store:
        found, leaf = erase(store, rule, actor=order.actor, reason=order.reason)
        sign_head(settings, store, alone=True)  # what is gone is explained at once
    if as_json:
        typer.echo(orjson.dumps({"erased": found.count, "leaf": leaf}).decode())
        return
    where = "" if leaf is None else f"，见第 {leaf} 条存证 / as leaf {leaf} says"
    typer.echo(f"已删除 {found.count} 条原文 / {found.count} statements erased{where}")
    if found.count:
        typer.echo("此前的备份仍含这些原文，请按同一期限销毁。")
        typer.echo("Earlier backups still hold them: destroy those by the same rule.")


def _exceptions(rule: Rule) -> Iterator[tuple[str, str]]:
    for name, years in {**rule.datasets, **rule.purposes}.items():
        yield f"  {name}：{years} 年", f"  {name}: {years} years"
    if rule.hold or rule.hold_cases:
        datasets, cases = ", ".join(sorted(rule.hold)) or "0", len(rule.hold_cases)
        yield (
            f"  暂不删除：数据资源 {datasets}，办件 {cases} 件",
            f"  On hold: datasets {datasets}, {cases} case(s)",
        )


def _rule(settings: Settings) -> Rule:
    retention = settings.retention
    if not retention.years:
        raise SetUpError(
            "未设置 [retention] years：原文长期保存，没有到期的。",
            "There is no [retention] years: statements are kept for good, and nothing expires.",
        )
    return Rule(
        datetime.now(UTC),
        retention.years,
        frozenset(retention.hold),
        frozenset(retention.hold_cases),
        retention.datasets,
        retention.purposes,
    )
