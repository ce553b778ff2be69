"""``sharebroker log``: the receipt log for everybody, read-only, as C2SP tlog-tiles prescribes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.epoch import By, order_of, signer_of, stated
from broker.cli.maintenance import OwnTrust, own_key
from broker.errors import SetUpError
from broker.receipt.export import export as export_log
from broker.receipt.key_file import known_keys
from broker.receipt.memory import remembered
from broker.receipt.note import VerifierKey
from broker.receipt.public import History, PublicLog
from broker.receipt.rotation import Terms, prepare, rotate
from broker.server.witnesses import witnesses_of
from broker.settings import Settings, load_settings
from broker.store.store import Store, open_store

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


@app.command("rotate-key")
def rotate_key(
    reason: Annotated[str, typer.Option("--reason", help="原因，写入存证 / why; stands in the log")] = "",
    by: By = "",
    both_days: Annotated[
        int, typer.Option(help="旧密钥一并签名的天数 / days that the old key signs along", min=0, max=3650)
    ] = 30,
    believed_until: Annotated[
        int | None,
        typer.Option(
            help="旧密钥被盗：只在不超过此条数时可信 / stolen: believe it up to so many leaves only", min=0
        ),
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare", help="只生成新密钥，暂不启用 / make the new key, do not use it yet")
    ] = False,
    config: Config = Path("sharebroker.toml"),
    as_json: Json = False,
) -> None:
    """更换日志密钥，服务可继续运行 / put another key in the place of the log's; the broker goes on."""
    settings = load_settings(config)
    path = settings.path(settings.keys.log_key)
    with closing(open_store(settings.store_url)) as store, closing(signer_of(settings)) as signer:
        if prepare_only:
            _told_prepared(prepare(path, signer.keys), path, as_json)
            return
        order = order_of(by, stated(reason))
        days = timedelta(days=0 if believed_until is not None else both_days)
        terms = Terms(order.actor, order.reason, days, believed_until)
        done = rotate(store, signer, path, lambda: datetime.now(UTC), terms)
    if as_json:
        print(orjson.dumps({"old": str(done.old), "new": str(done.new), "leaf": done.leaf_index}).decode())
        return
    print(
        f"日志密钥已更换（第 {done.leaf_index} 条存证）。新公钥，请公布并分发：\n{done.new}\n"
        f"请立即备份新密钥文件 {path.name}.{done.new.id.hex()}，与数据库备份分开保管。\n"
        f"The log has another key, as leaf {done.leaf_index} says. Publish the verifier key above, and keep "
        "a copy of the new key's file apart from the backups."
    )


def _told_prepared(key: VerifierKey, path: Path, as_json: bool) -> None:
    file = f"{path}.{key.id.hex()}"
    if as_json:
        print(orjson.dumps({"new": str(key), "file": file}).decode())
        return
    print(
        f"新密钥在 {file}，尚未启用。请复制到同一数据库的每台服务器，再执行 sharebroker log rotate-key。\n"
        f"The new key is in {file} and not in use. Copy it to every host of this database, then run "
        "`sharebroker log rotate-key`."
    )


def _listening(address: str) -> None:
    print(f"日志公开于 / the log is shown at http://{address}/", flush=True)


@contextmanager
def _public(settings: Settings, trust: Path | None) -> Iterator[PublicLog]:
    key, state = own_key(settings, trust), settings.path(settings.keys.signer_state)
    witnessed = witnesses_of(settings).group is not None
    with closing(open_store(settings.store_url)) as store:
        history = History(lambda: known_keys(state, key), partial(_statement, store))
        read_note = _cosigned(store) if witnessed else lambda: remembered(state, key)
        yield PublicLog(store, read_note, key, history)


def _statement(store: Store, leaf_index: int) -> bytes:
    leaf = store.leaf(leaf_index)
    return leaf.entry.statement if leaf else b""


def _cosigned(store: Store) -> Callable[[], str]:
    """Where witnesses are wanted, the public sees only what they have seen."""
    return lambda: found.note if (found := store.cosigned()) else ""
