"""One epoch over processes: two replicas on one PostgreSQL, two workers on one SQLite, a publisher beside."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime

import orjson
import pytest

from broker.client import Credentials, OfficerClient
from broker.demo.setup import prepare, shipped_policies
from broker.errors import BrokerError
from broker.keys.authority import Authority
from broker.keys.files import write_private_file
from broker.model import ReceiptFilter, Role, Target, Verdict
from broker.publish import Order
from broker.reasons import Reason
from broker.server.bundles import read_files
from broker.server.parts import publisher_of
from broker.settings import load_settings
from broker.store import migrate, open_store
from tests.waiting import wait_for

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
CALLS_PER_DAY = 100
START_SECONDS = 300
CALLS = 10
"""Answered calls under each epoch, at least."""


class Cluster:
    """One database, and the brokers that serve from it."""

    def __init__(self, embedded, url, closing, patient, approval="operator"):
        self.embedded = embedded
        self.patient = patient
        self.url = url or f"sqlite:///{embedded.folder}/sharebroker.db"
        self.environment = {
            **os.environ,
            "SHAREBROKER_SERVER__STREAM_LISTEN": "127.0.0.1:0",
            "SHAREBROKER_STORE__URL": self.url,
            "SHAREBROKER_POLICIES__APPROVAL": approval,
        }
        self.closing = closing
        self.addresses = []
        self.policies = shutil.copytree(shipped_policies(), embedded.folder / "draft")

    def start(self, name, workers=1):
        """One more broker; a replica has a signer of its own, which knows the newest published head."""
        folder = self.embedded.folder
        state, port_file = folder / f"keys/{name}.checkpoint", folder / f"{name}.port"
        if self.addresses:
            shutil.copy(folder / "keys/one.checkpoint", state)
        environment = {
            **self.environment,
            "SHAREBROKER_KEYS__SIGNER_STATE": str(state),
            "SHAREBROKER_SERVER__PORT_FILE": str(port_file),
        }
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self._command("serve", "--workers", str(workers)), env=environment, stderr=log
            )
        self.closing.callback(process.wait)
        self.closing.callback(process.terminate)
        end = time.monotonic() + START_SECONDS
        while not (port_file.exists() and port_file.read_text().strip()):
            assert process.poll() is None, (folder / f"{name}.log").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.02)
        self.addresses.append(f"127.0.0.1:{port_file.read_text().strip()}")

    def run(self, *arguments):
        """A command on the brokers' settings; gives what it printed."""
        done = subprocess.run(
            self._command(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def client(self, number, folder=None):
        """A caller with a connection of its own."""
        identity = Credentials.load(folder or self.embedded.identity("housing_fund"))
        return self.patient(self.addresses[number % len(self.addresses)], identity)

    def identity(self, name, department="housing_fund", role=Role.SYSTEM):
        """Folder of a new certificate, and its serial."""
        issued = Authority.open(self.embedded.folder / "pki").issue(department, role, name)
        folder = self.embedded.folder / "pki" / name
        folder.mkdir(mode=0o700)
        write_private_file(folder / "key.pem", issued.key_pem)
        (folder / "cert.pem").write_bytes(issued.cert_pem)
        shutil.copy(self.embedded.folder / "pki" / "ca.pem", folder)
        return folder, f"{issued.serial:x}"

    def officer(self, department, name):
        """A connected officer."""

        class Patient(self.patient, OfficerClient):
            pass

        folder, _ = self.identity(name, department, Role.OFFICER)
        client = Patient(",".join(self.addresses), Credentials.load(folder))
        return self.closing.enter_context(client)

    def statements(self):
        """Every statement of the log, by leaf."""
        with closing(open_store(self.url)) as store:
            leaves = store.leaves(ReceiptFilter(), None, 2**31)[::-1]
        return [orjson.loads(leaf.entry.statement) for leaf in leaves]

    def _command(self, *arguments):
        config = ["--config", str(self.embedded.settings)]
        return [sys.executable, "-m", "broker.cli", *arguments, *config]


@pytest.fixture(scope="module", params=["workers", pytest.param("replicas", marks=pytest.mark.postgres)])
def cluster(request, tmp_path_factory, patient):
    """Two workers of one broker on SQLite, or two brokers on PostgreSQL."""
    folder = tmp_path_factory.mktemp("cluster")
    embedded = prepare(folder, 1_000, 7, shipped_policies(), ("housing_fund",))
    with ExitStack() as stack:
        if request.param == "workers":
            cluster = Cluster(embedded, "", stack, patient)
            cluster.start("one", workers=2)
        else:
            cluster = Cluster(embedded, request.getfixturevalue("new_postgres_url")(), stack, patient)
            migrate(cluster.url)
            cluster.start("one")
            cluster.start("two")
        yield cluster


@pytest.fixture(params=["workers", pytest.param("replicas", marks=pytest.mark.postgres)])
def officers_cluster(request, tmp_path, patient):
    """Two workers on SQLite, or two brokers of two workers each on PostgreSQL; officers approve."""
    embedded = prepare(tmp_path, 1_000, 7, shipped_policies(), ("housing_fund",))
    with ExitStack() as stack:
        url = "" if request.param == "workers" else request.getfixturevalue("new_postgres_url")()
        cluster = Cluster(embedded, url, stack, patient, "officers")
        if url:
            migrate(url)
        cluster.start("one", workers=2)
        if url:
            cluster.start("two", workers=2)
        yield cluster


def test_nothing_commits_under_an_epoch_that_is_over(cluster, withdrawal):
    """16 callers hammer while somebody publishes, suspends, lifts and revokes: the log shows every decision
    under the epoch in force at its place, and no call fails but the revoked one's."""
    bad, serial = cluster.identity("to-be-revoked")
    stop, counting = threading.Event(), threading.Lock()
    failures, overtaken, answered = [], [], Counter()
    in_force = [1]

    def hammer(number):
        revoked = number < 2
        with cluster.client(number, bad if revoked else None) as client:
            while not stop.is_set():
                floor = in_force[0]
                try:
                    exchanged = client.exchange(**withdrawal)
                except BrokerError as error:
                    failures.append((revoked, error.reason))
                    time.sleep(0.05)
                    continue
                epoch = orjson.loads(exchanged.receipt.statement)["decision"]["epoch"]
                with counting:
                    answered[epoch, revoked] += 1
                if epoch < floor:
                    overtaken.append((epoch, floor))

    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(hammer, number) for number in range(16)]
        try:
            wait_for(lambda: min(answered[1, True], answered[1, False]) >= CALLS)
            for act in acts(cluster, serial):
                in_force[0] = act().after.sequence
                wait_for(lambda: answered[in_force[0], False] >= CALLS)
        finally:
            stop.set()
        for call in calls:
            call.result()

    assert overtaken == []
    assert set(failures) <= {(True, Reason.CERTIFICATE_REVOKED)}
    statements = cluster.statements()
    epoch, stopped = None, False
    for said in statements[1:]:
        if said["kind"] == "epoch":
            epoch, stopped = said, {"suspend": True, "lift": False}.get(said["act"], stopped)
        elif said["kind"] != "certificate_chain":
            decision = said["decision"]
            assert (decision["epoch"], decision["bundle"]) == (epoch["epoch"], epoch["bundle"])
            assert [why["code"] for why in decision["reasons"]] == (["SUSPENDED"] if stopped else [])
    (revocation,) = [i for i, said in enumerate(statements) if said.get("act") == "revocations"]
    late = [said["consumer"]["uri"] for said in statements[revocation:] if "consumer" in said]
    assert late
    assert not any(uri.endswith("to-be-revoked") for uri in late)


def acts(cluster, serial):
    """Each gives the sequence that is in force when it has returned."""
    settings = load_settings(cluster.embedded.settings)
    store = cluster.closing.enter_context(closing(open_store(cluster.url)))
    publisher = publisher_of(settings, store, lambda: datetime.now(UTC))
    order, stops = Order("tester", "a test"), []

    def publish():
        path = cluster.policies / MARRIAGE
        path.write_text(path.read_text("utf-8").replace(LIMITS, "limits: {rows_per_call: 9}"), "utf-8")
        return publisher.policy(read_files(cluster.policies), order)

    def suspend():
        suspension, moved = publisher.suspend(Target.CONSUMER, "housing_fund", order)
        stops.append(suspension.number)
        return moved

    def lift():
        return publisher.lift(stops.pop(), order)[1]

    def revoke():
        Authority.open(cluster.embedded.folder / "pki").revoke(serial)
        return publisher.revocations((cluster.embedded.folder / "pki" / "crl.pem").read_bytes(), order)

    return publish, suspend, lift, revoke, suspend, lift


def test_policy_is_swapped_under_load_without_a_failed_call(officers_cluster, withdrawal):
    """Callers hammer while officers propose, approve and publish: no call fails, and once a publication has
    returned, over whichever broker, nothing is decided or recorded under the bundle before it."""
    cluster = officers_cluster
    drafter, owner = cluster.officer("data_authority", "drafter"), cluster.officer("civil_affairs", "owner")
    path = cluster.policies / MARRIAGE

    def publish(number):
        path.write_text(path.read_text("utf-8") + f"# {number}\n", "utf-8")
        proposal = drafter.propose(read_files(cluster.policies))
        proposed = owner.review(int(proposal.name.removeprefix("proposals/")))
        owner.approve(proposed, proposed.asked_of("civil_affairs"))
        publisher = (owner, drafter)[number % 2]
        return publisher.publish(int(proposal.name.removeprefix("proposals/"))).name

    in_force = [publish(0)]
    order = {in_force[0]: 0}
    stop, counting = threading.Event(), threading.Lock()
    failures, overtaken, answered = [], [], Counter()

    def hammer(number):
        with cluster.client(number) as client:
            while not stop.is_set():
                floor = order[in_force[0]]
                try:
                    exchanged = client.exchange(**withdrawal)
                except BrokerError as error:
                    failures.append(error.reason)
                    continue
                bundle = "bundles/" + orjson.loads(exchanged.receipt.statement)["decision"]["bundle"]
                with counting:
                    answered[bundle] += 1
                if exchanged.verdict is not Verdict.PERMIT or order.get(bundle, floor) < floor:
                    overtaken.append((exchanged.verdict, bundle))

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(hammer, number) for number in range(8)]
        try:
            for number in range(1, 4):
                wait_for(lambda: answered[in_force[0]] >= CALLS)
                name = publish(number)
                order[name] = number
                in_force[0] = name
            wait_for(lambda: answered[in_force[0]] >= CALLS)
        finally:
            stop.set()
        for call in calls:
            call.result()

    assert (failures, overtaken) == ([], [])
    epoch = None
    for said in cluster.statements()[1:]:
        if said["kind"] == "epoch":
            epoch = said
        elif said["kind"] != "certificate_chain":
            assert (said["decision"]["epoch"], said["decision"]["bundle"]) == (
                epoch["epoch"],
                epoch["bundle"],
            )
    assert epoch["publication"]["sequence"] == 5


def test_quotas_are_exact_over_processes(cluster, withdrawal):
    """64 callers over all processes are permitted as many calls as the quota says, not one more or less."""
    path = cluster.policies / MARRIAGE
    text = path.read_text("utf-8")
    rule = text.index("id: housing-fund-withdrawal")
    begin = text.index("limits: {", rule) + len("limits: {")
    path.write_text(f"{text[:begin]}calls_per_day: {CALLS_PER_DAY}, {text[begin:]}", "utf-8")
    cluster.run("policy", "publish", str(cluster.policies))

    def call(number):
        with cluster.client(number) as client:
            return [client.exchange(**withdrawal) for _ in range(3)]

    with ThreadPoolExecutor(64) as pool:
        exchanged = [one for several in pool.map(call, range(64)) for one in several]
    assert Counter(one.verdict for one in exchanged) == {
        Verdict.PERMIT: CALLS_PER_DAY,
        Verdict.DENY: 64 * 3 - CALLS_PER_DAY,
    }
    reasons = {reason.code for one in exchanged for reason in one.reasons}
    assert reasons == {Reason.QUOTA_EXCEEDED}


def test_every_process_shows_the_catalog_in_force(cluster):
    """What commits nothing follows too, within a fifth of a second."""
    path = cluster.policies / "catalog/civil_affairs.yaml"
    path.write_text(path.read_text("utf-8").replace("title: 婚姻登记信息", "title: 新的标题", 1), "utf-8")
    cluster.run("policy", "publish", str(cluster.policies))
    time.sleep(0.3)
    for number in range(8):
        with cluster.client(number) as client:
            assert client.dataset("civil_affairs.marriage").title == "新的标题"
