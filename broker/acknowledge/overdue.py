"""Deliveries that were not acknowledged in time: a leaf says so, once, whoever notices.

All who serve streams look. The deadline is compared with the clock that dates the entry; who of several was
first is settled under the log's lock, and so is whether the acknowledgement came before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import orjson
import structlog

from broker.errors import NotFound, Unavailable
from broker.journal import DeliveryOnRecord, DeliverySettled
from broker.model import Entry, EntryKind
from broker.receipt.acknowledgements import missing
from broker.receipt.log import ReceiptLog
from broker.rounds import Rounds
from broker.store.store import Store

log = structlog.get_logger("sharebroker.deliveries")

LOOK_SECONDS = 30.0
"""How often; deadlines are set in hours."""

AT_ONCE = 256
MOST_FAILURES = 4
"""After so many there is nothing that one look can do: the database or the signer is away."""


class Overdue:
    """Records which deliveries were not acknowledged in time."""

    def __init__(self, store: Store, receipts: ReceiptLog, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._receipts = receipts
        self._clock = clock
        self._rounds = Rounds("overdue-deliveries", self.record, lambda: LOOK_SECONDS)

    def start(self) -> None:
        """Look from now on."""
        self._rounds.start()

    def stop(self) -> None:
        """Leave it to others."""
        self._rounds.stop()

    def record(self) -> int:
        """Records all that are overdue now; gives how many of them it was the first to record.

        Raises:
            Unavailable: database or signer cannot be reached.
        """
        recorded = 0
        while (found := self._store.unacknowledged(self._clock(), AT_ONCE)) and not self._rounds.stopped:
            failed: list[Unavailable] = []
            before = recorded
            for one in found:
                try:
                    recorded += self._record(one)
                except Unavailable as failure:
                    failed.append(failure)  # of one whose statement was altered; the others are recorded
                    if len(failed) == MOST_FAILURES:
                        raise
            if recorded == before:
                if failed:
                    raise failed[0]
                break
        return recorded

    def _record(self, found: DeliveryOnRecord) -> bool:
        delivery, now = found.delivery, self._clock()
        told = self._proved(found)
        if told is None or delivery.due_at is None:
            return False
        entry = Entry(
            kind=EntryKind.ACKNOWLEDGEMENT_MISSING,
            statement=missing(delivery.leaf_index, told, delivery.due_at, now),
            recorded_at=now,
            consumer=told.consumer,
            consumer_uri=told.consumer_uri,
            provider=told.provider,
            dataset=told.dataset,
            purpose=told.purpose,
            delivery=delivery.leaf_index,
        )
        try:
            leaf = self._receipts.append(entry).receipt.leaf_index
        except DeliverySettled:
            return False  # acknowledged just now, or recorded by another
        log.warning("acknowledgement_missing", delivery=delivery.leaf_index, receipt=leaf)
        return True

    def _proved(self, found: DeliveryOnRecord) -> Entry | None:
        """The delivery as the log has it, for whoever can write to the database could have a department
        accused by it; None for one whose statement was erased, or names another deadline or none."""
        leaf_index = found.delivery.leaf_index
        try:
            content = orjson.loads(self._receipts.receipt(leaf_index).statement)
        except NotFound:
            return None
        due_at = content.get("acknowledge_by")
        if due_at is None or datetime.fromisoformat(due_at) != found.delivery.due_at:
            log.critical("deadline_altered", delivery=leaf_index)
            return None
        consumer = content["consumer"]
        return replace(
            found.entry,
            consumer=consumer["department"],
            consumer_uri=consumer["uri"],
            **{name: content[name] for name in ("provider", "dataset", "purpose")},
        )
