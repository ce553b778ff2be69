"""``sharebroker demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from broker.cli.connection import Json
from broker.cli.receipt import Language
from broker.cli.receipt_text import Lang


def demo(
    folder: Annotated[Path, typer.Option(help="演示数据目录 / folder of the demo's data")] = Path("var/demo"),
    residents: Annotated[int, typer.Option(min=1_000, help="居民人数 / residents")] = 10_000,
    seed: Annotated[int, typer.Option(help="随机种子 / seed of the synthetic population")] = 1,
    lang: Language = Lang.zh,
    as_json: Json = False,
) -> None:
    """在示例城市上运行四个办事场景 / run four service scenarios in the sample city."""
    from broker.demo import report, run, setup  # gRPC, Arrow and the rest are loaded by this command only

    policies = setup.shipped_policies()
    bundle = setup.load_shipped(policies)
    console = Console(stderr=as_json)
    with console.status("准备示例城市…" if lang is Lang.zh else "preparing the sample city …"):
        embedded = setup.prepare(folder, residents, seed, policies, bundle.catalog.departments)
    result = run.run(embedded, bundle)
    if as_json:
        print(orjson.dumps(report.as_json(result)).decode())
    else:
        report.print_report(result, bundle, lang, console)
