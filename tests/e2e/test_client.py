"""The client against a real broker that is killed, cut off and silenced; and its twin on asyncio."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from broker.client import AsyncClient, Client, Credentials, VerifierKey, verify_receipt
from broker.demo.setup import prepare, shipped_policies
from broker.errors import BrokerError, DeadlinePassed, Unavailable
from broker.model import EntryKind, Role
from broker.receipt import cose_receipt

WAIT_SECONDS = 300
"""Longest wait for what must happen; how long it takes is not asserted."""
PATIENCE = 300.0
"""Timeout of a call that must not fail."""


def free_port():
    """One that is nobody's, nor becomes the near end of a connection while its broker is away."""
    first_given_out = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first_given_out // 2, first_given_out)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Mortal:
    """A broker on a fixed port, that can be killed and started again."""

    def __init__(self, folder):
        departments = ("housing_fund", "medical_insurance", "data_authority")
        self.embedded = prepare(folder, 300, 7, shipped_policies(), departments)
        self.address = f"127.0.0.1:{free_port()}"
        self.trust = VerifierKey.parse(self.embedded.trust.read_text("utf-8").strip())
        self.process = None

    def start(self):
        """Start it, whether or not it serves already."""
        with (self.embedded.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "broker.cli", "serve", "--config", str(self.embedded.settings)],
                stderr=log,
                env=os.environ | {"SHAREBROKER_SERVER__LISTEN": self.address},
                start_new_session=True,
            )

    def kill(self):
        """kill -9 to all its processes at once, as a power failure would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(WAIT_SECONDS)

    def credentials(self, department="housing_fund", role=Role.SYSTEM):
        return Credentials.load(self.embedded.identity(department, role))

    def exchanges(self):
        """Request id → leaves of exchanges under it, as the log has them."""
        with Client(
            self.address, self.credentials("data_authority", Role.AUDITOR), trust=self.trust
        ) as auditor:
            statements = [(r.leaf_index, json.loads(r.statement)) for r in auditor.receipts(timeout=PATIENCE)]
        found = {}
        for leaf, said in statements:
            if said["kind"] == EntryKind.EXCHANGE:
                found.setdefault(said["request_id"], []).append(leaf)
        return found


@pytest.fixture
def mortal(tmp_path):
    broker = Mortal(tmp_path / "broker")
    broker.start()
    yield broker
    broker.kill()


class Proxy:
    """Passes bytes on between clients and a broker, and does to their connections what networks do."""

    def __init__(self, target):
        self._target = target
        self._open = set()
        self._pass = threading.Event()
        self._pass.set()
        self.limit = None
        """Bytes from the broker after which a connection is cut."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """End every connection, without a word."""
        for end in list(self._open):
            self._end(end)

    def silence(self):
        """From now on nothing gets through, and nobody is told."""
        self._pass.clear()

    def resume(self):
        self._pass.set()

    def close(self):
        self._listener.close()
        self.resume()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                host, _, port = self._target.rpartition(":")
                broker = socket.create_connection((host, int(port)))
            except OSError:
                if self._listener.fileno() < 0:
                    return
                client.close()
                continue
            self._open |= {client, broker}
            for source, sink in ((client, broker), (broker, client)):
                threading.Thread(target=self._pump, args=(source, sink, sink is client), daemon=True).start()

    def _pump(self, source, sink, counted):
        passed = 0
        try:
            while data := source.recv(4096):
                self._pass.wait()
                if counted and self.limit is not None and passed + len(data) > self.limit:
                    break
                passed += len(data)
                sink.sendall(data)
        except OSError:
            pass
        self._end(source)
        self._end(sink)

    def _end(self, end):
        self._open.discard(end)
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.fixture
def proxy(address):
    proxy = Proxy(address)
    yield proxy
    proxy.close()


class Load:
    """Callers who ask without pause, each call under a request id of its own, until told to stop."""

    def __init__(self, address, credentials, trust, terms, callers=4):
        self._terms = terms
        self._stop = threading.Event()
        self.answers = {}
        """Request id → what came."""
        self.failures = []
        self._client = Client(address, credentials, trust=trust, channels=2)
        self._pool = ThreadPoolExecutor(callers + 1)
        self._calls = [self._pool.submit(self._waiting) for _ in range(callers)]
        self._calls.append(
            self._pool.submit(asyncio.run, self._awaiting(address, credentials, trust, callers))
        )

    def _waiting(self):
        while not self._stop.is_set():
            request_id = str(uuid.uuid4())
            try:
                exchanged = self._client.exchange(request_id=request_id, timeout=PATIENCE, **self._terms)
            except BrokerError as error:
                self.failures.append(error)
            else:
                self.answers[request_id] = exchanged

    async def _awaiting(self, address, credentials, trust, callers):
        async def ask():
            while not self._stop.is_set():
                request_id = str(uuid.uuid4())
                try:
                    exchanged = await client.exchange(request_id=request_id, timeout=PATIENCE, **self._terms)
                except BrokerError as error:
                    self.failures.append(error)
                else:
                    self.answers[request_id] = exchanged

        async with AsyncClient(address, credentials, trust=trust, channels=2) as client:
            await asyncio.gather(*(ask() for _ in range(callers)))

    def wait(self, more):
        """Until so many more answers have come."""
        end, enough = time.monotonic() + WAIT_SECONDS, len(self.answers) + more
        while len(self.answers) < enough:
            assert time.monotonic() < end
            time.sleep(0.01)

    def stop(self):
        self._stop.set()
        for call in self._calls:
            call.result(WAIT_SECONDS + PATIENCE)
        self._pool.shutdown()
        self._client.close()


@contextmanager
def loaded(*about):
    load = Load(*about)
    try:
        yield load
    finally:
        load.stop()


def test_killed_broker_costs_no_call_and_doubles_none(mortal, cast, withdrawal):
    """kill -9 and a restart on the same port, twice under load: every call ends with exactly one receipt."""
    with loaded(mortal.address, mortal.credentials(), mortal.trust, withdrawal) as load:
        for _ in range(2):
            load.wait(100)
            mortal.kill()
            time.sleep(0.3)
            mortal.start()
        load.wait(100)
    assert load.failures == []
    assert any(answer.attempts > 1 for answer in load.answers.values())
    exchanges = mortal.exchanges()
    for request_id, answer in load.answers.items():
        assert answer.permitted
        assert exchanges[request_id] == [answer.receipt.leaf_index]
    assert exchanges.keys() == load.answers.keys()


def test_cut_connections_cost_no_call_and_double_none(proxy, connect, embedded, trust, withdrawal):
    """Connections that break at any moment do neither."""
    with loaded(
        proxy.address, Credentials.load(embedded.identity("housing_fund")), trust, withdrawal
    ) as load:
        for _ in range(15):
            load.wait(10)
            proxy.cut()
        load.wait(10)
    assert load.failures == []
    assert any(answer.attempts > 1 for answer in load.answers.values())
    auditor = connect("data_authority", Role.AUDITOR)
    recorded = Counter(
        said["request_id"]
        for said in (json.loads(receipt.statement) for receipt in auditor.receipts(timeout=PATIENCE))
        if said["kind"] == EntryKind.EXCHANGE
    )
    assert {recorded[request_id] for request_id in load.answers} == {1}


@pytest.mark.parametrize("limit", [12_000, 40_000])
def test_cut_stream_is_an_error_and_no_short_answer(proxy, embedded, trust, package, limit):
    """A stream whose connection breaks after its decision raises; it is not begun again unasked."""
    credentials = Credentials.load(embedded.identity("medical_insurance"))
    proxy.limit = limit
    with Client(proxy.address, credentials, trust=trust, channels=1) as client:
        stream = client.stream(**package)
        with pytest.raises(Unavailable) as broken:
            stream.table()
        assert broken.value.request_id == stream.request_id
        assert stream.attempts == 1
        assert stream.outcome is None
        proxy.limit = None
        assert client.stream(**package).table().num_rows > 900


def test_silence_passes_the_deadline_and_a_later_call_gets_the_answer(proxy, embedded, trust, withdrawal):
    """When nothing comes back the timeout ends the wait, and the same request id gets one receipt later."""
    credentials = Credentials.load(embedded.identity("housing_fund"))
    with Client(proxy.address, credentials, trust=trust, channels=2) as client:
        client.checkpoint(timeout=PATIENCE)
        proxy.silence()
        with pytest.raises(DeadlinePassed) as passed:
            client.exchange(timeout=0.5, **withdrawal)
        proxy.resume()
        again = client.exchange(request_id=passed.value.request_id, timeout=PATIENCE, **withdrawal)
        assert again.permitted
        assert json.loads(again.receipt.statement)["request_id"] == passed.value.request_id


def test_broker_that_is_not_there_costs_the_timeout(embedded, withdrawal):
    """An address where nobody listens is tried until the timeout, which may cut the last attempt short."""
    credentials = Credentials.load(embedded.identity("housing_fund"))
    with Client(f"127.0.0.1:{free_port()}", credentials) as client:
        with pytest.raises((Unavailable, DeadlinePassed)) as unreachable:
            client.exchange(timeout=5, **withdrawal)
        assert unreachable.value.attempts > 1


# ── the twin ─────────────────────────────────────────────────────────────────────────────────────


class PatientTwin(AsyncClient):
    """The twin of callers who may have to wait for a slow machine."""

    async def _try(self, attempt, timeout, request_id):
        return await super()._try(attempt, max(timeout, PATIENCE), request_id)


@pytest.fixture
def twins(address, embedded, trust, patient):
    """Both clients of one department: a sync one, and a function that runs a coroutine with an async one."""

    @contextmanager
    def make(department, role=Role.SYSTEM):
        credentials = Credentials.load(embedded.identity(department, role))

        def awaited(use):
            async def main():
                async with PatientTwin(address, credentials, trust=trust) as client:
                    return await use(client)

            return asyncio.run(main())

        with patient(address, credentials, trust=trust) as client:
            yield client, awaited

    return make


def test_twins_get_the_same_answer(twins, withdrawal):
    """The same request gives both clients the same records under the same receipt."""
    with twins("housing_fund") as (client, awaited):
        first = client.exchange(sign=True, **withdrawal)
        second = awaited(lambda twin: twin.exchange(request_id=first.request_id, sign=True, **withdrawal))
        names = set(type(first).__slots__) - {"receipt", "redelivered"}
        assert {name: getattr(first, name) for name in names} == {n: getattr(second, n) for n in names}
        assert (first.receipt.leaf_index, first.receipt.statement) == (
            second.receipt.leaf_index,
            second.receipt.statement,
        )
        assert (first.redelivered, second.redelivered) == (False, True)
        assert first.table() == second.table()


def test_records_are_in_the_order_asked(twins, withdrawal):
    """A map on the wire has no order; a record has that of the fields asked, every time."""
    with twins("housing_fund") as (client, _):
        for fields in (["status", "registered_on"], ["registered_on", "status"]) * 5:
            (record,) = client.exchange(**withdrawal | {"fields": fields}).records
            assert list(record) == fields


def test_twins_get_the_same_refusals_and_errors(twins, withdrawal):
    """What is refused to the one is refused to the other, for the same reasons and in the same words."""
    asked = [
        withdrawal | {"purpose": "housing_fund_audit"},
        withdrawal | {"validate_only": True},
        {name: withdrawal[name] for name in ("dataset", "fields", "subjects", "purpose")},
        withdrawal | {"dataset": "tax.secrets"},
        withdrawal | {"fields": ["no_such_field"], "operator": "a\u0000b"},
        withdrawal | {"request_id": "no uuid"},
        withdrawal | {"grant": "made-up"},
    ]
    with twins("housing_fund") as (client, awaited):
        for terms in asked:
            first, second = (
                told(lambda t=terms: client.exchange(**t)),
                told(lambda t=terms: awaited(lambda twin: twin.exchange(**t))),
            )
            assert first == second


def told(ask):
    try:
        exchanged = ask()
    except BrokerError as error:
        return type(error), error.reason, error.about, error.attempts, getattr(error, "violations", ())
    reasons = [(reason.code, reason.zh, reason.en, reason.about) for reason in exchanged.reasons]
    return exchanged.verdict, exchanged.rules, reasons, exchanged.records, exchanged.status


def test_twins_read_the_same_stream(twins, package):
    """Both get the same table, and an outcome that verifies."""
    with twins("medical_insurance") as (client, awaited):
        stream = client.stream(**package)
        table = stream.table()

        async def use(twin):
            async with await twin.stream(**package) as other:
                return other, await other.table()

        other, same = awaited(use)
        assert same == table
        assert table.num_rows > 900
        assert (other.verdict, other.masks) == (stream.verdict, stream.masks)
        assert stream.to_polars().is_empty()  # a stream is read once


def test_twins_read_the_same_log(twins, trust, connect, withdrawal):
    """Receipts, proofs, checkpoint and catalog are the same to both."""
    leaf = connect("housing_fund").exchange(**withdrawal).receipt.leaf_index
    with twins("data_authority", Role.AUDITOR) as (client, awaited):

        async def use(twin):
            return (
                (await twin.receipt(leaf)).statement,
                cose_receipt.verify(await twin.cose_receipt(leaf), trust).statement["request_id"],
                [r.leaf_index async for r in twin.receipts(department="housing_fund", timeout=20)],
                (await twin.checkpoint()).splitlines()[0],  # the auditor's reads are leaves themselves
                await twin.consistency_proof(1, leaf),
                [dataset.name async for dataset in twin.datasets("civil_affairs")],
                (await twin.dataset("civil_affairs.marriage")).title,
            )

        assert awaited(use) == (
            client.receipt(leaf).statement,
            cose_receipt.verify(client.cose_receipt(leaf), trust).statement["request_id"],
            [r.leaf_index for r in client.receipts(department="housing_fund", timeout=20)],
            client.checkpoint().splitlines()[0],
            client.consistency_proof(1, leaf),
            [dataset.name for dataset in client.datasets("civil_affairs")],
            client.dataset("civil_affairs.marriage").title,
        )
        verify_receipt(client.receipt(leaf), trust)
