"""An acknowledgement taken (交付确认): verified, compared with what was recorded, and recorded itself, once.

1. the receipt is one of the caller's department, and of a delivery: an answer that went out whole;
2. the message is signed, by a system of that department, with a certificate in force;
3. it names that receipt's leaf, and a time at which the delivery can have been received;
4. the digest of what was received is the recorded one: else the consumer has got something else, which is
   recorded too, as an alarm, and acknowledges nothing.

All under one epoch, as an exchange is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.acknowledge.signed import Read, read
from broker.apply.identity import check_in_force, check_standing
from broker.epoch import Epochs, InForce
from broker.errors import (
    MalformedRequest,
    NotAcknowledged,
    NotAuthenticated,
    NotFound,
    Unavailable,
    VerificationFailed,
    Violation,
)
from broker.model import Entry, EntryKind, Identity, Receipt, Role
from broker.reasons import Reason
from broker.receipt.acknowledgements import Delivered, acknowledgement, delivery_of, dispute, key_of
from broker.receipt.chains import chain_of
from broker.receipt.log import ReceiptLog
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.standing import in_one_epoch

log = structlog.get_logger("sharebroker.deliveries")

MAX_SKEW = timedelta(minutes=5)
"""How far a consumer's clock may be from ours."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The receipt of an acknowledgement, and whether an earlier one had got it."""

    receipt: Receipt
    repeated: bool


@dataclass(frozen=True, slots=True)
class Acknowledger:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    log: ReceiptLog
    ca: x509.Certificate
    clock: Callable[[], datetime]

    def acknowledge(self, leaf_index: int, message: bytes, caller: Identity) -> Acknowledged:
        """Record that the delivery of which a leaf tells was received. Acknowledged again, it gives the
        receipt of the first acknowledgement.

        Raises:
            NotFound: no such receipt concerns a consumer of the caller's department.
            NotAcknowledged: NOTHING_DELIVERED; DELIVERY_DISPUTED, ``about`` whose receipt.
            MalformedRequest: ACKNOWLEDGEMENT_INVALID, with the check that failed.
            BrokerError: nothing was recorded, or a retry is safe.
        """
        return in_one_epoch(self.epochs, lambda epoch: self._attempt(epoch, leaf_index, message, caller))

    def _attempt(self, epoch: InForce, leaf_index: int, message: bytes, caller: Identity) -> Acknowledged:
        now = self.clock()
        check_standing(caller, epoch.bundle.catalog.city, epoch.revocations, now)
        statement = self._statement(leaf_index, caller)
        delivered = Delivered.of(leaf_index, orjson.loads(statement))
        if delivered is None:
            raise NotAcknowledged(Reason.NOTHING_DELIVERED)
        try:
            signed = read(message)
            self._check_signer(signed, delivered, epoch, now)
        except VerificationFailed as failure:
            zh, _, en = str(failure).partition(" / ")
            raise _invalid(f"未通过验证：{zh}", f"does not verify: {en or zh}") from None
        _check_said(signed, delivered, statement, now)
        return self._record(epoch, delivered, signed, now)

    def _statement(self, leaf_index: int, caller: Identity) -> bytes:
        """Of the delivery, as the log has hashed it."""
        entry = self.log.entry(leaf_index)
        if entry is None or not entry.statement or entry.consumer != caller.department:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return self.log.receipt(leaf_index).statement

    def _check_signer(self, signed: Read, delivered: Delivered, epoch: InForce, now: datetime) -> None:
        """That a system of the consumer's department has signed, or whoever it was delivered to."""
        # First: until this holds, the certificate is only what a stranger wrote.
        signed.check_issued(self.ca, now)
        credential = signed.credential
        try:
            check_in_force(credential, epoch.bundle.catalog.city, epoch.revocations, now)
        except NotAuthenticated as failure:
            zh, en = failure.sentence
            raise VerificationFailed(f"签署者的证书不可用：{zh} / the signer's certificate: {en}") from None
        signer, consumer = credential.identity, delivered.statement["consumer"]
        is_its_system = signer.department == consumer["department"] and signer.role is Role.SYSTEM
        if not is_its_system and signer.uri != consumer["uri"]:
            raise VerificationFailed("签署者不是需求部门的系统 / the signer is no system of the consumer")

    def _record(self, epoch: InForce, delivered: Delivered, signed: Read, now: datetime) -> Acknowledged:
        told, content = delivered.statement, signed.signed(epoch.sequence)
        entry = Entry(
            kind=EntryKind.ACKNOWLEDGEMENT_DISPUTED,
            statement=b"",
            recorded_at=now,
            consumer=told["consumer"]["department"],
            consumer_uri=told["consumer"]["uri"],
            provider=told["provider"],
            dataset=told["dataset"],
            purpose=told["purpose"],
            epoch=epoch.sequence,
            delivery=delivered.first,
            chains=(chain_of(signed.credential.identity, self._authority),),
        )
        if content.digest != delivered.digest:
            disputed = self.log.append(replace(entry, statement=dispute(delivered, content, now)))
            leaf = disputed.receipt.leaf_index
            log.error("delivery_disputed", delivery=delivered.leaf_index, receipt=leaf, signer=content.signer)
            raise NotAcknowledged(Reason.DELIVERY_DISPUTED, f"receipts/{leaf}")
        key = key_of(delivered.first)
        appended = self.log.append(
            replace(
                entry,
                kind=EntryKind.ACKNOWLEDGEMENT,
                statement=acknowledgement(delivered, content, now, self._due_at(delivered)),
                request_id=key,
                request_mac=epoch.keyring.request_mac(key.encode()),
            )
        )
        _require_of(delivered, appended.receipt)
        return Acknowledged(appended.receipt, appended.redelivered)

    @property
    def _authority(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.DER)

    def _due_at(self, delivered: Delivered) -> datetime | None:
        """What came again is due when it first was."""
        told = delivered.statement
        if delivered.first != delivered.leaf_index:
            try:
                told = orjson.loads(self.log.receipt(delivered.first).statement)
            except NotFound:  # erased since
                told = {}
        due_at = told.get("acknowledge_by")
        return None if due_at is None else datetime.fromisoformat(due_at)


def _require_of(delivered: Delivered, receipt: Receipt) -> None:
    """That a receipt is of the acknowledgement of that delivery, whatever the database says which was first.

    Raises:
        Unavailable: LOG_UNAVAILABLE.
    """
    said = orjson.loads(receipt.statement)
    if said["kind"] != EntryKind.ACKNOWLEDGEMENT or delivery_of(said) != delivered.first:
        log.critical("acknowledgement_of_another", delivery=delivered.first, receipt=receipt.leaf_index)
        raise Unavailable(Reason.LOG_UNAVAILABLE)


def _check_said(signed: Read, delivered: Delivered, statement: bytes, now: datetime) -> None:
    if signed.said.leaf != leaf_hash(leaf_entry(statement)):
        raise _invalid("所签的不是这份回执", "it was signed for another receipt")
    recorded_at = datetime.fromisoformat(delivered.statement["recorded_at"])
    if not recorded_at - MAX_SKEW <= signed.said.received_at <= now + MAX_SKEW:
        raise _invalid(
            "收到的时间早于交付或晚于现在，请校准时钟后重新签署",
            "it was received before it was delivered, or later than now; set the clock and sign again",
        )


def _invalid(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("signed_acknowledgement", zh, en),), Reason.ACKNOWLEDGEMENT_INVALID)
