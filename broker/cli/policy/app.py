"""The Typer application that the modules of this package add their commands to."""

from __future__ import annotations

import typer

policy = typer.Typer(
    help="策略：编写、检查、测试、比较、审批、发布 / policies: write, check, test, compare, approve, publish",
    no_args_is_help=True,
)
