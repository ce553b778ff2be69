"""``sharebroker vault``: the persons' keys: make the vault, look after it, forget a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.epoch import DEFAULT_CONFIG, By, Config, order_of, sign_head, stated, store_of
from broker.cli.subject_access import EXIT_FOUND, Subject, subject_of
from broker.errors import SetUpError
from broker.keys.wrapping import KeyWrapper, create_master_key, read_master_key
from broker.settings import Settings, load_settings

if TYPE_CHECKING:
    from broker.vault.vault import Vault

app = typer.Typer(
    help="主体密钥库：建立、查看、遗忘、更换主密钥 / the subject vault: init, status, forget, rewrap",
    no_args_is_help=True,
)


@app.command("init")
def init(config: Config = DEFAULT_CONFIG) -> None:
    """建立主体密钥库及其主密钥 / make the vault, and its master key where there is none."""
    from broker.vault.opening import create_vault

    settings = load_settings(config)
    url, file = _url(settings), settings.path(settings.vault.master_key_file)
    for folder in (file.parent, *_folder_of(url)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wrapper = read_master_key(file) if file.exists() else create_master_key(file)
    create_vault(url, wrapper, datetime.now(UTC))
    typer.echo(f"主体密钥库已建立，主密钥 {wrapper.id}（{file}）。请重启各服务，使其启用。")
    typer.echo(f"The vault is made, master key {wrapper.id} ({file}). Restart the brokers to use it.")
    for line in _advice(url, file):
        typer.echo(line)


@app.command("status")
def status(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """查看主体密钥库：人数、编号数、主密钥 / persons, numbers given out, master key."""
    from broker.vault.opening import about

    settings = load_settings(config)
    url, file = _url(settings), settings.path(settings.vault.master_key_file)
    said = about(url)
    with opened(settings) as vault:
        persons, numbers = vault.count()
    advice = _advice(url, file)
    if as_json:
        counted = {"persons": persons, "numbers": numbers}
        _print_json({"wrapped_by": said.wrapped_by, "created": said.created, **counted, "advice": advice})
        return
    typer.echo(f"建立于 created     {said.created}")
    typer.echo(f"主密钥 wrapped by  {said.wrapped_by}")
    typer.echo(f"人数 persons       {persons}")
    typer.echo(f"编号数 numbers     {numbers}")
    for line in advice:
        typer.echo(line)


@app.command("forget")
def forget(
    reason: Annotated[str, typer.Option("--reason", help="事由，写入存证，勿写姓名 / why; name nobody")],
    subject: Subject = "",
    by: By = "",
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """销毁一个人的密钥：其存证仍可验证，但再也无法找到其人 / destroy a person's key; the proofs stand."""
    from broker.forgetting import forget as forget_person

    settings, order = load_settings(config), order_of(by, stated(reason))
    person = subject_of(subject)
    if not (yes or _agrees()):
        typer.echo("未作改动。Nothing was changed.")
        raise typer.Exit(EXIT_FOUND)
    with store_of(settings) as store, opened(settings) as vault:
        leaf = forget_person(vault, store, person, order.actor, order.reason, datetime.now(UTC))
        sign_head(settings, store)
    if as_json:
        _print_json({"forgotten": leaf is not None, "receipt": leaf})
    elif leaf is None:
        typer.echo("主体密钥库中没有此人的密钥。The vault has no key of that person.")
    else:
        typer.echo(f"密钥已销毁，回执 {leaf}，其中不写是谁。请同样处理主体密钥库的旧备份。")
        typer.echo(
            f"The key is destroyed; receipt {leaf} does not say whose. See to the vault's old backups."
        )
    raise typer.Exit(0 if leaf is not None else EXIT_FOUND)


@app.command("rewrap")
def rewrap(
    new: Annotated[
        Path,
        typer.Argument(
            metavar="MASTER_KEY_FILE", help="新主密钥文件，没有则生成 / the new master key; made if missing"
        ),
    ],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """更换主体密钥库的主密钥，各人密钥不变 / wrap the vault under another master key."""
    from broker.vault.opening import rewrap_vault

    settings = load_settings(config)
    before = _master_key(settings)
    after = read_master_key(new) if new.exists() else create_master_key(new)
    rewrap_vault(_url(settings), before, after)
    typer.echo(f"主体密钥库已改由主密钥 {after.id}（{new}）加密。")
    typer.echo(f"The vault is wrapped under master key {after.id} ({new}).")
    typer.echo("请把 [vault] master_key_file 指向它，并重启各服务；旧主密钥仍能打开旧备份，另存或销毁。")
    typer.echo(
        "Name it in [vault] master_key_file and restart the brokers. The former one still opens earlier "
        "backups: keep or destroy."
    )


@contextmanager
def opened(settings: Settings) -> Iterator[Vault]:
    """The vault that the settings name; raises SetUpError where they name none."""
    from broker.server.parts import vault_of

    _url(settings)
    vault = vault_of(settings)
    assert vault is not None  # noqa: S101 - there is a URL
    with closing(vault):
        yield vault


def _url(settings: Settings) -> str:
    if not settings.vault_url:
        raise SetUpError(
            '没有设置主体密钥库。请在配置文件写入 [vault] url，例如 url = "sqlite:///vault/vault.db"。',
            'There is no vault in the settings. Set [vault] url, such as url = "sqlite:///vault/vault.db".',
        )
    return settings.vault_url


def _master_key(settings: Settings) -> KeyWrapper:
    return read_master_key(settings.path(settings.vault.master_key_file))


def _folder_of(url: str) -> list[Path]:
    prefix = "sqlite:///"
    return [Path(url.removeprefix(prefix)).parent] if url.startswith(prefix) else []


def _advice(url: str, file: Path) -> list[str]:
    if file.resolve().parent not in [folder.resolve() for folder in _folder_of(url)]:
        return []
    return [
        f"主密钥 {file} 与主体密钥库放在一起，等于没有上锁：正式使用前请移到别处。",
        f"The master key {file} lies beside the vault, a lock with its key in it: move it elsewhere before "
        "real service.",
    ]


def _agrees() -> bool:
    try:
        return typer.confirm("销毁后无法恢复。继续？This cannot be undone. Go on?", default=False, err=True)
    except typer.Abort:  # nobody answers
        typer.echo()
        return False


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value).decode())
