"""One batch of the log, judged entry by entry: what is recorded, what is a retry, what is refused.

Runs under the log's exclusive lock and touches neither database nor clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import orjson

from broker.errors import Changed, Conflict
from broker.journal import Claim, EpochMoved, Leaf, QuotaExceeded, RequestKey
from broker.model import Charge, Entry, EntryKind
from broker.reasons import Reason
from broker.receipt.merkle import leaf_entry


@dataclass(frozen=True, slots=True)
class Admitted:
    """Where the entry's receipt is: its own leaf or, for a retry, that of the first attempt."""

    leaf_index: int
    redelivered: bool


def request_key(entry: Entry) -> RequestKey | None:
    """The request id that the entry claims, with its consumer; None when it claims none."""
    return (entry.consumer_uri, entry.request_id) if entry.request_id else None


@dataclass(slots=True)
class Batch:
    """The leaves that one transaction will append after the first ``size`` ones, under one epoch.

    ``claims`` and ``used`` hold what is known of the batch's request ids and quotas, and grow with it.
    """

    size: int
    epoch: int
    now: datetime
    claims: dict[RequestKey, Claim]
    used: dict[str, int]
    leaves: list[Leaf] = field(default_factory=list)

    def admit(self, entry: Entry, rows: int) -> Admitted:
        """Records the entry, or a redelivery. A raised entry leaves no trace in the batch.

        Raises:
            EpochMoved: it was decided under another epoch.
            Conflict: another request has used this request id.
            Changed: the same request was answered otherwise before.
            QuotaExceeded: a charge does not fit; ``rows`` is the amount of those that count rows.
        """
        if entry.epoch not in (None, self.epoch):
            raise EpochMoved(self.epoch)
        key = request_key(entry)
        if key is not None and key in self.claims:
            return self._redeliver(entry, self.claims[key])
        self._charge(entry.charges, rows)
        index = self._add(entry)
        if key is not None:
            self.claims[key] = Claim(index, entry.request_mac, entry.answer_digest, entry.verdict)
        return Admitted(index, redelivered=False)

    def _redeliver(self, entry: Entry, claim: Claim) -> Admitted:
        """Charges nothing: what goes out was charged when it first went out."""
        if claim.request_mac != entry.request_mac:
            raise Conflict(Reason.REQUEST_ID_REUSED)
        if (claim.answer_digest, claim.verdict) != (entry.answer_digest, entry.verdict):
            raise Changed(Reason.DATA_CHANGED)
        self._add(_redelivery(entry, claim.leaf_index, self.now))
        return Admitted(claim.leaf_index, redelivered=True)

    def _charge(self, charges: tuple[Charge, ...], rows: int) -> None:
        used: dict[str, int] = {}
        for charge in charges:
            before = used.get(charge.counter, self.used.get(charge.counter, 0))
            after = before + (rows if charge.amount is None else charge.amount)
            if after > charge.limit:
                raise QuotaExceeded(charge)
            used[charge.counter] = after
        self.used.update(used)

    def _add(self, entry: Entry) -> int:
        index = self.size + len(self.leaves)
        self.leaves.append(Leaf(index, leaf_entry(entry.statement), entry))
        return index


def _redelivery(entry: Entry, of: int, now: datetime) -> Entry:
    """The entry that says: leaf ``of`` was handed out once more; it tells the whole exchange again."""
    statement = orjson.loads(entry.statement) | {"kind": EntryKind.REDELIVERED, "of": of}
    return Entry(
        kind=EntryKind.REDELIVERED,
        statement=orjson.dumps(statement, option=orjson.OPT_SORT_KEYS),
        recorded_at=now,
        consumer=entry.consumer,
        consumer_uri=entry.consumer_uri,
        provider=entry.provider,
        dataset=entry.dataset,
        purpose=entry.purpose,
        verdict=entry.verdict,
    )
