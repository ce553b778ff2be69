"""The kill switch in officers' hands, over mutual TLS: what it stops, who learns what, how it is lifted."""

import json
import re
import shutil
import sqlite3
import time
import uuid
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from broker.cli.main import app
from broker.client import Credentials, OfficerClient, VerifierKey
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import MalformedRequest, NotAuthorised, SetUpError
from broker.keys.authority import Authority
from broker.keys.files import write_private_file
from broker.model import Role, Target, Verdict
from broker.reasons import Reason
from broker.server.asking import ask_status
from broker.settings import load_settings
from broker.v1 import application_pb2 as pb
from broker.v1 import exchange_pb2, exchange_pb2_grpc
from tests.statement_schema import require_documented

DEPARTMENTS = ("data_authority", "housing_fund", "medical_insurance")
STREAMS, STALLED, TAKEN = 50, 10, 3
"""Streams; how many of them are never read; parts that the readers of the others take before they wait."""
RESIDENTS = 20_000
"""So many that their register does not fit into what transport takes for a caller who takes nothing."""


DATABASE = 'kind: sql, url: "sqlite:///public_security.db", table: czrk'
FILE = "kind: files, path: czrk.parquet, format: parquet"
"""A process reads a database over at most 16 connections, of a file as many streams as there are places."""


def to_file(data):
    """The register, out of its database."""
    with closing(sqlite3.connect(data / "public_security.db")) as database:
        cursor = database.execute("SELECT * FROM czrk")
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    pq.write_table(pa.table(columns), data / "czrk.parquet", row_group_size=2048)


class City:
    """A broker of several workers, and people with certificates."""

    def __init__(self, prepared, address, patient, stack):
        self.prepared, self.address, self.patient, self.stack = prepared, address, patient, stack
        self.trust = VerifierKey.parse(prepared.trust.read_text("utf-8").strip())

    def folder(self, department, name="first", role=Role.OFFICER):
        folder = self.prepared.folder / "people" / f"{department}-{role}-{name}"
        if not folder.exists():
            issued = Authority.open(self.prepared.folder / "pki").issue(department, role, name)
            folder.mkdir(mode=0o700, parents=True)
            write_private_file(folder / "key.pem", issued.key_pem)
            (folder / "cert.pem").write_bytes(issued.cert_pem)
            shutil.copy(self.prepared.folder / "pki" / "ca.pem", folder)
        return folder

    def client(self, department, role=Role.SYSTEM):
        credentials = Credentials.load(self.folder(department, role=role))
        return self.stack.enter_context(self.patient(self.address, credentials, trust=self.trust))

    def officer(self, department, name="first"):
        class Patient(self.patient, OfficerClient):
            pass

        credentials = Credentials.load(self.folder(department, name))
        return self.stack.enter_context(Patient(self.address, credentials, trust=self.trust))

    def run(self, department, *words):
        reach = ["--broker", self.address, "--identity", str(self.folder(department))]
        done = CliRunner().invoke(app, ["suspend", *map(str, words), *reach], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def stream_port(self):
        return ask_status(load_settings(self.prepared.settings))["stream_port"]

    def streams_used(self):
        workers = ask_status(load_settings(self.prepared.settings))["workers"]
        return [one["places"]["streams"]["used"] for one in workers if one["kind"] == "stream"]


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Two workers for calls, two for streams, whose chunks are small."""
    from tests.e2e.conftest import Patient

    folder = tmp_path_factory.mktemp("city")
    policies = shutil.copytree(shipped_policies(), folder / "policies")
    catalog = policies / "catalog/public_security.yaml"
    text = catalog.read_text("utf-8")
    assert DATABASE in text
    catalog.write_text(text.replace(DATABASE, FILE), "utf-8")
    prepared = prepare(folder, RESIDENTS, 7, policies, DEPARTMENTS)
    to_file(prepared.folder / "data")
    settings = {
        "workers": 2,
        "stream_workers": 2,
        "stream_listen": "127.0.0.1:0",
        "max_streams": 4 * STREAMS,
        "stream_batch_rows": 512,
        "stream_chunk_bytes": 16_384,
        "stall_seconds": 3600,
    }
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        for name, value in settings.items():
            environment.setenv(f"SHAREBROKER_SERVER__{name.upper()}", str(value))
        address = stack.enter_context(broker_process(prepared))
        yield City(prepared, address, Patient, stack)
        stack.close()
        require_documented(load_settings(prepared.settings).store_url)


class Reader:
    """One caller's stream: takes a few parts, waits, and once told to goes on to its end."""

    def __init__(self, city, package, go_on, stalled):
        own = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0), ("grpc.enable_retries", 0)]
        identity = Credentials.load(city.folder("medical_insurance", role=Role.SYSTEM)).channel_credentials()
        where = f"{city.address.rpartition(':')[0]}:{city.stream_port()}"
        self.channel = grpc.secure_channel(where, identity, own)
        application = package | {"dataset": f"datasets/{package['dataset']}"}
        request = exchange_pb2.StreamExchangeRequest(request_id=str(uuid.uuid4()), application=application)
        self.parts = exchange_pb2_grpc.ExchangeServiceStub(self.channel).StreamExchange(request)
        self.decision = next(self.parts).opening.receipt.leaf_index
        self.status = None
        self.began = Event()
        self.thread = Thread(target=self._read, args=[go_on, stalled], daemon=True)
        self.thread.start()

    def _read(self, go_on, stalled):
        taken = 0
        try:
            while not stalled and taken < TAKEN:
                next(self.parts)
                taken += 1
            self.began.set()
            go_on.wait()
            for _ in self.parts:
                pass
        except grpc.RpcError as error:
            self.status = error
        finally:
            self.began.set()


def outcomes(auditor, decisions):
    """The outcome's statement of each of these streams, once all are in the log."""
    end = time.monotonic() + 300
    while True:
        said = [json.loads(one.statement) for one in auditor.receipts(kind="stream_outcome", page_size=1000)]
        found = {one["decision_leaf"]: one for one in said if one["decision_leaf"] in decisions}
        if len(found) == len(decisions):
            return list(found.values())
        assert time.monotonic() < end, f"{len(found)} of {len(decisions)} outcomes"
        time.sleep(0.05)


def test_it_stops_fifty_streams_ten_of_them_stalled(city, package, capsys):
    """Over all workers, whether they are read or not: each ends and has an outcome that says why."""
    officer, auditor = city.officer("data_authority"), city.client("data_authority", Role.AUDITOR)
    go_on = Event()
    readers = [Reader(city, package, go_on, number < STALLED) for number in range(STREAMS)]
    for reader in readers:
        assert reader.began.wait(300)
    end = time.monotonic() + 60
    while sum(city.streams_used()) < STREAMS:  # each worker says so once a second
        assert time.monotonic() < end
        time.sleep(0.05)
    assert min(city.streams_used()) > 0

    done = officer.suspend(Target.CONSUMER, "medical_insurance", reason="演练")
    stopped = outcomes(auditor, {reader.decision for reader in readers[:STALLED]})
    go_on.set()  # those who are stalled are gone before anybody reads on
    stopped += outcomes(auditor, {reader.decision for reader in readers[STALLED:]})
    for reader in readers:
        reader.thread.join(300)
        reader.channel.close()

    why = {"code": Reason.NO_LONGER_PERMITTED, "about": f"SUSPENDED medical_insurance {done.suspension.name}"}
    for one in stopped:
        assert (one["outcome"]["interrupted"], one["outcome"]["reasons"]) == (True, [why])
    assert all(reader.status is not None for reader in readers)
    act = json.loads(done.receipt.statement)
    times = sorted(_seconds(one["recorded_at"]) - _seconds(act["recorded_at"]) for one in stopped[:STALLED])
    with capsys.disabled():
        print(f"\n{STALLED} stalled streams ended {times[0]:.3f} to {times[-1]:.3f} s after the act's leaf")
    officer.lift(int(done.suspension.name.removeprefix("suspensions/")), reason="演练结束")


def _seconds(instant):
    return datetime.fromisoformat(instant).timestamp()


def test_whoever_is_stopped_learns_the_number_and_not_why(city, withdrawal):
    """The refusal names the suspension; its list hides the reason from those whose affair it is not."""
    provider, consumer = city.officer("civil_affairs"), city.client("housing_fund")
    with pytest.raises(NotAuthorised) as refused:
        provider.suspend(Target.EVERYTHING, reason="机密原因")
    assert refused.value.reason is Reason.NOT_YOURS_TO_SUSPEND
    done = provider.suspend(Target.EVERYTHING, provider="civil_affairs", reason="机密原因")
    exchanged = consumer.exchange(**withdrawal)
    assert exchanged.verdict is Verdict.DENY
    (reason,) = exchanged.reasons
    assert (reason.code, reason.about) == (Reason.SUSPENDED, f"civil_affairs {done.suspension.name}")
    (seen,) = consumer.suspensions()
    assert (seen.name, seen.reason, seen.actor) == (done.suspension.name, "", "")
    (own,) = provider.suspensions()
    assert (own.reason, own.department) == ("机密原因", "departments/civil_affairs")
    assert provider.lift(int(seen.name.partition("/")[2]), reason="核实").suspension.lift_epoch
    assert list(consumer.suspensions()) == []
    assert consumer.exchange(**withdrawal).verdict is Verdict.PERMIT


def test_the_command_does_the_same_for_an_officer(city):
    """add, list and lift with --broker: in both languages, and for machines."""
    said = city.run(
        "data_authority", "add", "--consumer", "tax", "--reason", "超范围使用", "--mend-by", "2099-12-31"
    )
    assert "已暂停" in said
    assert "Suspended" in said
    number = re.search(r"编号 (\d+)", said)[1]
    (listed,) = json.loads(city.run("data_authority", "list", "--json"))["suspensions"]
    assert (listed["name"], listed["reason"], listed["overdue"]) == ("tax", "超范围使用", False)
    assert listed["mend_by"] > listed["since"]
    assert "tax" in city.run("data_authority", "list")
    with pytest.raises(SetUpError):
        city.run("data_authority", "lift", number, "--reason", " ")
    with pytest.raises(MalformedRequest):
        city.run("data_authority", "add", "--consumer", "txa", "--reason", "x")
    assert "已解除" in city.run("data_authority", "lift", number, "--reason", "已整改")


def test_a_grant_speaks_and_falls_silent_on_every_worker(city, withdrawal):
    """Approved by the two officers whom policy asks for, it gives names; suspended it gives nothing."""
    wang, authority = city.officer("housing_fund"), city.officer("data_authority")
    terms = pb.ApplicationTerms(
        dataset="datasets/civil_affairs.marriage",
        fields=["husband_name", "status"],
        purpose="housing_fund_withdrawal",
        legal_basis=withdrawal["legal_basis"],
        scenario="购房提取时核对婚姻状况",
        mode=pb.SHARING_MODE_API,
        rows_per_call=10,
        operator="王敏",
    )
    now = datetime.now(UTC).replace(microsecond=0)
    terms.valid_from_time.FromDatetime(now - timedelta(days=1))
    terms.valid_until_time.FromDatetime(now + timedelta(days=90))
    filed = wang.applications.consent(wang.applications.create(terms).application).application
    if filed.stage == pb.REVIEW_STAGE_CONFORMITY:
        filed = authority.applications.approve(filed).application
    names = withdrawal | {"fields": ["husband_name", "status"]}
    clients = [city.client("housing_fund") for _ in range(8)]
    assert clients[0].exchange(**names).verdict is Verdict.REVIEW
    first, second = (city.officer("civil_affairs", name) for name in ("zhao", "qian"))
    filed = first.applications.approve(filed).application
    grant = filed.name.removeprefix("applications/")
    assert clients[0].exchange(**names, grant=grant).verdict is Verdict.DENY
    filed = second.applications.approve(filed).application
    assert filed.state == pb.APPLICATION_STATE_ACTIVE

    for client in clients:
        exchanged = client.exchange(**names, grant=grant)
        assert exchanged.verdict is Verdict.PERMIT
        assert json.loads(exchanged.receipt.statement)["grant"] == grant
        assert exchanged.records
    assert clients[0].stream(**names, grant=grant).table().num_rows == 1
    first.applications.suspend(filed, "异常")
    for client in clients:
        (reason,) = client.exchange(**names, grant=grant).reasons
        assert reason.code == Reason.GRANT_UNKNOWN


def test_what_it_leaves_in_the_log_verifies(city):
    """The acts of officers and grants, from public keys alone and against the tables."""
    number = city.officer("data_authority").suspend(Target.CONSUMER, "tax", reason="演练").suspension.name
    city.officer("data_authority").lift(int(number.partition("/")[2]), reason="演练结束")
    folder = city.prepared.folder
    for words in (
        [
            "audit",
            "verify",
            city.prepared.settings,
            "--key",
            city.prepared.trust,
            "--ca",
            folder / "pki/ca.pem",
        ],
        ["fsck", "--config", city.prepared.settings],
    ):
        done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
        assert done.exit_code == 0, done.output
