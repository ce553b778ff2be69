"""``sharebroker serve``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import orjson
import structlog
import typer


def serve(
    config: Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")] = Path(
        "sharebroker.toml"
    ),
) -> None:
    """运行共享交换服务，SIGTERM 后排空退出 / run the broker; SIGTERM drains it."""
    from broker.server.serve import serve as run  # gRPC is loaded by this command only
    from broker.settings import load_settings

    configure_logging()
    run(load_settings(config))


def configure_logging() -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
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
