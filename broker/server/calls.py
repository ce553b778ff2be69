"""What stands around every call: who calls, may they, what went wrong, and one line in the log.

The interceptor gives each call a place (:mod:`broker.server.places`) or refuses it. It authenticates it anew
(a certificate can expire or be revoked while its connection stays open), checks the caller's role, reads and
parses the request, and turns whatever happens into a status. It does so for health and reflection too:
nothing answers without a certificate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import DecodeError

from broker.errors import BrokerError, MalformedRequest, NotAuthorised, Violation
from broker.model import Identity, Role
from broker.reasons import Reason
from broker.server.patience import Patience, Wait
from broker.server.places import Lane, Lanes
from broker.server.status import code_of, to_status, unexpected

log = structlog.get_logger("sharebroker.call")

EVERYONE = frozenset(Role)
OFFICERS = frozenset({Role.OFFICER})
READERS = frozenset({Role.SYSTEM, Role.OFFICER, Role.AUDITOR})
ROLES: Mapping[str, frozenset[Role]] = {
    "/broker.v1.CatalogService/": EVERYONE,
    "/broker.v1.ExchangeService/": frozenset({Role.SYSTEM}),
    "/broker.v1.ReceiptService/GetReceipt": READERS,
    "/broker.v1.ReceiptService/ListReceipts": READERS,
    "/broker.v1.ReceiptService/GetCheckpoint": EVERYONE,
    "/broker.v1.ReceiptService/GetInclusionProof": EVERYONE,
    "/broker.v1.ReceiptService/GetConsistencyProof": EVERYONE,
    "/broker.v1.DeliveryService/AcknowledgeDelivery": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.DeliveryService/ListDeliveries": READERS,
    "/broker.v1.CommitmentService/GetCommitmentTemplate": EVERYONE,
    "/broker.v1.CommitmentService/ListCommitmentTemplates": EVERYONE,
    "/broker.v1.DisposalService/ListHoldings": READERS,
    "/broker.v1.DisposalService/ListDisposals": READERS,
    "/broker.v1.DisposalService/GetDisposal": READERS,
    "/broker.v1.DisposalService/OrderDisposal": OFFICERS,
    "/broker.v1.DisposalService/CertifyDisposal": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.CommitmentService/LodgeCommitment": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.CommitmentService/ListCommitments": READERS,
    "/broker.v1.CommitmentService/GetCommitment": READERS,
    "/broker.v1.CommitmentService/WithdrawCommitment": OFFICERS,
    "/broker.v1.CorrectionService/ReportCorrection": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.CorrectionService/GetCorrection": READERS,
    "/broker.v1.CorrectionService/ListCorrections": READERS,
    "/broker.v1.CorrectionService/AnswerCorrection": OFFICERS,
    "/broker.v1.CorrectionService/ListCorrectionNotices": READERS,
    "/broker.v1.CorrectionService/GetDataQuality": OFFICERS | {Role.AUDITOR},
    "/broker.v1.MaskingService/Detokenize": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.ApplicationService/": OFFICERS,
    "/broker.v1.ApplicationService/CreateApplication": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.ApplicationService/SupplementApplication": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.ApplicationService/WithdrawApplication": frozenset({Role.SYSTEM, Role.OFFICER}),
    "/broker.v1.ApplicationService/GetApplication": READERS,
    "/broker.v1.ApplicationService/ListApplications": READERS,
    "/broker.v1.ApplicationService/WatchNotices": READERS,
    "/broker.v1.DelegationService/": OFFICERS,
    "/broker.v1.DelegationService/ListDelegations": OFFICERS | {Role.AUDITOR},
    "/broker.v1.PolicyService/ProposeBundle": OFFICERS,
    "/broker.v1.PolicyService/ApproveProposal": OFFICERS,
    "/broker.v1.PolicyService/PublishProposal": OFFICERS,
    "/broker.v1.PolicyService/RollbackBundle": OFFICERS,
    "/broker.v1.PolicyService/GetProposal": OFFICERS | {Role.AUDITOR},
    "/broker.v1.PolicyService/ListProposals": OFFICERS | {Role.AUDITOR},
    "/broker.v1.PolicyService/ListBundles": OFFICERS | {Role.AUDITOR},
    "/broker.v1.PolicyService/GetBundle": OFFICERS | {Role.AUDITOR},
    "/broker.v1.SuspensionService/SuspendSharing": OFFICERS,
    "/broker.v1.SuspensionService/LiftSuspension": OFFICERS,
    "/broker.v1.SuspensionService/ListSuspensions": READERS,
    "/grpc.health.v1.Health/": EVERYONE,
    "/grpc.reflection.v1alpha.ServerReflection/": EVERYONE,
}
"""Method (or a service's prefix) → roles that may call it; a method not named here is open to no role."""

MOMENT_SECONDS = 0.1
"""How long a call that may not go on may be waiting for its caller before it is ended unheard: one that is
read comes to say why by itself."""

NON_BLOCKING = "experimental_non_blocking"
"""gRPC's mark of a handler that answers through a callback and holds no thread meanwhile."""

T = TypeVar("T")
Send = Callable[[Any], None]
Identify = Callable[[Mapping[str, Any]], Identity]
"""From gRPC's auth context to a proven identity; raises NotAuthenticated or NotAuthorised."""


@dataclass(slots=True)
class Call:
    """One call in progress, as the services see it."""

    identity: Identity
    context: grpc.ServicerContext
    wait: Wait
    facts: dict[str, object] = field(default_factory=dict)
    """Facts for the log line: names, codes and counts, never personal data."""

    def still_wanted(self) -> bool:
        """Whether the caller still waits for the answer."""
        return bool(self.context.is_active())

    def end(self, why: BrokerError) -> None:
        """End a stream that may not go on, from another thread than its own: see :data:`broker.guard.End`."""
        self.wait.give_up(why, MOMENT_SECONDS)


def allowed_roles(method: str) -> frozenset[Role]:
    """Roles that may call ``method`` (``/package.Service/Method``)."""
    service = method.rpartition("/")[0] + "/"
    return ROLES.get(method) or ROLES.get(service, frozenset())


class CallInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Admits calls to their lane, and wraps their handlers."""

    def __init__(self, identify: Identify, lanes: Lanes, patience: Patience) -> None:
        self._identify = identify
        self._lanes = lanes
        self._patience = patience

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Runs in gRPC's polling thread: what is refused here has cost neither a thread nor its message."""
        handler = continuation(details)
        if handler is None:
            return None
        lane = self._lanes.of(details.method)
        entered = lane.places.enter()
        if entered is None:
            return grpc.stream_unary_rpc_method_handler(_Refused(lane))
        kind: type[_Wrapped] = _Unary
        if handler.request_streaming or handler.response_streaming:
            kind = _Watching if _is_watch(handler) else _Streaming
        wrapped = kind(handler, details.method, self._identify, lane, entered, self._patience)
        # For gRPC every request is a stream, so that nothing is read before we say so. The wire is the same.
        make = (
            grpc.stream_unary_rpc_method_handler if kind is _Unary else grpc.stream_stream_rpc_method_handler
        )
        return make(wrapped, response_serializer=handler.response_serializer)


def _is_watch(handler: grpc.RpcMethodHandler) -> bool:
    """Whether it is health's Watch, which lasts as long as its caller likes and so must hold no thread."""
    return getattr(handler.unary_stream, NON_BLOCKING, False)


class _AtOnce(ThreadPoolExecutor):
    """Runs things where they are submitted; only for what waits for nothing."""

    def submit(self, run: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(run(*args, **kwargs))
        return done


@dataclass(frozen=True, slots=True)
class _Refused:
    """Handler of a call for which there is no place: answers in the polling thread, its message unread."""

    lane: Lane
    experimental_thread_pool: ClassVar[ThreadPoolExecutor] = _AtOnce(1)

    def __call__(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> None:
        context.abort_with_status(to_status(self.lane.places.full()))


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """One call's handler, with authentication, authorisation, parsing, error translation and logging."""

    handler: grpc.RpcMethodHandler
    method: str
    identify: Identify
    lane: Lane
    entered: float
    patience: Patience

    @property
    def experimental_thread_pool(self) -> ThreadPoolExecutor | None:
        """gRPC's name for the threads that shall run a handler."""
        return self.lane.threads

    def _watched(self, context: grpc.ServicerContext) -> _Watched:
        wait = self.patience.with_(context)

        def ended() -> None:
            self.patience.done(wait)
            self.lane.places.leave(self.entered)

        if not context.add_callback(ended):
            ended()
        return _Watched(self.method, context, wait)

    def _admit(self, watched: _Watched) -> Call:
        context = watched.context
        call = watched.call = Call(self.identify(context.auth_context()), context, watched.wait)
        if call.identity.role not in allowed_roles(self.method):
            raise NotAuthorised(Reason.ROLE_NOT_ALLOWED)
        return call

    def _only(self, messages: Iterator[bytes], wait: Wait) -> Any:
        with wait:
            message = next(messages, None)
        if message is None:
            raise _malformed("没有请求消息", "the request message is missing")
        return self._parse(message)

    def _each(self, messages: Iterator[bytes], wait: Wait) -> Iterator[Any]:
        while True:
            with wait:
                message = next(messages, None)
            if message is None:
                return
            yield self._parse(message)

    def _parse(self, message: bytes) -> Any:
        try:
            return self.handler.request_deserializer(message)
        except DecodeError:
            raise _malformed("不是有效的 protobuf 消息", "not a valid protobuf message") from None

    def _second(self, call: Call) -> Call | grpc.ServicerContext:
        """Our own services take the call; health and reflection, which are gRPC's, its context."""
        return call if self.method.startswith("/broker.") else call.context


class _Unary(_Wrapped):
    """One message, one answer."""

    __slots__ = ()

    def __call__(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        with self._watched(context) as watched:
            call = self._admit(watched)
            return self.handler.unary_unary(self._only(messages, watched.wait), self._second(call))


class _Streaming(_Wrapped):
    """Many answers, to one message or (of these there is only reflection) to many."""

    __slots__ = ()

    def __call__(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        with self._watched(context) as watched:
            call = self._admit(watched)
            with self.lane.places.shared(call.identity.uri):
                parts = self._parts(messages, watched.wait, self._second(call))
                try:
                    for part in parts:
                        with watched.wait:
                            yield part
                        if watched.wait.ended:  # gRPC asks on until it has heard of the cancellation
                            parts.throw(watched.wait.ended)
                except GeneratorExit:
                    if watched.wait.ended:  # let the handler know why, so that it stands in the receipt
                        with suppress(BrokerError):
                            parts.throw(watched.wait.ended)
                    raise

    def _parts(self, messages: Iterator[bytes], wait: Wait, second: Any) -> Generator[Any, None, None]:
        if self.handler.request_streaming:
            answer = self.handler.stream_stream(self._each(messages, wait), second)
        else:
            answer = self.handler.unary_stream(self._only(messages, wait), second)
        return cast("Generator[Any, None, None]", answer)


class _Watching(_Wrapped):
    """One message, and answers through a callback whenever the handler has something to say."""

    __slots__ = ()
    experimental_non_blocking: ClassVar = True

    def __call__(self, messages: Iterator[bytes], context: grpc.ServicerContext, send: Send) -> None:
        with self._watched(context) as watched:
            wait = watched.wait

            def patiently(answer: Any) -> None:
                with wait:
                    send(answer)

            call = self._admit(watched)
            self.handler.unary_stream(self._only(messages, wait), self._second(call), patiently)
        wait.end()  # it lasts as long as its caller likes


class _Watched:
    """Translates what a handler raises, and logs how the call ended."""

    def __init__(self, method: str, context: grpc.ServicerContext, wait: Wait) -> None:
        self.method = method
        self.context = context
        self.wait = wait
        self.call: Call | None = None
        self.began = time.perf_counter()

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.wait.begin()  # for the caller to take what ends the call
        if isinstance(error, GeneratorExit | grpc.RpcError):  # the caller hung up, or was given up
            self._log(grpc.StatusCode.CANCELLED, self.wait.ended.reason if self.wait.ended else None)
            return
        if error is None:
            self._log(grpc.StatusCode.OK, None)
            return
        if not isinstance(error, Exception):
            return
        known = error if isinstance(error, BrokerError) else unexpected()
        code = grpc.StatusCode.CANCELLED if self.wait.ended else code_of(known)
        self._log(code, known.reason, None if known is error else error)
        self.context.abort_with_status(to_status(known))

    def _log(self, code: grpc.StatusCode, reason: Reason | None, defect: Exception | None = None) -> None:
        caller = self.call.identity.uri if self.call else None
        facts = self.call.facts if self.call else {}
        elapsed = round((time.perf_counter() - self.began) * 1000, 3)
        write = log.error if defect else log.info
        write(
            "call",
            method=self.method,
            code=code.name,
            reason=reason,
            caller=caller,
            elapsed_ms=elapsed,
            # Where it broke, not with what: an exception's text may hold values of a record.
            **({"defect": describe(defect)} if defect else {}),
            **facts,
        )


def _malformed(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("", zh, en),))


def describe(error: BaseException) -> str:
    """Type of ``error`` and the places it passed, without its message, which may hold values."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(places[-6:])}"
