"""Brokers without a network: several workers on one database, and a publisher beside them."""

import json
import shutil
import time
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from cryptography import x509

from broker.apply.admission import Request
from broker.apply.identity import read_credential
from broker.demo.setup import prepare, shipped_policies
from broker.epoch import LOOK_EVERY, Epochs
from broker.exchange import Exchange
from broker.keys.authority import Authority
from broker.keys.keyring import Keyring
from broker.leases import Keeper
from broker.model import ReceiptFilter, Role
from broker.publish import Order
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of, start_signer
from broker.server.parts import (
    begin_epoch,
    ca_of,
    compiler,
    operators_of,
    publisher_of,
    read_files,
    sources_of,
)
from broker.settings import Store as StoreSettings
from broker.settings import load_settings
from broker.store import migrate, open_store

DEPARTMENTS = ("data_authority", "housing_fund", "medical_insurance", "tax")


def now():
    return datetime.now(UTC)


class Clock:
    """A monotonic clock that stands still until it is moved, so that no machine is too slow for a look."""

    seconds = 0.0

    def __call__(self):
        return self.seconds

    def pass_by(self, seconds):
        """So much time passes."""
        self.seconds += seconds


class World:
    """One database, one signer, the sample city's policies; any number of workers and publishers."""

    order = Order("tester", "a test")

    def __init__(self, embedded, url, folder, closing):
        self.clock = Clock()
        migrate(url)
        self.folder = folder
        self.authority = Authority.open(embedded.folder / "pki")
        self.policies = shutil.copytree(shipped_policies(), folder / "policies")
        self.closing = closing
        self.settings = load_settings(embedded.settings).model_copy(update={"store": StoreSettings(url=url)})
        keys, self.state = self.settings.keys, folder / "log.checkpoint"
        signer = start_signer(self.settings.path(keys.log_key), self.state, self.settings.log.origin)
        closing.callback(signer.close)
        self.store = self.open_store()
        self.log = self.open_log(self.store)
        self.publisher = publisher_of(self.settings, self.store, now)
        begin_epoch(self.settings, self.store, self.publisher)
        self.cast = json.loads((embedded.folder / "data" / "city.json").read_text("utf-8"))
        self.consumer = self.issue("housing_fund")

    def open_store(self):
        store = open_store(self.settings.store_url)
        self.closing.callback(store.close)
        return store

    def open_log(self, store):
        signer = CheckpointSigner(socket_of(self.state))
        self.closing.callback(signer.close)
        log = ReceiptLog(store, signer, self.settings.log.origin, now)
        self.closing.callback(log.close)
        return log

    def epochs(self, store=None):
        sources = sources_of(self.settings)
        self.closing.callback(sources.close)
        ca = ca_of(self.settings)
        compile_bundle = compiler(operators_of(self.settings))
        return Epochs(store or self.store, compile_bundle, sources, ca, monotonic=self.clock)

    def worker(self, lease_seconds=30.0):
        """One more worker, with connections of its own; its keeper runs when a test tells it to."""
        store = self.open_store()
        log = self.open_log(store)
        return Exchange(
            epochs=self.epochs(store),
            operators=operators_of(self.settings),
            keyring=Keyring.open(self.settings.path(self.settings.keys.keyring)),
            log=log,
            keeper=Keeper(store, log, now, lease_seconds),
            ca=ca_of(self.settings),
            clock=now,
            max_answer_bytes=2**20,
            batch_rows=50,
            chunk_bytes=2048,
        )

    def issue(self, department, name="test"):
        """The identity of a new certificate."""
        issued = self.authority.issue(department, Role.SYSTEM, name)
        return read_credential(x509.load_pem_x509_certificate(issued.cert_pem)).identity

    def let_it_look(self):
        """So much time passes that each worker's next call looks at the database."""
        self.clock.pass_by(1.25 * LOOK_EVERY)

    def in_real_time(self, monkeypatch):
        """From now on looks come by themselves, and a machine that is too busy for them stops nothing."""
        self.clock = time.monotonic
        monkeypatch.setattr("broker.epoch.LONGEST_BLIND", 3600.0)

    def edit(self, file, before, after):
        """The files of the policies with one text replaced."""
        path = self.policies / file
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after), "utf-8")
        return read_files(self.policies)

    def revoke(self, identity):
        """A new list that holds the certificate, published."""
        self.authority.revoke(f"{identity.serial:x}")
        return self.publisher.revocations((self.authority.folder / "crl.pem").read_bytes(), self.order)

    def suspend(self, target, name=""):
        """A suspension, in force."""
        return self.publisher.suspend(target, name, self.order)[0]

    def statements(self):
        """Every statement of the log, by leaf."""
        leaves = self.store.leaves(ReceiptFilter(), None, 2**31)[::-1]
        return [json.loads(leaf.entry.statement) for leaf in leaves]

    def withdrawal(self, **changes):
        """The housing fund asks civil affairs about a marriage: permitted."""
        return Request(
            **{
                "request_id": str(uuid.uuid4()),
                "dataset": "datasets/civil_affairs.marriage",
                "fields": ("status", "registered_on"),
                "subjects": (self.cast["withdrawal"]["sound"],),
                "purpose": "housing_fund_withdrawal",
                "service_item": "990100-GJJ-0003",
                "case_no": "GJJ-2026-000001",
                "legal_basis": "住房公积金管理条例 第二十四条",
                "operator": "GJJ-0088",
            }
            | changes
        )

    def package(self):
        """Medical insurance asks public security for the whole register: a permitted stream."""
        return Request(
            request_id=str(uuid.uuid4()),
            dataset="datasets/public_security.household",
            fields=("resident_id", "name", "household_no", "born_on", "district", "mobile"),
            subjects=(),
            purpose="grid_service",
            service_item="990100-YB-0007",
            case_no="YB-2026-000001",
            legal_basis="医疗保障基金使用监督管理条例 第六条",
            operator="YB-0001",
            streamed=True,
        )


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """A prepared folder: a city of 1,000, its own authority, keys and settings."""
    return prepare(tmp_path_factory.mktemp("city"), 1_000, 7, shipped_policies(), DEPARTMENTS)


@pytest.fixture
def closing():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def world(embedded, tmp_path, closing):
    """A world on SQLite."""
    return World(embedded, f"sqlite:///{tmp_path}/log.db", tmp_path, closing)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_world(request, embedded, tmp_path, closing):
    """A world on either database."""
    if request.param == "sqlite":
        return World(embedded, f"sqlite:///{tmp_path}/log.db", tmp_path, closing)
    return World(embedded, request.getfixturevalue("new_postgres_url")(), tmp_path, closing)
