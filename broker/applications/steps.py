"""What each act makes of the record. Pure: whose act it is and whether it may be done is asked before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from broker.applications import clocks, demanded, reviewers
from broker.applications.states import next_state
from broker.approve.bundle import Bundle
from broker.filing_signatures import Signed
from broker.model import (
    BROKER,
    Act,
    Catalog,
    DepartmentKind,
    Extension,
    FiledApplication,
    Identity,
    SignedAct,
    Stage,
    State,
    Step,
    Terms,
)


def stepped(
    filed: FiledApplication,
    act: Act,
    actor: str,
    now: datetime,
    *,
    reason: str = "",
    legal_basis: str = "",
    **changes: Any,
) -> FiledApplication:
    """The application after ``act``, with whatever else of it changes.

    Raises:
        NoTransition: the act does not go with its state.
    """
    after = next_state(filed.state, act)
    step = Step(act, filed.state, after, actor, now, reason, legal_basis)
    version, steps = filed.version + 1, (*filed.steps, step)
    return replace(filed, version=version, state=after, steps=steps, **changes)


def created(number: int, terms: Terms, provider: str, caller: Identity, now: datetime) -> FiledApplication:
    """A draft."""
    step = Step(Act.CREATE, None, next_state(None, Act.CREATE), caller.uri, now)
    return FiledApplication(number, 1, step.after, terms, provider, caller.uri, steps=(step,))


def supplemented(filed: FiledApplication, terms: Terms, caller: Identity, now: datetime) -> FiledApplication:
    """With other terms, which nobody has signed."""
    return stepped(filed, Act.SUPPLEMENT, caller.uri, now, terms=terms, signed=())


def consented(filed: FiledApplication, signed: Signed, now: datetime) -> FiledApplication:
    """Filed by the consumer's officer."""
    consent = _signed_act(Act.CONSENT, signed)
    changes: dict[str, Any] = {"filed_at": now, "signed": (consent,), "missing": ()}
    changes |= {"overdue": False, **clocks.STOPPED}
    return stepped(filed, Act.CONSENT, signed.signer.uri, now, **changes)


def checked(filed: FiledApplication, bundle: Bundle, now: datetime) -> FiledApplication:
    """Returned with everything that is missing, or accepted for review."""
    if lacks := demanded.missing(filed.terms, bundle, now):
        returned = stepped(filed, Act.RETURN, BROKER, now, missing=lacks)
        return clocks.wound(returned, bundle, now)
    reviews, stage = demanded.reviews(filed.terms, bundle), clocks.stages(filed, bundle)[0]
    accepted = stepped(filed, Act.ACCEPT, BROKER, now, reviews=reviews, stage=stage)
    return clocks.wound(accepted, bundle, now)


def approved(
    filed: FiledApplication, signed: Signed, on_behalf_of: str, bundle: Bundle, now: datetime
) -> FiledApplication:
    """With one approval more: approved by it, or on to the next stage, or still waiting for others."""
    approval = _signed_act(Act.APPROVE, signed, filed.stage, on_behalf_of)
    with_it = replace(filed, signed=(*filed.signed, approval))
    officer = signed.signer.uri
    if reviewers.lacking(with_it, authorities(bundle.catalog)):
        return stepped(with_it, Act.ENDORSE, officer, now)
    if later := _later(filed):
        endorsed = stepped(with_it, Act.ENDORSE, officer, now, stage=later, overdue=False)
        return clocks.wound(endorsed, bundle, now)
    done: dict[str, Any] = {"stage": None, "overdue": False, **clocks.STOPPED}
    return stepped(with_it, Act.APPROVE, officer, now, **done)


def ended(
    filed: FiledApplication, act: Act, actor: str, now: datetime, reason: str = "", legal_basis: str = ""
) -> FiledApplication:
    """Refused, withdrawn, terminated or expired: nothing is waited for any more."""
    done: dict[str, Any] = {"stage": None, "overdue": False, **clocks.STOPPED}
    done |= {"suspended_by": "", "missing": ()}
    return stepped(filed, act, actor, now, reason=reason, legal_basis=legal_basis, **done)


def extended(
    filed: FiledApplication, days: int, reason: str, caller: Identity, bundle: Bundle, now: datetime
) -> FiledApplication:
    """With more time asked for (``days`` above 0), or consented to."""
    if days:
        extension = Extension(days, caller.uri)
        return stepped(filed, Act.ASK_EXTENSION, caller.uri, now, reason=reason, extension=extension)
    if filed.extension is None:
        raise ValueError("nobody asked for more time")
    extension = replace(filed.extension, consented_by=caller.uri)
    longer = stepped(filed, Act.EXTEND, caller.uri, now, reason=reason, extension=extension, overdue=False)
    return clocks.wound(longer, bundle, now)


def suspended(filed: FiledApplication, reason: str, caller: Identity, now: datetime) -> FiledApplication:
    """A grant that gives nothing."""
    by = caller.department
    return stepped(filed, Act.SUSPEND, caller.uri, now, reason=reason, suspended_by=by)


def resumed(filed: FiledApplication, reason: str, caller: Identity, now: datetime) -> FiledApplication:
    """A grant that gives again what it gave."""
    return stepped(filed, Act.RESUME, caller.uri, now, reason=reason, suspended_by="")


def due(filed: FiledApplication, bundle: Bundle, now: datetime) -> FiledApplication | None:
    """What the broker has to do about it by now, as done: one act, the most pressing. None: nothing."""
    terms = filed.terms
    if filed.state is State.FILED:
        return checked(filed, bundle, now)
    if filed.is_grant and terms.valid_until is not None and terms.valid_until <= now:
        return ended(filed, Act.EXPIRE, BROKER, now)
    if filed.state is State.APPROVED and terms.valid_from is not None and terms.valid_from <= now:
        return stepped(filed, Act.ACTIVATE, BROKER, now)
    if filed.state not in (State.NEEDS_SUPPLEMENT, State.UNDER_REVIEW):
        return None
    if filed.due_at is not None and filed.due_at <= now and not filed.overdue:
        counted_again = clocks.reminded(filed, bundle, now)
        if filed.due_provisional and counted_again.due_at != filed.due_at:
            return stepped(counted_again, Act.REMIND, BROKER, now)
        return stepped(filed, Act.ESCALATE, BROKER, now, overdue=True, remind_at=None)
    if filed.remind_at is not None and filed.remind_at <= now:
        return clocks.reminded(stepped(filed, Act.REMIND, BROKER, now), bundle, now)
    return None


def authorities(catalog: Catalog) -> frozenset[str]:
    """Ids of the departments that are the authority."""
    departments = catalog.departments.values()
    return frozenset(one.id for one in departments if one.kind is DepartmentKind.AUTHORITY)


def _later(filed: FiledApplication) -> Stage | None:
    """The stage after the one that it is in: the authority's check is never the answer, whatever the limits
    in force have become meanwhile."""
    return Stage.ANSWER if filed.stage is Stage.CONFORMITY else None


def _signed_act(act: Act, signed: Signed, stage: Stage | None = None, on_behalf_of: str = "") -> SignedAct:
    signer = signed.signer
    return SignedAct(act, signer.uri, signer.department, signed.digest, signed.at, stage, on_behalf_of)
