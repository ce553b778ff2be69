"""What is in force, and who put it so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from broker.model.exchange import Application


class Target(StrEnum):
    """What a suspension stops."""

    CONSUMER = "consumer"
    """A department as consumer."""
    DATASET = "dataset"
    PURPOSE = "purpose"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Suspension:
    """Sharing stopped (暂停共享) until somebody lifts it: the kill switch."""

    number: int
    """Sequence of the epoch that began with it, its name among people; 0: none, in policy cases."""
    target: Target
    name: str
    """Id of the department, dataset or purpose; empty for everything."""
    reason: str
    actor: str
    """Who ordered it, as they said."""
    since: datetime
    lifted: int | None = None
    """Sequence of the epoch that lifted it; None while it is in force."""
    provider: str = ""
    """It stops only what this department provides; empty: whoever provides it."""
    department: str = ""
    """Whose officer ordered it; empty: it was ordered on the broker's host."""
    mend_by: datetime | None = None
    """By when what it was ordered for must be put right (限期整改, Article 27 of 《政务数据共享条例》)."""

    @property
    def resource_name(self) -> str:
        """``suspensions/{number}``."""
        return f"suspensions/{self.number}"

    @property
    def told(self) -> str:
        """What those whom it stops are told of it, which is not why: what is stopped, and its name."""
        stopped = self.name or self.provider or self.target
        return f"{stopped} {self.resource_name}" if self.number else stopped

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is still in force after :attr:`mend_by`: nothing was put right."""
        return self.lifted is None and self.mend_by is not None and self.mend_by <= now

    def covers(self, application: Application) -> bool:
        """Whether it stops ``application``."""
        return self.stops({application.consumer.department}, application.dataset, application.purpose)

    def stops(self, consumers: Collection[str], dataset: str, purpose: str) -> bool:
        """Whether it stops what goes to any of these departments out of that dataset for that purpose."""
        if self.provider and self.provider != provider_of(dataset):
            return False
        match self.target:
            case Target.CONSUMER:
                return self.name in consumers
            case Target.DATASET:
                return dataset == self.name
            case Target.PURPOSE:
                return purpose == self.name
            case Target.EVERYTHING:
                return True


def provider_of(dataset: str) -> str:
    """Department id in a dataset's id."""
    return dataset.partition(".")[0]


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """Which key masks, by name. A keyring without exactly this key is another keyring."""

    version: int
    """0: none is named."""
    fingerprint: str
    """16 hexadecimal digits, the same for the same key only; they tell nothing of it."""


NO_KEY = KeyInUse(0, "")
"""In epochs of before keys were part of them."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is in force, by name. What was decided under one epoch is recorded under it, or decided again."""

    sequence: int
    """From 1; grows by one whenever anything of it changes, suspensions included."""
    bundle_hash: str
    crl_number: int
    since: datetime
    key: KeyInUse = NO_KEY
    """The version of the keyring that masks from here on."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A bundle that an officer proposes to put in force (策略草案)."""

    number: int
    """From 1; its name among people."""
    bundle_hash: str
    sequence: int
    """What it would be in the history of bundles, if it is published."""
    previous: str
    """Hash of the bundle that it is to follow; once another is in force the proposal is stale."""
    proposer: str
    """SPIFFE id of the officer."""
    reason: str
    proposed_at: datetime
    signed: bytes
    """The proposer's signature, see ``docs/standing-approval.md``."""
    checks: bytes = b"{}"
    """What the tools said of it, JSON: tool → text."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One bundle's coming into force; all of them are the history."""

    sequence: int
    """From 1; grows by one with each bundle."""
    bundle_hash: str
    epoch: int
    """Sequence of the epoch that began with it."""
    published_at: datetime
    actor: str
    reason: str
    proposal: int | None = None
    """Number of the proposal; None for what was published without one."""
