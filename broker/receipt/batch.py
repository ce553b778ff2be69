"""One batch of the log, judged entry by entry: what is recorded, what is a retry, what is refused.

Runs under the log's exclusive lock and touches neither database nor clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from broker.errors import Changed, Conflict, Unavailable
from broker.journal import (
    Claim,
    Delivery,
    DeliverySettled,
    EpochMoved,
    Leaf,
    Lease,
    QuotaExceeded,
    RequestKey,
)
from broker.model import Charge, Entry, EntryKind, LeaseBegin, LeaseEnd
from broker.reasons import Reason
from broker.receipt.attempts import Leases, changed, interruption, repeated, without_deadline
from broker.receipt.chains import Chains
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

    ``claims``, ``used`` and ``leases`` hold what is known of the batch's request ids, of quotas and of
    streams under way, and change with it.
    """

    size: int
    epoch: int
    now: datetime
    claims: dict[RequestKey, Claim]
    used: dict[str, int]
    leaves: list[Leaf] = field(default_factory=list)
    leases: Leases = field(default_factory=Leases)
    needs: set[str] = field(default_factory=set)
    """Keys of needs that are on record."""
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    """Those that wait to be acknowledged, or are disputed, among those that the entries are about."""
    settled: dict[int, Delivery | None] = field(default_factory=dict)
    """What the batch made of them; None: acknowledged."""
    chains: Chains = field(default_factory=Chains)

    def admit(self, entry: Entry, rows: int) -> Admitted:
        """Records the entry, or a redelivery. A raised entry leaves no trace in the batch, but for the
        outcome of a stream that brought other data than before.

        Raises:
            EpochMoved: it was decided under another epoch.
            Conflict: another request has used this request id.
            Changed: the same request was answered otherwise before.
            LeaseLost: the stream has its outcome already.
            DeliverySettled: the delivery waits for no acknowledgement, or is known to lack one.
            QuotaExceeded: a charge does not fit; ``rows`` is the amount of those that count rows.
        """
        if entry.epoch not in (None, self.epoch):
            raise EpochMoved(self.epoch)
        if isinstance(entry.lease, LeaseBegin):
            return self._open(entry, entry.lease)
        if isinstance(entry.lease, LeaseEnd):
            return self._end(entry, entry.lease)
        if entry.delivery is not None:
            return self._settle(entry, entry.delivery)
        key = request_key(entry)
        if key is not None and key in self.claims:
            return self._redeliver(entry, self.claims[key])
        if entry.need is None or entry.need.key not in self.needs:
            self._charge(entry.charges, rows)
        index = self._add(entry)
        if entry.need is not None:
            self.needs.add(entry.need.key)
        if key is not None:
            self.claims[key] = Claim(index, entry.request_mac, entry.answer_digest, entry.verdict)
        return Admitted(index, redelivered=False)

    def _redeliver(self, entry: Entry, claim: Claim) -> Admitted:
        """Charges nothing: what goes out was charged when it first went out."""
        if claim.request_mac != entry.request_mac:
            raise Conflict(Reason.REQUEST_ID_REUSED)
        if (claim.answer_digest, claim.verdict) != (entry.answer_digest, entry.verdict):
            raise Changed(Reason.DATA_CHANGED, first_leaf=claim.leaf_index)
        self._add(_redelivery(entry, claim.leaf_index, self.now))
        return Admitted(claim.leaf_index, redelivered=True)

    def _open(self, entry: Entry, begin: LeaseBegin) -> Admitted:
        """A stream's first leaf, or that of another attempt at it, which is charged nothing."""
        key = (entry.consumer_uri, entry.request_id)
        claim = self.claims.get(key)
        if claim is None:
            self._charge(entry.charges, 0)
            index = self._add(entry)
            self.claims[key] = Claim(index, entry.request_mac, entry.answer_digest, entry.verdict)
        else:
            if claim.request_mac != entry.request_mac:
                raise Conflict(Reason.REQUEST_ID_REUSED)
            if earlier := self.leases.under(key):
                self._add(interruption(earlier, Reason.TAKEN_OVER, self.now))
                self.leases.end(earlier)
            index = self._add(_redelivery(entry, claim.leaf_index, self.now))
        self.leases.begin(Lease(index, key, begin.milliseconds, 0, begin.unfinished))
        return Admitted(index, redelivered=claim is not None)

    def _end(self, entry: Entry, end: LeaseEnd) -> Admitted:
        """A stream's outcome. The first that is complete is the answer to its request id."""
        lease = self.leases.required(end)
        claim = self.claims.get(lease.key)
        if entry.answer_digest and claim is None:
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        self.leases.end(lease)
        entry = replace(entry, request_id="")  # the decision has claimed it
        if claim is None or not entry.answer_digest:
            return Admitted(self._add(entry), redelivered=False)
        if claim.answer_digest == entry.answer_digest:
            return Admitted(self._add(repeated(entry, claim.leaf_index)), redelivered=True)
        if claim.answer_digest:
            self._add(changed(entry, claim.leaf_index))
            raise Changed(Reason.DATA_CHANGED)
        index = self._add(entry)
        answered = replace(claim, leaf_index=index, answer_digest=entry.answer_digest)
        self.claims[lease.key] = self.leases.answered[lease.key] = answered
        return Admitted(index, redelivered=False)

    def _settle(self, entry: Entry, delivery: int) -> Admitted:
        """What is said of a delivery, once: acknowledged, disputed, or not acknowledged in time."""
        key, before = request_key(entry), self.deliveries.get(delivery)
        if key is not None:
            if key in self.claims:
                return Admitted(self.claims[key].leaf_index, redelivered=True)
            index, after = self._add(entry), None
            self.claims[key] = Claim(index, entry.request_mac, entry.answer_digest, entry.verdict)
            self.deliveries.pop(delivery, None)
        elif entry.kind is EntryKind.ACKNOWLEDGEMENT_DISPUTED:
            before = before or Delivery(delivery, None)
            if before.disputed is not None:
                return Admitted(before.disputed, redelivered=True)
            index = self._add(entry)
            after = self.deliveries[delivery] = replace(before, disputed=index)
        else:
            if before is None or before.due_at is None or before.missing is not None:
                raise DeliverySettled
            index = self._add(entry)
            after = self.deliveries[delivery] = replace(before, missing=index)
        self.settled[delivery] = after
        return Admitted(index, redelivered=False)

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
        if self.chains.missing:
            for chain in self.chains.before(entry, self._end_of_log):
                self.leaves.append(Leaf(self._end_of_log, leaf_entry(chain.statement), chain))
        index = self._end_of_log
        self.leaves.append(Leaf(index, leaf_entry(entry.statement), entry))
        return index

    @property
    def _end_of_log(self) -> int:
        return self.size + len(self.leaves)


def _redelivery(entry: Entry, of: int, now: datetime) -> Entry:
    """The entry that says: leaf ``of`` was handed out once more; it tells the whole exchange again."""
    told = without_deadline(orjson.loads(entry.statement))
    statement = told | {"kind": EntryKind.REDELIVERED, "of": of}
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
        retained=entry.retained,
        chains=entry.chains,
        acts=entry.acts,
    )
