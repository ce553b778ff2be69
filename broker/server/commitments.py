"""The commitment service: templates of use commitments, as they are in force. Thin, like the others."""

from __future__ import annotations

from broker.epoch import Epochs
from broker.errors import NotFound
from broker.model import Application, CommitmentTemplate
from broker.reasons import Reason
from broker.server import paging
from broker.server.calls import Call
from broker.use_commitment.text import Blank, blanks_of, document
from broker.v1 import commitment_pb2, commitment_pb2_grpc

COLLECTION = "commitmentTemplates/"


class CommitmentService(commitment_pb2_grpc.CommitmentServiceServicer):
    """What consumers commit themselves to."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs

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
