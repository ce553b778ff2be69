"""The Typer application that the modules of this package add their commands to."""

from __future__ import annotations

import typer

mask = typer.Typer(
    help="脱敏算子：列出、试用、检查、评估风险 / masks: list, show, try, check, risk of a file",
    no_args_is_help=True,
)


@mask.callback()
def _mask() -> None:
    """脱敏算子：列出、试用、检查、评估风险 / masks: list, show, try, check, risk of a file."""
