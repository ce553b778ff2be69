"""Corrections (校核纠错): what a consumer reports to be wrong in what it received, and what came of it.

Source: 《政务数据共享条例》 Article 26. A correction is known by the leaf of its report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class DataError(StrEnum):
    """What is said to be wrong."""

    WRONG_VALUE = "wrong_value"
    """值有误."""
    OUT_OF_DATE = "out_of_date"
    """未及时更新."""
    MISSING_RECORD = "missing_record"
    """有其人其事而无记录."""
    MISSING_VALUE = "missing_value"
    """记录有而该项为空."""
    WRONG_PERSON = "wrong_person"
    """所给的是他人的数据."""
    WRONG_FORMAT = "wrong_format"
    """格式不符."""


class Settlement(StrEnum):
    """How the provider answers."""

    CORRECTED = "corrected"
    """已更正: the source is right from a time on."""
    CONFIRMED = "confirmed"
    """经核无误: it was right."""
    REFERRED = "referred"
    """已转办: who holds the master data (一数一源) must decide, a province or ministry say."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction as the table has it; nothing in it is about a person."""

    leaf_index: int
    """Of the report."""
    receipt: int
    """The leaf of the exchange or stream outcome that it is about."""
    error: DataError
    fields: tuple[str, ...]
    """In ascending order."""
    due_at: datetime
    """By when the provider must answer."""
    settlement: Settlement | None = None
    answered: int | None = None
    """The leaf of the answer."""
    overdue: int | None = None
    """The leaf that says that no answer came in time."""
    told: int | None = None
    """Of a corrected one, the last of the leaves that tell who received the value; None until then."""
    held: bytes = field(default=b"", repr=False)
    """What was said of the person, sealed; empty once it is needed no more."""
    request_mac: bytes = field(default=b"", repr=False)
    """Keyed digest of the report, by which a retry is known; empty likewise."""


@dataclass(frozen=True, slots=True)
class CorrectionOnRecord:
    """A correction with what its report is listed by."""

    correction: Correction
    consumer: str
    """Department id, as the next."""
    provider: str
    dataset: str
    purpose: str
    reporter: str
    """SPIFFE id."""
    reported_at: datetime
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CorrectionFilter:
    """Which corrections to list; empty means any. The last two are what the reader may see."""

    dataset: str = ""
    consumer: str = ""
    provider: str = ""
    open_only: bool = False
    """Only those without answer."""
    overdue_at: datetime | None = None
    """Only those without answer that were due by then."""
    party: str = ""
    """Only those that this department reported or must answer."""
    reporter: str = ""
    """Only those of this caller."""
