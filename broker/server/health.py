"""gRPC's health service (``grpc.health.v1``): whether the broker serves, for load balancers and clients.

Not its library's: that leaves List out, and waits for its callers under the lock that a caller needs to go
away, so that a drain may never end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from broker.errors import NotFound
from broker.reasons import Reason
from broker.server.calls import NON_BLOCKING, Send

Answer = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpc ships no types
    """Health of the whole broker (the empty name) and of each service; they begin and end together, but
    for those services that pause now and then.

    Args:
        pausing: names of services that serve only while ``goes_on()`` is true. A watch is not told of it.
    """

    def __init__(
        self,
        services: Sequence[str],
        pausing: Sequence[str] = (),
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._names = ("", *services)
        self._pausing = frozenset(pausing)
        self._goes_on = goes_on
        self._status = Answer.SERVING
        self._lock = threading.Lock()
        self._watchers: set[Send] = set()

    def drain(self) -> None:
        """From now on nothing is serving; tells it to those who watch, and lets them go."""
        with self._lock:
            self._status = Answer.NOT_SERVING
            watchers = self._watchers.copy()
        for send in watchers:
            self._let_go(send)

    def Check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in self._names:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return self._of(request.service)

    def List(
        self, request: health_pb2.HealthListRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthListResponse:
        return health_pb2.HealthListResponse(statuses={name: self._of(name) for name in self._names})

    def Watch(
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Send,
    ) -> None:
        """Returns at once, so that a watch holds no thread; what is to be said goes through the callback."""
        known = request.service in self._names
        send_response_callback(self._of(request.service) if known else Answer(status=Answer.SERVICE_UNKNOWN))
        with self._lock:
            self._watchers.add(send_response_callback)
            draining = self._status != Answer.SERVING
        if draining:
            self._let_go(send_response_callback)
        if not context.add_callback(lambda: self._forget(send_response_callback)):
            self._forget(send_response_callback)

    setattr(Watch, NON_BLOCKING, True)

    def _of(self, name: str) -> health_pb2.HealthCheckResponse:
        paused = name in self._pausing and not self._goes_on()
        return Answer(status=Answer.NOT_SERVING if paused else self._status)

    def _let_go(self, watcher: Send) -> None:
        watcher(Answer(status=self._status))
        watcher(None)

    def _forget(self, watcher: Send) -> None:
        with self._lock:
            self._watchers.discard(watcher)
