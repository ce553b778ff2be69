"""What the clock brings about: orders for what may be kept no longer, and that a certificate did not come.

All who serve streams look. Who of several was first is settled under the log's lock, and so is whether the
certificate came before: there is one order for each delivery, and one such leaf for each order.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import orjson
import structlog

from broker.disposal.ordering import Orders
from broker.disposal.recording import recording
from broker.errors import NotFound, Unavailable
from broker.model import Disposal, EntryKind
from broker.receipt.disposals import missing, ordered_of
from broker.receipt.log import ReceiptLog
from broker.rounds import Rounds
from broker.store.store import Store

log = structlog.get_logger("sharebroker.disposals")

LOOK_SECONDS = 30.0
"""How often; what is due is due at the end of a day."""

AT_ONCE = 256


class DisposalWatch:
    """Orders what is due, and records which orders were not obeyed in time."""

    def __init__(
        self, orders: Orders, store: Store, receipts: ReceiptLog, clock: Callable[[], datetime]
    ) -> None:
        self._orders = orders
        self._store = store
        self._receipts = receipts
        self._clock = clock
        self._rounds = Rounds("disposals", self.record, lambda: LOOK_SECONDS)

    def start(self) -> None:
        """Look from now on."""
        self._rounds.start()

    def stop(self) -> None:
        """Leave it to others."""
        self._rounds.stop()

    def record(self) -> int:
        """Records all that is due now; gives how many leaves it was the first to record.

        Raises:
            Unavailable: database or signer cannot be reached, or a statement was altered.
        """
        try:
            recorded = self._orders.record_due()
        finally:
            missed = self._missed()
        if recorded + missed:
            self._receipts.sign()
        return recorded + missed

    def _missed(self) -> int:
        recorded, failed = 0, None
        with self._store.disposals() as tables:
            found = tables.overdue(self._clock(), AT_ONCE)
        for one in found:
            try:
                recorded += self._miss(one)
            except Unavailable as failure:
                failed = failure  # of one whose statement was altered; the others are recorded
        if failed is not None:
            raise failed
        return recorded

    def _miss(self, found: Disposal) -> bool:
        disposal = self._proved(found)
        if disposal is None:
            return False
        with recording(self._store, self._clock) as acting:
            tables = acting.transaction.disposals
            known = tables.order(disposal.order)
            if known is None or known.certificate is not None or known.missing is not None:
                return False  # certified just now, or recorded by another
            statement = missing(disposal, acting.now)
            leaf = acting.append(EntryKind.DISPOSAL_MISSING, statement, disposal.of)
            tables.missed(disposal.order, leaf)
        log.warning("disposal_missing", order=disposal.order, receipt=leaf)
        return True

    def _proved(self, found: Disposal) -> Disposal | None:
        """The order as the log has it, for whoever can write to the database could have a department accused
        by it; None for one whose statement was erased, or has another deadline."""
        try:
            content = orjson.loads(self._receipts.receipt(found.order).statement)
        except NotFound:
            return None
        is_order = content["kind"] == EntryKind.DISPOSAL_ORDER
        proved = ordered_of(content, found.order) if is_order else None
        if proved is None or proved.due_at != found.due_at:
            log.critical("deadline_altered", order=found.order)
            return None
        return proved
