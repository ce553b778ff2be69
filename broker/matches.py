"""How often a consumer may try what the value of a person's field is (比对核验): so many claims a day.

Counted by department, field and person, whatever the rule or purpose and whether true or not, in the
transaction that records the exchange. The counter holds a keyed tag of the person, another one each day: it
tells nobody who was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from broker.journal import QuotaExceeded
from broker.model import Charge, Why
from broker.reasons import Reason
from broker.standing import Decided


def with_matches(decided: Decided) -> Decided:
    """The same decision, which charges each claim of the application where it is a permit."""
    if not (decided.permitted and decided.application.claims):
        return decided
    charges = (*decided.decision.charges, *_charges(decided))
    return replace(decided, decision=replace(decided.decision, charges=charges))


def quota_why(exceeded: QuotaExceeded) -> Why:
    """Why a charge that does not fit refuses the exchange; of one that names a person, its field alone."""
    charge = exceeded.charge
    if charge.field:
        return Why(Reason.MATCHES_USED_UP, charge.field)
    return Why(Reason.QUOTA_EXCEEDED, charge.counter)


def _charges(decided: Decided) -> Iterator[Charge]:
    application, limit = decided.application, decided.decision.matches_per_day
    if limit is None:
        raise AssertionError("claims were admitted that nothing compares")
    day = decided.now.astimezone(decided.epoch.bundle.zone).date().isoformat()
    for claim in application.claims:
        asked = (application.consumer.department, f"{application.dataset}.{claim.field}", day)
        for subject, text in zip(application.subjects, claim.texts, strict=True):
            if text:
                # In lower case it is the same person, as when rows are found, and not another to guess about.
                tag = decided.epoch.keyring.match_tag(subject.upper(), asked).hex()
                yield Charge(f"matches/{'/'.join(asked)}/{tag}", limit, 1, claim.field)
