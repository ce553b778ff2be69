"""``sharebroker revocations``, and what commands that move the epoch on the broker's host have in common."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import orjson
import typer

from broker.cli.connection import Json
from broker.errors import SetUpError, Unavailable, VerificationFailed
from broker.model import Epoch
from broker.receipt.head import SignedHead
from broker.receipt.signer import CheckpointSigner, socket_of, start_signer
from broker.settings import Settings, load_settings
from broker.store.store import Store, open_store

if TYPE_CHECKING:
    from broker.publish import Moved, Order, Publisher

revocations = typer.Typer(
    help="吊销列表：发布、查看 / the revocation list in force: publish, show", no_args_is_help=True
)

Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]
By = Annotated[
    str,
    typer.Option("--by", help="由谁决定，写入存证 / who orders it; stands in the log", show_default="login"),
]
Reason = Annotated[str, typer.Option("--reason", help="原因，写入存证 / why; stands in the log")]
DEFAULT_CONFIG = Path("sharebroker.toml")

T = TypeVar("T")


@revocations.command("publish")
def publish_revocations(
    crl: Annotated[Path, typer.Argument(help="吊销列表文件（PEM） / revocation list, PEM")],
    config: Config = DEFAULT_CONFIG,
    by: By = "",
    reason: Reason = "",
) -> None:
    """发布新的吊销列表，返回时已生效 / publish a newer revocation list; in force on return."""
    try:
        pem = crl.read_bytes()
    except OSError:
        raise SetUpError(f"无法读取吊销列表 {crl}。", f"The revocation list {crl} cannot be read.") from None
    order = order_of(by, reason)
    moved = act(config, lambda publisher: publisher.revocations(pem, order))
    tell(moved, ("吊销列表", "revocation list"), f"{moved.before.crl_number} → {moved.after.crl_number}")


@revocations.command("show")
def show_revocations(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """查看生效的吊销列表编号 / show the number of the revocation list in force."""
    epoch = _in_force(config)
    if as_json:
        _print_json({"epoch": epoch.sequence, "crl": epoch.crl_number})
        return
    typer.echo(f"吊销列表 list   {epoch.crl_number}")
    typer.echo(f"生效序号 epoch  {epoch.sequence}")


def act(config: Path, do: Callable[[Publisher], T]) -> T:
    """Does it to the database that the settings name, and has the log's head signed."""
    from broker.server.parts import publisher_of  # Arrow is loaded by the commands that need it

    settings = load_settings(config)
    with store_of(settings) as store:
        done = do(publisher_of(settings, store, lambda: datetime.now(UTC)))
        sign_head(settings, store)
    return done


def signer_of(settings: Settings) -> CheckpointSigner:
    """The broker's, or one of our own when no broker runs here.

    Raises:
        SetUpError: there is no key, or its state cannot be used.
    """
    state = settings.path(settings.keys.signer_state)
    try:
        return CheckpointSigner(socket_of(state))
    except SetUpError:
        return start_signer(settings.path(settings.keys.log_key), state, settings.log.origin)


def sign_head(settings: Settings, store: Store, *, alone: bool = False) -> None:
    """If a signer runs here, the head over the act's leaf is signed now; else with the next batch, or
    ``alone`` by a signer of our own."""
    with suppress(SetUpError, Unavailable):
        state = settings.path(settings.keys.signer_state)
        signer = signer_of(settings) if alone else CheckpointSigner(socket_of(state))
        try:
            head = SignedHead(store, signer)
            head.sign(head.tree(store.head().size))
        except VerificationFailed as error:
            # The act is in force all the same, which whoever stops something must not be left in doubt about.
            typer.echo(
                f"已生效，但日志头无法签名 / in force, but the head cannot be signed: {error}", err=True
            )
        finally:
            signer.close()


@contextmanager
def store_of(settings: Settings) -> Iterator[Store]:
    """The database that the settings name, closed at the end."""
    store = open_store(settings.store_url)
    try:
        yield store
    finally:
        store.close()


def _in_force(config: Path) -> Epoch:
    with store_of(load_settings(config)) as store, store.epochs() as tables:
        epoch = tables.epoch()
    if epoch is None:
        raise SetUpError(
            "数据库中还没有生效的策略：请先启动一次服务。",
            "No policy is in force in the database yet: start the broker once.",
        )
    return epoch


def stated(reason: str) -> str:
    """A reason that says something: who is kept from data, or let at them again, may ask why.

    Raises:
        SetUpError: it is blank.
    """
    if not reason.strip():
        raise SetUpError("请写明原因：--reason 不得为空。", "State why: --reason must not be empty.")
    return reason


def order_of(by: str, reason: str) -> Order:
    """Who orders it: whoever is named, or is logged in."""
    from broker.publish import Order

    if by:
        return Order(by, reason)
    try:
        return Order(getpass.getuser(), reason)
    except (OSError, KeyError):  # an account without a name
        return Order("", reason)


def tell(moved: Moved, what: tuple[str, str], change: str) -> None:
    """Says what became of an act; ``what`` names it in both languages."""
    zh, en = what
    if moved.before == moved.after:
        typer.echo(f"{zh}已在生效中，未作改动，生效序号 {moved.after.sequence}。")
        typer.echo(f"This {en} is in force already; nothing was done, epoch {moved.after.sequence}.")
        return
    typer.echo(f"{zh}已发布并生效，生效序号 {moved.after.sequence}：{change}")
    typer.echo(f"The {en} is published and in force, epoch {moved.after.sequence}.")


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_UTC_Z).decode())
