"""How the broker's processes log: JSON lines on standard error, with request ids and never personal data."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress

import orjson
import structlog

log = structlog.get_logger("sharebroker.logging")


class Terse(logging.Handler):
    """What libraries say, as one line each: who, how bad, and the type of the exception. Their texts and
    tracebacks are left out, for these may hold values of a record, or of a database's row."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        say = log.error if record.levelno >= logging.ERROR else log.warning
        with suppress(OSError):  # who calls a library is not to fail because the log is full
            say("library", logger=record.name, error=kind.__name__ if kind else None)


def _defect(event: str, kind: type[BaseException]) -> None:
    """What the interpreter would write a traceback of."""
    with suppress(OSError):
        log.error(event, error=kind.__name__)


def configure_logging() -> None:
    """To be called once, before anything is logged."""
    pid = os.getpid()

    def add_pid(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["pid"] = pid
        return event

    structlog.configure(
        processors=[
            add_pid,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    sys.unraisablehook = lambda found: _defect("unraisable", found.exc_type)
    threading.excepthook = lambda found: _defect("thread_failed", found.exc_type)
    logging.basicConfig(handlers=[Terse()], level=logging.WARNING, force=True)
