"""Who may review an application now, and who is missing: told by policy, the stage, and what was signed.

Four eyes: neither who created the application nor who consented to it reviews it, whatever their department;
where policy says ``never_own``, nobody of the consumer's does. One voice per person: whoever signed in the
stage, and in whose place somebody signed, has spoken. Of several demands one voice may meet each that it is
of the right department for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from broker.keys.spiffe import DepartmentId, parse
from broker.model import Delegation, FiledApplication, ReviewBy, SignedAct, Stage


@dataclass(frozen=True, slots=True)
class Voice:
    """What an officer's signature would count as."""

    officer: str
    """SPIFFE id of who signs."""
    officer_department: str
    department: str
    """Whose voice it is: the officer's own department, or that of the officer in whose place they sign."""
    on_behalf_of: str = ""
    """SPIFFE id of that officer; empty: in their own name."""

    @property
    def persons(self) -> tuple[str, ...]:
        """Who has spoken by it."""
        return (self.officer, self.on_behalf_of) if self.on_behalf_of else (self.officer,)


class Bar(StrEnum):
    """Why an officer may not review now."""

    NOT_UNDER_REVIEW = "not_under_review"
    OWN_APPLICATION = "own_application"
    """They created it, or consented to it."""
    OWN_DEPARTMENT = "own_department"
    """Policy wants nobody of the department that applies."""
    SPOKEN = "spoken"
    """They have signed in this stage, or somebody has in their place."""
    NOT_ASKED = "not_asked"
    """No review that is still missing is one of their department."""


def demands(application: FiledApplication, authorities: Collection[str]) -> tuple[ReviewBy, ...]:
    """Whose reviews the stage needs. ``authorities``: ids of the departments of that kind. The conformity
    check is one officer's of the authority, its own applications included, for nobody else checks."""
    if application.stage is Stage.CONFORMITY:
        return (ReviewBy(frozenset(authorities), never_own=False),)
    return application.reviews or (ReviewBy(frozenset({application.provider})),)


def voices(application: FiledApplication) -> tuple[Voice, ...]:
    """The approvals given in the present stage."""
    return tuple(_given(one) for one in application.approvals if one.stage is application.stage)


def lacking(
    application: FiledApplication, authorities: Collection[str], more: Iterable[Voice] = ()
) -> tuple[tuple[ReviewBy, int], ...]:
    """Each demand of the stage that is not met yet, and by how many officers; none: it is enough. ``more``
    are counted beside those given."""
    given = (*voices(application), *more)
    counted = (
        (demand, demand.count - sum(_counts(one, demand, application) for one in given))
        for demand in demands(application, authorities)
    )
    return tuple((demand, short) for demand, short in counted if short > 0)


def voice(
    application: FiledApplication,
    officer: str,
    department: str,
    authorities: Collection[str],
    delegations: Iterable[Delegation],
    now: datetime,
) -> Voice | Bar:
    """How ``officer`` (SPIFFE id) of ``department`` may review ``application`` now: in their own name if
    that counts, else in the place of whoever delegated to them and would count; or why not."""
    if application.stage is None:
        return Bar.NOT_UNDER_REVIEW
    missing = [demand for demand, _ in lacking(application, authorities)]
    own = Voice(officer, department, department)
    bar = _bar(application, own, missing)
    if bar is None:
        return own
    if bar in (Bar.OWN_APPLICATION, Bar.SPOKEN):
        return bar  # in nobody's place either: it would be the same person
    lent = (
        Voice(officer, department, one.by_department, one.by)
        for one in delegations
        if one.to == officer and one.to_department == department and one.in_force(now)
    )
    return next((one for one in lent if _bar(application, one, missing) is None), bar)


def _given(signed: SignedAct) -> Voice:
    by = parse(signed.on_behalf_of) if signed.on_behalf_of else None
    whose = by.department if isinstance(by, DepartmentId) else signed.department
    return Voice(signed.officer, signed.department, whose, signed.on_behalf_of)


def _bar(application: FiledApplication, one: Voice, missing: Collection[ReviewBy]) -> Bar | None:
    consent = application.consent
    own = {application.created_by, consent.officer if consent else ""}
    if not own.isdisjoint(one.persons):
        return Bar.OWN_APPLICATION
    if any(not set(given.persons).isdisjoint(one.persons) for given in voices(application)):
        return Bar.SPOKEN
    if any(_counts(one, demand, application) for demand in missing):
        return None
    asked = any(one.department in demand.departments for demand in missing)
    return Bar.OWN_DEPARTMENT if asked else Bar.NOT_ASKED


def _counts(one: Voice, demand: ReviewBy, application: FiledApplication) -> bool:
    theirs = application.terms.consumer in (one.department, one.officer_department)
    return one.department in demand.departments and not (demand.never_own and theirs)
