"""The list of needs (需求清单): what departments asked for and nobody shares yet, for the authority to see.

A need is recorded with the refusal it comes from, in the same transaction. A department can put at most
:data:`MOST_A_DAY` new ones on the list in a day; what it asks for again is counted, however often.
"""

from __future__ import annotations

from dataclasses import replace

from broker.approve.rule import Effect
from broker.model import Charge, Need, Verdict, Why
from broker.reasons import Reason
from broker.standing import Decided

MOST_A_DAY = 50
"""New needs of a department in a day of the city's zone."""

_NOT_THERE = (Reason.DATASET_UNKNOWN, Reason.FIELD_NOT_SHARED)


def need_of(decided: Decided) -> Need | None:
    """The need behind a refusal: the dataset is not in the catalog, no rule permits it to anybody, or fields
    of it are not shared. None for any other decision, and for what was only to be validated.
    """
    application, decision = decided.application, decided.decision
    if decision.verdict is not Verdict.DENY or application.validate_only:
        return None
    cause = decision.reasons[0].reason
    if cause not in _NOT_THERE and not (cause is Reason.NOTHING_PERMITS and _nobody_may(decided)):
        return None
    fields = tuple(sorted(application.fields))
    return Need(application.consumer.department, application.dataset, application.purpose, fields, cause)


def recorded(decided: Decided) -> Decided:
    """The same refusal, saying that the need is on the list."""
    decision = decided.decision
    reasons = (*decision.reasons, Why(Reason.NEED_RECORDED))
    return replace(decided, decision=replace(decision, reasons=reasons))


def charge(decided: Decided) -> Charge:
    """What a new need uses up."""
    day = decided.now.astimezone(decided.epoch.bundle.zone).date()
    return Charge(f"needs/{decided.application.consumer.department}/{day}", MOST_A_DAY, 1)


def _nobody_may(decided: Decided) -> bool:
    rules = decided.epoch.bundle.about[decided.application.dataset].rules
    return all(rule.effect is not Effect.PERMIT for rule in rules)
