"""What can be asked about applications that people decide; how the answers are waited for is no matter here.

Officers sign what they have seen: the digest is computed from the terms in hand, never taken from the broker.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from broker.applications.message import terms_of
from broker.client.answer import checked_receipt
from broker.client.connections import Stubs
from broker.client.credentials import Credentials
from broker.client.evidence import require_said
from broker.client.questions import Page, Question, listing
from broker.errors import VerificationFailed
from broker.filing_signatures import sign
from broker.model import Act, EntryKind, Receipt, State
from broker.receipt.log_keys import Trust
from broker.v1 import application_pb2

Application = application_pb2.FiledApplication
Method = Callable[[Stubs], Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Filed:
    """An application after an act upon it, and the act's receipt."""

    application: Application
    receipt: Receipt


class Wanted(TypedDict, total=False):
    """Which applications to list; what is not given does not matter."""

    state: State | None
    consumer: str
    """Department id."""
    provider: str
    """Likewise."""
    overdue: bool
    """Only those whose limit has passed."""
    mine_to_review: bool
    """Only those that the caller, an officer, may review now."""


class FilingQuestions:
    """The questions of one caller."""

    def __init__(self, credentials: Credentials, trust: Trust | None) -> None:
        self._credentials = credentials
        self._trust = trust

    def create(self, terms: application_pb2.ApplicationTerms, request_id: str) -> Question[Filed]:
        request = application_pb2.CreateApplicationRequest(request_id=request_id or _fresh(), terms=terms)
        return self._act(lambda stubs: stubs.applications.CreateApplication, request)

    def get(self, number: int) -> Question[Application]:
        request = application_pb2.GetApplicationRequest(name=f"applications/{number}")
        return Question(
            lambda stubs: stubs.applications.GetApplication, request, lambda found, _: found.application
        )

    def listed(self, wanted: Wanted) -> Question[Page[Application]]:
        state, request = wanted.get("state"), application_pb2.ListApplicationsRequest()
        if state is not None:
            request.state = getattr(application_pb2, f"APPLICATION_STATE_{state.name}")
        for name in ("consumer", "provider"):
            if department := wanted.get(name):
                setattr(request, name, f"departments/{department}")
        request.overdue = wanted.get("overdue", False)
        request.mine_to_review = wanted.get("mine_to_review", False)
        return listing(
            lambda stubs: stubs.applications.ListApplications, request, lambda found: found.applications
        )

    def supplement(
        self, seen: Application, terms: application_pb2.ApplicationTerms, request_id: str
    ) -> Question[Filed]:
        request = application_pb2.SupplementApplicationRequest(**_of(seen, request_id), terms=terms)
        return self._act(lambda stubs: stubs.applications.SupplementApplication, request)

    def consent(self, seen: Application, request_id: str) -> Question[Filed]:
        request = application_pb2.ConsentApplicationRequest(
            **_of(seen, request_id), signed_consent=self._signed(Act.CONSENT, seen)
        )
        return self._act(lambda stubs: stubs.applications.ConsentApplication, request)

    def withdraw(self, seen: Application, reason: str, request_id: str) -> Question[Filed]:
        request = application_pb2.WithdrawApplicationRequest(**_of(seen, request_id), reason=reason)
        return self._act(lambda stubs: stubs.applications.WithdrawApplication, request)

    def approve(self, seen: Application, request_id: str) -> Question[Filed]:
        request = application_pb2.ApproveApplicationRequest(
            **_of(seen, request_id), signed_approval=self._signed(Act.APPROVE, seen)
        )
        return self._act(lambda stubs: stubs.applications.ApproveApplication, request)

    def refuse(self, seen: Application, reason: str, legal_basis: str, request_id: str) -> Question[Filed]:
        request = application_pb2.RefuseApplicationRequest(
            **_of(seen, request_id), reason=reason, legal_basis=legal_basis
        )
        return self._act(lambda stubs: stubs.applications.RefuseApplication, request)

    def extend(self, seen: Application, working_days: int, reason: str, request_id: str) -> Question[Filed]:
        request = application_pb2.ExtendApplicationRequest(
            **_of(seen, request_id), working_days=working_days, reason=reason
        )
        return self._act(lambda stubs: stubs.applications.ExtendApplication, request)

    def suspend(self, seen: Application, reason: str, request_id: str) -> Question[Filed]:
        request = application_pb2.SuspendApplicationRequest(**_of(seen, request_id), reason=reason)
        return self._act(lambda stubs: stubs.applications.SuspendApplication, request)

    def resume(self, seen: Application, reason: str, request_id: str) -> Question[Filed]:
        request = application_pb2.ResumeApplicationRequest(**_of(seen, request_id), reason=reason)
        return self._act(lambda stubs: stubs.applications.ResumeApplication, request)

    def terminate(self, seen: Application, reason: str, legal_basis: str, request_id: str) -> Question[Filed]:
        request = application_pb2.TerminateApplicationRequest(
            **_of(seen, request_id), reason=reason, legal_basis=legal_basis
        )
        return self._act(lambda stubs: stubs.applications.TerminateApplication, request)

    def _act(self, method: Method, request: Any) -> Question[Filed]:
        def read(response: Any, _: int) -> Filed:
            receipt, application = checked_receipt(response.receipt, self._trust), response.application
            number = number_of(application)
            told: dict[tuple[str, ...], object] = {
                ("kind",): EntryKind.APPLICATION,
                ("application",): number,
                ("request_id",): f"application/{request.request_id}",
            }
            require_said(receipt, told)
            return Filed(application, receipt)

        return Question(method, request, read, request.request_id)

    def _signed(self, act: Act, seen: Application) -> bytes:
        credentials = self._credentials
        return sign(
            act,
            number_of(seen),
            terms_of(seen.terms),
            datetime.now(UTC),
            credentials.private_key(),
            credentials.chain[0],
        )


def number_of(application: Application) -> int:
    """The number in an application's name.

    Raises:
        VerificationFailed: it has none.
    """
    digits = application.name.removeprefix("applications/")
    if not digits.isdecimal():
        raise VerificationFailed("服务所给的申请没有编号 / application: it has no number")
    return int(digits)


class _Of(TypedDict):
    request_id: str
    name: str
    version: int


def _of(seen: Application, request_id: str) -> _Of:
    return {"request_id": request_id or _fresh(), "name": seen.name, "version": seen.version}


def _fresh() -> str:
    return str(uuid.uuid4())
