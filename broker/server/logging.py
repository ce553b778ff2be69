"""How the broker's processes log: JSON lines on standard error, with request ids and never personal data."""

from __future__ import annotations

import logging
import os
import sys

import orjson
import structlog


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
    # gRPC's own logger prints tracebacks of handlers, and a traceback may hold values of a record.
    logging.getLogger("grpc").addHandler(logging.NullHandler())
    logging.getLogger("grpc").propagate = False
