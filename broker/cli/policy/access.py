"""``sharebroker policy matrix|diff``: who may see what, and what a change does to that."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder, bundle_in_force, operators
from broker.errors import SetUpError
from broker.settings import load_settings

if TYPE_CHECKING:
    from broker.approve.bundle import Bundle
    from broker.authoring.matrix import Wanted
    from broker.model import Catalog

IN_FORCE = "in-force"
_HASH = re.compile("[0-9a-f]{64}")


class MatrixFormat(StrEnum):
    """How the matrix is written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class DiffFormat(StrEnum):
    """How a difference is written."""

    TEXT = "text"
    MARKDOWN = "markdown"


Which = Annotated[
    str,
    typer.Argument(
        help="策略文件夹、已发布策略包的散列，或 in-force（生效的） / "
        "folder, hash of a published bundle, or in-force"
    ),
]


def matrix(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="同 diff / as for diff")],
    department: Annotated[str, typer.Option(help="需求部门，编号或名称 / consumer, by id or title")] = "",
    dataset: Annotated[str, typer.Option(help="数据资源 / dataset")] = "",
    purpose: Annotated[str, typer.Option(help="使用场景 / purpose")] = "",
    field: Annotated[str, typer.Option(help="数据项编号 / field")] = "",
    format_: Annotated[
        MatrixFormat, typer.Option("--format", help="输出格式 / output format")
    ] = MatrixFormat.TEXT,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """列出谁可以为何看哪些数据项、怎样脱敏 / list who may see which field, why, under which mask."""
    from broker.authoring import matrix_text
    from broker.authoring.matrix import Wanted
    from broker.authoring.matrix import matrix as access

    bundle = bundle_of(folder, config)
    catalog = bundle.catalog
    found = access(bundle, _within(Wanted(department, dataset, purpose, field), catalog))
    match format_:
        case MatrixFormat.TEXT:
            _write(f"{line}\n" for line in matrix_text.text(found, catalog))
        case MatrixFormat.CSV:
            _write(matrix_text.rows(found, catalog))
        case MatrixFormat.JSON:
            typer.echo(_json(matrix_text.as_json(found, bundle.hash)))
        case MatrixFormat.HTML:
            _write(f"{line}\n" for line in matrix_text.page(found, catalog, bundle.hash))


def diff(
    old: Which,
    new: Which,
    format_: Annotated[
        DiffFormat, typer.Option("--format", help="输出格式 / output format")
    ] = DiffFormat.TEXT,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """比较两份策略：新增、放宽、收紧、取消了什么；有扩大则退出码为 1 / what a change does to access."""
    from broker.authoring import difference_text
    from broker.authoring.diff import diff as compare

    difference = compare(bundle_of(old, config), bundle_of(new, config))
    if as_json:
        typer.echo(_json(difference_text.as_json(difference)))
    else:
        write = difference_text.text if format_ is DiffFormat.TEXT else difference_text.markdown
        _write([write(difference)])
    if difference.widened:
        raise typer.Exit(1)


def bundle_of(said: str, config: Path) -> Bundle:
    """The bundle in a folder, one that was published, by its hash, or the one in force.

    Raises:
        SetUpError: there is none, or everything that is wrong with it.
    """
    if said == IN_FORCE:
        return bundle_in_force(config)[1]
    if Path(said).is_dir() or not _HASH.fullmatch(said):
        return bundle_in_folder(Path(said), config)
    from broker.approve.files import unpack
    from broker.server.bundles import compiler
    from broker.store.store import open_store

    with closing(open_store(load_settings(config).store_url)) as store, store.epochs() as tables:
        packed = tables.bundle(said)
    if packed is None:
        raise SetUpError(
            f"数据库中没有散列为 {said} 的策略包。", f"The database holds no bundle with the hash {said}."
        )
    return compiler(operators(config))(unpack(packed, said))


def _within(wanted: Wanted, catalog: Catalog) -> Wanted:
    """The same by ids.

    Raises:
        SetUpError: something of that name is not there; says which is nearest.
    """
    from broker.approve.problem import DATASET, DEPARTMENT, FIELD, PURPOSE
    from broker.authoring.matrix import Wanted
    from broker.authoring.names import datasets, departments, resolve

    titles = {f.name: f.name for dataset in catalog.datasets.values() for f in dataset.fields.values()}
    return Wanted(
        wanted.department and resolve(wanted.department, DEPARTMENT, departments(catalog)),
        wanted.dataset and resolve(wanted.dataset, DATASET, datasets(catalog)),
        wanted.purpose and resolve(wanted.purpose, PURPOSE, catalog.purposes),
        wanted.field and resolve(wanted.field, FIELD, titles),
    )


def _write(parts: Iterable[str]) -> None:
    for part in parts:
        sys.stdout.write(part)


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
