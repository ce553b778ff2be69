"""Streams in one batch of the log: what an opening and an outcome do to leases and request ids.

Under one request id (claimed by the first attempt's decision) there is at most one stream under way. Whoever
asks again while one is under way takes over: the earlier attempt gets its outcome, *interrupted*, in the same
transaction. The first complete outcome answers the id; later ones must have the same digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from broker.errors import Unavailable
from broker.journal import Claim, Lease, LeaseLost, LeaseTable, RequestKey
from broker.model import Entry, EntryKind, LeaseEnd, Verdict
from broker.reasons import Reason
from broker.receipt.disposals import retained_of
from broker.receipt.indexed import indexed
from broker.receipt.statement import instant


@dataclass(slots=True)
class Leases:
    """The leases as a batch finds them, and as it leaves them."""

    live: dict[int, Lease] = field(default_factory=dict)
    """Opening leaf → lease."""
    begun: dict[int, Lease] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    answered: dict[RequestKey, Claim] = field(default_factory=dict)
    """Request ids that have got their complete outcome."""

    @classmethod
    def of(cls, live: Iterable[Lease]) -> Leases:
        return cls({lease.opening: lease for lease in live})

    def under(self, key: RequestKey) -> Lease | None:
        """The stream under way under a request id."""
        return next((lease for lease in self.live.values() if lease.key == key), None)

    def required(self, end: LeaseEnd) -> Lease:
        """The lease that an outcome is to end.

        Raises:
            LeaseLost: it has ended, or was renewed since it was looked at.
        """
        lease = self.live.get(end.opening)
        if lease is None or end.renewals not in (None, lease.renewals):
            raise LeaseLost
        return lease

    def begin(self, lease: Lease) -> None:
        self.live[lease.opening] = self.begun[lease.opening] = lease

    def end(self, lease: Lease) -> None:
        del self.live[lease.opening]
        if self.begun.pop(lease.opening, None) is None:
            self.ended.add(lease.opening)

    def settle(self, table: LeaseTable) -> None:
        """Write what has changed."""
        if self.begun or self.ended or self.answered:
            table.settle(self.begun.values(), self.ended, self.answered)


def interruption(lease: Lease, reason: Reason, now: datetime) -> Entry:
    """The outcome of a stream that did not live to record its own: what its holder had recorded last.

    Raises:
        Unavailable: what it had recorded is damaged.
    """
    unfinished = indexed(lease.unfinished)
    if unfinished is None or unfinished.kind is not EntryKind.STREAM_OUTCOME:
        raise Unavailable(Reason.LOG_UNAVAILABLE)
    content = unfinished.content
    statement = content | {
        "recorded_at": instant(now),
        "decision_leaf": lease.opening,
        "outcome": content["outcome"]
        | {"known_until": content["recorded_at"], "reasons": [{"code": reason, "about": ""}]},
    }
    return Entry(
        kind=unfinished.kind,
        statement=_dumped(statement),
        recorded_at=now,
        consumer=unfinished.consumer,
        consumer_uri=unfinished.consumer_uri,
        provider=unfinished.provider,
        dataset=unfinished.dataset,
        purpose=unfinished.purpose,
        verdict=Verdict(unfinished.verdict) if unfinished.verdict else None,
        lease=LeaseEnd(lease.opening, lease.renewals),
        retained=retained_of(content),
    )


def repeated(entry: Entry, of: int) -> Entry:
    """A complete outcome that brought what outcome ``of`` had brought before."""
    # It is due when the first is: a copy brings no time of its own.
    return replace(
        entry,
        statement=_dumped(without_deadline(_content(entry)) | {"of": of}),
        acknowledge_by=None,
        particulars=None,
    )


def changed(entry: Entry, of: int) -> Entry:
    """A complete outcome that brought something else than outcome ``of``, and so is none."""
    content = _content(entry)
    why = [{"code": Reason.DATA_CHANGED, "about": ""}]
    outcome = content["outcome"] | {"interrupted": True, "reasons": why}
    statement = _dumped(without_deadline(content) | {"outcome": outcome, "of": of})
    return replace(entry, statement=statement, acknowledge_by=None, particulars=None)


def without_deadline(content: dict[str, Any]) -> dict[str, Any]:
    """A statement's content without the time by which its delivery must be acknowledged."""
    return {name: value for name, value in content.items() if name != "acknowledge_by"}


def _content(entry: Entry) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(entry.statement)
    return content


def _dumped(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
