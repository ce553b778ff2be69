"""``sharebroker policy show``: who may see what, in a folder of policies or in what is in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder, bundle_that_speaks
from broker.model import Epoch

if TYPE_CHECKING:
    from broker.approve.bundle import Bundle
    from broker.authoring.show import Wanted


def show(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="策略文件夹；不写则看生效的策略 / folder; without one, what is in force"
        ),
    ] = None,
    department: Annotated[
        str, typer.Option(help="部门（提供或需求），编号或名称 / provider or consumer, by id or title")
    ] = "",
    dataset: Annotated[str, typer.Option(help="数据资源 / dataset")] = "",
    purpose: Annotated[str, typer.Option(help="使用场景 / purpose")] = "",
    rule: Annotated[str, typer.Option(help="一条规则，说成一句话 / one rule, as a sentence")] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """查看谁可以为何看什么、怎样脱敏、到何时 / show who may see what, why, under which mask, until when."""
    from broker.authoring.show import Wanted

    wanted = Wanted(department, dataset, purpose, rule)
    if folder is not None:
        epoch, bundle = None, bundle_in_folder(folder, config)
    else:
        epoch, bundle = bundle_that_speaks(config)
    (_print_json if as_json else _print)(epoch, bundle, wanted)


def _print(epoch: Epoch | None, bundle: Bundle, wanted: Wanted) -> None:
    from broker.authoring.show import Wanted, page, selected, spoken

    catalog = bundle.catalog
    rules = selected(bundle, wanted)
    typer.echo(f"策略 policy     {bundle.hash}")
    if epoch is not None:
        typer.echo(f"生效序号 epoch  {epoch.sequence}")
        typer.echo(f"自 since        {epoch.since:%Y-%m-%dT%H:%M:%SZ}")
    typer.echo("")
    if wanted.rule:
        lines = [line for rule in rules for line in spoken(rule, catalog)]
    else:
        lines = list(page(rules, catalog, catalog.datasets if wanted == Wanted() else ()))
    for line in lines:
        typer.echo(line)
    typer.echo(f"共 {len(rules)} 条规则 / {len(rules)} rule(s)")


def _print_json(epoch: Epoch | None, bundle: Bundle, wanted: Wanted) -> None:
    from broker.authoring.show import record, selected

    found: dict[str, object] = {"bundle": bundle.hash}
    if epoch is not None:
        found |= {"epoch": epoch.sequence, "crl": epoch.crl_number, "since": epoch.since}
    found["rules"] = [record(rule, bundle.catalog) for rule in selected(bundle, wanted)]
    typer.echo(orjson.dumps(found, option=orjson.OPT_UTC_Z).decode())
