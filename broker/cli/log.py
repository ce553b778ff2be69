"""``sharebroker log``: the receipt log for everybody, read-only, as C2SP tlog-tiles prescribes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.maintenance import OwnTrust, own_key
from broker.errors import SetUpError
from broker.receipt.export import export as export_log
from broker.receipt.memory import remembered
from broker.receipt.public import PublicLog
from broker.settings import Settings, load_settings
from broker.store.store import open_store

app = typer.Typer(
    help="公开存证日志，只读，不含原文 / show the receipt log, read-only, no statements", no_args_is_help=True
)
Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="公开目录，接着上次导出 / folder to publish; goes on")],
    config: Config = Path("sharebroker.toml"),
    trust: OwnTrust = None,
    as_json: Json = False,
) -> None:
    """导出为静态文件，供任何网站服务器公开 / export as static files for any web server."""
    with _public(load_settings(config), trust) as public:
        done = export_log(public, folder)
    size, root = done.checkpoint.size, done.checkpoint.root.hex()
    if as_json:
        said = {"leaves": size, "root": root, "before": done.before, "files": done.files}
        print(orjson.dumps(said).decode())
        return
    print(
        f"已导出到 {folder}：{size} 条（原有 {done.before} 条），写入 {done.files} 个文件，树根 {root}。\n"
        f"Exported to {folder}: {size} leaves ({done.before} were there), {done.files} files written, "
        f"root {root}."
    )


@app.command()
def serve(config: Config = Path("sharebroker.toml"), trust: OwnTrust = None) -> None:
    """在 [log] http_listen 上以 HTTP 公开 / show it over HTTP on [log] http_listen."""
    from broker.server.logging import configure_logging
    from broker.server.public_log import serve_log

    settings = load_settings(config)
    if not settings.log.http_listen:
        raise SetUpError(
            '未设置 [log] http_listen。请写入地址，例如 http_listen = "127.0.0.1:7080"。',
            'There is no [log] http_listen. Set an address, such as http_listen = "127.0.0.1:7080".',
        )
    configure_logging()
    with _public(settings, trust) as public:
        serve_log(public, settings.log.http_listen, _listening)


def _listening(address: str) -> None:
    print(f"日志公开于 / the log is shown at http://{address}/", flush=True)


@contextmanager
def _public(settings: Settings, trust: Path | None) -> Iterator[PublicLog]:
    key, state = own_key(settings, trust), settings.path(settings.keys.signer_state)
    with closing(open_store(settings.store_url)) as store:
        yield PublicLog(store, lambda: remembered(state, key), key)
