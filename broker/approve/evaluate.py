"""Step 2, approve: one application against the bundle's rules gives one :class:`~broker.model.Decision`.

What it means is written in ``docs/policy-language.md``. In short: what is not permitted is denied; deny
outweighs a missing paper, that a review, that a permit. Where several permits apply, all of their demands
hold. Whatever cannot be told of a rule counts against release.

Where it is done: :mod:`~broker.approve.index` has the rules about one dataset, :mod:`~broker.approve.plan`
finds which of them speak, :mod:`~broker.approve.coverage` what the permits cover by their scopes,
:mod:`~broker.approve.demands` what they demand, :mod:`~broker.approve.verdict` what it all comes to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.approve.plan import Plan
from broker.approve.verdict import Outcome
from broker.model import Application, Charge, Decision, Grant, Suspension, Verdict, Why
from broker.reasons import Reason


def evaluate(
    application: Application,
    grant: Grant | None,
    bundle: Bundle,
    now: datetime,
    suspensions: Sequence[Suspension] = (),
) -> Decision:
    """What policy says of ``application`` at ``now`` (aware); suspensions can only
    narrow it, and a grant too, but for the review that has been made for it (4.10).

    A refusal is a value with reasons; they name fields and rules, never a value.
    """
    return settle(application, grant, bundle, now, suspensions)[0]


def settle(
    application: Application,
    grant: Grant | None,
    bundle: Bundle,
    now: datetime,
    suspensions: Sequence[Suspension] = (),
) -> tuple[Decision, Plan | None, Outcome | None]:
    """As :func:`evaluate`; with the plan and the outcome it came of, if it got as far as the rules."""
    plan = bundle.plans.of(application)
    if plan is None:
        known = application.dataset in bundle.catalog.datasets
        unknown = Reason.DEPARTMENT_UNKNOWN if known else Reason.DATASET_UNKNOWN
        return _denied(bundle, [Why(unknown)]), None, None
    if suspensions and (stopped := [s for s in suspensions if s.covers(application)]):
        return _denied(bundle, [Why(Reason.SUSPENDED, s.told) for s in stopped]), None, None
    if plan.barred is not None:
        return plan.barred, None, None
    named = grant is not None or application.grant
    if named and (outside := [*_outside_grant(application, grant, bundle, now)]):
        return _denied(bundle, outside), None, None
    outcome = plan.outcome(application, now)
    if grant is None:
        return outcome.of(application), plan, outcome
    outcome = outcome.under(grant)
    return _bounded(outcome.of(application), grant), plan, outcome


def _bounded(decision: Decision, grant: Grant) -> Decision:
    """A permit within the bounds of a grant, beside those of policy."""
    if decision.verdict is not Verdict.PERMIT:
        return decision
    bounds = [rows for rows in (decision.rows_per_call, grant.rows_per_call) if rows is not None]
    charges = decision.charges
    if grant.rows_total is not None:
        charges += (Charge(f"rows/grants/{grant.name}/total", grant.rows_total),)
    return replace(
        decision,
        rows_per_call=min(bounds, default=None),
        row_scopes=decision.row_scopes + grant.row_scopes,
        charges=charges,
    )


def _outside_grant(
    application: Application, grant: Grant | None, bundle: Bundle, now: datetime
) -> Iterator[Why]:
    if grant is None:  # a name that nothing stands behind
        yield Why(Reason.GRANT_UNKNOWN)
        return
    if (grant.consumer, grant.dataset) != (application.consumer.department, application.dataset):
        yield Why(Reason.GRANT_UNKNOWN)  # that it exists is not this caller's affair
        return
    if grant.purpose != application.purpose:
        yield Why(Reason.PURPOSE_NOT_PERMITTED)
    if not grant.valid_from <= now < grant.valid_until:
        yield Why(Reason.OUTSIDE_VALIDITY)
    for field in application.fields:
        if field not in grant.fields:
            yield Why(Reason.FIELD_NOT_PERMITTED, field)
    if not (application.subjects or grant.whole):
        yield Why(Reason.WHOLE_DATASET_NOT_PERMITTED)
    fields = bundle.catalog.datasets[application.dataset].fields
    for scope in grant.row_scopes:
        if scope.field not in fields:  # it was, when the grant was approved
            yield Why(Reason.FIELD_NOT_PERMITTED, scope.field)


def _denied(bundle: Bundle, reasons: Iterable[Why]) -> Decision:
    return Decision(Verdict.DENY, bundle.hash, (), tuple(reasons))
