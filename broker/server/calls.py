"""What stands around every call: who calls, may they, what went wrong, and one line in the log.

The interceptor authenticates each call anew (a certificate can expire or be revoked while its connection
stays open), checks the caller's role, parses the request, and turns whatever happens into a status. It does
so for health and reflection too: nothing answers without a certificate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from broker.errors import BrokerError, MalformedRequest, NotAuthorised, Violation
from broker.model import Identity, Role
from broker.reasons import Reason
from broker.server.status import code_of, to_status, unexpected

log = structlog.get_logger("sharebroker.call")

EVERYONE = frozenset(Role)
READERS = frozenset({Role.SYSTEM, Role.OFFICER, Role.AUDITOR})
ROLES: Mapping[str, frozenset[Role]] = {
    "/broker.v1.CatalogService/": EVERYONE,
    "/broker.v1.ExchangeService/": frozenset({Role.SYSTEM}),
    "/broker.v1.ReceiptService/GetReceipt": READERS,
    "/broker.v1.ReceiptService/ListReceipts": READERS,
    "/broker.v1.ReceiptService/GetCheckpoint": EVERYONE,
    "/broker.v1.ReceiptService/GetInclusionProof": EVERYONE,
    "/broker.v1.ReceiptService/GetConsistencyProof": EVERYONE,
    "/grpc.health.v1.Health/": EVERYONE,
    "/grpc.reflection.v1alpha.ServerReflection/": EVERYONE,
}
"""Method (or a service's prefix) → roles that may call it; a method not named here is open to no role."""

NON_BLOCKING = "experimental_non_blocking"
"""gRPC's mark of a handler that answers through a callback and holds no thread meanwhile."""

Send = Callable[[Any], None]
Identify = Callable[[Mapping[str, Any]], Identity]
"""From gRPC's auth context to a proven identity; raises NotAuthenticated or NotAuthorised."""


@dataclass(slots=True)
class Call:
    """One call in progress, as the services see it."""

    identity: Identity
    context: grpc.ServicerContext
    facts: dict[str, object] = field(default_factory=dict)
    """Facts for the log line: names, codes and counts, never personal data."""

    def still_wanted(self) -> bool:
        """Whether the caller still waits for the answer."""
        return bool(self.context.is_active())


def allowed_roles(method: str) -> frozenset[Role]:
    """Roles that may call ``method`` (``/package.Service/Method``)."""
    service = method.rpartition("/")[0] + "/"
    return ROLES.get(method) or ROLES.get(service, frozenset())


class CallInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Wraps every handler with authentication, authorisation, parsing, error translation and logging."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        handler = continuation(details)
        if handler is None:
            return None
        wrap = _Wrapped(handler, details.method, self._identify)
        if handler.request_streaming:  # of these there is only reflection
            return grpc.stream_stream_rpc_method_handler(
                wrap.stream_stream, response_serializer=handler.response_serializer
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                wrap.watch if _is_watch(handler) else wrap.unary_stream,
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            wrap.unary_unary, response_serializer=handler.response_serializer
        )


def _is_watch(handler: grpc.RpcMethodHandler) -> bool:
    """Whether it is health's Watch, which lasts as long as its caller likes and so must hold no thread."""
    return getattr(handler.unary_stream, NON_BLOCKING, False)


@dataclass(frozen=True, slots=True)
class _Wrapped:
    handler: grpc.RpcMethodHandler
    method: str
    identify: Identify

    def unary_unary(self, message: bytes, context: grpc.ServicerContext) -> Any:
        with _Watched(self.method, context) as watched:
            call = self._admit(watched, context)
            return self.handler.unary_unary(self._parse(message), self._second(call))

    def unary_stream(self, message: bytes, context: grpc.ServicerContext) -> Iterator[Any]:
        with _Watched(self.method, context) as watched:
            call = self._admit(watched, context)
            yield from self.handler.unary_stream(self._parse(message), self._second(call))

    def watch(self, message: bytes, context: grpc.ServicerContext, send_response_callback: Send) -> None:
        """Returns at once; the handler answers through the callback whenever it has something to say."""
        with _Watched(self.method, context) as watched:
            call = self._admit(watched, context)
            self.handler.unary_stream(self._parse(message), self._second(call), send_response_callback)

    setattr(watch, NON_BLOCKING, True)

    def stream_stream(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        with _Watched(self.method, context) as watched:
            call = self._admit(watched, context)
            yield from self.handler.stream_stream(map(self._parse, messages), self._second(call))

    def _admit(self, watched: _Watched, context: grpc.ServicerContext) -> Call:
        call = watched.call = Call(self.identify(context.auth_context()), context)
        if call.identity.role not in allowed_roles(self.method):
            raise NotAuthorised(Reason.ROLE_NOT_ALLOWED)
        return call

    def _parse(self, message: bytes) -> Any:
        try:
            return self.handler.request_deserializer(message)
        except DecodeError:
            violation = Violation("", "不是有效的 protobuf 消息", "not a valid protobuf message")
            raise MalformedRequest((violation,)) from None

    def _second(self, call: Call) -> Call | grpc.ServicerContext:
        """Our own services take the call; health and reflection, which are gRPC's, its context."""
        return call if self.method.startswith("/broker.") else call.context


class _Watched:
    """Translates what a handler raises, and logs how the call ended."""

    def __init__(self, method: str, context: grpc.ServicerContext) -> None:
        self.method = method
        self.context = context
        self.call: Call | None = None
        self.began = time.perf_counter()

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is GeneratorExit:  # the caller hung up on a stream
            self._log(grpc.StatusCode.CANCELLED, None)
            return
        if error is None:
            self._log(grpc.StatusCode.OK, None)
            return
        if not isinstance(error, Exception):
            return
        known = error if isinstance(error, BrokerError) else unexpected()
        self._log(code_of(known), known.reason, None if known is error else error)
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


def describe(error: BaseException) -> str:
    """Type of ``error`` and the places it passed, without its message, which may hold values."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(places[-6:])}"
