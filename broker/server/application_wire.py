"""Applications that people decide, from the domain's records to the wire's messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from broker.applications.message import terms_message
from broker.applications.notices import Notice
from broker.applications.register import Done
from broker.filing_signatures import terms_digest
from broker.model import (
    Act,
    Extension,
    FiledApplication,
    ReviewBy,
    SharingMode,
    SignedAct,
    Stage,
    State,
    Step,
    Why,
)
from broker.reasons import sentence
from broker.server import wire
from broker.v1 import application_pb2

T = TypeVar("T")

STATES = {state: f"APPLICATION_STATE_{state.name}" for state in State}
ACTS = {act: f"APPLICATION_ACT_{act.name}" for act in Act}
STAGES = {stage: f"REVIEW_STAGE_{stage.name}" for stage in Stage}
MODES = {mode: f"SHARING_MODE_{mode.name}" for mode in SharingMode}


def filed_message(filed: FiledApplication, *, steps: bool = True) -> application_pb2.FiledApplication:
    """An application; in lists without its steps."""
    return application_pb2.FiledApplication(
        name=filed.name,
        version=filed.version,
        state=STATES[filed.state],
        stage=STAGES[filed.stage] if filed.stage else "REVIEW_STAGE_UNSPECIFIED",
        terms=terms_message(filed.terms),
        provider=f"departments/{filed.provider}",
        created_by=filed.created_by,
        create_time=wire.timestamp(filed.steps[0].at),
        file_time=wire.timestamp(filed.filed_at),
        due_time=wire.timestamp(filed.due_at),
        overdue=filed.overdue,
        due_provisional=filed.due_provisional,
        missing=[_missing(why) for why in filed.missing],
        reviews=[_demand(review) for review in filed.reviews],
        signatures=[_signature(one) for one in filed.signed],
        extension=_extension(filed.extension),
        suspended_by=f"departments/{filed.suspended_by}" if filed.suspended_by else "",
        grant=filed.grant_name if any(one.act is Act.APPROVE for one in filed.steps) else "",
        steps=[_step(step) for step in filed.steps] if steps else (),
        digest=terms_digest(filed.number, filed.terms),
    )


def answer(response: Callable[..., T], done: Done) -> T:
    """The response to an act; all have the same members."""
    return response(application=filed_message(done.filed), receipt=wire.receipt_message(done.receipt))


def notice_message(notice: Notice) -> application_pb2.Notice:
    """A notice."""
    return application_pb2.Notice(
        name=notice.name,
        kind=notice.kind,
        act=notice.act,
        state=notice.state,
        notice_time=wire.timestamp(notice.at),
        receipt=f"receipts/{notice.receipt}",
        due_time=wire.timestamp(notice.due_at),
        consumer=_named("departments/", notice.consumer),
        provider=_named("departments/", notice.provider),
        dataset=_named("datasets/", notice.dataset),
    )


def _named(collection: str, id: str) -> str:
    return f"{collection}{id}" if id else ""


def _missing(why: Why) -> application_pb2.MissingPaper:
    zh, en = sentence(why.reason, why.about)
    return application_pb2.MissingPaper(reason=why.reason, about=why.about, zh=zh, en=en)


def _demand(review: ReviewBy) -> application_pb2.ReviewDemand:
    return application_pb2.ReviewDemand(
        departments=[f"departments/{one}" for one in sorted(review.departments)],
        count=review.count,
        never_own=review.never_own,
    )


def _signature(one: SignedAct) -> application_pb2.ApplicationSignature:
    return application_pb2.ApplicationSignature(
        act=ACTS[one.act],
        officer=one.officer,
        digest=one.digest,
        sign_time=wire.timestamp(one.signed_at),
        stage=STAGES[one.stage] if one.stage else "REVIEW_STAGE_UNSPECIFIED",
        on_behalf_of=one.on_behalf_of,
    )


def _extension(extension: Extension | None) -> application_pb2.Extension | None:
    if extension is None:
        return None
    return application_pb2.Extension(
        working_days=extension.working_days,
        asked_by=extension.asked_by,
        consented_by=extension.consented_by,
    )


def _step(step: Step) -> application_pb2.ApplicationStep:
    return application_pb2.ApplicationStep(
        act=ACTS[step.act],
        before=STATES[step.before] if step.before else "APPLICATION_STATE_UNSPECIFIED",
        after=STATES[step.after],
        actor=step.actor,
        act_time=wire.timestamp(step.at),
        reason=step.reason,
        legal_basis=step.legal_basis,
        receipt="" if step.receipt is None else f"receipts/{step.receipt}",
    )
