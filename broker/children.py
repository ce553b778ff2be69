"""Processes that a command starts for its own work: they end with it, and never see Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C waits, and a process that is started meanwhile never sees it: it would die of it with a
    traceback before :func:`serve_parent` could say otherwise. A child keeps what is blocked.

    To block is not enough here: a thread of Arrow's or the pool's may take the signal, and Python would then
    interrupt the main thread all the same, in the middle of what it hands to the child.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python interrupts none but the main thread
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


def serve_parent() -> None:
    """Of a process that was started: ends when its parent does, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed cannot end its processes, and they would wait for it forever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
