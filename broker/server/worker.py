"""One worker process: a synchronous gRPC server, pinned to its core, beside its siblings on one port.

``python -m broker.server.worker --config F --kind unary --listen A --stream-port P --core N`` is what the
supervisor executes. It says on standard output, in one JSON line, that it serves or why it cannot, and later
on how many of its places are used. It drains on SIGTERM, and when its standard input ends, for then its
supervisor is gone. One that does not serve yet ends at once then: a new supervisor waits for the port.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from broker.errors import SetUpError, Unavailable
from broker.server.listening import Kind, Listening
from broker.server.logging import configure_logging
from broker.server.serve import settle_down, start
from broker.settings import load_settings

STREAM_NICENESS = 5
"""Bulk gives way to the calls for which somebody waits at a counter, wherever they want one core."""

STREAM_SWITCH_SECONDS = 0.0005
"""Longest that a stream's thread keeps the interpreter from the one that holds the log's lock, for which the
other workers wait; Python's own default is ten times that."""

ORPHAN_SECONDS = 1.0
"""How long a worker without supervisor drains: a new supervisor cannot have the port before it is gone."""

TELL_SECONDS = 1.0
"""How often a worker says how many of its places are used, if that has changed."""


def main(arguments: list[str]) -> int:
    """Serve until told to stop; the exit code says whether it came to serve at all."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if options.kind is Kind.STREAM:
        os.nice(STREAM_NICENESS)
        sys.setswitchinterval(STREAM_SWITCH_SECONDS)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    configure_logging()
    serving, orphaned = threading.Event(), threading.Event()
    threading.Thread(target=_await_end_of_input, args=(serving, orphaned, stop), daemon=True).start()
    try:
        settings = load_settings(options.config)
        listening = Listening(
            options.listen,
            shared=True,
            stream_port=options.stream_port if options.kind is Kind.UNARY else None,
        )
        broker = start(settings, listening)
    except SetUpError as error:
        _tell({"zh": error.zh, "en": error.en})
        return 2
    except Unavailable as error:  # the signer died just now, or the database went away
        _tell({"zh": error.sentence.zh, "en": error.sentence.en})
        return 2
    settle_down()
    _tell({"port": broker.port})
    serving.set()
    told = None
    while not stop.wait(TELL_SECONDS):
        if (places := broker.lanes.status()) != told:
            told = places
            _tell({"places": places})
    broker.stop(ORPHAN_SECONDS if orphaned.is_set() else settings.server.drain_seconds)
    return 0


def _tell(what: dict[str, object]) -> None:
    with suppress(BrokenPipeError):  # the supervisor is gone, of which the end of the input tells
        os.write(1, json.dumps(what).encode() + b"\n")


def _await_end_of_input(serving: threading.Event, orphaned: threading.Event, stop: threading.Event) -> None:
    # Not through sys.stdin: at exit the interpreter would wait for its lock, which this thread holds.
    while os.read(0, 4096):
        pass
    if not serving.is_set():
        os._exit(0)
    orphaned.set()
    stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m broker.server.worker")
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--kind", required=True, type=Kind)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--stream-port", type=int)
    parser.add_argument("--core", type=int)
    return parser


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # the interpreter would wait for its threads, and one may be stuck in a provider's source
