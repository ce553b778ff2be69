"""``sharebroker mask list``: the operators that policies may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.mask.installed import Policies, order_in, packages
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, operators

if TYPE_CHECKING:
    from adapters.masking.contract import Operator
    from broker.model import MaskOrder


def list_(policies: Policies = None, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """列出可用的脱敏算子及其性质 / list the operators that policies may use, with their properties."""
    allowed, offered = operators(config), packages()
    order = order_in(policies, config)
    shown = sorted(allowed.values(), key=lambda one: (order.strictness(one.name) or 0, one.name))
    others = {name: offers for name, offers in offered.items() if name not in allowed}
    if as_json:
        from broker.authoring.operators import record

        found = [record(one, offered[one.name][0], order.strictness(one.name)) for one in shown]
        typer.echo(orjson.dumps({"operators": found, "not_allowed": others}, default=str).decode())
        return
    _print(shown, order, others)


def _print(shown: Sequence[Operator], order: MaskOrder, others: Mapping[str, Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from broker.authoring.operators import MEANINGS, property_words

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("算子\noperator", "名称\ntitle", "版本\nversion"):
        table.add_column(heading, no_wrap=True)
    if order.operators:
        table.add_column("强弱\nrank", justify="right", no_wrap=True)
    table.add_column("性质\nproperties")
    for one in shown:
        rank = order.strictness(one.name)
        words = "、".join(said.zh for said in property_words(one.properties))
        ranks = ["—" if rank is None else str(rank + 1)] if order.operators else []
        table.add_row(one.name, one.title, one.version, *ranks, words)
    Console(highlight=False).print(table)
    for name, meaning in MEANINGS.items():
        typer.echo(f"  {name}：{meaning.zh} · {meaning.en}")
    if order.operators:
        typer.echo(f"  强弱 rank：1 最弱，{len(order.operators)} 最强 · 1 is the weakest (masking.yaml)")
    for name, offers in others.items():
        typer.echo(
            f"已安装但配置未允许 / installed, not allowed by the settings: {name}（{'、'.join(offers)}）"
        )
    typer.echo(f"共 {len(shown)} 个。详情 / more: sharebroker mask show 算子 OPERATOR")
