"""Which standing approvals end soon, so that their owners are warned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from broker.approve.rule import WARN_BEFORE


@dataclass(frozen=True, slots=True)
class Ending:
    """A file whose permits stop speaking soon, or do not speak."""

    owner: str
    """Department."""
    file: str
    until: datetime | None
    """When the approval expires, or has; None when there is none."""


def endings(owners: Mapping[str, str], standing: Mapping[str, datetime], now: datetime) -> tuple[Ending, ...]:
    """Those of ``owners`` (file → department), by owner and file, that have no approval which stands for
    another 30 days (:data:`~broker.approve.rule.WARN_BEFORE`)."""
    return tuple(
        Ending(owner, file, standing.get(file))
        for file, owner in sorted(owners.items(), key=lambda owned: (owned[1], owned[0]))
        if (until := standing.get(file)) is None or until - now < WARN_BEFORE
    )
