"""The masking service: tokens turned back. Thin: it translates and hands over."""

from __future__ import annotations

from broker.detokenize.detokenize import Detokenized, Detokenizer
from broker.detokenize.request import Request
from broker.model import Verdict
from broker.server import wire
from broker.server.calls import Call
from broker.v1 import masking_pb2, masking_pb2_grpc


class MaskingService(masking_pb2_grpc.MaskingServiceServicer):
    """The way back from masked values."""

    def __init__(self, detokenizer: Detokenizer) -> None:
        self._detokenizer = detokenizer

    def Detokenize(
        self, request: masking_pb2.DetokenizeRequest, call: Call
    ) -> masking_pb2.DetokenizeResponse:
        asked = Request(
            request_id=request.request_id,
            receipt=request.receipt,
            field=request.field,
            tokens=tuple(request.tokens),
            reason=request.reason,
            legal_basis=request.legal_basis,
            signed_approval=request.signed_approval,
        )
        found = self._detokenizer.detokenize(asked, call.identity, call.still_wanted)
        verdict = Verdict.DENY if found.reasons else Verdict.PERMIT
        call.facts.update(verdict=verdict, receipt=found.receipt.leaf_index)
        return _response(found, verdict)


def _response(found: Detokenized, verdict: Verdict) -> masking_pb2.DetokenizeResponse:
    return masking_pb2.DetokenizeResponse(
        verdict=wire.VERDICTS[verdict],
        reasons=wire.reason_messages(found.reasons),
        values=[
            masking_pb2.Detokenized(known=value is not None, value=value or "") for value in found.values
        ],
        nonce=found.nonce,
        digest=found.digest,
        receipt=wire.receipt_message(found.receipt),
        redelivered=found.redelivered,
    )
