"""``sharebroker serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.errors import SetUpError

Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]


def serve(
    config: Config = Path("sharebroker.toml"),
    workers: Annotated[
        str,
        typer.Option(
            help="服务进程数，auto 为每核一个，1 为单进程 / processes; auto: one a core; 1: a single one"
        ),
    ] = "",
) -> None:
    """运行共享交换服务；SIGTERM 排空，SIGHUP 逐个更替 / run the broker; SIGTERM drains, SIGHUP rolls over."""
    from broker.server.logging import configure_logging  # gRPC is loaded by these commands only
    from broker.server.supervisor import Supervisor, worker_count
    from broker.settings import load_settings

    configure_logging()
    settings = load_settings(config)
    count = worker_count(_asked(workers) or settings.server.workers)
    if count == 1:
        from broker.server.serve import serve as serve_alone

        serve_alone(settings)
    else:
        Supervisor(config, settings, count).run()


def _asked(workers: str) -> str:
    if workers and workers != "auto" and not (workers.isdigit() and int(workers) > 0):
        raise SetUpError("--workers 须为 auto 或正整数。", "--workers must be auto or a positive number.")
    return workers
