"""Delegations (委托审核): given, taken back and looked up; each act a leaf of the log.

A delegation is believed only as far as the log has it: what a row says must stand in the leaf of its last
act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.admission import CANONICAL_UUID
from broker.apply.identity import check_standing
from broker.epoch import Epochs, InForce
from broker.errors import Conflict, MalformedRequest, NotFound, Unavailable, Violation
from broker.journal import EpochMoved
from broker.keys.spiffe import DepartmentId, parse
from broker.model import Delegation, Entry, EntryKind, Identity, Receipt, Role
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.delegations import DELEGATE, REVOKE, delegation, key_of
from broker.receipt.log import ReceiptLog, append_alone
from broker.receipt.statement import instant
from broker.standing import in_one_epoch
from broker.store.delegations import DelegationOnRecord
from broker.store.store import Store, StoreTransaction

log = structlog.get_logger("sharebroker.delegations")

LONGEST = timedelta(days=366)
"""How long an officer may be away at a time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The delegation that an officer asks for."""

    request_id: str
    delegate: str
    """SPIFFE id."""
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Delegations:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    store: Store
    log: ReceiptLog
    ca: x509.Certificate
    clock: Callable[[], datetime]

    def create(self, caller: Identity, wanted: Wanted) -> tuple[DelegationOnRecord, Receipt]:
        """Lets another officer review in the caller's place; the same request again gives the same.

        Raises:
            MalformedRequest: with all that is wrong.
            Conflict: REQUEST_ID_REUSED.
            BrokerError: nothing was recorded, or a retry is safe.
        """

        def attempt(epoch: InForce) -> DelegationOnRecord:
            with self.store.append_transaction() as transaction:
                now = self._begun(transaction, epoch, caller)
                mac = _mac(epoch, caller, wanted)
                for used in transaction.claims([(caller.uri, key_of(wanted.request_id))]).values():
                    if used.request_mac != mac:
                        raise Conflict(Reason.REQUEST_ID_REUSED)
                    return self._first(transaction, used.leaf_index)
                to = _checked(caller, wanted, epoch, now)
                one = Delegation(
                    number=transaction.delegations.next_number(),
                    by=caller.uri,
                    by_department=caller.department,
                    to=str(to),
                    to_department=to.department,
                    valid_from=wanted.valid_from,
                    valid_until=wanted.valid_until,
                    serial=caller.serial,
                )
                return self._record(transaction, one, now, caller, key_of(wanted.request_id), mac)

        found = in_one_epoch(self.epochs, attempt)
        return found, self._receipt(found.leaf_index)

    def revoke(self, caller: Identity, number: int) -> tuple[DelegationOnRecord, Receipt]:
        """Takes a delegation back; one that was stays so.

        Raises:
            NotFound: there is none of the caller's department.
            BrokerError: nothing was recorded, or a retry is safe.
        """

        def attempt(epoch: InForce) -> DelegationOnRecord:
            with self.store.append_transaction() as transaction:
                now = self._begun(transaction, epoch, caller)
                found = transaction.delegations.delegation(number)
                if found is None or found.delegation.by_department != caller.department:
                    raise NotFound(Reason.RESOURCE_NOT_FOUND)
                if found.delegation.revoked_at is not None:
                    return found
                one = replace(found.delegation, revoked_at=now)
                return self._record(transaction, one, now, caller)

        found = in_one_epoch(self.epochs, attempt)
        return found, self._receipt(found.leaf_index)

    def in_force(self, delegate: str = "") -> list[Delegation]:
        """Those that count now, as the log has them; to ``delegate``, if one is named.

        Raises:
            Unavailable: LOG_UNAVAILABLE, REVOCATIONS_UNREADABLE.
        """
        now, revocations = self.clock(), self.epochs.current().revocations
        with self.store.delegations() as tables:
            found = tables.in_force(now, delegate)
        standing = (one for one in found if not revocations.is_revoked(one.delegation.serial))
        return [one.delegation for one in standing if self._is_logged(one)]

    def listed(
        self, party: str, before: int | None, limit: int, *, in_force: bool
    ) -> Sequence[DelegationOnRecord]:
        """At most ``limit`` delegations from or to a department (empty: of all) below the number ``before``,
        newest first; only those that count now, if so wanted."""
        with self.store.delegations() as tables:
            if not in_force:
                return tables.listed(party, before, limit)
            found = tables.in_force(self.clock())
        wanted = [
            one
            for one in reversed(found)
            if (before is None or one.delegation.number < before) and self.counts(one.delegation)
            if party in ("", one.delegation.by_department, one.delegation.to_department)
        ]
        return wanted[:limit]

    def counts(self, one: Delegation) -> bool:
        """Whether it counts now."""
        revocations = self.epochs.current().revocations
        return one.in_force(self.clock()) and not revocations.is_revoked(one.serial)

    def _is_logged(self, found: DelegationOnRecord) -> bool:
        """Whether the log says so. What no head is signed over yet is not waited for: whoever asks may hold
        the very lock that signing needs."""
        try:
            said = orjson.loads(self.log.receipt(found.leaf_index).statement)
        except NotFound:
            return False
        if _told(said) == _row(found.delegation):
            return True
        log.critical("delegation_altered", delegation=found.delegation.number, receipt=found.leaf_index)
        return False

    def _receipt(self, leaf_index: int) -> Receipt:
        """Of an act, over which no head may have been signed yet."""
        try:
            return self.log.receipt(leaf_index)
        except NotFound:
            self.log.sign()
            return self.log.receipt(leaf_index)

    def _begun(self, transaction: StoreTransaction, epoch: InForce, caller: Identity) -> datetime:
        head = transaction.head
        if head.epoch != epoch.sequence:
            raise EpochMoved(head.epoch)
        now = max(self.clock(), head.recorded_at)
        check_standing(caller, epoch.bundle.catalog.city, epoch.revocations, now)
        return now

    def _first(self, transaction: StoreTransaction, leaf: int) -> DelegationOnRecord:
        """The delegation whose first leaf that is."""
        found = self.store.leaf(leaf)
        said = orjson.loads(found.entry.statement) if found and found.entry.statement else {}
        one = transaction.delegations.delegation(int(said.get("delegation", 0)))
        if one is None:
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        return one

    def _record(
        self,
        transaction: StoreTransaction,
        one: Delegation,
        now: datetime,
        caller: Identity,
        key: str = "",
        mac: bytes = b"",
    ) -> DelegationOnRecord:
        entry = Entry(
            kind=EntryKind.DELEGATION,
            statement=delegation(one, now, caller, key),
            recorded_at=now,
            consumer=one.by_department,
            consumer_uri=one.by,
            request_id=key,
            request_mac=mac,
            chains=(chain_of(caller, self.ca.public_bytes(serialization.Encoding.DER)),),
        )
        leaf = append_alone(transaction, self.store, entry)
        transaction.delegations.keep(one, leaf)
        act = DELEGATE if one.revoked_at is None else REVOKE
        log.info("delegation", delegation=one.number, act=act, receipt=leaf)
        return DelegationOnRecord(one, leaf)


def _checked(caller: Identity, wanted: Wanted, epoch: InForce, now: datetime) -> DepartmentId:
    """The delegate.

    Raises:
        MalformedRequest: with all that is wrong with what is wanted.
    """
    try:
        to = parse(wanted.delegate)
    except ValueError:
        to = None
    violations = [*_of_delegate(caller, to, epoch), *_of_times(wanted, now)]
    if not CANONICAL_UUID.fullmatch(wanted.request_id):
        zh, en = "须为小写带连字符的 UUID", "must be a UUID in lower case with hyphens"
        violations.insert(0, Violation("request_id", zh, en))
    if violations or not isinstance(to, DepartmentId):
        raise MalformedRequest(tuple(violations))
    return to


def _of_delegate(caller: Identity, to: object, epoch: InForce) -> Iterator[Violation]:
    if not isinstance(to, DepartmentId) or to.role is not Role.OFFICER or to.city != caller.city:
        zh, en = (
            "须为本市一名数据资源管理员的 SPIFFE 编号",
            "must be the SPIFFE id of an officer of this city",
        )
        yield Violation("delegate", zh, en)
        return
    if str(to) == caller.uri:
        yield Violation("delegate", "不能委托自己", "must be somebody else")
    department = epoch.bundle.catalog.departments.get(caller.department)
    if to.department not in (caller.department, department.delegate if department else ""):
        zh = "须为本部门的，或目录所列可代本部门审批的部门的管理员"
        en = "must be of the same department, or of the one that the catalog names as its delegate"
        yield Violation("delegate", zh, en)


def _of_times(wanted: Wanted, now: datetime) -> Iterator[Violation]:
    if wanted.valid_until <= wanted.valid_from or wanted.valid_until <= now:
        zh, en = "须晚于起始时间和现在", "must be later than the beginning, and than now"
        yield Violation("valid_until_time", zh, en)
    elif wanted.valid_until - wanted.valid_from > LONGEST:
        zh, en = f"最长 {LONGEST.days} 天", f"at most {LONGEST.days} days after the beginning"
        yield Violation("valid_until_time", zh, en)


def _mac(epoch: InForce, caller: Identity, wanted: Wanted) -> bytes:
    said = [wanted.delegate, instant(wanted.valid_from), instant(wanted.valid_until)]
    return epoch.keyring.request_mac(orjson.dumps(["delegation", caller.uri, *said]))


def _row(one: Delegation) -> tuple[object, ...]:
    times = instant(one.valid_from), instant(one.valid_until)
    return (one.number, one.by, one.by_department, one.to, one.to_department, f"{one.serial:x}", *times)


def _told(said: dict[str, dict[str, object]]) -> tuple[object, ...]:
    """The same of a statement."""
    try:
        officer, to = said["officer"], said["delegate"]
        times = said["valid_from"], said["valid_until"]
        parties = officer["uri"], officer["department"], to["uri"], to["department"]
        return (said["delegation"], *parties, said["serial"], *times)
    except (KeyError, TypeError):
        return ()
