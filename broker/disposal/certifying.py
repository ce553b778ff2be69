"""A certificate of disposal (销毁证明) taken: verified, held against its order, and recorded, once.

1. the order exists, and its consumer is the caller's department;
2. the message is signed, by a system or an officer of that department, with a certificate in force;
3. it is signed for that order, and for all that the order names;
4. the method is at least what the order demands, and the time one at which all had been delivered;
5. what was kept is among what the order names.

All under one epoch, as an exchange is. Only the broker's own clock says whether it is late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.identity import check_in_force, check_standing
from broker.disposal.recording import recording
from broker.disposal.signed import Read, read
from broker.epoch import Epochs, InForce
from broker.errors import MalformedRequest, NotAuthenticated, NotFound, VerificationFailed, Violation
from broker.model import Disposal, EntryKind, Identity, Receipt, Role
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.disposals import (
    certificate,
    digest_of_sets,
    holding_of,
    ordered_of,
    retained_of,
)
from broker.receipt.log import ReceiptLog
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.standing import in_one_epoch
from broker.store.store import Store

log = structlog.get_logger("sharebroker.disposals")

MAX_SKEW = timedelta(minutes=5)
"""How far a consumer's clock may be from ours."""

SIGNERS = frozenset({Role.SYSTEM, Role.OFFICER})


@dataclass(frozen=True, slots=True)
class Taken:
    """The receipt of a certificate, and whether an earlier one had got it."""

    receipt: Receipt
    repeated: bool


@dataclass(frozen=True, slots=True)
class Certifier:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    store: Store
    receipts: ReceiptLog
    ca: x509.Certificate
    clock: Callable[[], datetime]

    def certify(self, order: int, message: bytes, caller: Identity) -> Taken:
        """Record that what an order names was disposed of. Certified again, it gives the receipt of the
        first certificate.

        Raises:
            NotFound: no such order is to the caller's department.
            MalformedRequest: DISPOSAL_INVALID, with the check that failed.
            BrokerError: nothing was recorded, or a retry is safe.
        """
        return in_one_epoch(self.epochs, lambda epoch: self._attempt(epoch, order, message, caller))

    def _attempt(self, epoch: InForce, order: int, message: bytes, caller: Identity) -> Taken:
        now = self.clock()
        check_standing(caller, epoch.bundle.catalog.city, epoch.revocations, now)
        statement = self.receipts.receipt(order).statement
        content = orjson.loads(statement)
        if content["kind"] != EntryKind.DISPOSAL_ORDER or holding_of(content).consumer != caller.department:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        disposal = ordered_of(content, order)
        try:
            signed = read(message)
            self._check_signer(signed, disposal, epoch, now)
        except VerificationFailed as failure:
            zh, _, en = str(failure).partition(" / ")
            raise _invalid(f"未通过验证：{zh}", f"does not verify: {en or zh}") from None
        self._check_said(signed, disposal, statement, now)
        return self._record(epoch, disposal, signed)

    def _check_signer(self, signed: Read, disposal: Disposal, epoch: InForce, now: datetime) -> None:
        # First: until this holds, the certificate is only what a stranger wrote.
        signed.check_issued(self.ca, now)
        credential = signed.credential
        try:
            check_in_force(credential, epoch.bundle.catalog.city, epoch.revocations, now)
        except NotAuthenticated as failure:
            zh, en = failure.sentence
            raise VerificationFailed(f"签署者的证书不可用：{zh} / the signer's certificate: {en}") from None
        signer = credential.identity
        if signer.department != disposal.of.consumer or signer.role not in SIGNERS:
            raise VerificationFailed(
                "签署者不是需求部门的系统或数据资源管理员 / "
                "the signer is no system or officer of the consumer"
            )

    def _check_said(self, signed: Read, disposal: Disposal, statement: bytes, now: datetime) -> None:
        said = signed.said
        if said.order != leaf_hash(leaf_entry(statement)):
            raise _invalid("所签的不是这份销毁指令", "it was signed for another order")
        if said.digest != digest_of_sets(one.digest for one in disposal.sets):
            raise _invalid(
                "所签的不是指令所列的全部交付", "it was not signed for the deliveries of the order"
            )
        if not said.method.satisfies(disposal.method):
            raise _invalid(
                f"处置方式弱于提供部门的要求（{disposal.method}）",
                f"the method is weaker than what the provider requires ({disposal.method})",
            )
        # Whoever disposes of data before it is told to has done its duty too.
        delivered = self.store.recorded_at(max(one.last for one in disposal.sets)) or disposal.ordered_at
        if not delivered - MAX_SKEW <= said.disposed_at <= now + MAX_SKEW:
            raise _invalid(
                "处置的时间早于最后一次交付或晚于现在，请核对后重新签署",
                "the time is before the last of it was delivered, or later than now; check and sign again",
            )
        for kept in said.exceptions:
            for leaf in kept.deliveries:
                if not self._is_named(leaf, disposal):
                    raise _invalid(
                        f"例外所列的第 {leaf} 号交付不在指令之中",
                        f"delivery {leaf}, an exception, is not in the order",
                    )

    def _is_named(self, leaf: int, disposal: Disposal) -> bool:
        """Whether a delivery is one of those that the order names."""
        entry = self.receipts.entry(leaf)
        if entry is None or not entry.statement:
            return False
        content = orjson.loads(entry.statement)
        retained = retained_of(content)
        return (
            retained is not None
            and holding_of(content) == disposal.of
            and any(
                one.dispose_by == retained.dispose_by and one.first <= leaf <= one.last
                for one in disposal.sets
            )
        )

    def _record(self, epoch: InForce, disposal: Disposal, signed: Read) -> Taken:
        certified = signed.certified(epoch.sequence)
        chains = (chain_of(signed.credential.identity, self._authority),)
        with recording(self.store, self.clock, epoch.sequence) as acting:
            tables = acting.transaction.disposals
            known = tables.order(disposal.order)
            if known is None:
                raise NotFound(Reason.RESOURCE_NOT_FOUND)
            leaf = known.certificate
            if leaf is None:
                statement = certificate(disposal, certified, acting.now)
                leaf = acting.append(EntryKind.DISPOSAL_CERTIFICATE, statement, disposal.of, chains)
                tables.certified(disposal.order, leaf, certified.kept)
        repeated = known.certificate is not None
        if not repeated:
            log.info("disposal_certified", order=disposal.order, receipt=leaf, kept=certified.kept)
            self.receipts.sign()
        return Taken(self.receipts.receipt(leaf), repeated)

    @property
    def _authority(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.DER)


def _invalid(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("signed_certificate", zh, en),), Reason.DISPOSAL_INVALID)
