"""``sharebroker policy schema``: what editors complete and check policy files by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder, operators
from broker.keys.authority import write_public_file


def schema(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="策略文件夹 / folder of policies")] = Path(
        "policies"
    ),
    write: Annotated[bool, typer.Option("--write", help="写入 DIR/.schema / write to DIR/.schema")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """由目录生成各种文件的 JSON Schema，供编辑器补全和检查 / JSON Schema of each file, for editors."""
    from broker.authoring.schema import FOLDER, editor_settings, schemas

    made = schemas(bundle_in_folder(folder, config).catalog, operators(config))
    if not write:
        typer.echo(_json(made).decode())
        return
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    for name, one in made.items():
        write_public_file(target / name, _json(one) + b"\n")
    typer.echo(f"已写入 {target}：{'、'.join(made)}。目录改动以后请重新生成。")
    typer.echo(f"Written to {target}: {', '.join(made)}. Do it again when the catalog has changed.")
    typer.echo("VS Code 的 .vscode/settings.json / for VS Code:")
    typer.echo(_json(editor_settings(folder.name)).decode())


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
