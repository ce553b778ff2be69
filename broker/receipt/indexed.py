"""What the store's columns say of a statement, told from the statement alone: ``fsck`` compares the two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import orjson

from broker.model import EntryKind, Target, provider_of
from broker.receipt.statement import FORMAT


@dataclass(frozen=True, slots=True)
class Indexed:
    """The members of a statement that are columns too, as the columns have them; "" for those it lacks."""

    kind: EntryKind
    recorded_at: datetime
    consumer: str
    consumer_uri: str
    provider: str
    dataset: str
    purpose: str
    verdict: str | None
    request_id: str
    answer_digest: bytes
    """Empty when nothing was released."""
    content: dict[str, Any]
    """The whole statement."""

    @property
    def claims(self) -> bool:
        """Whether its request id pointed to it, when it was recorded."""
        match self.kind:
            case EntryKind.EXCHANGE | EntryKind.DETOKENIZATION:
                return bool(self.answer_digest)
            case EntryKind.STREAM_DECISION:
                return self.leased
            case EntryKind.ACKNOWLEDGEMENT:
                return True
            case EntryKind.APPLICATION | EntryKind.DELEGATION:
                return bool(self.request_id)
            case EntryKind.STREAM_OUTCOME:
                complete = not self.content["outcome"]["interrupted"]
                return self.leased and complete and "of" not in self.content
        return False

    @property
    def leased(self) -> bool:
        """Whether it is of a stream that has a lease; older logs have streams without."""
        return "lease_seconds" in self.content

    @property
    def opens(self) -> bool:
        """Whether it opens a stream, which then has a lease until it has its outcome."""
        return self.leased and self.kind in (EntryKind.STREAM_DECISION, EntryKind.REDELIVERED)


def indexed(statement: bytes) -> Indexed | None:
    """What ``statement`` says of itself; None when it is no statement."""
    try:
        content = orjson.loads(statement)
        if content["format"] != FORMAT:
            return None
        kind, recorded_at = EntryKind(content["kind"]), datetime.fromisoformat(content["recorded_at"])
        found = Indexed(
            kind=kind,
            recorded_at=recorded_at.astimezone(UTC) if recorded_at.tzinfo else _undated(),
            **(_stopped(content) if kind is EntryKind.EPOCH else _parties(content)),
            verdict=content["decision"]["verdict"] if "decision" in content else None,
            request_id=content.get("request_id", ""),
            answer_digest=bytes.fromhex(content["outcome"]["digest"]) if "outcome" in content else b"",
            content=content,
        )
        _ = found.claims, found.opens  # which raise where they cannot be told
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return found


def _undated() -> NoReturn:
    raise ValueError("a time without zone is none")


def _parties(content: dict[str, Any]) -> dict[str, str]:
    nobody = {"department": "", "uri": ""}
    consumer = content.get("officer" if content["kind"] == EntryKind.DELEGATION else "consumer", nobody)
    return {
        "consumer": consumer["department"],
        "consumer_uri": consumer.get("uri", ""),  # an order is to a department
        **{name: content.get(name, "") for name in ("provider", "dataset", "purpose")},
    }


def _stopped(content: dict[str, Any]) -> dict[str, str]:
    """An act upon the epoch is listed under what it suspends, lifts or withdraws."""
    if (ended := content.get("commitment")) is not None:
        parties = {name: ended[name] for name in ("consumer", "provider", "dataset", "purpose")}
        return {**parties, "consumer_uri": ""}
    suspension = content.get("suspension", {"target": Target.EVERYTHING, "name": ""})
    stopped = {suspension["target"]: suspension["name"]}
    dataset = stopped.get(Target.DATASET, "")
    return {
        "consumer": stopped.get(Target.CONSUMER, ""),
        "consumer_uri": "",
        "provider": suspension.get("provider", "") or provider_of(dataset),
        "dataset": dataset,
        "purpose": stopped.get(Target.PURPOSE, ""),
    }
