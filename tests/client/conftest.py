"""A gRPC server over mutual TLS that does what a test's script says, and both clients to call it alike."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import SimpleNamespace

import grpc
import pyarrow as pa
import pytest
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from broker.client import AsyncClient, Client, Credentials
from broker.client.evidence import PAPERS
from broker.keys.authority import Authority
from broker.model import Role
from broker.transmit.chunks import IpcChunks
from broker.transmit.watermark import watermark
from broker.v1 import catalog_pb2, catalog_pb2_grpc, exchange_pb2, exchange_pb2_grpc

NONCE = bytes(range(32))


class Clock:
    """Stands still but for the pauses of clients, which cost nothing then, and for what a test lets pass."""

    seconds = 0.0

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds

    async def asleep(self, seconds):
        self.sleep(seconds)


@dataclass
class Scripted(exchange_pb2_grpc.ExchangeServiceServicer, catalog_pb2_grpc.CatalogServiceServicer):
    """Answers the n-th call by the n-th step; the last one stays. A step takes request and context."""

    steps: list
    address: str = ""
    requests: list = field(default_factory=list)
    peers: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def Exchange(self, request, context):
        with self.lock:
            self.requests.append(request)
            self.peers.append(context.peer())
            step = self.steps[min(len(self.requests), len(self.steps)) - 1]
        return step(request, context)

    def StreamExchange(self, request, context):
        yield from self.Exchange(request, context)

    def GetDataset(self, request, context):
        return catalog_pb2.GetDatasetResponse(dataset=catalog_pb2.Dataset(name=request.name))

    def ListDatasets(self, request, context):
        """Pages of one, as many as are named in the filter's last digit."""
        number, last = int(request.page_token or 0), int(request.department[-1])
        token = str(number + 1) if number < last else ""
        name = f"{request.department}/{number}"
        return catalog_pb2.ListDatasetsResponse(
            datasets=[catalog_pb2.Dataset(name=name)], next_page_token=token
        )


class Waiting:
    """The client that waits; every call on a connection of its own."""

    def __init__(self, credentials):
        self.credentials = credentials

    def exchange(self, address, *, channels=1, attempts=None, **asked):
        with Client(address, self.credentials, channels=channels, attempts=attempts) as client:
            return client.exchange(**asked)

    def stream(self, address, *, into="table", **asked):
        """The stream at its end, and its table."""
        with Client(address, self.credentials, channels=1) as client, client.stream(**asked) as stream:
            return stream, getattr(stream, into)()

    def datasets(self, address, department):
        with Client(address, self.credentials, channels=1) as client:
            return [found.name for found in client.datasets(department)], client.dataset("a.b").name


class Awaiting:
    """Its twin on asyncio."""

    def __init__(self, credentials):
        self.credentials = credentials

    def exchange(self, address, *, channels=1, attempts=None, **asked):
        async def main():
            async with AsyncClient(address, self.credentials, channels=channels, attempts=attempts) as client:
                return await client.exchange(**asked)

        return asyncio.run(main())

    def stream(self, address, *, into="table", **asked):
        async def main():
            client = AsyncClient(address, self.credentials, channels=1)
            async with client, await client.stream(**asked) as stream:
                return stream, await getattr(stream, into)()

        return asyncio.run(main())

    def datasets(self, address, department):
        async def main():
            async with AsyncClient(address, self.credentials, channels=1) as client:
                names = [found.name async for found in client.datasets(department)]
                return names, (await client.dataset("a.b")).name

        return asyncio.run(main())


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority.create(tmp_path_factory.mktemp("authority") / "pki", "xinghe")


@pytest.fixture(scope="session")
def credentials(authority):
    issued = authority.issue("housing_fund", Role.SYSTEM, "counter")
    return Credentials(issued.cert_pem, issued.key_pem, (authority.folder / "ca.pem").read_bytes())


@pytest.fixture(scope="session")
def server_credentials(authority):
    issued = authority.issue_broker("one", ips=["127.0.0.1"])
    root = (authority.folder / "ca.pem").read_bytes()
    return grpc.ssl_server_credentials([(issued.key_pem, issued.cert_pem)], root, require_client_auth=True)


@pytest.fixture(params=[Waiting, Awaiting])
def caller(request, credentials):
    """Either client, by the same methods."""
    return request.param(credentials)


@pytest.fixture
def script(server_credentials):
    """Starts a server that follows the given steps."""
    servers = []

    def start(*steps):
        scripted = Scripted(list(steps))
        server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0)])
        exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(scripted, server)
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(scripted, server)
        scripted.address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', server_credentials)}"
        server.start()
        servers.append(server)
        return scripted

    yield start
    for server in servers:
        server.stop(0).wait()


@pytest.fixture
def clock(monkeypatch):
    """The clock by which both clients reckon deadlines and pauses; a single attempt's deadline stays real."""
    clock = Clock()
    monkeypatch.setattr("broker.client.retry.time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr("broker.client.client.time", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr(
        "broker.client.aio.asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": clock.asleep})
    )
    return clock


@pytest.fixture
def long_rest(monkeypatch):
    """A connection that has failed rests for longer than any test takes."""
    monkeypatch.setattr("broker.client.connections.REST_SECONDS", 3600.0)


@pytest.fixture
def terms():
    return {"dataset": "tax.payment", "fields": ["paid"], "subjects": ["990101189901010015"], "purpose": "p"}


# ── what a script is made of ─────────────────────────────────────────────────────────────────────

SCHEMA = pa.schema([("paid", pa.bool_()), ("paid_on", pa.date32()), ("name", pa.string())])
ROWS = [(n % 2 == 0, date(2026, 1, 1) + timedelta(n), "某" * (n % 7)) for n in range(40)]
BATCH = pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in ROWS], SCHEMA)

DENIED = exchange_pb2.Decision(verdict="VERDICT_DENY", reasons=[exchange_pb2.Reason(code="X")])


class Steps:
    """Steps, and what they are made of."""

    batch = BATCH

    @staticmethod
    def fail(code, *details):
        """A step: end with a status and its details."""

        def step(request, context):
            status = status_pb2.Status(code=code.value[0], message="no")
            for detail in details:
                status.details.append(any_pb2.Any())
                status.details[-1].Pack(detail)
            context.abort_with_status(rpc_status.to_status(status))

        return step

    @staticmethod
    def told(reason, domain="sharebroker", **metadata):
        return error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)

    @staticmethod
    def retry_in(seconds):
        return error_details_pb2.RetryInfo(
            retry_delay=Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
        )

    @staticmethod
    def receipt(request, verdict, **more):
        """One that nobody signed: a client without the log's key reads only its statement."""
        asked = request.application
        statement = {
            "request_id": request.request_id,
            "dataset": asked.dataset.removeprefix("datasets/"),
            "fields": list(asked.fields),
            "grant": request.grant.removeprefix("grants/"),
            **{paper: getattr(asked, paper) for paper in PAPERS},
            "consumer": {"uri": "spiffe://xinghe/department/housing_fund/system/counter"},
            "decision": {"verdict": verdict},
            **more,
        }
        return exchange_pb2.Receipt(statement=json.dumps(statement).encode(), leaf_index=7)

    @classmethod
    def deny(cls, request, context):
        """A step: refuse."""
        return exchange_pb2.ExchangeResponse(decision=DENIED, receipt=cls.receipt(request, "deny"))

    @classmethod
    def deny_stream(cls, request, context):
        """A step: refuse a stream."""
        opening = exchange_pb2.StreamOpening(decision=DENIED, receipt=cls.receipt(request, "deny"))
        return [exchange_pb2.StreamExchangeResponse(opening=opening)]

    @classmethod
    def permit_stream(cls, request, context):
        """A step: stream three batches, in many chunks, as the broker makes them."""
        return cls._stream(request, SCHEMA, exchange_pb2.Obligations())

    @classmethod
    def watermarked(cls, marks):
        """A step: the same where a watermark is demanded, with these marks, or (None) those it must have."""

        def step(request, context):
            uri = "spiffe://xinghe/department/housing_fund/system/counter"
            due = watermark(uri, request.application.purpose, request.request_id)
            schema = SCHEMA.with_metadata(due if marks is None else marks)
            return cls._stream(request, schema, exchange_pb2.Obligations(watermark=True))

        return step

    @classmethod
    def _stream(cls, request, schema, obligations):
        chunks = IpcChunks(schema, 1000, NONCE)
        cut = [chunk for batch in [BATCH] * 3 for chunk in chunks.write(batch)] + list(chunks.finish())
        opening = exchange_pb2.StreamOpening(
            decision=exchange_pb2.Decision(verdict="VERDICT_PERMIT", obligations=obligations),
            receipt=cls.receipt(request, "permit"),
            columns=[exchange_pb2.Column(field=name) for name in SCHEMA.names],
            nonce=NONCE,
        )
        outcome = exchange_pb2.StreamOutcome(
            status="ANSWER_STATUS_FOUND",
            digest=chunks.digest,
            receipt=cls.receipt(request, "permit", decision_leaf=7, outcome={"digest": chunks.digest.hex()}),
        )
        return [
            exchange_pb2.StreamExchangeResponse(opening=opening),
            *(exchange_pb2.StreamExchangeResponse(chunk=chunk) for chunk in cut),
            exchange_pb2.StreamExchangeResponse(outcome=outcome),
        ]


@pytest.fixture(scope="session")
def steps():
    return Steps
