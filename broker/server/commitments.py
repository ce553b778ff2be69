"""The commitment service: templates as they are in force, and what was lodged. Thin, like the others."""

from __future__ import annotations

from broker.commitments.lodge import Lodged, Lodger
from broker.epoch import Epochs
from broker.errors import NotFound
from broker.model import Application, CommitmentTemplate
from broker.publish import MAX_TEXT
from broker.reasons import Reason
from broker.server import paging, wire
from broker.server.calls import Call
from broker.server.services import filter_id, malformed, receipt_leaf
from broker.use_commitment.text import Blank, blanks_of, document
from broker.v1 import commitment_pb2, commitment_pb2_grpc

COLLECTION = "commitmentTemplates/"


class CommitmentService(commitment_pb2_grpc.CommitmentServiceServicer):
    """What consumers commit themselves to."""

    def __init__(self, epochs: Epochs, lodger: Lodger) -> None:
        self._epochs = epochs
        self._lodger = lodger

    def GetCommitmentTemplate(
        self, request: commitment_pb2.GetCommitmentTemplateRequest, call: Call
    ) -> commitment_pb2.GetCommitmentTemplateResponse:
        catalog = self._epochs.current().bundle.catalog
        template = catalog.commitments.get(request.name.removeprefix(COLLECTION))
        if template is None or not request.name.startswith(COLLECTION):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        said = request.application
        asked = Application(
            consumer=call.identity,
            request_id="",
            dataset=said.dataset.removeprefix("datasets/"),
            fields=tuple(said.fields),
            subjects=(),
            purpose=said.purpose,
            service_item=said.service_item,
            case_no=said.case_no,
            legal_basis=said.legal_basis,
            operator=said.operator,
        )
        blanks = blanks_of(template, asked, catalog)
        del blanks[Blank.REQUEST_ID]
        return commitment_pb2.GetCommitmentTemplateResponse(
            template=template_message(template), blanks=blanks, zone=catalog.zone
        )

    def ListCommitmentTemplates(
        self, request: commitment_pb2.ListCommitmentTemplatesRequest, call: Call
    ) -> commitment_pb2.ListCommitmentTemplatesResponse:
        templates = self._epochs.current().bundle.catalog.commitments
        size = paging.page_size(request.page_size, default=100)
        every = [template_message(templates[id]) for id in sorted(templates)]
        found, token = paging.page(every, size, request.page_token, "commitmentTemplates")
        return commitment_pb2.ListCommitmentTemplatesResponse(templates=found, next_page_token=token)

    def LodgeCommitment(
        self, request: commitment_pb2.LodgeCommitmentRequest, call: Call
    ) -> commitment_pb2.LodgeCommitmentResponse:
        receipt = self._lodger.lodge(request.signed_commitment, call.identity)
        call.facts.update(receipt=receipt.leaf_index)
        return commitment_pb2.LodgeCommitmentResponse(receipt=wire.receipt_message(receipt))

    def ListCommitments(
        self, request: commitment_pb2.ListCommitmentsRequest, call: Call
    ) -> commitment_pb2.ListCommitmentsResponse:
        size = paging.page_size(request.page_size, default=50)
        department = filter_id(request.department, "departments/", "department")
        query = f"commitments {department}"
        before = paging.decode(request.page_token, query)
        found = self._lodger.listed(department, call.identity, before, size + 1)
        token = paging.encode(found[size - 1].leaf_index, query) if len(found) > size else ""
        listed = [lodged_message(one) for one in found[:size]]
        return commitment_pb2.ListCommitmentsResponse(commitments=listed, next_page_token=token)

    def GetCommitment(
        self, request: commitment_pb2.GetCommitmentRequest, call: Call
    ) -> commitment_pb2.GetCommitmentResponse:
        found = self._lodger.one(_leaf(request.name), call.identity)
        return commitment_pb2.GetCommitmentResponse(commitment=lodged_message(found))

    def WithdrawCommitment(
        self, request: commitment_pb2.WithdrawCommitmentRequest, call: Call
    ) -> commitment_pb2.WithdrawCommitmentResponse:
        leaf, reason = _leaf(request.name), request.reason
        if not reason or len(reason) > MAX_TEXT or not reason.isprintable():
            zh, en = (
                f"须写明原因，不超过 {MAX_TEXT} 字",
                f"say why, in at most {MAX_TEXT} visible characters",
            )
            raise malformed("reason", zh, en)
        receipt = self._lodger.withdraw(leaf, reason, call.identity)
        call.facts.update(commitment=leaf, receipt=receipt)
        return commitment_pb2.WithdrawCommitmentResponse(receipt=f"receipts/{receipt}")


def _leaf(name: str) -> int:
    """The leaf index in a commitment's resource name; raises NotFound for another name."""
    if not name.startswith("commitments/"):
        raise NotFound(Reason.RESOURCE_NOT_FOUND)
    return receipt_leaf(f"receipts/{name.removeprefix('commitments/')}")


def lodged_message(one: Lodged) -> commitment_pb2.LodgedCommitment:
    """A lodged commitment under its resource name."""
    return commitment_pb2.LodgedCommitment(
        name=f"commitments/{one.leaf_index}",
        template=f"commitmentTemplates/{one.template}",
        version=one.version,
        consumer=f"departments/{one.consumer}",
        provider=f"departments/{one.provider}",
        dataset=f"datasets/{one.dataset}",
        purpose=one.purpose,
        signer=one.signer,
        lodge_time=wire.timestamp(one.recorded_at),
        expire_time=wire.timestamp(one.expires),
        withdrawal_receipt="" if one.withdrawn is None else f"receipts/{one.withdrawn}",
    )


def template_message(template: CommitmentTemplate) -> commitment_pb2.CommitmentTemplate:
    """A template under its resource name."""
    return commitment_pb2.CommitmentTemplate(
        name=template.name,
        version=template.version,
        owner=f"departments/{template.owner}",
        title=template.title,
        title_en=template.title_en,
        text=document(template),
        signer=f"COMMITMENT_SIGNER_{template.signer.name}",
        valid_days=template.valid_days or 0,
    )
