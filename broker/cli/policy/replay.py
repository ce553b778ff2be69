"""``sharebroker policy replay``: a folder of policies before the applications that are on record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder, operators
from broker.errors import BrokerError, SetUpError, VerificationFailed
from broker.model import ReceiptFilter
from broker.settings import load_settings

if TYPE_CHECKING:
    from broker.approve.bundle import Bundle
    from broker.authoring.replay import Replayed
    from broker.journal import Leaf
    from broker.store.store import Store

_PAGE = 1000
"""Leaves read at a time."""
_MOST_SHOWN = 20
"""Receipts named for each difference; --json names all."""


def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")],
    since: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], help="自这一天起的申请 / applications from this day on"),
    ],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """用新策略重办已存证的申请，列出结论会不同的；有则退出码为 1 / which past decisions would differ."""
    from broker.authoring.replay import replay as again
    from broker.store.store import open_store

    bundle = bundle_in_folder(folder, config)
    with closing(open_store(load_settings(config).store_url)) as store:
        wanted = ReceiptFilter(since=since.replace(tzinfo=bundle.zone))
        replayed = again(_leaves(store, wanted), bundle, _Published(store, config).bundle)
    if as_json:
        typer.echo(_json(replayed, bundle.hash))
    else:
        _print(replayed)
    if replayed.differing:
        raise typer.Exit(1)


class _Published:
    """The bundles that were in force, by their hashes."""

    def __init__(self, store: Store, config: Path) -> None:
        from broker.server.bundles import compiler

        self._store = store
        self._compile = compiler(operators(config))
        self.bundle = cache(self._bundle)

    def _bundle(self, hash_: str) -> Bundle | None:
        """None: it is not there, or cannot be read by this version."""
        from broker.approve.files import unpack

        with self._store.epochs() as tables:
            packed = tables.bundle(hash_)
        try:
            return self._compile(unpack(packed, hash_)) if packed else None
        except (SetUpError, VerificationFailed, BrokerError):
            return None


def _leaves(store: Store, wanted: ReceiptFilter) -> Iterator[Leaf]:
    """Page by page, the newest first."""
    before: int | None = None
    while page := store.leaves(wanted, before, _PAGE):
        yield from page
        before = page[-1].index


def _print(replayed: Replayed) -> None:
    from broker.authoring.replay import UNTOLD

    differing = replayed.differing
    for each, numbers in differing.items():
        typer.echo(f"{each.consumer} → {each.dataset} [{', '.join(each.fields)}]  {each.purpose}")
        for fact in each.facts:
            typer.echo(f"  {fact.name}: {fact.before} → {fact.after}")
        if each.why:
            typer.echo(f"  原因 why: {', '.join(each.why)}")
        rules = dict.fromkeys(", ".join(found) or "—" for found in (each.rules_before, each.rules_after))
        typer.echo(f"  规则 rules: {' → '.join(rules)}")
        shown = ", ".join(map(str, numbers[:_MOST_SHOWN]))
        more = " …" if len(numbers) > _MOST_SHOWN else ""
        typer.echo(f"  回执 {len(numbers)} 份 receipts: {shown}{more}\n")
    total = sum(map(len, differing.values()))
    typer.echo(f"重办 {replayed.applications} 个申请，{total} 个会不同。")
    typer.echo(f"{replayed.applications} applications decided again, {total} would differ.")
    for reason, count in replayed.untold.items():
        words = UNTOLD[reason]
        typer.echo(f"{count} 个无法重办：{words.zh} / {count} cannot be decided again: {words.en}")


def _json(replayed: Replayed, hash_: str) -> str:
    return orjson.dumps(
        {
            "format": "share-policy-replay/v1",
            "bundle": hash_,
            "applications": replayed.applications,
            "differing": [
                {**asdict(each), "receipts": numbers} for each, numbers in replayed.differing.items()
            ],
            "untold": {reason.value: count for reason, count in replayed.untold.items()},
        },
        option=orjson.OPT_INDENT_2,
    ).decode()
