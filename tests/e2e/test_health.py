"""Health as a load balancer or a client's own health check uses it."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from broker.server.serve import SERVICES
from broker.settings import Server

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def health(channel):
    return health_pb2_grpc.HealthStub(channel)


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_every_service_is_serving(health, service):
    """The broker as a whole, and each of its services by name, can be checked."""
    assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == SERVING


def test_list_names_every_service(health):
    """All of them in one call."""
    statuses = health.List(health_pb2.HealthListRequest()).statuses
    assert {name: answer.status for name, answer in statuses.items()} == dict.fromkeys(
        ("", *SERVICES), SERVING
    )


def test_unknown_service(health):
    """A check of it is NOT_FOUND, a watch says that it is unknown and stays open, as the protocol wants."""
    unknown = health_pb2.HealthCheckRequest(service="broker.v1.NoService")
    with pytest.raises(grpc.RpcError) as refused:
        health.Check(unknown)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health.Watch(unknown)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    assert watch.is_active()
    watch.cancel()


def test_watches_take_no_thread_from_exchanges(health, connect, withdrawal):
    """More watches than the broker has threads stay open, and exchanges are answered beside them."""
    watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(Server().threads + 10)]
    assert [next(watch).status for watch in watches] == [SERVING] * len(watches)
    assert connect("housing_fund").exchange(**withdrawal).permitted
    for watch in watches:
        watch.cancel()
