"""Waiting for what comes about by itself: for the condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 300.0
"""How long that takes is the machine's affair; only what never comes about takes so long."""
PAUSE_SECONDS = 0.02

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """What ``condition`` gives once it is true.

    Raises:
        TimeoutError: it did not come about.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError("it did not come about in time")
