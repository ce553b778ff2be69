"""Stream workers that die or stand still amid a stream: what the log says, and what a retry brings."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from broker.client import Credentials, VerifierKey
from broker.demo.setup import prepare, shipped_policies
from broker.model import ReceiptFilter
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.server.asking import ask_status
from broker.settings import load_settings
from broker.store import migrate, open_store
from broker.v1 import exchange_pb2 as pb
from tests.waiting import wait_for

STREAM = "/broker.v1.ExchangeService/StreamExchange"
PATIENCE = 120
"""Seconds after which what has not happened will not; how long it takes is not asserted."""
ATTEMPTS = 5
ENVIRONMENT = {
    "SHAREBROKER_SERVER__STREAM_LISTEN": "127.0.0.1:0",
    "SHAREBROKER_SERVER__STREAM_WORKERS": "2",
    "SHAREBROKER_SERVER__STREAM_LEASE_SECONDS": "3",
    # Row by row, so that a consumer who does not read soon holds the stream up.
    "SHAREBROKER_SERVER__STREAM_BATCH_ROWS": "1",
    "SHAREBROKER_SERVER__STREAM_CHUNK_BYTES": "1024",
}


class House:
    """A broker with two workers for streams and two for calls, its database and its processes."""

    def __init__(self, embedded, url):
        self.embedded, self.url = embedded, url
        self.settings = load_settings(embedded.settings)

    def status(self):
        return ask_status(self.settings)

    def settled(self):
        """Status once every worker serves."""
        return wait_for(
            lambda: (
                (status := self.status())
                and len(status["workers"]) == 4
                and all(worker["state"] == "serving" for worker in status["workers"])
                and status
            )
        )

    def serving(self, port):
        """The stream worker that has the connection."""
        workers = [w["pid"] for w in self.status()["workers"] if w["kind"] == "stream"]
        (pid,) = [pid for pid in workers if connected(pid, port)]
        return pid

    def recorded(self):
        """What would be said of the one stream under way."""
        with closing(open_store(self.url)) as store, store.leases() as leases:
            (lease,) = leases.live()
            return json.loads(lease.unfinished)["outcome"]

    def outcomes(self, opening):
        with closing(open_store(self.url)) as store:
            said = [json.loads(x.entry.statement) for x in store.leaves(ReceiptFilter(), None, 1000)]
        return [s for s in said if s.get("decision_leaf") == opening]

    def outcome(self, opening, seconds=PATIENCE):
        """The one outcome of the stream that this leaf opened, once there is one."""
        (said,) = wait_for(lambda: self.outcomes(opening), seconds)
        return said

    def sound(self):
        """That the log has nothing wrong in it, and no stream is under way."""
        key = VerifierKey.parse(self.embedded.trust.read_text("utf-8").strip())
        state = self.settings.path(self.settings.keys.signer_state)
        with (
            open_fsck(self.url, state, key) as check,
            closing(open_store(self.url)) as store,
            store.leases() as leases,
        ):
            return list(check.findings()) == leases.live() == []


class Reader:
    """A consumer of one stream, who takes what he likes of it."""

    def __init__(self, house, request):
        port = house.settled()["stream_port"]
        credentials = Credentials.load(house.embedded.identity("medical_insurance")).channel_credentials()
        # A window of fixed size: with a growing one the whole stream would come unread.
        window = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536)]
        options = [("grpc.use_local_subchannel_pool", 1), *window]
        self._channel = grpc.secure_channel(f"127.0.0.1:{port}", credentials, options)
        self._parts = self._channel.unary_stream(
            STREAM, pb.StreamExchangeRequest.SerializeToString, pb.StreamExchangeResponse.FromString
        )(request, timeout=PATIENCE)
        self.opening = next(self._parts).opening
        self.leaf = self.opening.receipt.leaf_index
        self.port = port
        self.chunks = []

    def take(self, count):
        for _ in range(count):
            self.chunks.append(next(self._parts).chunk)

    def finish(self):
        """Takes all there is; gives the outcome."""
        *parts, last = self._parts
        self.chunks += [part.chunk for part in parts]
        assert last.HasField("outcome")
        return last.outcome

    def broken(self):
        """Takes all there is of a stream that breaks off; gives code and reason."""
        try:
            self.chunks.extend(part.chunk for part in self._parts)
        except grpc.RpcError as failure:
            status, info = rpc_status.from_call(failure), error_details_pb2.ErrorInfo()
            assert status is None or status.details[0].Unpack(info)
            return failure.code(), info.reason
        raise AssertionError("the stream ended as if nothing had happened")

    def complete(self):
        """The outcome; None if the broker could not go on just now, and the consumer is to ask again."""
        try:
            return self.finish()
        except grpc.RpcError as failure:
            if failure.code() is grpc.StatusCode.UNAVAILABLE:
                return None
            raise

    def close(self):
        self._channel.close()


def connected(pid, port):
    """Whether a process has an established connection of its own on the port."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    own = {match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}
    tables = [Path(f"/proc/{pid}/net/{table}").read_text() for table in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return any(r[1].endswith(f":{port:04X}") and r[3] == "01" and r[9] in own for r in rows)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def house(request, tmp_path_factory):
    """A running broker on either database."""
    folder = tmp_path_factory.mktemp("house")
    embedded = prepare(folder, 2_000, 7, shipped_policies(), ("data_authority", "medical_insurance"))
    url, environment = load_settings(embedded.settings).store_url, ENVIRONMENT
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_url")()
        migrate(url)
        environment = ENVIRONMENT | {"SHAREBROKER_STORE__URL": url}
    command = [sys.executable, "-m", "broker.cli", "serve", "--workers", "2", "--config"]
    with (folder / "broker.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, str(embedded.settings)], stderr=log, env={**os.environ, **environment}
        )
    try:
        yield House(embedded, url)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def read(house):
    """Begins a stream, the same request each time; connections are closed at the end."""
    readers = []
    request = pb.StreamExchangeRequest(
        request_id=str(uuid.uuid4()),
        application=pb.Application(
            dataset="datasets/public_security.household",
            fields=["resident_id", "name", "district"],
            purpose="grid_service",
            service_item="990100-YB-0007",
            case_no="YB-2026-000001",
            legal_basis="医疗保障基金使用监督管理条例 第六条",
            operator="YB-0001",
        ),
    )

    def begin():
        readers.append(Reader(house, request))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.close()


def test_a_stream_whose_worker_is_killed_is_closed_and_can_be_asked_for_again(house, read):
    """Another worker records how far it was known to have come; the retry brings the whole, uncharged."""
    first = read()
    first.take(5)
    wait_for(lambda: house.recorded()["chunks"] >= 3)
    os.kill(house.serving(first.port), signal.SIGKILL)
    assert first.broken()[0] is grpc.StatusCode.UNAVAILABLE
    outcome = house.outcome(first.leaf)["outcome"]
    assert [why["code"] for why in outcome["reasons"]] == [Reason.LEASE_EXPIRED]
    assert outcome["interrupted"]

    retry = read()
    ended = retry.finish()
    assert not ended.redelivered
    opened = json.loads(retry.opening.receipt.statement)
    assert (opened["kind"], opened["of"]) == ("redelivered", first.leaf)
    assert first.chunks == retry.chunks[: len(first.chunks)]
    handed_over = b"".join([first.opening.nonce, *retry.chunks[: outcome["chunks"]]])
    assert 3 <= outcome["chunks"] < len(retry.chunks)
    assert outcome["digest"] == hashlib.sha256(handed_over).hexdigest()

    again = read()
    assert again.finish().redelivered
    assert again.chunks == retry.chunks
    assert len(house.outcomes(first.leaf)) == 1
    assert house.sound()


def test_a_worker_that_stood_still_cannot_complete_what_was_closed(house, read):
    """SIGSTOP for longer than the lease, then SIGCONT: it is interrupted, and the consumer hears why."""
    reader = read()
    reader.take(5)
    worker = house.serving(reader.port)
    try:
        stop_until_closed(house, worker, reader.leaf)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert reader.broken() == (grpc.StatusCode.ABORTED, Reason.LEASE_EXPIRED)
    (said,) = house.outcomes(reader.leaf)
    assert said["outcome"]["interrupted"]
    assert not read().finish().redelivered
    assert house.sound()


def stop_until_closed(house, worker, leaf):
    """A worker stopped while it holds the database's lock stops everybody, so there may be another try."""
    for _ in range(ATTEMPTS):
        os.kill(worker, signal.SIGSTOP)
        try:
            return house.outcome(leaf, PATIENCE / ATTEMPTS)
        except TimeoutError:
            os.kill(worker, signal.SIGCONT)
            time.sleep(0.1)
    raise AssertionError("nobody has closed the stream")


def test_a_stream_that_nobody_reads_is_kept_alive(house, read):
    """Its worker renews the lease while the consumer lets it wait: no false interruption."""
    reader = read()
    reader.take(1)
    with closing(open_store(house.url)) as store:

        def renewals():
            with store.leases() as leases:
                return [lease.renewals for lease in leases.live()]

        wait_for(lambda: renewals()[0] >= 6)  # of which five make up a lease's time
    assert house.outcomes(reader.leaf) == []
    # A machine busy with other things may keep the broker from its database for a while; then one asks again.
    outcome = reader.complete() or wait_for(lambda: read().complete())
    assert outcome.receipt.leaf_index > reader.leaf
