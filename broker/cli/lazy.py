"""Applications whose commands are imported when they are run.

What one command needs (Arrow, gRPC, the database) takes longer to load than most commands take to run. So an
application is a table: name, place and first line of help of each command. ``--help`` reads the table alone;
a test holds each line of help against the command's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class Later(TyperCommand):
    """A command before it is imported.

    Args:
        name: what people write.
        place: ``module:attribute`` of the function, or of the Typer application when it has commands itself.
        help: the first line of its help.
    """

    def __init__(self, name: str, place: str, help: str) -> None:
        super().__init__(name, help=help)
        self.place = place

    def load(self) -> TyperCommand | TyperGroup:
        """The command itself."""
        module, _, attribute = self.place.partition(":")
        found: Any = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        command = get_command(alone)
        assert isinstance(command, TyperCommand)  # noqa: S101 - an application of one command is that command
        return command


class LazyGroup(TyperGroup):
    """A group that loads the command which is run, and no other."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Later) else command, rest


def lazy_app(help: str, commands: Sequence[Later], name: str | None = None) -> typer.Typer:
    """An application of these commands, listed in this order."""

    class Commands(LazyGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            for command in commands:
                self.add_command(command)

    app = typer.Typer(
        name=name,
        cls=Commands,
        help=help,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_group)
    return app


def _group() -> None:
    """Without a callback, Typer takes an application for a single command."""
