"""Brokers without a network: several workers on one database, and a publisher beside them."""

import json
import shutil
import time
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.apply.admission import Request
from broker.apply.identity import read_credential
from broker.approve.files import bundle_hash
from broker.commitments.found import Lodgings
from broker.demo.setup import prepare, shipped_policies
from broker.epoch import LOOK_EVERY, Epochs
from broker.exchange import Exchange
from broker.keys.authority import Authority
from broker.leases import Keeper
from broker.marks import NO_VAULT
from broker.model import ReceiptFilter, Role
from broker.proposals import Draft, Proposals
from broker.publication.signing import Approving, Proposing, sign_approval, sign_proposal
from broker.publish import Order
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of, start_signer
from broker.server.bundles import compiler, operators_of, read_files
from broker.server.parts import (
    begin_epoch,
    ca_of,
    demanded_scrutiny,
    keyring_file,
    publisher_of,
    scrutiny_of,
    sources_of,
)
from broker.settings import Policies as PolicySettings
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


class Officer:
    """A person with a certificate and its key."""

    def __init__(self, world, department, name):
        issued = world.authority.issue(department, Role.OFFICER, name)
        self.certificate = x509.load_pem_x509_certificate(issued.cert_pem)
        self.key = load_pem_private_key(issued.key_pem, None)
        self.identity = read_credential(self.certificate).identity
        self.world = world

    @property
    def department(self):
        return self.identity.department

    def sign_proposal(self, files, reason="a test"):
        """The signature over a bundle."""
        said = Proposing(bundle_hash(files), self.world.now(), reason)
        return sign_proposal(said, self.key, self.certificate)

    def propose(self, files, reason="a test"):
        """A proposal of the files, as it stands."""
        files = self.world.proposals.next_manifest().among(files)
        draft = Draft(files, self.sign_proposal(files, reason), {})
        return self.world.proposals.propose(draft, self.identity)

    def sign_approval(self, considered, only=None, days=365, at=None, **said):
        """The signature over what of a proposal is this officer's to approve and not approved."""
        at = at or self.world.now()
        mine = {
            need.file: need.covered
            for need in considered.needs
            if (not need.approved and any(self.department in d for d in need.demands))
            if only is None or need.file in only
        }
        changed = {"bundle": considered.proposal.bundle_hash, "files": mine} | said
        return sign_approval(
            Approving(at=at, until=at + timedelta(days=days), **changed), self.key, self.certificate
        )

    def approve(self, considered, **said):
        """The proposal with this officer's approval."""
        message = self.sign_approval(considered, **said)
        return self.world.proposals.approve(considered.proposal.number, message, self.identity)


class World:
    """One database, one signer, the sample city's policies; any number of workers and publishers."""

    order = Order("tester", "a test")
    marks = NO_VAULT

    def __init__(self, embedded, url, folder, closing, approval="operator"):
        self.clock = Clock()
        self.ahead = timedelta()
        """How far this world's clock is ahead."""
        migrate(url)
        self.folder = folder
        self.authority = Authority.open(embedded.folder / "pki")
        self.policies = shutil.copytree(shipped_policies(), folder / "policies")
        self.closing = closing
        changed = {"store": StoreSettings(url=url), "policies": PolicySettings(approval=approval)}
        settings = load_settings(embedded.settings)
        changed["policies"] = changed["policies"].model_copy(update={"folder": settings.policies.folder})
        self.settings = settings.model_copy(update=changed)
        keys, self.state = self.settings.keys, folder / "log.checkpoint"
        signer = start_signer(self.settings.path(keys.log_key), self.state, self.settings.log.origin)
        closing.callback(signer.close)
        self.store = self.open_store()
        self.log = self.open_log(self.store)
        self.publisher = publisher_of(self.settings, self.store, self.now)
        self.proposals = Proposals(self.publisher, scrutiny_of(self.settings))
        begin_epoch(self.settings, self.store, self.publisher)
        self.cast = json.loads((embedded.folder / "data" / "city.json").read_text("utf-8"))
        self.consumer = self.issue("housing_fund")

    def now(self):
        """The time of day in this world."""
        return now() + self.ahead

    def open_store(self):
        store = open_store(self.settings.store_url)
        self.closing.callback(store.close)
        return store

    def open_log(self, store):
        signer = CheckpointSigner(socket_of(self.state))
        self.closing.callback(signer.close)
        log = ReceiptLog(store, signer, self.settings.log.origin, self.now)
        self.closing.callback(log.close)
        return log

    def epochs(self, store=None):
        sources = sources_of(self.settings)
        self.closing.callback(sources.close)
        ca = ca_of(self.settings)
        compile_bundle = compiler(operators_of(self.settings))
        return Epochs(
            store or self.store,
            compile_bundle,
            sources,
            ca,
            keyring_file(self.settings).read,
            scrutiny=demanded_scrutiny(self.settings),
            monotonic=self.clock,
        )

    def worker(self, lease_seconds=30.0):
        """One more worker, with connections of its own; its keeper runs when a test tells it to."""
        store = self.open_store()
        log = self.open_log(store)
        return Exchange(
            epochs=self.epochs(store),
            operators=operators_of(self.settings),
            log=log,
            keeper=Keeper(store, log, self.now, lease_seconds),
            ca=ca_of(self.settings),
            clock=self.now,
            max_answer_bytes=2**20,
            batch_rows=50,
            chunk_bytes=2048,
            marks=self.marks,
            settle=Lodgings(store, ca_of(self.settings)).settle,
        )

    def issue(self, department, name="test"):
        """The identity of a new certificate."""
        issued = self.authority.issue(department, Role.SYSTEM, name)
        return read_credential(x509.load_pem_x509_certificate(issued.cert_pem)).identity

    def officer(self, department, name="first"):
        """A new officer."""
        return Officer(self, department, name)

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


@pytest.fixture
def officers_world(embedded, tmp_path, closing):
    """A world on SQLite in which officers approve what is published; nothing is approved yet."""
    return World(embedded, f"sqlite:///{tmp_path}/log.db", tmp_path, closing, "officers")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_world(request, embedded, tmp_path, closing):
    """A world on either database."""
    if request.param == "sqlite":
        return World(embedded, f"sqlite:///{tmp_path}/log.db", tmp_path, closing)
    return World(embedded, request.getfixturevalue("new_postgres_url")(), tmp_path, closing)
