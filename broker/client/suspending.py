"""What officers ask about suspensions, and what to make of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from broker.client.answer import checked_receipt
from broker.client.evidence import require_said
from broker.client.questions import Page, Question, listing
from broker.errors import VerificationFailed
from broker.model import EntryKind, Receipt, Target
from broker.receipt.log_keys import Trust
from broker.v1 import exchange_pb2, suspension_pb2

COLLECTIONS = {Target.CONSUMER: "departments/", Target.DATASET: "datasets/"}


@dataclass(frozen=True, slots=True)
class Suspended:
    """A suspension that was ordered, or lifted."""

    suspension: suspension_pb2.Suspension
    receipt: Receipt | None
    """Of the leaf that says so; None where it was there before, or the head could not be signed yet."""


def suspend(
    target: Target, name: str, reason: str, provider: str, mend_by: datetime | None, trust: Trust | None
) -> Question[Suspended]:
    """See :meth:`broker.client.OfficerClient.suspend`."""
    request = suspension_pb2.SuspendSharingRequest(
        target=getattr(suspension_pb2, f"SUSPENSION_TARGET_{target.name}"),
        subject=f"{COLLECTIONS.get(target, '')}{name}" if name else "",
        provider=f"departments/{provider}" if provider else "",
        reason=reason,
    )
    if mend_by is not None:
        request.mend_time.FromDatetime(mend_by.astimezone(UTC))
    provider_told = "" if target is Target.DATASET else request.provider  # of a dataset there is but one

    def read(found: suspension_pb2.SuspendSharingResponse, _: int) -> Suspended:
        one = found.suspension
        if (one.target, one.subject) != (request.target, request.subject) or one.provider != provider_told:
            raise VerificationFailed("暂停的不是所要求的 / the suspension is of something else")
        return _suspended("suspend", one, found.receipt, trust)

    return Question(lambda stubs: stubs.suspensions.SuspendSharing, request, read)


def lift(number: int, reason: str, trust: Trust | None) -> Question[Suspended]:
    """See :meth:`broker.client.OfficerClient.lift`."""
    request = suspension_pb2.LiftSuspensionRequest(name=f"suspensions/{number}", reason=reason)
    return Question(
        lambda stubs: stubs.suspensions.LiftSuspension,
        request,
        lambda found, _: _suspended("lift", found.suspension, found.receipt, trust),
    )


def suspensions(*, lifted: bool) -> Question[Page[suspension_pb2.Suspension]]:
    """See :meth:`broker.client.Client.suspensions`."""
    request = suspension_pb2.ListSuspensionsRequest(lifted=lifted)
    return listing(lambda stubs: stubs.suspensions.ListSuspensions, request, lambda found: found.suspensions)


def _suspended(
    act: str, suspension: suspension_pb2.Suspension, receipt: exchange_pb2.Receipt, trust: Trust | None
) -> Suspended:
    if not receipt.statement:
        return Suspended(suspension, None)
    checked = checked_receipt(receipt, trust)
    number = int(suspension.name.removeprefix("suspensions/"))
    require_said(checked, {("kind",): EntryKind.EPOCH, ("act",): act, ("suspension", "number"): number})
    return Suspended(suspension, checked)
