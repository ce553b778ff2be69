"""Use commitments (数据使用责任状): the template that policy demands, and what a consumer has signed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from broker.model.parties import Identity


class Signer(StrEnum):
    """By whose key of the consumer's department a commitment is signed."""

    SYSTEM = "system"
    """Any system of the department: in the call, by itself."""
    OFFICER = "officer"
    """A sharing officer of the department, a person."""


@dataclass(frozen=True, slots=True)
class CommitmentTemplate:
    """One version of a text with blanks (``commitments/<id>.yaml``). Texts are as written: ``{dataset}``."""

    id: str
    version: int
    owner: str
    """The department that wrote it and must approve its change."""
    title: str
    text: str
    duties: tuple[str, ...]
    """One sentence each; numbered below the text."""
    title_en: str = ""
    text_en: str = ""
    duties_en: tuple[str, ...] = ()
    signer: Signer = Signer.SYSTEM
    valid_days: int | None = None
    """For how many days one commitment may stand for all calls of its dataset and purpose; None: it is signed
    for each call."""
    retain_days: int | None = None
    """What fills ``{retain_days}``."""

    @property
    def name(self) -> str:
        """Resource name."""
        return f"commitmentTemplates/{self.id}"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The end of a lodged commitment, before it expires."""

    leaf: int
    """That lodged it."""
    template: str
    consumer: str
    provider: str
    dataset: str
    purpose: str


@dataclass(frozen=True, slots=True)
class UseCommitment:
    """A commitment that a consumer signed; made by who has verified it."""

    template: str
    version: int
    text: str = dataclasses.field(repr=False)
    """The whole text that was signed, filled."""
    consumer: str
    """Department."""
    dataset: str
    purpose: str
    case_no: str
    request_id: str
    """The one call that it is for; empty: it stands until it expires."""
    issued: datetime
    expires: datetime
    message: bytes = dataclasses.field(repr=False)
    """The COSE_Sign1."""
    digest: bytes
    """Its SHA-256."""
    signer: Identity
    lodged: int | None = None
    """The leaf that holds it, of one that was lodged before; None: it came with the request."""
