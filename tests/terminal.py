"""A terminal for commands that show more to a person than to a file."""

from __future__ import annotations

import os
import pty
import sys
import threading
from collections.abc import Callable, Sequence

import pytest
import typer


def on_a_terminal(app: typer.Typer, words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command prints on a terminal of 100 columns, without the blanks at the ends of lines."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "100")
    leader, follower = pty.openpty()
    said = bytearray()
    reader = threading.Thread(target=_read, args=(leader, said.extend))
    reader.start()
    with os.fdopen(follower, "w", encoding="utf-8") as terminal, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        app(list(words), standalone_mode=False)
    reader.join()
    os.close(leader)
    return "".join(f"{line.rstrip()}\n" for line in said.decode().splitlines())


def _read(leader: int, take: Callable[[bytes], None]) -> None:
    try:
        while part := os.read(leader, 65_536):
            take(part)
    except OSError:  # Linux's way to say that the other side is closed
        pass
