"""``sharebroker city``: the synthetic sample city."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="示例城市数据 / data of the synthetic sample city", no_args_is_help=True)


@app.callback()
def city() -> None:
    """示例城市数据 / data of the synthetic sample city."""


@app.command()
def generate(
    folder: Annotated[Path, typer.Option(help="数据文件夹，应为空或不存在 / folder, empty or absent")],
    residents: Annotated[int, typer.Option(help="居民人数 / residents")] = 10_000,
    seed: Annotated[int, typer.Option(help="随机种子 / seed of the synthetic population")] = 1,
) -> None:
    """生成各部门的示例数据（当日已有则沿用）/ make each department's data, or keep today's."""
    from broker.demo.city import generate as generate_city  # Arrow is loaded by this command only

    made = generate_city(folder, residents, seed)
    typer.echo(f"示例城市已就绪：{folder}，居民 {made.residents} 人，种子 {made.seed}，{made.today}。")
    typer.echo(f"The sample city is ready: {made.residents} residents, seed {made.seed}, as of {made.today}.")
    for dataset, rows in made.counts.items():
        typer.echo(f"  {dataset:<28}{rows:>12,}")
    typer.echo("人物与预埋的坏数据见 city.json / city.json names the cast and the planted dirt")
