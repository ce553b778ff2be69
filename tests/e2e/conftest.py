"""A whole broker in a process of its own, over real mutual TLS, for the tests of this folder."""

import importlib
import json
import pkgutil
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from typer.testing import CliRunner

import broker.v1
from broker.cli.main import app
from broker.client import Client, Credentials, VerifierKey
from broker.demo.run import broker_process
from broker.demo.setup import load_shipped, prepare, shipped_policies
from broker.detokenize.detokenize import Detokenizer
from broker.epoch import Epochs
from broker.keys.authority import Authority
from broker.keys.files import write_private_file
from broker.marks import Marks
from broker.model import Role
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.releases import Masks
from broker.server.bundles import compiler, operators_of
from broker.server.parts import ca_of, sources_of, vault_of
from broker.settings import load_settings
from broker.store.store import open_store
from tests.statement_schema import require_documented

DEPARTMENTS = (
    "data_authority", "public_security", "housing_fund", "civil_affairs", "medical_insurance", "tax",
)  # fmt: skip


PATIENCE = 120.0
"""Seconds for a call that must not fail, or wait for what must happen; they only matter when it does not."""


class Patient(Client):
    """The client of callers who may have to wait for a slow machine."""

    def _try(self, attempt, timeout, request_id):
        return super()._try(attempt, max(timeout, PATIENCE), request_id)


class Rpc:
    """One method of one service, as its descriptor says, called with the bytes of a message."""

    def __init__(self, method):
        self.path = f"/{method.containing_service.full_name}/{method.name}"
        self._server_streaming = method.server_streaming
        self._client_streaming = method.client_streaming

    def __repr__(self):
        return self.path.rpartition(".")[2]

    def __call__(self, channel, message=b"", timeout=PATIENCE):
        """The first answer, as bytes."""
        if not self._server_streaming:
            return channel.unary_unary(self.path)(message, timeout=timeout)
        if self._client_streaming:
            answers = channel.stream_stream(self.path)(iter([message]), timeout=timeout)
        else:
            answers = channel.unary_stream(self.path)(message, timeout=timeout)
        first = next(answers)
        answers.cancel()
        return first


def _rpcs():
    """Every RPC that a broker serves: of all that is generated in broker.v1, of health and of reflection."""
    generated = [name for _, name, _ in pkgutil.iter_modules(broker.v1.__path__) if name.endswith("_pb2")]
    modules = [importlib.import_module(f"broker.v1.{name}") for name in generated]
    return [
        Rpc(method)
        for module in (*modules, health_pb2, reflection_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def pytest_generate_tests(metafunc):
    """A test that takes ``rpc`` runs once for each of them."""
    if "rpc" in metafunc.fixturenames:
        metafunc.parametrize("rpc", _rpcs(), ids=repr)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """A prepared folder: a city of 1,000, its own authority, keys, settings and database."""
    folder = tmp_path_factory.mktemp("broker")
    return prepare(folder, 1_000, 7, shipped_policies(), DEPARTMENTS)


@pytest.fixture(scope="session")
def bundle():
    """The sample city's bundle."""
    return load_shipped(shipped_policies())


@pytest.fixture(scope="session")
def address(embedded):
    """Address of a running broker, whose statements were all as documented."""
    with broker_process(embedded) as where:
        yield where
    require_documented(load_settings(embedded.settings).store_url)


@pytest.fixture(scope="session")
def trust(embedded):
    """The log's verifier key."""
    return VerifierKey.parse(Path(embedded.trust).read_text("utf-8").strip())


@pytest.fixture(scope="session")
def connect(embedded, address, trust):
    """Makes a client of a department's system or auditor; closed at the end."""
    opened = []

    def make(department, role=Role.SYSTEM):
        client = Patient(address, Credentials.load(embedded.identity(department, role)), trust=trust)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture(scope="session")
def patient():
    """Makes a client that waits as long as a slow machine may need."""
    return Patient


@pytest.fixture(scope="session")
def authority(embedded):
    """The authority that the broker trusts."""
    return Authority.open(embedded.folder / "pki")


@pytest.fixture(scope="session")
def command(embedded):
    """Runs a ``sharebroker`` command on the broker's settings file; gives what it printed."""

    def run(*arguments):
        words = [sys.executable, "-m", "broker.cli", *arguments, "--config", str(embedded.settings)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def open_channel(address):
    """Makes a bare channel with the given credentials; closed at the end."""
    opened = []

    def make(credentials):
        options = [("grpc.use_local_subchannel_pool", 1)]
        opened.append(grpc.secure_channel(address, credentials, options))
        return opened[-1]

    yield make
    for channel in opened:
        channel.close()


@pytest.fixture(scope="session")
def channel(embedded, open_channel):
    """A bare channel as the housing fund's system."""
    return open_channel(Credentials.load(embedded.identity("housing_fund")).channel_credentials())


@pytest.fixture(scope="session")
def officer_channel(embedded, open_channel):
    """The same as an officer of civil affairs."""
    pki = embedded.folder / "pki"
    issued = Authority.open(pki).issue("civil_affairs", Role.OFFICER, "li")
    officer = Credentials(issued.cert_pem, issued.key_pem, (pki / "ca.pem").read_bytes())
    return open_channel(officer.channel_credentials())


@pytest.fixture(scope="session")
def cast(embedded):
    """The actors of the sample city, by their place in city.json."""
    return json.loads((embedded.folder / "data" / "city.json").read_text("utf-8"))


@pytest.fixture
def withdrawal(cast):
    """Terms of a permitted exchange: the housing fund asks civil affairs about a marriage."""
    return {
        "dataset": "civil_affairs.marriage",
        "fields": ["status", "registered_on"],
        "subjects": [cast["withdrawal"]["sound"]],
        "purpose": "housing_fund_withdrawal",
        "service_item": "990100-GJJ-0003",
        "case_no": "GJJ-2026-000001",
        "legal_basis": "住房公积金管理条例 第二十四条",
        "operator": "GJJ-0088",
    }


PACKAGE = {
    "dataset": "public_security.household",
    "fields": ["resident_id", "name", "household_no", "born_on", "district", "mobile"],
    "purpose": "grid_service",
    "service_item": "990100-YB-0007",
    "case_no": "YB-2026-000001",
    "legal_basis": "医疗保障基金使用监督管理条例 第六条",
    "operator": "YB-0001",
}


@pytest.fixture
def package():
    """Terms of a permitted stream: medical insurance asks public security for the whole register."""
    return dict(PACKAGE)


HOUSEHOLD = "sharing/public-security-household.yaml"


class TokenCity:
    """A broker whose public security gives two departments tokens, and people with certificates."""

    def __init__(self, folder, stack):
        policies = shutil.copytree(shipped_policies(), folder / "policies")
        file = policies / HOUSEHOLD
        text = file.read_text("utf-8")
        for before, after in (
            (r"fields: \[relation,", "fields: [resident_id, relation,"),
            (r"( +)address: .*", r"\1address: {redact: {}}\n\1resident_id: token"),
            (r"( +)name: .*", r"\1name: {encrypt: {}}\n\1resident_id: token"),
            (r" mobile: .*", " mobile: token"),
        ):
            text, changed = re.subn(before, after, text)
            assert changed == 1
        file.write_text(text, "utf-8")
        departments = ("data_authority", "housing_fund", "medical_insurance", "public_security")
        self.embedded = prepare(folder, 1_000, 7, policies, departments)
        self.address = stack.enter_context(broker_process(self.embedded))
        self.trust = VerifierKey.parse(Path(self.embedded.trust).read_text("utf-8").strip())
        self._stack = stack
        with closing(sqlite3.connect(folder / "data" / "public_security.db")) as database:
            self.people = [row[0] for row in database.execute("SELECT sfzh FROM czrk ORDER BY sfzh")]
            self.households = [row[0] for row in database.execute("SELECT DISTINCT hh FROM czrk")]

    def credentials(self, department, role=Role.SYSTEM, name=""):
        """Those that the city has, or of a new person."""
        if not name:
            return Credentials.load(self.embedded.identity(department, role))
        folder = self.folder(department, role, name)
        return Credentials.load(folder)

    def folder(self, department, role, name):
        """Folder of a person's certificate."""
        folder = self.embedded.folder / "people" / f"{department}-{role}-{name}"
        if not folder.exists():
            issued = Authority.open(self.embedded.folder / "pki").issue(department, role, name)
            folder.mkdir(mode=0o700, parents=True)
            write_private_file(folder / "key.pem", issued.key_pem)
            (folder / "cert.pem").write_bytes(issued.cert_pem)
            shutil.copy(self.embedded.folder / "pki" / "ca.pem", folder)
        return folder

    def client(self, department, role=Role.SYSTEM, name=""):
        """A connected client."""
        credentials = self.credentials(department, role, name)
        return self._stack.enter_context(Patient(self.address, credentials, trust=self.trust))

    def command(self, *words, code=0):
        """A command on the broker's settings file; gives what it printed."""
        done = CliRunner().invoke(app, [*map(str, words), "--config", str(self.embedded.settings)])
        assert done.exit_code == code, done.output
        return done.output

    @contextmanager
    def detokenizer(self, keyring, per_day=1_000):
        """The broker's own, on its database and with its signer, under another keyring."""
        settings = load_settings(self.embedded.settings)
        operators, ca = operators_of(settings), ca_of(settings)

        def clock():
            return datetime.now(UTC)

        with (
            closing(open_store(settings.store_url)) as store,
            closing(sources_of(settings)) as sources,
            closing(CheckpointSigner(socket_of(settings.path(settings.keys.signer_state)))) as signer,
            closing(ReceiptLog(store, signer, settings.log.origin, clock)) as log,
            closing(Marks(vault_of(settings))) as marks,
        ):
            epochs = Epochs(store, compiler(operators), sources, ca, lambda: keyring)
            yield Detokenizer(epochs, Masks(store, operators), log, ca, clock, per_day, marks)

    def register(self):
        """All of public security's register, streamed to medical insurance."""
        return self.client("medical_insurance").stream(**PACKAGE)

    def withdrawal(self, *people, fields=("resident_id", "relation")):
        """What the housing fund's counter asks of people."""
        return {
            "dataset": "public_security.household",
            "fields": list(fields),
            "subjects": list(people),
            "purpose": "housing_fund_withdrawal",
            "service_item": "990100-GJJ-0003",
            "case_no": "GJJ-2026-000077",
            "legal_basis": "住房公积金管理条例 第二十四条",
            "operator": "GJJ-0088",
        }  # fmt: skip


@pytest.fixture(scope="session")
def token_city(tmp_path_factory):
    """A broker that releases tokens."""
    with ExitStack() as stack:
        yield TokenCity(tmp_path_factory.mktemp("tokens"), stack)
