"""``sharebroker db``: bring the database to the program's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.settings import load_settings
from broker.store.schema import migrate, schema_state

app = typer.Typer(help="数据库 / the database", no_args_is_help=True)
Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]


@app.command()
def upgrade(config: Config = Path("sharebroker.toml")) -> None:
    """升级数据库结构到当前程序版本 / bring the schema to this program's version."""
    url = load_settings(config).store_url
    migrate(url)
    print("数据库已是当前版本。/ The database is up to date.")


@app.command()
def status(config: Config = Path("sharebroker.toml")) -> None:
    """查看数据库结构版本 / tell whether the schema is current."""
    print(schema_state(load_settings(config).store_url))
