"""``sharebroker policy lint``: everything to say about a folder of policies, for people and programs."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import orjson
import typer

from broker.approve.files import read_folder
from broker.approve.problem import Problems
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, operators
from broker.cli.policy.fmt import write
from broker.errors import SetUpError

if TYPE_CHECKING:
    from broker.approve.masks import CheckMask
    from broker.authoring.finding import Finding

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")]
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def lint(
    folder: Folder,
    format_: Annotated[Format, typer.Option("--format", help="输出格式 / output format")] = Format.TEXT,
    strict: Annotated[bool, typer.Option(help="有警告也算不通过 / fail on warnings too")] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="改正键盘上的手误 / put slips of the keyboard right")
    ] = False,
    names: Annotated[
        bool, typer.Option("--names", help="与 --fix 同用：也改只差一笔的名称 / with --fix, names too")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="与 --fix 同用：只显示，不改写 / with --fix, only show")
    ] = False,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="按这一天检查，默认今天 / as of this day, today by default"),
    ] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """检查策略：一次列出所有错误、警告和提示 / check policies: every error, warning and note at once."""
    from broker.authoring.lint import lint_folder
    from broker.authoring.listing import as_data, as_sarif, fails

    if (names or dry_run) and not fix:
        raise SetUpError("--names 和 --dry-run 要与 --fix 同用。", "--names and --dry-run go with --fix.")
    check_mask = checker(config)
    instead = _fix(folder, check_mask, names, dry_run, format_ is not Format.TEXT) if fix else {}
    findings = lint_folder(folder, check_mask, _instant(at), instead, operators(config))
    if format_ is Format.TEXT:
        _print(findings)
    else:
        data = as_data(findings) if format_ is Format.JSON else as_sarif(findings, _below_here(folder))
        typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
    if fails(findings, strict):
        raise typer.Exit(1)


def _fix(folder: Path, check_mask: CheckMask, names: bool, dry_run: bool, aside: bool) -> dict[str, bytes]:
    """Put files right and show what was changed, ``aside`` on standard error; gives the changed ones."""
    from broker.authoring.renaming import renamed
    from broker.authoring.repair import repaired_files

    files = read_folder(folder, Problems())
    fixed = repaired_files(files)
    changed = renamed(fixed, check_mask) if names else fixed
    changed = {file: content for file, content in changed.items() if content != files[file]}
    for file, content in changed.items():
        before, after = (text.decode("utf-8-sig").splitlines() for text in (files[file], content))
        for line in difflib.unified_diff(before, after, file, file, n=0, lineterm=""):
            typer.echo(line, err=aside)
    if not dry_run:
        write(folder, changed)
    return changed


def checker(config: Path) -> CheckMask:
    """What says whether a mask can be applied, with the operators that the settings allow."""
    from broker.desensitize.plan import check_mask

    allowed = operators(config)
    return lambda field, mask, subjects=(): check_mask(allowed, field.type, mask, subjects)


def _instant(day: datetime | None) -> datetime:
    """Now, or noon of ``day``."""
    return datetime.now(UTC) if day is None else datetime.combine(day.date(), time(12), ZoneInfo("UTC"))


def _below_here(folder: Path) -> str:
    """The folder as code scanning wants it: relative to where the command runs, or nothing."""
    try:
        below = folder.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return ""
    return "" if below == "." else below


def _print(findings: Sequence[Finding]) -> None:
    from broker.authoring.listing import count_line

    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            line = Text(str(finding))
            line.stylize(
                _STYLES[finding.severity], len(finding.place) + 1, len(finding.place) + 1 + len(finding.code)
            )
            line.stylize("dim", 0, len(finding.place))
            console.print(line)
    else:
        for finding in findings:
            typer.echo(str(finding))
    typer.echo(count_line(findings))
