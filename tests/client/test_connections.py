"""Which connection a call takes, and how a client finds its way around a broker that is not there."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from broker.client import AsyncClient, Client
from broker.client.connections import Connections
from broker.client.retry import Tries
from broker.errors import SetUpError, TooLarge
from broker.model import Verdict
from tests.waiting import wait_for


class Dialled:
    """Stands for a channel that is never used; remembers where it leads."""

    def __init__(self, address):
        self.address = address

    def unary_unary(self, *_, **__):
        return None

    unary_stream = unary_unary


class Failure(grpc.RpcError):
    def code(self):
        return grpc.StatusCode.UNAVAILABLE

    def trailing_metadata(self):
        return ()


def held(barrier):
    """A step that answers when as many calls are under way as the barrier wants."""

    def wait(answer):
        def step(request, context):
            barrier.wait(60)
            return answer(request, context)

        return step

    return wait


@pytest.fixture
def dead_address():
    """Where nobody listens."""
    with socket.socket() as taken:  # bound, so that nobody else takes it, but not listening
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_concurrent_calls_take_different_connections(script, steps, credentials, terms):
    """Calls at once are spread over all channels; calls one after the other stay on one."""
    broker = script(held(threading.Barrier(8))(steps.deny))
    with Client(broker.address, credentials, channels=4) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.exchange(timeout=60, **terms), range(8)))
        peers = [broker.peers.count(peer) for peer in set(broker.peers)]
        assert peers == [2, 2, 2, 2]
        broker.steps[:] = [steps.deny]
        for _ in range(5):
            client.exchange(**terms)
    assert len(set(broker.peers[8:])) == 1


def test_concurrent_calls_of_a_task_group_too(script, steps, credentials, terms):
    """The same on asyncio."""
    broker = script(held(threading.Barrier(8))(steps.deny))

    async def main():
        async with AsyncClient(broker.address, credentials, channels=4) as client:
            await asyncio.gather(*(client.exchange(timeout=60, **terms) for _ in range(8)))

    asyncio.run(main())
    assert sorted(broker.peers.count(peer) for peer in set(broker.peers)) == [2, 2, 2, 2]


def test_a_stream_keeps_its_connection_busy_until_it_ends(script, steps, credentials, terms):
    """While a stream is open, other calls take other connections; afterwards nothing is counted any more."""
    broker = script(steps.permit_stream, steps.deny)
    with Client(broker.address, credentials, channels=2) as client:
        with client.stream(**terms) as stream:
            client.exchange(**terms)
            assert len(set(broker.peers)) == 2
            stream.table()
        assert wait_for(lambda: all(one.busy == 0 for one in client._connections._all))


@pytest.mark.usefixtures("long_rest")
def test_second_broker_serves_when_the_first_is_gone(script, steps, caller, terms, dead_address):
    """Of several brokers one that is gone costs an attempt, not the call."""
    broker = script(steps.deny)
    for address in (f"{dead_address},{broker.address}", f" {broker.address} , {dead_address} "):
        exchanged = caller.exchange(address, **terms)
        assert exchanged.verdict is Verdict.DENY
        assert exchanged.attempts <= 2


@pytest.mark.usefixtures("long_rest")
def test_failed_connection_rests(script, steps, credentials, terms, dead_address):
    """After one failure a broker that is gone is not tried again for a moment."""
    broker = script(steps.deny)
    with Client(f"{dead_address},{broker.address}", credentials, channels=1) as client:
        attempts = [client.exchange(**terms).attempts for _ in range(10)]
    assert sum(attempts) <= 11


@pytest.mark.usefixtures("long_rest")
def test_resting_ends_with_time_or_success():
    """A connection that failed is avoided while another is there, and counts again later."""
    connections = Connections("a:1,b:2", 1, Dialled)
    first, second = connections._all
    tries = Tries(60)
    with connections.attempt(tries) as connection:
        assert connection is first
        raise Failure
    assert first.rests_until > time.monotonic()
    with connections.attempt(tries) as connection:
        assert connection is second
        with connections.attempt(Tries(60)) as another:
            assert another is second  # busy, but better than one that failed
            raise Failure
        with connections.attempt(Tries(60)) as another:
            assert another is first  # all have failed: the least busy one
        assert first.rests_until == 0.0
    second.rests_until = time.monotonic()  # over
    with connections.attempt(tries) as connection, connections.attempt(tries) as another:
        assert {connection, another} == {first, second}
    assert (first.busy, second.busy) == (0, 0)


def test_each_broker_gets_the_channels_asked_for():
    """``channels`` counts for each address; IPv6 and names with a scheme are addresses too."""
    connections = Connections("[::1]:7443,dns:///broker.example:7443", 3, Dialled)
    dialled = [channel.address for channel in connections.close()]
    assert sorted(dialled) == ["[::1]:7443"] * 3 + ["dns:///broker.example:7443"] * 3


@pytest.mark.parametrize("address", ["", ",", "127.0.0.1", "127.0.0.1:", ":7443", "a:1,", "a:b"])
def test_address_without_port_is_refused(address):
    """A mistake in the address is told when the client is made, not ten seconds later."""
    with pytest.raises(SetUpError):
        Connections(address, 1, Dialled)


def test_closed_client_says_so(script, steps, credentials, terms):
    """A call on a closed client is the caller's mistake, and not a broker that is away."""
    broker = script(steps.deny)
    client = Client(broker.address, credentials)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.exchange(**terms)


def test_async_client_is_made_in_its_loop(credentials):
    """Without a running loop there is none that it could belong to."""
    with pytest.raises(RuntimeError):
        AsyncClient("127.0.0.1:1", credentials)


def elsewhere(steps, port):
    return steps.fail(grpc.StatusCode.FAILED_PRECONDITION, steps.told("SERVED_ELSEWHERE", about=str(port)))


def test_streams_go_where_the_broker_says(script, steps, caller, terms):
    """A broker that streams on another port is followed there; that is no second attempt."""
    streaming = script(steps.permit_stream)
    broker = script(elsewhere(steps, streaming.address.rpartition(":")[2]))
    stream, table = caller.stream(broker.address, **terms)
    assert table.num_rows == 3 * steps.batch.num_rows
    assert stream.attempts == len(streaming.requests) == len(broker.requests) == 1


def test_port_is_remembered(script, steps, credentials, terms):
    """Each connection asks once; calls that are no streams stay where they were."""
    streaming = script(steps.permit_stream)
    broker = script(elsewhere(steps, streaming.address.rpartition(":")[2]), steps.deny)
    with Client(broker.address, credentials, channels=1) as client:
        for _ in range(3):
            with client.stream(**terms) as stream:
                stream.table()
        assert client.exchange(**terms).verdict is Verdict.DENY
    assert (len(broker.requests), len(streaming.requests)) == (2, 3)


def test_brokers_that_send_each_other_streams_end(script, steps, caller, terms):
    """A redirection is followed once for each connection, not for ever; a port that is none not at all."""
    broker = script()
    broker.steps = [elsewhere(steps, broker.address.rpartition(":")[2])]
    with pytest.raises(Exception, match="SERVED_ELSEWHERE"):
        caller.stream(broker.address, **terms)
    assert len(broker.requests) == 2
    nonsense = script(elsewhere(steps, "7443@elsewhere"))
    with pytest.raises(Exception, match="SERVED_ELSEWHERE") as failed:
        caller.stream(nonsense.address, **terms)
    assert not isinstance(failed.value, TooLarge)
    assert len(nonsense.requests) == 1


def test_lists_are_fetched_page_by_page(script, caller):
    """A list goes on until no page follows; the catalog is asked like everything else."""
    broker = script()
    assert caller.datasets(broker.address, "d2") == (
        ["departments/d2/0", "departments/d2/1", "departments/d2/2"],
        "datasets/a.b",
    )
    assert caller.datasets(broker.address, "d0")[0] == ["departments/d0/0"]
