"""Which standing approvals end soon, so that their owners are warned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from broker.approve.files import MANIFEST, Files
from broker.approve.rule import WARN_BEFORE
from broker.publication.responsibility import owner_of


@dataclass(frozen=True, slots=True)
class Ending:
    """A file whose permits stop speaking soon, or do not speak."""

    owner: str
    """Department."""
    file: str
    until: datetime | None
    """When the approval expires, or has; None when there is none."""


def endings(files: Files, standing: Mapping[str, datetime], now: datetime) -> tuple[Ending, ...]:
    """Those of a bundle in force, by owner and file: catalogs and policies without an approval that stands
    for another 30 days (:data:`~broker.approve.rule.WARN_BEFORE`)."""
    owned = ((owner_of(file, content), file) for file, content in files.items() if file != MANIFEST)
    return tuple(
        Ending(owner, file, standing.get(file))
        for owner, file in sorted(owned)
        if owner and ((until := standing.get(file)) is None or until - now < WARN_BEFORE)
    )
