"""Duties after delivery (数据销毁): what a consumer must dispose of, when, how, and what came of it.

《政务数据共享条例》 Art. 27: when the purpose has ended, the consumer disposes of the data as the provider
requires; Art. 29: the disposal is recorded (销毁情况).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache

MOST_DAYS = 100 * 366
"""Longest retention: what a policy says beyond that might end beyond all dates."""


class DisposalMethod(StrEnum):
    """How data are made unrecoverable (处置方式), from the weakest to the strongest (NIST SP 800-88 Rev. 1
    §2.5)."""

    CLEAR = "clear"
    """清除: deleted or overwritten by the ordinary commands of the system."""
    PURGE = "purge"
    """净化: so that a laboratory does not get them back; also by destroying the key that they are encrypted
    under."""
    DESTROY = "destroy"
    """物理销毁: the medium is gone."""

    def satisfies(self, wanted: DisposalMethod) -> bool:
        """Whether it is at least as strong as what is wanted."""
        methods = list(DisposalMethod)
        return methods.index(self) >= methods.index(wanted)


class DisposalCause(StrEnum):
    """Why it is time to dispose of data."""

    RETENTION = "retention"
    """They were kept for as long as they may be."""
    PURPOSE_ENDED = "purpose_ended"
    """What they were for is done, or the grant has ended."""
    MISUSE = "misuse"
    """The consumer is suspended for misuse."""
    ORDERED = "ordered"
    """An officer of the provider or the authority says so, for the reason given."""


@dataclass(frozen=True, slots=True)
class Retained:
    """Of a leaf that tells of records handed over: what its duty of disposal is told by."""

    dispose_by: datetime
    grant: str = ""
    """Number of the grant it was under; empty for a standing approval."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a consumer holds of one dataset, for one purpose, under one grant: what an order is about."""

    consumer: str
    """Department id."""
    provider: str
    dataset: str
    purpose: str
    grant: str = ""


@dataclass(frozen=True, slots=True)
class DeliverySet:
    """Holding of one :class:`Holding` with the same last day: all of them in a range of leaves that no
    earlier order names."""

    dispose_by: datetime
    first: int
    """Leaf of the first of them."""
    last: int
    count: int
    digest: bytes
    """SHA-256 over their leaf indices, 8 bytes each, big-endian, in ascending order."""


@dataclass(frozen=True, slots=True)
class Disposal:
    """A disposal order (销毁指令), and what came of it."""

    order: int
    """Its leaf."""
    of: Holding
    cause: DisposalCause
    method: DisposalMethod
    """What the provider requires at least."""
    count: int
    """Number of deliveries."""
    ordered_at: datetime
    due_at: datetime
    """By when the certificate must be there."""
    certificate: int | None = None
    """Leaf of the certificate."""
    exceptions: int = 0
    """How many deliveries were kept on a legal basis, as the certificate says."""
    missing: int | None = None
    """The leaf that says there was no certificate in time."""
    sets: tuple[DeliverySet, ...] = field(default=(), compare=False)
    """Only where the order's statement was read."""


def dispose_by(recorded_at: datetime, days: int, zone: tzinfo) -> datetime:
    """The end of the last day on which data may be kept that were delivered then: the day of delivery does
    not count, and the last day ends at 24:00 (《民法典》 Art. 201, 203). That it is a holiday delays nothing:
    the time is the longest that is allowed. In UTC."""
    return end_of(recorded_at.astimezone(zone).date() + timedelta(min(days, MOST_DAYS)), zone)


@lru_cache(maxsize=256)
def end_of(day: date, zone: tzinfo) -> datetime:
    """Midnight at the end of a day, in UTC: asked again and again for the same few days."""
    return datetime.combine(day + timedelta(1), time(), zone).astimezone(UTC)
