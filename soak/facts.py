"""What the log says of each leaf, as far as it is judged, and what must not be found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson

from broker.model import EntryKind


class Wrong(StrEnum):
    """What must not happen."""

    LOST = "acknowledged receipts lost"
    FORKED = "forks"
    UNRECEIPTED = "releases without a leaf"
    UNVERIFIED = "receipts that do not verify offline"
    INTERRUPTED = "streams falsely interrupted"
    UNCLOSED = "streams without an outcome"
    REPEATED = "exchanges or deliveries out of step with their request id"
    DAMAGED = "contradictions in the stored log"
    FAILED = "calls that failed as none should"


@dataclass(frozen=True, slots=True)
class Fault:
    """One case of it, and where: a leaf, a tree size or a request id."""

    wrong: Wrong
    where: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What one leaf's statement says."""

    kind: str
    request_id: str = ""
    verdict: str = ""
    digest: str = ""
    interrupted: bool = False
    reasons: tuple[str, ...] = ()
    """Why it was interrupted."""
    known_until: str = ""
    """Of an outcome that another than the stream's process recorded: when its numbers were right."""
    chunks: int = 0
    """Of a stream's outcome: how many chunks its digest covers."""
    leased: bool = False
    """Whether it is of a stream with a lease."""
    decision_leaf: int = -1
    of: int = -1
    """The leaf of the first answer, for a redelivery."""

    @property
    def opens(self) -> bool:
        """Whether it opens a stream: a first attempt, or another."""
        return self.leased and self.kind in (EntryKind.STREAM_DECISION, EntryKind.REDELIVERED)

    @classmethod
    def from_statement(cls, statement: bytes) -> Fact:
        said = orjson.loads(statement)
        outcome = said.get("outcome") or {}
        return cls(
            kind=said["kind"],
            request_id=said.get("request_id", ""),
            verdict=said.get("decision", {}).get("verdict", ""),
            digest=outcome.get("digest", ""),
            interrupted=outcome.get("interrupted", False),
            reasons=tuple(reason["code"] for reason in outcome.get("reasons", ())),
            known_until=outcome.get("known_until", ""),
            chunks=outcome.get("chunks", 0),
            leased="lease_seconds" in said,
            decision_leaf=said.get("decision_leaf", -1),
            of=said.get("of", -1),
        )
