"""Disposal orders (销毁指令): for what may be kept no longer, or is not needed any more.

One order is about all deliveries of one consumer, dataset, purpose and grant whose last day has ended, or,
when an officer orders it before, about all there are. They are not listed one by one: an order names them by
day, range of leaves and digest, and the log has them. Each delivery is in exactly one order, for what an
order takes is taken off the list in the transaction that records it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby

import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.disposal.recording import recording
from broker.epoch import Epochs, InForce
from broker.errors import NotAuthorised, NotFound, NothingToDispose, Unavailable
from broker.limits.days import due
from broker.model import (
    DeliverySet,
    DepartmentKind,
    Disposal,
    DisposalCause,
    DisposalMethod,
    EntryKind,
    Identity,
    Target,
)
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.disposals import Ordered, holding_of, order, ordered_of, retained_of, set_of
from broker.receipt.log import ReceiptLog
from broker.standing import in_one_epoch
from broker.store.disposals import Waiting, WaitingFilter
from broker.store.store import Store

log = structlog.get_logger("sharebroker.disposals")

WITHIN_WORKING_DAYS = 10
"""For the certificate, unless an officer says otherwise."""

AT_ONCE = 1000
"""Rows of the list that are looked at at a time."""
MOST_SETS = 250
"""In one order, whose statement must not become too long."""
PAGE = 256
"""Statements that are read and proved at a time."""


class _Taken(Exception):
    """Somebody else has ordered it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is said in an order beside the deliveries."""

    cause: DisposalCause
    method: DisposalMethod = DisposalMethod.CLEAR
    within_working_days: int = WITHIN_WORKING_DAYS
    reason: str = ""


def never(_grant: str) -> bool:
    """Where there are no grants."""
    return False


@dataclass(frozen=True, slots=True)
class Orders:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    store: Store
    receipts: ReceiptLog
    ca: x509.Certificate
    clock: Callable[[], datetime]
    ended: Callable[[str], bool] = never
    """Whether a grant, by its number, has ended for good."""

    def order(self, wanted: WaitingFilter, terms: Terms, officer: Identity) -> list[Disposal]:
        """Orders of an officer, for all that one consumer has of one dataset and that no order names: one for
        each purpose and grant.

        Raises:
            NotAuthorised: DISPOSAL_NOT_YOURS: an officer of neither the dataset's provider nor the authority.
            NothingToDispose: there is nothing; or it is for misuse, and the consumer is not suspended.
            BrokerError: not all was ordered, and a retry is safe.
        """
        self._check(self.epochs.current(), wanted, terms, officer)

        def ordered(epoch: InForce, group: Sequence[Waiting]) -> Disposal | None:
            self._check(epoch, wanted, terms, officer)
            return self._record(epoch, group, terms, officer)

        groups = self._groups(wanted)
        found = [in_one_epoch(self.epochs, partial(ordered, group=group)) for group in groups]
        if not any(found):
            raise NothingToDispose(Reason.NOTHING_TO_DISPOSE)
        self.receipts.sign()
        return [disposal for disposal in found if disposal is not None]

    def _check(self, epoch: InForce, wanted: WaitingFilter, terms: Terms, officer: Identity) -> None:
        """That the officer may order it."""
        catalog = epoch.bundle.catalog
        dataset = catalog.datasets.get(wanted.dataset or "")
        if dataset is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        is_authority = catalog.departments[officer.department].kind is DepartmentKind.AUTHORITY
        if officer.department != dataset.department and not is_authority:
            raise NotAuthorised(Reason.DISPOSAL_NOT_YOURS)
        if terms.cause is DisposalCause.MISUSE:
            self._check_suspended(wanted.consumer or "", dataset.department)

    def _check_suspended(self, consumer: str, provider: str) -> None:
        """By what is committed: whoever has just suspended it may go on to this at once."""
        with self.store.epochs() as tables:
            stopped = tables.suspensions()
        if not any(
            one.target is Target.CONSUMER and one.name == consumer and one.provider in ("", provider)
            for one in stopped
        ):
            raise NothingToDispose(Reason.CONSUMER_NOT_SUSPENDED)

    def record_due(self) -> int:
        """Orders what may be kept no longer, its time or its grant having ended; gives how many orders this
        was the first to record.

        Raises:
            Unavailable: database or signer cannot be reached, or a statement was altered.
        """
        recorded, failed = 0, None
        for group, cause in self._due():
            record = partial(self._record, group=group, terms=Terms(cause))
            try:
                recorded += in_one_epoch(self.epochs, record) is not None
            except Unavailable as failure:
                failed = failure  # of one; the others are ordered
        if failed is not None:
            raise failed
        return recorded

    def _due(self) -> Iterator[tuple[list[Waiting], DisposalCause]]:
        for group in self._groups(WaitingFilter(until=self.clock())):
            yield group, DisposalCause.RETENTION
        with self.store.disposals() as tables:
            grants = tables.grants()
        for grant in filter(self.ended, grants):
            for group in self._groups(WaitingFilter(grant=grant)):
                yield group, DisposalCause.PURPOSE_ENDED

    def _groups(self, wanted: WaitingFilter) -> list[list[Waiting]]:
        """What waits, by what can be in one order."""
        with self.store.disposals() as tables:
            found = tables.waiting(wanted, AT_ONCE)
        groups = [list(group) for _, group in groupby(found, lambda one: one.of)]
        return [group[at : at + MOST_SETS] for group in groups for at in range(0, len(group), MOST_SETS)]

    def _record(
        self, epoch: InForce, group: Sequence[Waiting], terms: Terms, officer: Identity | None = None
    ) -> Disposal | None:
        """The order for these; None when there is nothing in them, or somebody else was faster."""
        sets = tuple(one for waiting in group if (one := self._set(waiting)) is not None)
        if not sets:
            return None
        of, bundle = group[0].of, epoch.bundle
        chains = (chain_of(officer, self._authority),) if officer is not None else ()
        try:
            with recording(self.store, self.clock, epoch.sequence) as acting:
                if not acting.transaction.disposals.take(group):
                    raise _Taken
                due_at = due(acting.now, terms.within_working_days, bundle.catalog.calendar, bundle.zone).at
                ordered = Ordered(of, terms.cause, terms.method, sets, due_at, officer, terms.reason)
                statement = order(ordered, acting.now)
                leaf = acting.append(EntryKind.DISPOSAL_ORDER, statement, of, chains)
                disposal = ordered_of(orjson.loads(statement), leaf)
                acting.transaction.disposals.put(disposal)
        except _Taken:
            return None
        log.info("disposal_ordered", order=leaf, cause=terms.cause, deliveries=disposal.count)
        return disposal

    def _set(self, waiting: Waiting) -> DeliverySet | None:
        """The deliveries, as the log has them, for whoever can write to the database could otherwise have
        a department told to dispose of what it never got."""
        leaves = list(self._members(waiting))
        if len(leaves) != waiting.count:
            log.critical("retained_altered", first=waiting.first, last=waiting.last)
        return set_of(waiting.dispose_by, leaves) if leaves else None

    def _members(self, waiting: Waiting) -> Iterator[int]:
        size, after = self.receipts.size(), waiting.first - 1
        while True:
            with self.store.disposals() as tables:
                page = tables.among(waiting, after, PAGE)
            if not page:
                return
            its = {index: content for index, content in page if _is_among(waiting, content)}
            if max(its, default=0) >= size:  # committed by others, and not signed yet
                self.receipts.sign()
                size = self.receipts.size()
            self.receipts.inclusion_proofs(its, size)
            yield from its
            after = page[-1][0]

    @property
    def _authority(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.DER)


def _is_among(waiting: Waiting, statement: bytes) -> bool:
    content = orjson.loads(statement)
    retained = retained_of(content)
    return (
        retained is not None
        and retained.dispose_by == waiting.dispose_by
        and holding_of(content) == waiting.of
    )
