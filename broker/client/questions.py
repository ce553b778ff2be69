"""What a client can ask: each request built, signed and numbered once, with what to make of its answer.

:class:`~broker.client.client.Client` and :class:`~broker.client.aio.AsyncClient` differ only in how they
wait; what they ask and how they read the answer is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Generic, TypedDict, TypeVar

from broker.acknowledge.signed import Acknowledgement, sign
from broker.acknowledge.signed import read as read_signed
from broker.apply.signed import sign_application
from broker.client.acknowledging import Delivery
from broker.client.answer import Exchanged, checked_cose, checked_receipt, exchanged_of, receipt_of
from broker.client.committing import (
    Signing,
    Template,
    Templates,
    commitment_for,
    department_of,
    template_of,
)
from broker.client.connections import Stubs
from broker.client.credentials import Credentials
from broker.client.detokenizing import Detokenized, TokenRequest, detokenized_of
from broker.client.evidence import Request, require_committed, require_said
from broker.client.proving import ProvedReceipts
from broker.client.stream import StreamQuestion
from broker.client.terms import Terms, UnaryTerms
from broker.errors import VerificationFailed
from broker.model import EntryKind, Receipt, Verdict
from broker.receipt.key_history import proved
from broker.receipt.log_keys import LogKeys, Trust
from broker.receipt.note import VerifierKey
from broker.use_commitment.signed import sign as sign_commitment
from broker.v1 import catalog_pb2, commitment_pb2, delivery_pb2, exchange_pb2, masking_pb2, receipt_pb2

T = TypeVar("T")
Kind = TypeVar("Kind", exchange_pb2.ExchangeRequest, exchange_pb2.StreamExchangeRequest)


class Filter(TypedDict, total=False):
    """Which receipts to list; what is not given does not matter. Times carry their zone."""

    department: str
    """Provider or consumer."""
    dataset: str
    purpose: str
    verdict: Verdict | None
    since: datetime | None
    until: datetime | None
    operator: str
    """经办人, word for word, as the next two."""
    case_no: str
    service_item: str
    rule: str
    reason: str
    """Code of a reason that the receipt gives."""
    kind: EntryKind | None
    subject_tags: Sequence[bytes]
    """Tags of 16 bytes, at most 1,000: receipts that bear at least one of them."""
    proofs: bool
    """Prove each receipt; all of them lead to one signed head, that of the first page."""
    page_size: int
    """How many to fetch at once, at most 1,000; 50 if not given."""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """One call to make: over which method, with which request, and what its response means."""

    method: Callable[[Stubs], Callable[..., Any]]
    request: Any
    read: Callable[[Any, int], T]
    """From the response and the number of attempts that it took.

    Raises:
        VerificationFailed: the response does not hold.
    """
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list, and the question that the next part answers."""

    items: Sequence[T]
    following: Question[Page[T]] | None


class Questions:
    """The questions of one caller, whose SPIFFE id ``caller`` is."""

    def __init__(self, credentials: Credentials, trust: Trust | None) -> None:
        self._credentials = credentials
        self._caller = credentials.uri
        self._trust = trust
        self._templates = Templates()

    def exchange(self, terms: UnaryTerms, signing: Signing | None = None) -> Question[Exchanged]:
        request = self._request(exchange_pb2.ExchangeRequest, terms, signing)
        request.validate_only = terms.get("validate_only", False)

        def read(response: exchange_pb2.ExchangeResponse, attempts: int) -> Exchanged:
            return exchanged_of(request, response, attempts, self._caller, self._trust)

        return Question(lambda stubs: stubs.exchanges.Exchange, request, read, request.request_id)

    def stream(self, terms: Terms, signing: Signing | None = None) -> StreamQuestion:
        request = self._request(exchange_pb2.StreamExchangeRequest, terms, signing)
        return StreamQuestion(request, self._caller, self._trust)

    def detokenize(self, asked: TokenRequest, approval: bytes) -> Question[Detokenized]:
        request = masking_pb2.DetokenizeRequest(
            request_id=asked.asked.request_id,
            receipt=f"receipts/{asked.asked.receipt}",
            field=asked.asked.field,
            tokens=asked.tokens,
            reason=asked.asked.reason,
            legal_basis=asked.asked.legal_basis,
            signed_approval=approval,
        )

        def read(response: masking_pb2.DetokenizeResponse, _: int) -> Detokenized:
            return detokenized_of(asked, response, self._caller, self._trust)

        return Question(lambda stubs: stubs.masking.Detokenize, request, read, request.request_id)

    def signed(self, delivery: Delivery) -> bytes:
        """The caller's acknowledgement of a delivery."""
        said = Acknowledgement(delivery.leaf, delivery.digest, delivery.received_at)
        return sign(said, self._credentials.private_key(), self._credentials.chain[0])

    def acknowledge(self, leaf_index: int, message: bytes) -> Question[Receipt]:
        request = delivery_pb2.AcknowledgeDeliveryRequest(
            receipt=f"receipts/{leaf_index}", signed_acknowledgement=message
        )
        digest = _digest_in(message)

        def read(response: delivery_pb2.AcknowledgeDeliveryResponse, _: int) -> Receipt:
            receipt = checked_receipt(response.receipt, self._trust)
            # Of the first, if repeated, which may have been of the stream's first outcome: of the same data.
            told: dict[tuple[str, ...], object] = {("kind",): EntryKind.ACKNOWLEDGEMENT}
            told |= {("digest",): digest} if response.repeated else {("of",): leaf_index}
            require_said(receipt, told)
            return receipt

        return Question(lambda stubs: stubs.deliveries.AcknowledgeDelivery, request, read)

    def deliveries(self, consumer: str, overdue: bool) -> Question[Page[delivery_pb2.Delivery]]:
        request = delivery_pb2.ListDeliveriesRequest(
            consumer=resource("departments", consumer), overdue=overdue
        )
        return listing(lambda stubs: stubs.deliveries.ListDeliveries, request, lambda found: found.deliveries)

    def dataset(self, dataset: str) -> Question[catalog_pb2.Dataset]:
        request = catalog_pb2.GetDatasetRequest(name=f"datasets/{dataset}")
        return Question(lambda stubs: stubs.catalog.GetDataset, request, lambda found, _: found.dataset)

    def signing(self, terms: Terms) -> Signing:
        """One application, whose commitments are signed as policy demands them if the caller allows it."""
        return Signing(self._templates, self._credentials, terms)

    def commitment_template(self, template: str, terms: Terms | None = None) -> Question[Template]:
        """A template in force, with what fills its blanks for ``terms``."""
        request = commitment_pb2.GetCommitmentTemplateRequest(name=resource("commitmentTemplates", template))
        if terms is not None:
            request.application.CopyFrom(_application(terms))
        return Question(
            lambda stubs: stubs.commitments.GetCommitmentTemplate,
            request,
            lambda found, _: template_of(found),
        )

    def commitment_templates(self) -> Question[Page[commitment_pb2.CommitmentTemplate]]:
        request = commitment_pb2.ListCommitmentTemplatesRequest()
        method = lambda stubs: stubs.commitments.ListCommitmentTemplates  # noqa: E731
        return listing(method, request, lambda found: found.templates)

    def lodge_commitment(self, message: bytes) -> Question[Receipt]:
        request = commitment_pb2.LodgeCommitmentRequest(signed_commitment=message)
        digest = sha256(message).hexdigest()

        def read(response: commitment_pb2.LodgeCommitmentResponse, _: int) -> Receipt:
            receipt = checked_receipt(response.receipt, self._trust)
            require_said(receipt, {("kind",): EntryKind.COMMITMENT})
            require_committed(receipt, digest)
            return receipt

        return Question(lambda stubs: stubs.commitments.LodgeCommitment, request, read)

    def commitments(self, department: str) -> Question[Page[commitment_pb2.LodgedCommitment]]:
        request = commitment_pb2.ListCommitmentsRequest(department=resource("departments", department))
        return listing(
            lambda stubs: stubs.commitments.ListCommitments, request, lambda found: found.commitments
        )

    def commitment(self, number: int) -> Question[commitment_pb2.LodgedCommitment]:
        request = commitment_pb2.GetCommitmentRequest(name=f"commitments/{number}")
        return Question(
            lambda stubs: stubs.commitments.GetCommitment, request, lambda found, _: found.commitment
        )

    def withdraw_commitment(self, number: int, reason: str) -> Question[int]:
        request = commitment_pb2.WithdrawCommitmentRequest(name=f"commitments/{number}", reason=reason)
        return Question(
            lambda stubs: stubs.commitments.WithdrawCommitment,
            request,
            lambda found, _: int(found.receipt.removeprefix("receipts/")),
        )

    def standing(self, template: Template, terms: Terms, lifetime: timedelta) -> bytes:
        """A commitment for all calls of a dataset and purpose, signed with the caller's own key."""
        said = commitment_for(template, terms, department_of(self._credentials), "", lifetime)
        return sign_commitment(said, self._credentials.private_key(), self._credentials.chain)

    def datasets(self, department: str) -> Question[Page[catalog_pb2.Dataset]]:
        request = catalog_pb2.ListDatasetsRequest(department=resource("departments", department))
        return listing(lambda stubs: stubs.catalog.ListDatasets, request, lambda found: found.datasets)

    def needs(self, department: str) -> Question[Page[catalog_pb2.Need]]:
        request = catalog_pb2.ListNeedsRequest(department=resource("departments", department))
        return listing(lambda stubs: stubs.catalog.ListNeeds, request, lambda found: found.needs)

    def receipt(self, leaf_index: int, *, acts: bool = False) -> Question[Receipt]:
        request = receipt_pb2.GetReceiptRequest(name=f"receipts/{leaf_index}", acts=acts)
        return Question(
            lambda stubs: stubs.receipts.GetReceipt,
            request,
            lambda found, _: checked_receipt(found.receipt, self._trust),
        )

    def cose_receipt(self, leaf_index: int) -> Question[bytes]:
        request = receipt_pb2.GetReceiptRequest(name=f"receipts/{leaf_index}", cose=True)
        return Question(
            lambda stubs: stubs.receipts.GetReceipt,
            request,
            lambda found, _: checked_cose(
                found.cose_receipt, self._trust, tuple(found.receipt.log_key_successions)
            ),
        )

    def receipts(self, wanted: Filter) -> Question[Page[Receipt]]:
        request = receipt_pb2.ListReceiptsRequest(
            department=resource("departments", wanted.get("department", "")),
            dataset=resource("datasets", wanted.get("dataset", "")),
            purpose=wanted.get("purpose", ""),
        )
        if verdict := wanted.get("verdict"):
            request.verdict = getattr(exchange_pb2, f"VERDICT_{verdict.name}")
        if since := wanted.get("since"):
            request.since.FromDatetime(since.astimezone(UTC))
        if until := wanted.get("until"):
            request.until.FromDatetime(until.astimezone(UTC))
        request.subject_tags.extend(wanted.get("subject_tags", ()))
        for name in ("operator", "case_no", "service_item", "rule", "reason", "kind"):
            setattr(request, name, str(wanted.get(name) or ""))
        request.proofs, request.page_size = wanted.get("proofs", False), wanted.get("page_size", 0)
        items = ProvedReceipts(self._trust).of_page if request.proofs else _unproved
        return listing(lambda stubs: stubs.receipts.ListReceipts, request, items)

    def checkpoint(self) -> Question[str]:
        request = receipt_pb2.GetCheckpointRequest()
        return Question(
            lambda stubs: stubs.receipts.GetCheckpoint, request, lambda found, _: found.checkpoint
        )

    def key_history(self) -> Question[LogKeys]:
        def read(found: receipt_pb2.GetCheckpointResponse, _: int) -> LogKeys:
            trust = self._trust or VerifierKey.parse(found.verifier_key)
            return proved(trust, [receipt_of(receipt) for receipt in found.key_history])

        return Question(lambda stubs: stubs.receipts.GetCheckpoint, receipt_pb2.GetCheckpointRequest(), read)

    def consistency_proof(self, first_size: int, second_size: int) -> Question[tuple[bytes, ...]]:
        request = receipt_pb2.GetConsistencyProofRequest(first_size=first_size, second_size=second_size)
        return Question(
            lambda stubs: stubs.receipts.GetConsistencyProof, request, lambda found, _: tuple(found.proof)
        )

    def _request(self, kind: type[Kind], terms: Terms, signing: Signing | None) -> Kind:
        signing = signing or self.signing(terms)
        request = kind(
            request_id=signing.request_id,
            application=_application(terms),
            grant=resource("grants", terms.get("grant", "")),
            signed_commitments=signing.signed(),
        )
        if terms.get("sign", False):
            request.signed_application = self._signed(request)
        return request

    def _signed(self, request: Request) -> bytes:
        application = request.application
        return sign_application(
            request_id=request.request_id,
            dataset=application.dataset.removeprefix("datasets/"),
            fields=tuple(application.fields),
            subjects=tuple(application.subjects),
            purpose=application.purpose,
            service_item=application.service_item,
            case_no=application.case_no,
            legal_basis=application.legal_basis,
            operator=application.operator,
            claims={claim.field: tuple(claim.values) for claim in application.claims},
            grant=request.grant.removeprefix("grants/"),
            consumer=self._caller,
            key=self._credentials.private_key(),
            chain=self._credentials.chain,
        )


def _digest_in(message: bytes) -> str:
    """Of what an acknowledgement says was received; of one that was damaged while it waited none."""
    try:
        return read_signed(message).said.digest.hex()
    except VerificationFailed:
        return ""


def _unproved(page: receipt_pb2.ListReceiptsResponse) -> Sequence[Receipt]:
    return [receipt_of(receipt) for receipt in page.receipts]


def _application(terms: Terms) -> exchange_pb2.Application:
    return exchange_pb2.Application(
        dataset=resource("datasets", terms["dataset"]),
        fields=terms["fields"],
        subjects=terms.get("subjects", ()),
        purpose=terms["purpose"],
        service_item=terms.get("service_item", ""),
        case_no=terms.get("case_no", ""),
        legal_basis=terms.get("legal_basis", ""),
        operator=terms.get("operator", ""),
        claims=[_claim(field, said) for field, said in terms.get("claims", {}).items()],
    )


def _claim(field: str, said: str | Sequence[str]) -> exchange_pb2.Claim:
    return exchange_pb2.Claim(field=field, values=[said] if isinstance(said, str) else said)


def resource(collection: str, id: str) -> str:
    """A resource name (AIP-122); none for an empty id."""
    return f"{collection}/{id}" if id else ""


def listing(
    method: Callable[[Stubs], Callable[..., Any]], request: Any, items: Callable[[Any], Sequence[T]]
) -> Question[Page[T]]:
    """The first page of a list (AIP-158); each page holds the question for the next."""

    def read(response: Any, _: int) -> Page[T]:
        following = None
        if response.next_page_token:
            next_request = type(request)()
            next_request.CopyFrom(request)
            next_request.page_token = response.next_page_token
            following = listing(method, next_request, items)
        return Page(items(response), following)

    return Question(method, request, read)
