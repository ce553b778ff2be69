"""More callers than there are places, and callers who only sit on theirs: others are served all the same."""

import asyncio
import queue
import time
import uuid
from contextlib import ExitStack, contextmanager

import grpc
import orjson
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from broker.client import AsyncClient, Client, Credentials
from broker.client import retry as client_retry
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import Exhausted
from broker.model import Role
from broker.reasons import DOMAIN, SENTENCES, Reason
from broker.server.asking import ask_status
from broker.server.places import LONGEST_SECONDS, SHORTEST_SECONDS
from broker.settings import load_settings
from broker.v1 import exchange_pb2, exchange_pb2_grpc

EXCHANGE = "/broker.v1.ExchangeService/Exchange"
DEPARTMENTS = ("data_authority", "housing_fund", "medical_insurance", "tax")
CUT_OFF = {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
"""A stream that is reset, as callers see it; which of both is a matter of the moment."""
PLACES, THREADS, STREAMS = 8, 4, 4
RESIDENTS = 20_000
"""So many that their register does not fit into what transport takes for a caller who takes nothing."""


@contextmanager
def serving(folder, **settings):
    """A broker of these ``[server]`` settings in a process of its own."""
    prepared = prepare(folder, RESIDENTS, 7, shipped_policies(), DEPARTMENTS)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(f"SHAREBROKER_SERVER__{name.upper()}", str(value))
        with broker_process(prepared) as address:
            yield House(prepared, address)


class House:
    """A running broker, and callers of it."""

    def __init__(self, prepared, address):
        self.prepared, self.address = prepared, address

    def credentials(self, department, role=Role.SYSTEM):
        return Credentials.load(self.prepared.identity(department, role))

    def client(self, department, **options):
        return Client(self.address, self.credentials(department), **options)

    def status(self):
        return ask_status(load_settings(self.prepared.settings))

    @contextmanager
    def channel(self, department):
        own = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0), ("grpc.enable_retries", 0)]
        identity = self.credentials(department).channel_credentials()
        with grpc.secure_channel(self.address, identity, own) as channel:
            yield channel


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """A broker with few places that waits long for its callers."""
    settings = {"max_concurrent_calls": PLACES, "max_streams": STREAMS}
    with serving(tmp_path_factory.mktemp("patient"), **settings) as house:
        yield house


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A broker with few threads that soon loses its patience."""
    settings = {"threads": THREADS, "max_streams": STREAMS, "stall_seconds": 2}
    with serving(tmp_path_factory.mktemp("strict"), **settings) as house:
        yield house


def attempts(seconds=120):
    """Time and again until something has come about, which it must in so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.01)
    raise AssertionError("it did not come about in time")


class Sitters:
    """Calls that were announced and whose request does not come; :meth:`leave` ends them."""

    def __init__(self, calls):
        self.calls = calls

    def leave(self):
        for call in self.calls:
            call.cancel()


@contextmanager
def sitting(house, count, each, path=EXCHANGE, department="tax"):
    """So many of them, ``each`` to a connection, once those before have left."""
    await_used(house, 0)
    silent = queue.SimpleQueue()
    with ExitStack() as channels:
        calls = []
        for _ in range(count // each):
            channel = channels.enter_context(house.channel(department))
            calls += [channel.stream_unary(path).future(iter(silent.get, None)) for _ in range(each)]
        try:
            yield Sitters(calls)
        finally:
            for call in calls:
                call.cancel()
                silent.put(None)


def refusal(house, department="housing_fund"):
    """How an exchange is refused, once all places are taken."""
    await_used(house, PLACES)
    with house.channel(department) as channel:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.Exchange(exchange_pb2.ExchangeRequest(), timeout=60)
    return refused.value


def await_used(house, count):
    """Until so many places for calls are taken."""
    for _ in attempts():
        [worker] = house.status()["workers"]
        if worker["places"]["calls"]["used"] == count:
            break


def details(error):
    """ErrorInfo and RetryInfo of a status."""
    info, wait = ErrorInfo(), RetryInfo()
    for packed in rpc_status.from_call(error).details:
        for kind in (info, wait):
            if packed.Is(kind.DESCRIPTOR):
                packed.Unpack(kind)
    return info, wait.retry_delay.ToTimedelta().total_seconds()


# ── no place left ────────────────────────────────────────────────────────────────────────────────


def test_full_broker_refuses_at_once_and_says_when_to_ask_again(patient):
    """The status names the reason in both languages and a wait; health is answered beside it."""
    with sitting(patient, PLACES, each=PLACES // 4):
        refused = refusal(patient)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        info, wait = details(refused)
        assert (info.domain, info.reason) == (DOMAIN, Reason.OVERLOADED)
        assert (info.metadata["zh"], info.metadata["en"]) == SENTENCES[Reason.OVERLOADED]
        assert SHORTEST_SECONDS <= wait <= LONGEST_SECONDS
        with patient.channel("housing_fund") as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            assert check(health_pb2.HealthCheckRequest(), timeout=60).status == 1


def test_status_shows_places_and_refusals(patient):
    """Somebody who looks sees that all places are taken, and that callers were refused."""
    with sitting(patient, PLACES, each=PLACES // 4):
        refusal(patient)
        [worker] = patient.status()["workers"]
    assert worker["kind"] == "single"
    calls = worker["places"]["calls"]
    assert (calls["used"], calls["limit"]) == (PLACES, PLACES)
    assert calls["refused"] > 0
    await_used(patient, 0)


def test_places_come_back(patient, withdrawal):
    """Whoever leaves, however he leaves, leaves his place to others: filled again and again, none is lost."""
    for _ in range(3):
        with sitting(patient, PLACES, each=PLACES // 4):
            assert refusal(patient).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with patient.client("housing_fund") as client:
            assert client.exchange(timeout=60, **withdrawal).permitted
    with ExitStack() as clients:
        opened = [clients.enter_context(patient.client("housing_fund")) for _ in range(2)]
        for client in opened * 20:
            assert client.exchange(timeout=60, **withdrawal).permitted


def ask(house, terms, attempts=None):
    with house.client("housing_fund", attempts=attempts) as client:
        return client.exchange(timeout=60, **terms)


def ask_awaiting(house, terms, attempts=None):
    async def ask():
        credentials = house.credentials("housing_fund")
        async with AsyncClient(house.address, credentials, attempts=attempts) as client:
            return await client.exchange(timeout=60, **terms)

    return asyncio.run(ask())


@pytest.mark.parametrize("asking", [ask, ask_awaiting])
def test_clients_ask_again_after_the_time_they_are_told(patient, withdrawal, asking, monkeypatch):
    """Both clients: one attempt ends with Exhausted, with more the call succeeds once there is a place."""
    with sitting(patient, PLACES, each=PLACES // 4) as sitters:
        refusal(patient)
        with pytest.raises(Exhausted) as refused:
            asking(patient, withdrawal, attempts=1)
        assert (refused.value.reason, refused.value.attempts) == (Reason.OVERLOADED, 1)

        def jitter(attempt):
            sitters.leave()  # once the first attempt has been refused
            return 0.01 * attempt

        monkeypatch.setattr(client_retry, "jitter", jitter)
        exchanged = asking(patient, withdrawal)
    assert exchanged.permitted
    assert exchanged.attempts > 1


# ── callers who sit on their places ──────────────────────────────────────────────────────────────


def test_requests_that_do_not_come_are_given_up(strict, withdrawal):
    """More calls without a request than there are threads: they are ended, the exchange behind is made."""
    with sitting(strict, 4 * THREADS, each=4 * THREADS) as sitters, strict.client("housing_fund") as client:
        assert client.exchange(timeout=120, **withdrawal).permitted
        for call in sitters.calls:
            assert call.exception(120).code() in CUT_OFF


def test_idle_reflection_takes_nothing_from_exchanges(patient, withdrawal, package):
    """200 idle reflection streams of one system: exchanges, streams and others' reflection go on."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    silent = queue.SimpleQueue()
    with ExitStack() as channels:
        for _ in range(100):
            channel = channels.enter_context(patient.channel("tax"))
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            for _ in range(2):
                channels.callback(stub.ServerReflectionInfo(iter(silent.get, None)).cancel)
        with patient.client("housing_fund") as client:
            for _ in range(20):
                assert client.exchange(timeout=60, **withdrawal).permitted
        with patient.client("medical_insurance") as client:
            assert client.stream(timeout=60, **package).table().num_rows > 0
        stub = reflection_pb2_grpc.ServerReflectionStub(
            channels.enter_context(patient.channel("housing_fund"))
        )
        [answer] = stub.ServerReflectionInfo(iter([request]), timeout=60)
        assert "broker.v1.ExchangeService" in [s.name for s in answer.list_services_response.service]
        for _ in range(200):
            silent.put(None)


def stalled(channel, package):
    """A stream of which nothing but the decision is taken."""
    application = package | {"dataset": f"datasets/{package['dataset']}"}
    request = exchange_pb2.StreamExchangeRequest(request_id=str(uuid.uuid4()), application=application)
    return exchange_pb2_grpc.ExchangeServiceStub(channel).StreamExchange(request)


def test_one_system_has_half_of_the_streams(patient, package, withdrawal):
    """One that does not read its streams finds no place for more; another's are served, and told apart."""
    with patient.channel("medical_insurance") as one, patient.channel("medical_insurance") as two:
        held = [stalled(one, package), stalled(two, package)]
        assert [next(parts).WhichOneof("part") for parts in held] == ["opening"] * (STREAMS // 2)
        with patient.client("medical_insurance", attempts=1) as client, pytest.raises(Exhausted) as refused:
            client.stream(timeout=60, **package)
        assert refused.value.reason is Reason.SHARE_USED_UP
        with patient.client("housing_fund") as client:
            assert client.stream(timeout=60, **withdrawal).table().num_rows == 1
        for parts in held:
            parts.cancel()
    with patient.client("medical_insurance") as client:
        assert client.stream(timeout=60, **package).table().num_rows > 0


def test_stalled_stream_is_ended_and_its_receipt_says_why(strict, package, withdrawal):
    """Nobody takes anything of it: it is cancelled, its outcome is in the log, its place is another's."""
    auditor = strict.credentials("data_authority", Role.AUDITOR)
    with strict.channel("medical_insurance") as channel, Client(strict.address, auditor) as reading:
        parts = stalled(channel, package)
        decision = next(parts).opening.receipt.leaf_index
        with strict.client("housing_fund") as client:
            assert client.exchange(timeout=60, **withdrawal).permitted
        outcome = outcome_of(reading, decision)
        with pytest.raises(grpc.RpcError) as ended:
            list(parts)
    assert ended.value.code() in CUT_OFF
    assert outcome["interrupted"] is True
    assert [reason["code"] for reason in outcome["reasons"]] == [Reason.CALLER_STALLED]


def outcome_of(reading, decision):
    """The outcome that belongs to a decision, once it is in the log."""
    for _ in attempts():
        receipts = reading.receipts(timeout=60, dataset="public_security.household")
        statements = [orjson.loads(receipt.statement) for receipt in receipts]
        if found := [s["outcome"] for s in statements if s.get("decision_leaf") == decision]:
            break
    return found[0]
