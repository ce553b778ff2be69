"""Processes as /proc shows them, which may end at any moment."""

from __future__ import annotations

import os
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """The process's children, by any of its threads; none once it has ended."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        return [
            int(child)
            for thread in threads
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        ]
    except OSError:
        return []


def command_of(pid: int) -> bytes:
    """Its command line, with a NUL after each argument; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def with_argument(argument: str) -> list[int]:
    """Processes that have it in their command line, as a whole."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [pid for pid in pids if argument.encode() in command_of(pid).split(b"\0")]
