"""Which operators are installed here, which of them are allowed, and who offers them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.policy.bundles import bundle_in_folder

if TYPE_CHECKING:
    from broker.model import MaskOrder

Policies = Annotated[
    Path | None,
    typer.Option(
        "--policies",
        metavar="DIR",
        help="策略文件夹，取其强弱次序与脱敏方案 / folder whose masking.yaml and profiles count",
    ),
]


def packages() -> Mapping[str, list[str]]:
    """Operator's name → the packages that offer it, with their versions; none of them is imported."""
    from adapters.masking.contract import ENTRY_POINT_GROUP

    offered: dict[str, list[str]] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        offered.setdefault(point.name, []).append(_package(point))
    return offered


def order_in(folder: Path | None, config: Path) -> MaskOrder:
    """Which masks are stricter by the folder's ``masking.yaml``; without a folder none is.

    Raises:
        SetUpError: everything that is wrong with the folder.
    """
    from broker.model import MaskOrder

    return MaskOrder() if folder is None else bundle_in_folder(folder, config).catalog.mask_order


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
