"""``sharebroker mask try``: what masks make of the first rows of a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.mask.columns import Encoding, HeaderRow, Sheet
from broker.cli.mask.installed import Policies
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder, operators
from broker.errors import SetUpError

if TYPE_CHECKING:
    from broker.bulk.recipe import Keys
    from broker.cli.mask.trial import Trial, TriedColumn
    from broker.treatments import Profiles

_USUAL_FOLDER = Path("policies")
_LONGEST = 40


def try_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV、Excel 或 Parquet / the file")],
    masks: Annotated[
        list[str] | None,
        typer.Option(
            "--mask", metavar="COLUMN=TREATMENT", help="列=做法，可重复 / column and treatment, repeatable"
        ),
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="脱敏计划 / a mask plan instead")] = None,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="试几行 / how many rows")] = 5,
    subject: Annotated[str, typer.Option(help="每行关于谁的列 / column that says whom a row is about")] = "",
    level: Annotated[str, typer.Option(help="分级，做法为 by_level 时 / level, for by_level")] = "",
    policies: Policies = None,
    real_keys: Annotated[
        bool, typer.Option("--real-keys", help="用配置中的密钥，须有计划 / the keyring's keys; with --plan")
    ] = False,
    sheet: Sheet = "",
    header_row: HeaderRow = "",
    encoding: Encoding = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """在文件的前几行上试用脱敏，前后对照 / mask the first rows of a file, before and after side by side."""
    from broker.bulk.plan import read_plan
    from broker.cli.mask.reading import few_rows_of, opened_table
    from broker.cli.mask.shorthand import Asked, plan_for
    from broker.cli.mask.trial import ThrowAwayKeys, Trial
    from broker.importing.opening import Wanted

    if bool(masks) == bool(plan):
        raise SetUpError("--mask 和 --plan 写其中一种。", "Give either --mask or --plan.")
    if real_keys and plan is None:
        raise SetUpError(
            "--real-keys 须有 --plan：密钥因提供部门、需求部门、场景而不同。",
            "--real-keys needs --plan: keys differ by provider, consumer and purpose.",
        )
    known = operators(config)
    wanted = Wanted(sheet=sheet, header_row=header_row, encoding=encoding)
    with opened_table(file, wanted) as table:
        if plan is not None:
            chosen = read_plan(plan, known)
        else:
            asked = [Asked.of(one) for one in masks or ()]
            chosen = plan_for(table, asked, subject, level, _profiles(policies, config), known)
        trial = Trial(chosen, known, _keyring(config) if real_keys else ThrowAwayKeys())
        trial.check_columns(table)
        tried = trial.on(few_rows_of(table, trial.columns, rows))
        notes = table.notes
    if as_json:
        typer.echo(orjson.dumps(_record(tried, real_keys), default=str).decode())
        return
    for note in notes:
        typer.echo(f"{note.zh} · {note.en}")
    _print(tried)
    _print_end(trial, table.columns, real_keys)


def _profiles(folder: Path | None, config: Path) -> Profiles:
    """Those of the folder, by default of the one that lies here, if there is one."""
    if folder is None and not (_USUAL_FOLDER / "city.yaml").is_file():
        return {}
    return bundle_in_folder(folder or _USUAL_FOLDER, config).catalog.mask_profiles


def _keyring(config: Path) -> Keys:
    from broker.server.parts import keyring_of
    from broker.settings import load_settings

    return keyring_of(load_settings(config))


def _record(tried: Sequence[TriedColumn], real_keys: bool) -> dict[str, object]:
    """For programs, whose output may be kept: what goes out, and nothing of what went in."""
    return {
        "keys": "keyring" if real_keys else "throw-away",
        "columns": [
            {
                "column": one.field.column,
                "field": one.field.field.name,
                "type": one.field.field.type,
                "format": one.field.field.format,
                "mask": one.field.mask and {one.field.mask.operator: dict(one.field.mask.params)},
                "after": one.after.to_pylist(),
            }
            for one in tried
            if one.after is not None
        ],
    }


def _print(tried: Sequence[TriedColumn]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from broker.cli.policy.publication import visible

    # What a file or a pipe would keep is not the terminal's: the values before stay out of it.
    is_seen = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("列 column", overflow="fold")
    table.add_column("原值 before", overflow="fold")
    table.add_column("脱敏后 after", overflow="fold")
    for one in tried:
        if one.after is None:
            continue
        pairs = zip(one.before.to_pylist(), one.after.to_pylist(), strict=True)
        names = [visible(one.field.column), *_about(one)]
        for number, (before, after) in enumerate(pairs):
            name = names[number] if number < len(names) else ""
            table.add_row(name, _shown(before) if is_seen else "***", _shown(after))
        for name in names[len(one.before) :]:
            table.add_row(name)
        table.add_section()
    Console(highlight=False, markup=False).print(table)
    if not is_seen:
        typer.echo("原值只在终端显示。Values before masking are shown on a terminal only.")


def _about(one: TriedColumn) -> list[str]:
    from broker.authoring.masks import mask_text

    kind = f"{one.field.field.type} {one.field.field.format or ''}".strip()
    return [kind, mask_text(one.field.mask) if one.field.mask else "原样 as it is"]


def _print_end(trial: Trial, columns: Sequence[str], real_keys: bool) -> None:
    from broker.cli.policy.publication import visible

    others = [name for name in columns if name not in trial.columns]
    if others:
        typer.echo(f"未提及的列，不给出 · columns not named, not released: {visible('、'.join(others))}")
    if real_keys:
        typer.echo(
            "所用为配置中的密钥：令牌与正式给出的相同。The keyring's keys: tokens as they are released."
        )
    else:
        typer.echo("所用为一次性密钥：令牌每次不同，不可对照。Throw-away keys: tokens differ at every try.")


def _shown(value: object) -> str:
    from broker.cli.policy.publication import visible

    if value is None:
        return "空 null"
    text = visible(str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
