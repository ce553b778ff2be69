"""The application service: what policy leaves to people. Thin: it translates and hands over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from broker.applications.message import terms_of
from broker.applications.register import Asking, Register, is_authority, may_see
from broker.applications.reviewers import Voice
from broker.apply.identity import check_standing
from broker.errors import Elsewhere, NotFound
from broker.journal import ApplicationFilter
from broker.model import FiledApplication, Identity, Role, State, Terms
from broker.reasons import Reason
from broker.server import paging
from broker.server.application_wire import STATES, answer, filed_message, notice_message
from broker.server.calls import Call
from broker.server.noticing import NoticeBoard
from broker.server.services import filter_id, malformed, receipt_leaf
from broker.v1 import application_pb2, application_pb2_grpc

_NAME = re.compile("applications/([1-9][0-9]{0,17})")
_STATES = {application_pb2.ApplicationState.Value(name): state for state, name in STATES.items()}
_SCANNED = 256


class ApplicationService(application_pb2_grpc.ApplicationServiceServicer):
    """Applications that officers decide, and the grants that approved ones are."""

    def __init__(self, register: Register, board: NoticeBoard, stream_port: int | None = None) -> None:
        self._register = register
        self._board = board
        self._stream_port = stream_port

    # ── the consumer ─────────────────────────────────────────────────────────────────────────────

    def CreateApplication(
        self, request: application_pb2.CreateApplicationRequest, call: Call
    ) -> application_pb2.CreateApplicationResponse:
        terms = _terms(request.terms, call.identity)
        done = self._register.create(call.identity, request.request_id, terms)
        call.facts.update(application=done.filed.number, receipt=done.receipt.leaf_index)
        return answer(application_pb2.CreateApplicationResponse, done)

    def GetApplication(
        self, request: application_pb2.GetApplicationRequest, call: Call
    ) -> application_pb2.GetApplicationResponse:
        filed = self._register.get(number_of(request.name), call.identity)
        return application_pb2.GetApplicationResponse(application=filed_message(filed))

    def ListApplications(
        self, request: application_pb2.ListApplicationsRequest, call: Call
    ) -> application_pb2.ListApplicationsResponse:
        size, reader = paging.page_size(request.page_size, default=50), call.identity
        wanted = self._filter(request, reader)
        mine = request.mine_to_review
        query = f"applications {wanted} {mine} {reader.uri if mine else ''}"
        before = paging.decode(request.page_token, query)
        if mine:
            found = self._to_review(wanted, before, size + 1, reader)
        else:
            found = self._register.listed(wanted, before, size + 1)
        token = paging.encode(found[size - 1].number, query) if len(found) > size else ""
        listed = [filed_message(filed, steps=False) for filed in found[:size]]
        return application_pb2.ListApplicationsResponse(applications=listed, next_page_token=token)

    def SupplementApplication(
        self, request: application_pb2.SupplementApplicationRequest, call: Call
    ) -> application_pb2.SupplementApplicationResponse:
        done = self._register.supplement(_asking(request, call), _terms(request.terms, call.identity))
        return answer(application_pb2.SupplementApplicationResponse, done)

    def ConsentApplication(
        self, request: application_pb2.ConsentApplicationRequest, call: Call
    ) -> application_pb2.ConsentApplicationResponse:
        done = self._register.consent(_asking(request, call), request.signed_consent)
        return answer(application_pb2.ConsentApplicationResponse, done)

    def WithdrawApplication(
        self, request: application_pb2.WithdrawApplicationRequest, call: Call
    ) -> application_pb2.WithdrawApplicationResponse:
        done = self._register.withdraw(_asking(request, call), request.reason)
        return answer(application_pb2.WithdrawApplicationResponse, done)

    # ── the review ───────────────────────────────────────────────────────────────────────────────

    def ApproveApplication(
        self, request: application_pb2.ApproveApplicationRequest, call: Call
    ) -> application_pb2.ApproveApplicationResponse:
        done = self._register.approve(_asking(request, call), request.signed_approval)
        return answer(application_pb2.ApproveApplicationResponse, done)

    def RefuseApplication(
        self, request: application_pb2.RefuseApplicationRequest, call: Call
    ) -> application_pb2.RefuseApplicationResponse:
        done = self._register.refuse(_asking(request, call), request.reason, request.legal_basis)
        return answer(application_pb2.RefuseApplicationResponse, done)

    def ExtendApplication(
        self, request: application_pb2.ExtendApplicationRequest, call: Call
    ) -> application_pb2.ExtendApplicationResponse:
        done = self._register.extend(_asking(request, call), request.working_days, request.reason)
        return answer(application_pb2.ExtendApplicationResponse, done)

    # ── the grant ────────────────────────────────────────────────────────────────────────────────

    def SuspendApplication(
        self, request: application_pb2.SuspendApplicationRequest, call: Call
    ) -> application_pb2.SuspendApplicationResponse:
        done = self._register.suspend(_asking(request, call), request.reason)
        return answer(application_pb2.SuspendApplicationResponse, done)

    def ResumeApplication(
        self, request: application_pb2.ResumeApplicationRequest, call: Call
    ) -> application_pb2.ResumeApplicationResponse:
        done = self._register.resume(_asking(request, call), request.reason)
        return answer(application_pb2.ResumeApplicationResponse, done)

    def TerminateApplication(
        self, request: application_pb2.TerminateApplicationRequest, call: Call
    ) -> application_pb2.TerminateApplicationResponse:
        done = self._register.terminate(_asking(request, call), request.reason, request.legal_basis)
        return answer(application_pb2.TerminateApplicationResponse, done)

    # ── notices ──────────────────────────────────────────────────────────────────────────────────

    def WatchNotices(
        self, request: application_pb2.WatchNoticesRequest, call: Call
    ) -> Iterator[application_pb2.WatchNoticesResponse]:
        if self._stream_port is not None:
            raise Elsewhere(Reason.SERVED_ELSEWHERE, str(self._stream_port))
        after = receipt_leaf(request.after) if request.after else None
        for notices, seen in self._board.watch(after, lambda: self._goes_on(call)):
            of_authority = self._of_authority(call.identity)
            for notice in notices:
                if request.name in ("", notice.name) and notice.is_for(
                    call.identity, of_authority=of_authority
                ):
                    seen_then = f"receipts/{notice.receipt}"
                    message = notice_message(notice)
                    yield application_pb2.WatchNoticesResponse(notice=message, seen=seen_then)
            yield application_pb2.WatchNoticesResponse(seen=f"receipts/{seen}" if seen >= 0 else "")

    def _goes_on(self, call: Call) -> bool:
        """Whether a watch's caller still waits, and may; raises NotAuthenticated."""
        epoch = self._register.epochs.current()
        now = self._register.clock()
        check_standing(call.identity, epoch.bundle.catalog.city, epoch.revocations, now)
        return call.still_wanted()

    # ── who sees what ────────────────────────────────────────────────────────────────────────────

    def _of_authority(self, reader: Identity) -> bool:
        return is_authority(reader, self._register.epochs.current().bundle.catalog)

    def _filter(
        self, request: application_pb2.ListApplicationsRequest, reader: Identity
    ) -> ApplicationFilter:
        if request.state and request.state not in _STATES:
            raise malformed("state", "没有此状态", "there is no such state")
        supervises = reader.role in (Role.OFFICER, Role.AUDITOR) and self._of_authority(reader)
        return ApplicationFilter(
            state=_STATES.get(request.state),
            consumer=filter_id(request.consumer, "departments/", "consumer"),
            provider=filter_id(request.provider, "departments/", "provider"),
            overdue=request.overdue,
            reader=reader.department,
            sees_filed=supervises,
        )

    def _to_review(
        self, wanted: ApplicationFilter, before: int | None, limit: int, officer: Identity
    ) -> list[FiledApplication]:
        """Those under review in which the officer's voice would count now."""
        if wanted.state not in (None, State.UNDER_REVIEW) or officer.role is not Role.OFFICER:
            return []
        # Whoever is asked by a delegation need not be of a department concerned.
        wanted = replace(wanted, state=State.UNDER_REVIEW, sees_filed=True)
        catalog, now = self._register.epochs.current().bundle.catalog, self._register.clock()
        found: list[FiledApplication] = []
        while len(found) < limit:
            scanned = self._register.listed(wanted, before, _SCANNED)
            found += [
                one
                for one in scanned
                if isinstance(self._register.voice(one, officer, catalog, now), Voice)
                and may_see(one, officer, catalog)
            ]
            if len(scanned) < _SCANNED:
                break
            before = scanned[-1].number
        return found[:limit]


def number_of(name: str) -> int:
    """The number in an application's resource name.

    Raises:
        NotFound: it is no such name.
    """
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise NotFound(Reason.RESOURCE_NOT_FOUND)
    return int(matched[1])


_Acting = (
    application_pb2.SupplementApplicationRequest
    | application_pb2.ConsentApplicationRequest
    | application_pb2.WithdrawApplicationRequest
    | application_pb2.ApproveApplicationRequest
    | application_pb2.RefuseApplicationRequest
    | application_pb2.ExtendApplicationRequest
    | application_pb2.SuspendApplicationRequest
    | application_pb2.ResumeApplicationRequest
    | application_pb2.TerminateApplicationRequest
)


def _asking(request: _Acting, call: Call) -> Asking:
    number = number_of(request.name)
    call.facts.update(application=number)
    return Asking(call.identity, request.request_id, number, request.version)


def _terms(message: application_pb2.ApplicationTerms, caller: Identity) -> Terms:
    """With the caller's department where none is named; a name of another form is of nothing."""
    terms = terms_of(message)
    if not message.consumer:
        return replace(terms, consumer=caller.department)
    return terms
