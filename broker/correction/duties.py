"""What falls due of corrections: an answer that did not come in time, and telling who received the value.

All who serve streams look. Who of several was first is settled under the log's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
import structlog

from broker.correction.answer import Answerer
from broker.correction.recipients import Recipients, Wrong, numbers
from broker.epoch import Epochs
from broker.errors import NotFound, Unavailable
from broker.marks import Marks
from broker.model import CorrectionOnRecord, Entry, EntryKind
from broker.receipt.corrections import Reach, Told, notice, overdue
from broker.receipt.log import ReceiptLog, append_alone
from broker.rounds import Rounds
from broker.store.store import Store

log = structlog.get_logger("sharebroker.corrections")

LOOK_SECONDS = 5.0
"""How often: whoever received a wrong value should not decide by it."""
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Duties:
    """Wired once at start."""

    epochs: Epochs
    store: Store
    log: ReceiptLog
    marks: Marks
    answerer: Answerer
    clock: Callable[[], datetime]

    def rounds(self) -> Rounds:
        """Does what is due, again and again."""
        return Rounds("corrections", self.do, lambda: LOOK_SECONDS)

    def do(self) -> int:
        """Does all that is due now; gives how many corrections it has recorded something of.

        Raises:
            Unavailable: database, signer or vault cannot be reached; or one correction was altered, while of
                the others all is done.
        """
        failed: list[Unavailable] = []
        done = sum([_tried(self._record_overdue, one, failed) for one in self._overdue()])
        done += sum([_tried(self._tell, one, failed) for one in self._untold()])
        if failed:
            raise failed[0]
        return done

    def _overdue(self) -> list[CorrectionOnRecord]:
        with self.store.corrections() as tables:
            return tables.unanswered(self.clock(), AT_ONCE)

    def _untold(self) -> Iterator[CorrectionOnRecord]:
        after = -1
        while True:
            with self.store.corrections() as tables:
                found = tables.untold(after, AT_ONCE)
            yield from found
            if len(found) < AT_ONCE:
                return
            after = found[-1].correction.leaf_index

    def _record_overdue(self, found: CorrectionOnRecord) -> bool:
        try:
            proved, _ = self.answerer.proved(found)
        except NotFound:  # its statement was erased
            return False
        number = proved.correction.leaf_index
        with self.store.append_transaction() as transaction:
            latest = transaction.corrections.get(number)
            if latest is None or latest.correction.answered or latest.correction.overdue:
                return False
            at = max(self.clock(), transaction.head.recorded_at)
            entry = _entry(EntryKind.CORRECTION_OVERDUE, latest, overdue(latest, at), at)
            leaf = append_alone(transaction, self.store, entry)
            transaction.corrections.settle(replace(latest.correction, overdue=leaf))
        self.log.sign()
        log.warning("correction_overdue", correction=number, receipt=leaf)
        return True

    def _tell(self, found: CorrectionOnRecord) -> bool:
        """Tells everyone who received the value, and erases what was held of the person."""
        number, answered = found.correction.leaf_index, found.correction.answered
        if answered is None:
            return False
        try:
            said = orjson.loads(self.log.receipt(answered).statement)
            content = self.answerer.content(found)
            wrong = Wrong(
                found,
                wrong_from=datetime.fromisoformat(said["wrong_from"]) if "wrong_from" in said else None,
                right_from=datetime.fromisoformat(said["right_from"]),
                subject="" if content is None else content.subject,
            )
            recipients = Recipients(self.log, self.marks, self.epochs.current().keyring)
            told, reach = recipients.of(wrong)
        except NotFound:  # the statement of report, answer or receipt was erased: there is nobody to find
            log.warning("correction_erased", correction=number)
            return False
        return self._record_notices(found, told, reach, said)

    def _record_notices(
        self, found: CorrectionOnRecord, told: list[Told], reach: Reach, said: dict[str, object]
    ) -> bool:
        number = found.correction.leaf_index
        with self.store.append_transaction() as transaction:
            latest = transaction.corrections.get(number)
            if latest is None or latest.correction.told is not None:
                return False
            at = max(self.clock(), transaction.head.recorded_at)
            entries = [
                replace(
                    _entry(EntryKind.CORRECTION_NOTICE, latest, notice(latest, one, reach, said, at), at),
                    consumer=one.consumer,
                    consumer_uri=one.consumer_uri,
                    purpose=one.purpose,
                )
                for one in told
            ]
            leaf = append_alone(transaction, self.store, *entries)
            transaction.corrections.settle(replace(latest.correction, told=leaf, held=b"", request_mac=b""))
        self.log.sign()
        deliveries, streams = numbers(told)
        log.info("correction_told", correction=number, deliveries=deliveries, streams=streams, reach=reach)
        return True


def _tried(
    duty: Callable[[CorrectionOnRecord], bool], found: CorrectionOnRecord, failed: list[Unavailable]
) -> bool:
    try:
        return duty(found)
    except Unavailable as failure:
        failed.append(failure)
        return False


def _entry(kind: EntryKind, found: CorrectionOnRecord, statement: bytes, at: datetime) -> Entry:
    return Entry(
        kind=kind,
        statement=statement,
        recorded_at=at,
        consumer=found.consumer,
        consumer_uri=found.reporter,
        provider=found.provider,
        dataset=found.dataset,
        purpose=found.purpose,
    )
