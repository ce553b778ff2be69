"""An answer taken: what a provider's officer signed of a report; verified, and recorded once.

1. the caller is an officer of the provider, and who signed;
2. it is about the report's very leaf, and was signed just now;
3. its words hold nothing of what is held of the person;
4. of two answers at once exactly one is recorded, the other is told which.

All under one epoch. What was held of the person goes with the answer, or, if the data were corrected, when
those who received them are told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.identity import check_standing
from broker.correction.evidence import message_in
from broker.correction.held import Content, unseal
from broker.correction.signed import Read, read
from broker.epoch import Epochs, InForce
from broker.errors import (
    Changed,
    MalformedRequest,
    NotAuthorised,
    NotFound,
    Unavailable,
    VerificationFailed,
    Violation,
)
from broker.journal import EpochMoved
from broker.marks import Marks
from broker.model import CorrectionOnRecord, Entry, EntryKind, Identity, Receipt, Role, Settlement
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.corrections import Answered, answer, correction_in
from broker.receipt.log import ReceiptLog, append_alone
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.standing import in_one_epoch
from broker.store.store import Store

log = structlog.get_logger("sharebroker.corrections")

MAX_SKEW = timedelta(minutes=5)
"""How far an officer's clock may be from ours."""
_SHORT = 2
"""A value of so few characters (a sex, a code) is in every second sentence."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The receipt of an answer, and whether an earlier one had got it."""

    receipt: Receipt
    repeated: bool


@dataclass(frozen=True, slots=True)
class Answerer:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    store: Store
    log: ReceiptLog
    marks: Marks
    ca: x509.Certificate
    clock: Callable[[], datetime]

    def answer(self, number: int, message: bytes, caller: Identity) -> Recorded:
        """Record what an officer signed of correction ``number``.

        Raises:
            NotFound: there is no such correction that concerns the caller's department.
            NotAuthorised: CORRECTION_NOT_YOURS, it is not the caller's to answer.
            MalformedRequest: SIGNATURE_INVALID, with the check that failed.
            Changed: CORRECTION_ANSWERED, ``about`` the receipt of the answer.
            Unavailable: it may be recorded; a retry is safe.
        """
        leaf, repeated = in_one_epoch(
            self.epochs, lambda epoch: self._attempt(epoch, number, message, caller)
        )
        self.log.sign()
        return Recorded(self.log.receipt(leaf), repeated)

    def content(self, found: CorrectionOnRecord) -> Content | None:
        """What is held of the person of a correction; None once it is erased, or the person forgotten.

        Raises:
            Unavailable: vault or log cannot be reached, or the database was altered.
        """
        if not found.correction.held:
            return None
        report = orjson.loads(self.log.receipt(found.correction.leaf_index).statement)
        keyring = self.epochs.current().keyring
        return unseal(found.correction.held, bytes.fromhex(report["held"]), keyring, self.marks)

    def _attempt(self, epoch: InForce, number: int, message: bytes, caller: Identity) -> tuple[int, bool]:
        now = self.clock()
        check_standing(caller, epoch.bundle.catalog.city, epoch.revocations, now)
        with self.store.corrections() as tables:
            found = tables.get(number)
        if found is None or caller.department not in (found.provider, found.consumer):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        if caller.department != found.provider or caller.role is not Role.OFFICER:
            raise NotAuthorised(Reason.CORRECTION_NOT_YOURS)
        found, statement = self.proved(found)
        if (answered := found.correction.answered) is not None:
            return self._again(answered, message), True
        signed = self._signed(message, caller, now)
        if signed.said.report != leaf_hash(leaf_entry(statement)):
            raise _invalid("所签的不是此项校核", "it was signed for another correction")
        if _tells(signed, self.content(found)):
            zh, en = "说明中含有所报告的个人信息", "its words hold personal data of the report"
            raise _invalid(zh, en)
        return self._record(epoch, found, signed, caller, now)

    def proved(self, found: CorrectionOnRecord) -> tuple[CorrectionOnRecord, bytes]:
        """The correction as the log has it, and its statement: whoever can write to the database could let
        another department answer, or at another time."""
        statement = self.log.receipt(found.correction.leaf_index).statement
        said = orjson.loads(statement)
        known = correction_in(found.correction.leaf_index, said)
        same = (known.receipt, known.fields, known.due_at) == (
            found.correction.receipt,
            found.correction.fields,
            found.correction.due_at,
        )
        if not same or (said["provider"], said["dataset"]) != (found.provider, found.dataset):
            log.critical("correction_altered", correction=found.correction.leaf_index)
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        return found, statement

    def _again(self, answered: int, message: bytes) -> int:
        """The leaf of the answer, if it is the same one."""
        if message_in(orjson.loads(self.log.receipt(answered).statement)) != message:
            raise Changed(Reason.CORRECTION_ANSWERED, f"receipts/{answered}")
        return answered

    def _signed(self, message: bytes, caller: Identity, now: datetime) -> Read:
        try:
            signed = read(message, self.ca)
        except VerificationFailed as failure:
            zh, _, en = str(failure).partition(" / ")
            raise _invalid(zh, en or zh) from None
        if signed.signer.fingerprint != caller.fingerprint:
            raise _invalid("不是调用者本人所签", "is not signed by the caller")
        latest = signed.said.right_from or signed.said.at
        if abs(now - signed.said.at) > MAX_SKEW or latest > now + MAX_SKEW:
            zh, en = "签署时间或更正时间与服务器时间不符", "a time in it is too far from the broker's"
            raise _invalid(zh, en)
        return signed

    def _record(
        self, epoch: InForce, found: CorrectionOnRecord, signed: Read, caller: Identity, now: datetime
    ) -> tuple[int, bool]:
        said, number = signed.said, found.correction.leaf_index
        answered = Answered(
            settlement=said.settlement,
            grounds=said.grounds,
            right_from=said.right_from,
            wrong_from=said.wrong_from,
            referred_to=said.referred_to,
            message=signed.message,
            signer=caller.uri,
            certificate=caller.fingerprint,
            epoch=epoch.sequence,
        )
        with self.store.append_transaction() as transaction:
            if transaction.head.epoch != epoch.sequence:
                raise EpochMoved(transaction.head.epoch)
            latest = transaction.corrections.get(number)
            if latest is None:
                raise NotFound(Reason.RESOURCE_NOT_FOUND)
            if latest.correction.answered is not None:
                raise Changed(Reason.CORRECTION_ANSWERED, f"receipts/{latest.correction.answered}")
            at = max(now, transaction.head.recorded_at)
            entry = Entry(
                kind=EntryKind.CORRECTION_ANSWER,
                statement=answer(latest, answered, at),
                recorded_at=at,
                consumer=found.consumer,
                consumer_uri=found.reporter,
                provider=found.provider,
                dataset=found.dataset,
                purpose=found.purpose,
                chains=(chain_of(caller, self.ca.public_bytes(serialization.Encoding.DER)),),
            )
            leaf = append_alone(transaction, self.store, entry)
            settled = replace(latest.correction, settlement=said.settlement, answered=leaf)
            if said.settlement is not Settlement.CORRECTED:  # else those who received it must be found first
                settled = replace(settled, held=b"", request_mac=b"")
            transaction.corrections.settle(settled)
        log.info("correction_answered", correction=number, receipt=leaf, settlement=said.settlement)
        return leaf, False


def _tells(signed: Read, content: Content | None) -> bool:
    """Whether the officer's words repeat what is held of the person."""
    if content is None:
        return False
    words = f"{signed.said.grounds} {signed.said.referred_to}"
    values = (content.subject, *content.claimed.values())
    return any(len(value) > _SHORT and value in words for value in values)


def _invalid(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("signed_answer", zh, en),), Reason.SIGNATURE_INVALID)
