"""``sharebroker keyring``: the keys that mask: look at them, move on to another, wrap them anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.epoch import DEFAULT_CONFIG, By, Config, Reason, act, order_of
from broker.errors import SetUpError
from broker.model import NO_KEY, KeyInUse
from broker.reasons import Sentence
from broker.settings import Settings, load_settings
from broker.store.store import open_store

if TYPE_CHECKING:
    from broker.keys.keyring import Keyring
    from broker.keys.keyring_file import KeyringFile

app = typer.Typer(
    help="脱敏密钥：查看、轮换、更换主密钥 / the masking keys: show, rotate, rewrap", no_args_is_help=True
)
EXIT_FOUND = 1


@app.command("list")
def list_versions(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """列出各版密钥及其指纹 / list the versions, their fingerprints, and which is in use."""
    settings = load_settings(config)
    file, key = _file(settings), _in_force(settings)
    keyring = file.read()
    versions = [
        {
            "version": version,
            "created": keyring.masters[version].created,
            "fingerprint": keyring.fingerprint(version),
            "in_use": KeyInUse(version, keyring.fingerprint(version)) == key,
        }
        for version in keyring.versions
    ]
    if as_json:
        content = {"wrapped_by": file.wrapped_by, "binding": keyring.binding, "versions": versions}
        _print_json({"keyring": str(file.path), **content})
        return
    for one in versions:
        created = f"{one['created']:%Y-%m-%d}" if one["created"] else "-" * 10
        state = "  使用中 in use" if one["in_use"] else ""
        typer.echo(f"{one['version']:>6}  {created}  {one['fingerprint']}{state}")
    typer.echo(f"主密钥 wrapped by  {file.wrapped_by or '未加密 not wrapped'}")


@app.command("rotate")
def rotate(
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare", help="只写入新版密钥，暂不启用 / add the key to the file, do not use it yet"
        ),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    by: By = "",
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """启用新版密钥，返回时各处已同时换用 / put a new version in use: everywhere when it returns."""
    settings = load_settings(config)
    file = _file(settings)
    if prepare:
        _prepare(settings, file, as_json)
        return
    order = order_of(by, reason)
    moved = act(config, lambda publisher: publisher.rotate(file, order))
    version, fingerprint = moved.after.key.version, moved.after.key.fingerprint
    if as_json:
        _print_json({"version": version, "fingerprint": fingerprint, "epoch": moved.after.sequence})
        return
    typer.echo(f"第 {version} 版密钥已启用，指纹 {fingerprint}，生效序号 {moved.after.sequence}。")
    typer.echo(f"Version {version} is in use, fingerprint {fingerprint}, epoch {moved.after.sequence}.")
    _remind(file)


@app.command("rewrap")
def rewrap(
    new: Annotated[
        Path,
        typer.Argument(
            metavar="MASTER_KEY_FILE", help="新主密钥文件，没有则生成 / the new master key; made if missing"
        ),
    ],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """更换主密钥，各版密钥不变 / wrap the keys under another master key; the keys stay."""
    from broker.keys.wrapping import create_master_key, read_master_key

    file = _file(load_settings(config))
    file.read()  # with the master key of now: a new one is not made for nothing
    wrapper = read_master_key(new) if new.exists() else create_master_key(new)
    keyring, before = file.rewrap(wrapper), file.wrapped_by
    if as_json:
        _print_json({"keyring": str(file.path), "wrapped_by": before, "versions": keyring.versions})
        return
    typer.echo(f"{file.path} 已改由主密钥 {wrapper.id}（{new}）加密，共 {len(keyring.versions)} 版密钥。")
    typer.echo(f"{file.path} is wrapped under master key {wrapper.id} ({new}), {len(keyring.versions)} keys.")
    typer.echo(
        "请把 [keys] master_key_file 指向它，并在下次轮换之前重启各服务；旧主密钥仍能打开旧备份，另存或销毁。"
    )
    typer.echo(
        "Name it in [keys] master_key_file and restart the brokers before the next rotation. The former one "
        "still opens earlier backups: keep or destroy."
    )


@app.command("check")
def check(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """检查密钥文件能否打开、是否与生效的一致 / see that the keyring opens and is the one in force."""
    settings = load_settings(config)
    file = _file(settings)
    keyring = file.read()
    wrong, advice = _wrong(keyring, _in_force(settings)), _advice(settings, file)
    if as_json:
        _print_json({"sound": not wrong, "wrong": _both(wrong), "advice": _both(advice)})
    else:
        for said in (*wrong, *advice):
            typer.echo(f"{said.zh}\n{said.en}")
        if not wrong:
            typer.echo(f"密钥文件可用，共 {len(keyring.versions)} 版。")
            typer.echo(f"The keyring is sound, {len(keyring.versions)} version(s).")
    raise typer.Exit(EXIT_FOUND if wrong else 0)


def _wrong(keyring: Keyring, key: KeyInUse) -> list[Sentence]:
    try:
        keyring.in_use(key)
    except SetUpError as error:
        return [Sentence(error.zh, error.en)]
    return []


def _advice(settings: Settings, file: KeyringFile) -> list[Sentence]:
    master_key = settings.path(settings.keys.master_key_file)
    if not file.wrapped_by:
        return [
            Sentence(
                "密钥文件是旧格式，未经主密钥加密：请执行 sharebroker keyring rewrap。",
                "The keyring has the former format and is not wrapped: run `sharebroker keyring rewrap`.",
            )
        ]
    if master_key.exists() and master_key.resolve().parent == file.path.resolve().parent:
        return [
            Sentence(
                f"主密钥 {master_key} 与密钥文件放在一起，等于没有上锁：正式使用前请移到别处。",
                f"The master key {master_key} lies beside the keyring, a lock with its key in it: move it "
                "elsewhere before real service.",
            )
        ]
    return []


def _both(said: list[Sentence]) -> list[dict[str, str]]:
    return [{"zh": one.zh, "en": one.en} for one in said]


def _prepare(settings: Settings, file: KeyringFile, as_json: bool) -> None:
    from datetime import UTC, datetime

    key = _in_force(settings)
    keyring = file.prepare(file.read().in_use(key).version, datetime.now(UTC))
    version, fingerprint = keyring.newest, keyring.fingerprint(keyring.newest)
    if as_json:
        _print_json({"version": version, "fingerprint": fingerprint, "epoch": None})
        return
    typer.echo(f"第 {version} 版密钥已写入 {file.path}，指纹 {fingerprint}，尚未启用。")
    typer.echo(f"Version {version} is in {file.path}, fingerprint {fingerprint}; it is not in use yet.")
    typer.echo("请把此文件复制到同一数据库的每台服务器，再执行 sharebroker keyring rotate。")
    typer.echo("Copy the file to every host of this database, then run `sharebroker keyring rotate`.")


def _remind(file: KeyringFile) -> None:
    typer.echo(f"请立即备份 {file.path}：丢失后，此后脱敏的数据无法还原。")
    typer.echo(f"Back up {file.path} now: without it, what is masked from here on cannot be turned back.")


def _file(settings: Settings) -> KeyringFile:
    from broker.server.parts import keyring_file  # Arrow is loaded by the commands that need it

    return keyring_file(settings)


def _in_force(settings: Settings) -> KeyInUse:
    """The key that the database names."""
    store = open_store(settings.store_url)
    try:
        with store.epochs() as tables:
            epoch = tables.epoch()
    finally:
        store.close()
    return NO_KEY if epoch is None else epoch.key


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_UTC_Z).decode())
