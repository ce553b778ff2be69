"""``sharebroker trace``: tell a person who asks for it who was told what of them, and what is missing."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.epoch import DEFAULT_CONFIG, By, Config, order_of, sign_head, stated, store_of
from broker.cli.maintenance import OwnTrust, own_key
from broker.errors import SetUpError
from broker.settings import Settings, load_settings

if TYPE_CHECKING:
    from broker.marks import Marks
    from broker.model import Catalog, SubjectMark
    from broker.publish import Order
    from broker.store.store import Store
    from broker.subject_access.proved import ProvedLog
    from broker.subject_access.view import View

EXIT_FOUND = 1

Subject = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT",
        show_default=False,
        help="证件号码；不写则从提示或标准输入读取，更稳妥 / identifier; safer: the prompt, or stdin",
    ),
]


def trace(
    reason: Annotated[str, typer.Option("--reason", help="事由，写入存证 / why; stands in the log")],
    subject: Subject = "",
    page: Annotated[
        Path | None, typer.Option("--html", help="写成网页文件，可交给本人 / a page to hand over")
    ] = None,
    by: By = "",
    config: Config = DEFAULT_CONFIG,
    trust: OwnTrust = None,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough",
            help="逐条比对全部存证，较慢；恢复过密钥库后须用 / compare every receipt; after a restored vault",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """应本人申请，查其信息何时提供给谁；先存证后显示 / tell a person who was told what of them."""
    settings, order = load_settings(config), order_of(by, stated(reason))
    person = subject_of(subject)
    with store_of(settings) as store:
        view, log, leaf_index = looked_up(settings, store, person, order, trust, thorough=thorough)
        catalog = _catalog(store)
    if as_json:
        typer.echo(orjson.dumps(_plain(view, log, leaf_index)).decode())
    else:
        _tell(view, log, leaf_index, catalog, page)
    raise typer.Exit(EXIT_FOUND if view.missing or view.doubled else 0)


def looked_up(
    settings: Settings, store: Store, person: str, order: Order, trust: Path | None, *, thorough: bool
) -> tuple[View, ProvedLog, int]:
    """What the log has of a person, the log as it was signed, and the leaf that says who looked and why."""
    from broker.marks import Marks
    from broker.server.parts import keyring_of, vault_of
    from broker.subject_access.view import Viewer

    with closing(Marks(vault_of(settings))) as marks:
        sign_head(settings, store)
        log = _proved(settings, store, trust)
        viewer = Viewer(store, log, keyring_of(settings), marks.vault, datetime.now(UTC))
        view = viewer.view(person, thorough=thorough)
        leaf_index = _record(settings, store, marks, person, order, view)
    sign_head(settings, store)
    return view, log, leaf_index


def subject_of(given: str) -> str:
    """The identifier that was given, is asked for at a terminal, or else stands on standard input.

    Raises:
        SetUpError: there is none.
    """
    if not given:
        asked = sys.stdin.isatty()
        given = typer.prompt("证件号码 identifier", err=True) if asked else sys.stdin.readline()
    given = given.strip()
    if not given:
        raise SetUpError("没有写明查谁。", "It was not said who is meant.")
    # GB 11643 writes the check digit as a capital; people often do not.
    return given.upper() if given[:-1].isdigit() and given.endswith("x") else given


def _proved(settings: Settings, store: Store, trust: Path | None) -> ProvedLog:
    from broker.receipt.key_file import known_keys
    from broker.receipt.memory import remembered
    from broker.receipt.public import PublicLog
    from broker.subject_access.proved import ProvedLog

    state = settings.path(settings.keys.signer_state)
    keys = known_keys(state, own_key(settings, trust))
    head = PublicLog(store, lambda: remembered(state, keys), keys).checkpoint()
    if head is None:
        raise SetUpError(
            "日志还没有签名的日志头，请先启动服务。", "The log has no signed head; start the broker."
        )
    return ProvedLog(store, head[1])


def _record(settings: Settings, store: Store, marks: Marks, person: str, order: Order, view: View) -> int:
    """The leaf that tells of the look: durable before anybody is told what it showed."""
    from broker.model import Entry, EntryKind
    from broker.receipt.log import append_alone
    from broker.receipt.lookups import subject_access
    from broker.server.parts import keyring_of

    now, request_id = datetime.now(UTC), str(uuid.uuid4())

    def write(subjects: Sequence[SubjectMark]) -> bytes:
        counts = {"receipts": len(view.told), "missing": len(view.missing)}
        return subject_access(order.actor, order.reason, now, request_id, subjects, **counts)

    # Of somebody unknown nothing is recorded: a slip of the pen must not enter a person into the vault.
    people = [person] if view.told or view.known else []
    made, content = marks.made(people, request_id, now, keyring_of(settings), write)
    with store.append_transaction() as transaction:
        entry = Entry(EntryKind.SUBJECT_ACCESS, content, now, marks=made)
        return append_alone(transaction, store, entry)


def _catalog(store: Store) -> Catalog | None:
    """The catalog in force, which has titles for ids; None before the first."""
    from broker.approve.bundle import bundle_of
    from broker.approve.files import unpack
    from broker.releases import unchecked

    with store.epochs() as tables:
        epoch = tables.epoch()
        packed = b"" if epoch is None else tables.bundle(epoch.bundle_hash) or b""
    return None if epoch is None else bundle_of(unpack(packed, epoch.bundle_hash), unchecked).catalog


# ── for people ───────────────────────────────────────────────────────────────────────────────────


def _tell(view: View, log: ProvedLog, leaf_index: int, catalog: Catalog | None, page: Path | None) -> None:
    from broker.cli.policy.publication import visible
    from broker.cli.subject_page import page as page_of
    from broker.cli.subject_words import Words

    zone: tzinfo = ZoneInfo(catalog.zone) if catalog else UTC
    about = _about(view, log, leaf_index, zone)
    blocks = list(Words(catalog, zone).blocks(view))
    if page is not None:
        from broker.keys.files import write_private_file

        write_private_file(page, page_of(about, blocks))
        typer.echo(f"已写入 {page}，只有本人可读。Written to {page}, readable by you only.")
        return
    for sentence in about:
        typer.echo(sentence)
    for block in blocks:
        typer.echo(f"\n{visible(block.zh)}  {visible(block.en)}")
        for zh, en, text in block.lines:
            typer.echo(f"    {visible(f'{zh} {en}'.strip())}  {visible(text)}")


def _about(view: View, log: ProvedLog, leaf_index: int, zone: tzinfo) -> list[str]:
    now = datetime.now(zone)
    said = [
        f"查询时间 {now:%Y-%m-%d %H:%M:%S}。存证日志至第 {log.head.size} 条，树根 {log.head.root.hex()}。",
        f"Looked up in the log's first {log.head.size} leaves, root as above.",
        f"与您有关的存证 {len(view.told)} 条；缺失 {len(view.missing)} 条。",
        f"{len(view.told)} receipt(s) are about you; {len(view.missing)} missing.",
    ]
    if view.expired:
        said += [
            f"另有 {view.expired} 条保存期满，原文已依规删除。",
            f"{view.expired} more are too old: their text was erased, as the log says.",
        ]
    if not view.known:
        said += [
            "主体密钥库中没有您的密钥：从未有人查询，或已应要求遗忘，或未设密钥库；无从核对有无遗漏。",
            "The vault has no key of yours: nobody ever asked about you, or you were forgotten, or there is "
            "no vault; whether something was left out cannot be told.",
        ]
    return [*said, f"本次查阅已存证，回执 {leaf_index}。This look has receipt {leaf_index}."]


# ── for machines ─────────────────────────────────────────────────────────────────────────────────


def _plain(view: View, log: ProvedLog, leaf_index: int) -> dict[str, Any]:
    return {
        "receipt": leaf_index,
        "log": {"origin": log.head.origin, "size": log.head.size, "root": log.head.root.hex()},
        "known": view.known,
        "receipts": [
            {"receipt": one.leaf_index, "number": one.number, "place": one.place, "statement": one.statement}
            for one in view.told
        ],
        "gaps": [asdict(gap) for gap in view.gaps],
        "doubled": view.doubled,
        "streams_of_all": [asdict(bulk) for bulk in view.bulk],
    }
