"""The client: connections to a broker, and the calls over them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc

from broker.client import suspending
from broker.client.acknowledging import ACKNOWLEDGE_SECONDS, AT_ONCE, CLOSING_SECONDS, Delivery, Until
from broker.client.answer import Exchanged
from broker.client.applications import Applications
from broker.client.caller import Caller
from broker.client.committing import Signing, Template
from broker.client.connections import OPTIONS, Channel, Connection
from broker.client.correcting import Corrections
from broker.client.delegating import Delegations
from broker.client.detokenizing import Detokenized, TokenRequest
from broker.client.disposing import DisposalOrder, DisposalTerms
from broker.client.questions import Filter, Page, Question
from broker.client.retry import Tries
from broker.client.stream import Stream
from broker.client.terms import Terms, UnaryTerms
from broker.errors import BrokerError, MalformedRequest, VerificationFailed
from broker.model import DisposalMethod, Receipt
from broker.receipt.log_keys import LogKeys
from broker.v1 import catalog_pb2, commitment_pb2, delivery_pb2, disposal_pb2, exchange_pb2, suspension_pb2

T = TypeVar("T")


class Client(Caller):
    """Connections to one broker, or to several that share a log; safe for use by several threads.

    Every method takes ``timeout``, the seconds that all its attempts may take together, and raises a
    :class:`~broker.errors.BrokerError` when there is no answer by then; ``error.request_id`` says under which
    id the call can be made again, ``error.attempts`` how often it was sent.
    """

    def _dial(self, address: str, identity: grpc.ChannelCredentials) -> Channel:
        return grpc.secure_channel(address, identity, OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def applications(self) -> Applications:
        """Applications that people decide, and the grants that approved ones are."""
        return Applications(self._filing, self._ask, self._items, self._try)

    @cached_property
    def delegations(self) -> Delegations:
        """Who reviews in whose place."""
        return Delegations(self._delegating, self._ask, self._items)

    @cached_property
    def corrections(self) -> Corrections:
        """Errors in what was received: reported, answered, and told to all who received them."""
        return Corrections(self._correcting, self._ask, self._items, self.receipt)

    def close(self) -> None:
        """Send the acknowledgements that wait, if that is done soon; then end the connections, and with them
        the calls under way."""
        with suppress(BrokerError):
            self.acknowledge_waiting(timeout=CLOSING_SECONDS)
        for channel in self._connections.close():
            channel.close()

    def exchange(self, *, timeout: float = 10.0, **terms: Unpack[UnaryTerms]) -> Exchanged:
        """Apply, and get decision, masked records and receipt in one call.

        Raises:
            BrokerError: nothing was received; after its subclasses Unavailable and DeadlinePassed the call
                may be made again under the same request id.
            VerificationFailed: the answer or its receipt does not hold; use neither.
        """
        until = Until(timeout)
        exchanged = self._exchanged(terms, until)
        acknowledgement = self._settle(exchanged.delivery, terms.get("acknowledge"), until)
        return replace(exchanged, acknowledgement=acknowledgement) if acknowledgement else exchanged

    def stream(self, *, timeout: float = 3600.0, **terms: Unpack[Terms]) -> Stream:
        """Apply, and get the decision at once and the masked records as Arrow batches by iterating.

        It is tried again only until the decision has come: what broke off later is not begun anew unasked.
        Asked for under the same request id, it comes from the beginning, uncharged.

        Raises:
            BrokerError: as for :meth:`exchange`, here or while iterating.
            VerificationFailed: likewise.
        """
        signing = self._questions.signing(terms)
        until, acknowledge = Until(timeout), terms.get("acknowledge")

        def settle(delivery: Delivery) -> Receipt | None:
            return self._settle(delivery, acknowledge, until)

        def begin(connection: Connection, tries: Tries) -> Stream:
            call = connection.streams.exchanges.StreamExchange(question.request, timeout=tries.left)
            connection.enter()
            if not call.add_callback(connection.leave):
                connection.leave()
            return Stream(call, next(call, None), question, tries, settle)

        while True:
            question = self._questions.stream(terms, signing)
            try:
                stream = self._try(begin, until.left, question.request.request_id)
            except MalformedRequest as failure:
                if not signing.is_stale(failure):
                    raise
                continue
            if not self._learnt(signing, terms, stream.reasons, until):
                return stream
            stream.cancel()

    def detokenize(self, request: TokenRequest, approval: bytes, *, timeout: float = 30.0) -> Detokenized:
        """What tokens stand for, if an officer of the provider has approved exactly this request.

        Raises:
            NotApproved: APPROVAL_MISSING.
            MalformedRequest: APPROVAL_INVALID, with what does not hold.
            NotReversible: the field was not masked so, or its key of then is gone.
            VerificationFailed: the answer or its receipt does not hold; use neither.
        """
        return self._ask(self._questions.detokenize(request, approval), timeout)

    def acknowledge(self, delivery: Delivery, *, timeout: float = 10.0) -> Receipt:
        """Acknowledge what was received (交付确认); gives the receipt of that, or of its first
        acknowledgement.

        Exchanges and streams do so by themselves where policy wants it. What fails here may be done again.

        Raises:
            NotAcknowledged: DELIVERY_DISPUTED: the broker recorded something else.
            MalformedRequest: ACKNOWLEDGEMENT_INVALID, with the check that failed.
            VerificationFailed: the receipt does not hold.
        """
        question = self._questions.acknowledge(delivery.leaf_index, self._questions.signed(delivery))
        return self._ask(question, timeout)

    def acknowledge_waiting(self, *, timeout: float = 10.0) -> None:
        """Send the acknowledgements that the broker has not taken yet.

        Raises:
            BrokerError: it still cannot be reached; they wait.
        """
        until = Until(timeout)
        for leaf_index, message in self._outbox.waiting():
            self._send(leaf_index, message, until)

    def deliveries(
        self, consumer: str = "", *, overdue: bool = False, timeout: float = 10.0
    ) -> Iterator[delivery_pb2.Delivery]:
        """Deliveries that are not acknowledged or are disputed, the oldest first: all of them for the
        authority's officers and auditors, those that concern the own department for others, its own for a
        system."""
        return self._items(self._questions.deliveries(consumer, overdue), timeout)

    def commitment_template(
        self, template: str, terms: Terms | None = None, *, timeout: float = 10.0
    ) -> Template:
        """A template of use commitments (数据使用责任状) in force, with what fills its blanks for ``terms``.

        Raises:
            NotFound: there is none of this id.
        """
        return self._ask(self._questions.commitment_template(template, terms), timeout)

    def commitment_templates(self, *, timeout: float = 10.0) -> Iterator[commitment_pb2.CommitmentTemplate]:
        """All templates in force, by id."""
        return self._items(self._questions.commitment_templates(), timeout)

    def holdings(
        self, consumer: str = "", dataset: str = "", *, timeout: float = 10.0
    ) -> Iterator[disposal_pb2.Holding]:
        """What consumers hold and no order names yet, by its last day: all of it for the authority's officers
        and auditors, what concerns the own department for others."""
        return self._items(self._disposals.held(consumer, dataset), timeout)

    def disposals(
        self,
        consumer: str = "",
        dataset: str = "",
        *,
        open: bool = False,
        overdue: bool = False,
        timeout: float = 10.0,
    ) -> Iterator[disposal_pb2.Disposal]:
        """Disposal orders, the newest first: all of them for the authority's officers and auditors, those
        that concern the own department for others; with ``open`` only those without certificate."""
        return self._items(self._disposals.listed(consumer, dataset, open=open, overdue=overdue), timeout)

    def disposal(self, order: int, *, timeout: float = 10.0) -> DisposalOrder:
        """One order, by its leaf, with its receipt and what it names.

        Raises:
            NotFound: there is none that the caller may see.
            VerificationFailed: the receipt does not hold.
        """
        return self._ask(self._disposals.one(order), timeout)

    def order_disposal(
        self, *, timeout: float = 30.0, **terms: Unpack[DisposalTerms]
    ) -> Sequence[disposal_pb2.Disposal]:
        """Order a consumer to dispose of all that it received, for an officer of provider or authority; gives
        an order for each purpose and grant.

        Raises:
            NotAuthorised: DISPOSAL_NOT_YOURS.
            NothingToDispose: nothing fits that was not ordered before.
            MalformedRequest: with all that is wrong.
        """
        return self._ask(self._disposals.order(terms), timeout)

    def certify_disposal(
        self,
        order: int,
        *,
        operator: str,
        method: DisposalMethod = DisposalMethod.CLEAR,
        disposed_at: datetime | None = None,
        kept: Mapping[str, Sequence[int]] | None = None,
        timeout: float = 10.0,
    ) -> Receipt:
        """Sign that all that an order names was disposed of (销毁证明); gives the receipt of that, or of the
        first certificate.

        Args:
            order: leaf index of the order.
            operator: 经办人, who is responsible for it.
            method: what was done; at least what the order demands.
            disposed_at: when; now, if not given.
            kept: legal basis → leaf indices of deliveries that had to be kept on it.

        Raises:
            NotFound: no such order is to the own department.
            MalformedRequest: DISPOSAL_INVALID, with the check that failed.
            VerificationFailed: a receipt does not hold.
        """
        until = Until(timeout)
        found = self.disposal(order, timeout=timeout)
        message = self._disposals.signed(found, operator, method, disposed_at, kept or {})
        return self._ask(self._disposals.certify(found, message), until.left)

    def lodge_commitment(
        self, template: str, *, dataset: str, purpose: str, days: int = 0, timeout: float = 10.0
    ) -> Receipt:
        """Sign, with the caller's own key, a commitment for all calls of a dataset and purpose, and lodge it;
        for ``days``, by default as long as the template allows. Exchanges need none of their own then.

        Raises:
            MalformedRequest: COMMITMENT_INVALID, with the check that failed.
            NotFound: there is no such template.
        """
        until = Until(timeout)
        terms: Terms = {"dataset": dataset, "fields": (), "purpose": purpose}
        found = self.commitment_template(template, terms, timeout=until.left)
        message = self._questions.standing(found, terms, timedelta(days=days or found.valid_days or 1))
        return self._ask(self._questions.lodge_commitment(message), until.left)

    def lodge_signed_commitment(self, message: bytes, *, timeout: float = 10.0) -> Receipt:
        """The same of one that somebody of the department, such as an officer, has signed."""
        return self._ask(self._questions.lodge_commitment(message), timeout)

    def commitments(
        self, department: str = "", *, timeout: float = 10.0
    ) -> Iterator[commitment_pb2.LodgedCommitment]:
        """Commitments that were lodged, newest first: all of them for the authority's officers and auditors,
        those in which the own department is consumer or provider for others."""
        return self._items(self._questions.commitments(department), timeout)

    def commitment(self, number: int, *, timeout: float = 10.0) -> commitment_pb2.LodgedCommitment:
        """One of them, by the leaf index of its receipt.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return self._ask(self._questions.commitment(number), timeout)

    def withdraw_commitment(self, number: int, reason: str, *, timeout: float = 10.0) -> int:
        """End a commitment before it expires; for officers. Gives the leaf index of the receipt of that."""
        return self._ask(self._questions.withdraw_commitment(number, reason), timeout)

    def dataset(self, dataset: str, *, timeout: float = 10.0) -> catalog_pb2.Dataset:
        """One catalog entry with its fields.

        Raises:
            NotFound: the catalog has none of this id.
        """
        return self._ask(self._questions.dataset(dataset), timeout)

    def datasets(self, department: str = "", *, timeout: float = 10.0) -> Iterator[catalog_pb2.Dataset]:
        """The catalog, or what one department provides; pages are fetched as needed."""
        return self._items(self._questions.datasets(department), timeout)

    def needs(self, department: str = "", *, timeout: float = 10.0) -> Iterator[catalog_pb2.Need]:
        """What was asked for and nobody shares yet, newest first: all of it for the authority's officers and
        auditors, that of the own department for others; pages are fetched as needed."""
        return self._items(self._questions.needs(department), timeout)

    def suspensions(
        self, *, lifted: bool = False, timeout: float = 10.0
    ) -> Iterator[suspension_pb2.Suspension]:
        """What is suspended and may be about the own department, the oldest first, and with ``lifted`` what
        was; all of it for the authority's officers and auditors."""
        return self._items(suspending.suspensions(lifted=lifted), timeout)

    def receipt(self, leaf_index: int, *, acts: bool = False, timeout: float = 10.0) -> Receipt:
        """One receipt, proved against the current checkpoint; ``acts`` asks for the signed messages that its
        statement names as well, which are not verified.

        Raises:
            NotFound: there is none that the caller may read.
            VerificationFailed: the receipt does not hold.
        """
        return self._ask(self._questions.receipt(leaf_index, acts=acts), timeout)

    def cose_receipt(self, leaf_index: int, *, timeout: float = 10.0) -> bytes:
        """One receipt as a COSE Receipt (RFC 9942), proved against the current checkpoint.

        Raises:
            NotFound: there is none that the caller may read.
            VerificationFailed: the receipt does not hold.
        """
        return self._ask(self._questions.cose_receipt(leaf_index), timeout)

    def receipts(self, *, timeout: float = 10.0, **wanted: Unpack[Filter]) -> Iterator[Receipt]:
        """Receipts that the caller may read, newest first; pages are fetched as needed. With ``proofs`` each
        is proved against the signed head of the first page; of an erased statement nothing can be.

        Raises:
            VerificationFailed: a proof does not hold.
        """
        return self._items(self._questions.receipts(wanted), timeout)

    def log_keys(self, *, timeout: float = 10.0) -> LogKeys:
        """The keys that the log has signed under, proved by its leaves: what to trust from now on.

        Raises:
            VerificationFailed: they do not lead to the key that this client trusts.
        """
        return self._ask(self._questions.key_history(), timeout)

    def checkpoint(self, *, timeout: float = 10.0) -> str:
        """The log's current signed head (C2SP signed note)."""
        return self._ask(self._questions.checkpoint(), timeout)

    def consistency_proof(
        self, first_size: int, second_size: int, *, timeout: float = 10.0
    ) -> tuple[bytes, ...]:
        """Proof that the log of ``first_size`` is a prefix of that of ``second_size``."""
        return self._ask(self._questions.consistency_proof(first_size, second_size), timeout)

    def _exchanged(self, terms: UnaryTerms, until: Until) -> Exchanged:
        """The answer once the commitments are there that can be signed here."""
        signing = self._questions.signing(terms)
        while True:
            try:
                exchanged = self._ask(self._questions.exchange(terms, signing), until.left)
            except MalformedRequest as failure:
                if not signing.is_stale(failure):
                    raise
                continue
            if not self._learnt(signing, terms, exchanged.reasons, until):
                return exchanged

    def _learnt(
        self, signing: Signing, terms: Terms, reasons: Iterable[exchange_pb2.Reason], until: Until
    ) -> bool:
        """Whether there is reason to ask again: what is missing can be signed here."""
        lacking = [
            self._ask(self._questions.commitment_template(template, terms), until.left)
            for template in signing.lacking(reasons)
        ]
        learnt = [signing.learn(template) for template in lacking]
        return bool(learnt) and all(learnt)

    def _settle(self, delivery: Delivery | None, acknowledge: bool | None, until: Until) -> Receipt | None:
        """Acknowledges a delivery, if that is wanted, and a few that wait. None: it is not, or waits too."""
        if delivery is None or not delivery.wanted(acknowledge):
            return None
        message = self._kept(delivery)
        until = Until(min(until.left, ACKNOWLEDGE_SECONDS))
        receipt = None
        with suppress(BrokerError, VerificationFailed):  # what was delivered stands without it
            receipt = self._send(delivery.leaf_index, message, until)
            for leaf_index, older in self._outbox.waiting()[:AT_ONCE]:
                self._send(leaf_index, older, until)
        return receipt

    def _send(self, leaf_index: int, message: bytes, until: Until) -> Receipt | None:
        """The receipt of an acknowledgement; None where it is refused for good."""
        question = self._questions.acknowledge(leaf_index, message)
        with self._outbox.sending(leaf_index):
            return self._ask(question, until.left)
        return None

    def _ask(self, question: Question[T], timeout: float) -> T:
        def ask(connection: Connection, tries: Tries) -> T:
            response = question.method(connection.stubs)(question.request, timeout=tries.left)
            return question.read(response, tries.number)

        return self._try(ask, timeout, question.request_id)

    def _items(self, question: Question[Page[T]], timeout: float) -> Iterator[T]:
        following: Question[Page[T]] | None = question
        while following is not None:
            page = self._ask(following, timeout)
            yield from page.items
            following = page.following

    def _try(self, attempt: Callable[[Connection, Tries], T], timeout: float, request_id: str) -> T:
        tries = Tries(timeout, self._attempts, request_id)
        while True:
            with self._connections.attempt(tries) as connection:
                return attempt(connection, tries)
            time.sleep(tries.pause)
