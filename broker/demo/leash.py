"""Runs a command that ends when standard input does, however the process that started it came to end.

``python -m broker.demo.leash COMMAND ARGUMENT…``. Without it a demo that is killed would leave its broker
behind, and the next demo could not have the log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run ``command`` until it ends or standard input does; its exit code."""
    for number in (signal.SIGINT, signal.SIGHUP):  # they reach the whole group; the end of input decides
        signal.signal(number, signal.SIG_IGN)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    process.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
