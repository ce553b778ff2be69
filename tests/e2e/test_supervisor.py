"""Several workers behind one port: what dies is replaced, what is replaced drains, no second broker."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from broker.client import Client, Credentials, VerifierKey, verify_receipt
from broker.demo.setup import prepare, shipped_policies
from broker.errors import BrokerError
from broker.receipt.note import verify_note
from broker.server.asking import STATUS_SOCKET, ask_status
from broker.server.signing import KeptSigner
from broker.settings import load_settings
from broker.v1 import application_pb2
from tests.waiting import wait_for

ENVIRONMENT = {"SHAREBROKER_SERVER__STREAM_LISTEN": "127.0.0.1:0"}


class House:
    """A broker with two unary workers and a stream worker, and what is needed to call it."""

    def __init__(self, embedded, process):
        self.embedded, self.process = embedded, process
        self.settings = load_settings(embedded.settings)

    def status(self):
        return wait_for(lambda: ask_status(self.settings))

    def settled(self):
        """Status once every slot has exactly one serving worker."""
        return wait_for(
            lambda: (
                len((status := self.status())["workers"]) == 3
                and all(worker["state"] == "serving" for worker in status["workers"])
                and status
            )
        )

    def client(self, port=None):
        address = f"127.0.0.1:{port or self.status()['port']}"
        trust = VerifierKey.parse(self.embedded.trust.read_text("utf-8").strip())
        return Client(address, Credentials.load(self.embedded.identity("housing_fund")), trust=trust)


@contextmanager
def running(folder, **environment):
    """A house whose broker runs for as long as the block does."""
    embedded = prepare(folder, 1_000, 7, shipped_policies(), ("housing_fund", "medical_insurance"))
    with (folder / "broker.log").open("ab") as log:
        process = subprocess.Popen(
            serve(embedded), stderr=log, env={**os.environ, **ENVIRONMENT, **environment}
        )
    house = House(embedded, process)
    try:
        house.settled()
        yield house
    finally:
        process.kill()
        process.wait()


def serve(embedded):
    """The command that serves with two workers."""
    return [sys.executable, "-m", "broker.cli", "serve", "--workers", "2", "--config", str(embedded.settings)]


def exchange(client, terms):
    """One exchange; the client asks again under the same request id while the broker is unavailable."""
    return client.exchange(timeout=300, **terms)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A running broker with several workers."""
    with running(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def terms(house):
    """Terms of a permitted exchange."""
    return {
        "dataset": "civil_affairs.marriage",
        "fields": ["status"],
        "subjects": [house.embedded.city.withdrawal.sound],
        "purpose": "housing_fund_withdrawal",
        "service_item": "990100-GJJ-0003",
        "case_no": "1",
        "legal_basis": "住房公积金管理条例 第二十四条",
        "operator": "1",
    }


def test_a_watch_outlives_its_worker(house):
    """Notices are told by the stream worker of what unary workers recorded; when it dies, the watch goes on
    at the one that takes its place, and misses nothing that was done meanwhile."""
    terms = application_pb2.ApplicationTerms(
        dataset="datasets/civil_affairs.marriage", fields=["status"], purpose="housing_fund_withdrawal"
    )
    with house.client() as client, client.applications.watch(timeout=300) as watch:
        notices = iter(watch)
        draft = client.applications.create(terms, timeout=300).application
        assert next(notices).name == draft.name
        (worker,) = [one for one in house.settled()["workers"] if one["kind"] == "stream"]
        os.kill(worker["pid"], signal.SIGKILL)
        draft = client.applications.create(terms, timeout=300).application
        assert next(notices).name == draft.name
    house.settled()


def test_unary_workers_are_pinned_and_streams_are_not(house):
    """Each unary worker runs on a core of its own where there are enough; the stream worker anywhere."""
    status = house.settled()
    kinds = sorted(worker["kind"] for worker in status["workers"])
    assert kinds == ["stream", "unary", "unary"]
    if len(os.sched_getaffinity(0)) >= 2:
        for worker in status["workers"]:
            cores = os.sched_getaffinity(worker["pid"])
            assert cores == ({worker["core"]} if worker["kind"] == "unary" else os.sched_getaffinity(0))


def test_status_socket_is_private(house):
    """Only the broker's own user may ask for its status."""
    assert (house.embedded.folder / STATUS_SOCKET).stat().st_mode & 0o077 == 0


def test_dead_worker_is_replaced(house, terms):
    """A killed worker is replaced, and calls go on."""
    victim = next(w["pid"] for w in house.settled()["workers"] if w["kind"] == "unary")
    with house.client() as client:
        assert exchange(client, terms).permitted
        os.kill(victim, signal.SIGKILL)
        for _ in range(5):
            assert exchange(client, terms).permitted
    wait_for(lambda: victim not in [w["pid"] for w in house.status()["workers"]])
    assert len(house.settled()["workers"]) == 3


def test_dead_signer_is_replaced(house, terms):
    """Without signer nothing is released; a new one takes over where the last signed head says."""
    victim = house.settled()["signer"]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: house.status()["signer"] != victim)
    with house.client() as client:
        assert exchange(client, terms).permitted


def test_rolling_restart_replaces_all_without_a_refused_call(house, terms):
    """SIGHUP replaces every worker one by one, and a client that retries sees no failure."""
    before = {worker["pid"] for worker in house.settled()["workers"]}
    stop, failures, done = threading.Event(), [], []

    def call():
        with house.client() as client:
            while not stop.is_set():
                try:
                    done.append(exchange(client, terms).permitted)
                except BrokerError as error:
                    failures.append(error)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        house.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & {worker["pid"] for worker in house.settled()["workers"]})
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert failures == []
    assert all(done)


def test_why_a_successor_cannot_start_is_in_the_log(house):
    """A rolling restart that cannot go on says why, in both languages, and the old workers serve on."""
    before = {worker["pid"] for worker in house.settled()["workers"]}
    keyring, log = house.embedded.folder / "keys" / "keyring.json", house.embedded.folder / "broker.log"
    aside = keyring.rename(keyring.with_suffix(".aside"))
    try:
        house.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "rolling restart abandoned" in log.read_text("utf-8"))
    finally:
        aside.rename(keyring)
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    (why,) = [event for event in events if event["event"] == "worker cannot start"]
    assert "keyring.json" in why["zh"]
    assert "keyring.json" in why["en"]
    assert {worker["pid"] for worker in house.settled()["workers"]} == before


def test_worker_that_lost_its_supervisor_does_not_come_to_serve(house):
    """A worker whose supervisor dies while it starts ends without a word, and does not hold the port."""
    status = house.settled()
    listen = f"127.0.0.1:{status['port']}"
    command = [sys.executable, "-m", "broker.server.worker", "--config", str(house.embedded.settings)]
    orphan = subprocess.run(
        [*command, "--kind", "unary", "--listen", listen, "--stream-port", str(status["stream_port"])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    assert (orphan.returncode, orphan.stdout, orphan.stderr) == (0, b"", b"")


LOSES_ITS_SIGNER = """
import os, signal, sys, time
from pathlib import Path
import grpc._server
from broker.server import serve, worker

signer, folder = int(sys.argv[1]), Path(sys.argv[2])
bind, start, ports = serve._bind, grpc._server._Server.start, []

def remember(*arguments):
    ports.append(bind(*arguments))
    return ports[0]

def start_and_lose_the_signer(server):
    start(server)
    (folder / "started").write_text(str(ports[0]))
    while not (folder / "called").exists():
        time.sleep(0.01)
    os.kill(signer, signal.SIGKILL)
    while Path(f"/proc/{signer}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)

serve._bind, grpc._server._Server.start = remember, start_and_lose_the_signer
sys.exit(worker.main(sys.argv[3:]))
"""
"""A worker whose signer is killed as soon as a first call is under way."""


def test_worker_that_loses_the_signer_at_its_start_goes_on(tmp_path):
    """Once it serves it does not fail any more, for that left a port behind at which nobody answered."""
    embedded = prepare(tmp_path, 300, 7, shipped_policies(), ("housing_fund",))
    identity, started = Credentials.load(embedded.identity("housing_fund")), tmp_path / "started"
    with ExitStack() as stack:
        signer = stack.enter_context(closing(KeptSigner(load_settings(embedded.settings))))
        script = ["-c", LOSES_ITS_SIGNER, str(signer.pid), str(tmp_path)]
        config = ["--config", str(embedded.settings), "--kind", "unary", "--listen", "127.0.0.1:0"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        worker = stack.enter_context(subprocess.Popen([sys.executable, *script, *config], **pipes))
        stack.callback(worker.kill)
        address = f"127.0.0.1:{wait_for(lambda: started.exists() and started.read_text())}"
        channel = stack.enter_context(grpc.secure_channel(address, identity.channel_credentials()))
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        next(watch)
        (tmp_path / "called").touch()
        assert "port" in json.loads(worker.stdout.readline())
        worker.stdin.close()
        assert worker.wait(120) == 0


def test_second_broker_is_told(house):
    """A second broker on the same port does not start, and says why in both languages."""
    environment = {**os.environ, "SHAREBROKER_SERVER__LISTEN": f"127.0.0.1:{house.settled()['port']}"}
    second = subprocess.run(
        serve(house.embedded), env=environment, capture_output=True, text=True, timeout=300
    )
    assert second.returncode == 2
    assert "端口已被占用" in second.stderr
    assert "the port is in use" in second.stderr
    assert "Traceback" not in second.stderr


def test_broker_on_the_same_keys_is_told(house):
    """A second broker in the same folder under another port is stopped by the signer's lock."""
    environment = {**os.environ, **ENVIRONMENT, "SHAREBROKER_SERVER__LISTEN": "127.0.0.1:0"}
    second = subprocess.run(
        serve(house.embedded), env=environment, capture_output=True, text=True, timeout=300
    )
    assert second.returncode == 2
    assert "Traceback" not in second.stderr
    assert house.status() is not None


def test_status_tells_of_epoch_log_and_places(house, terms):
    """For machines and for people: what is in force, nothing unsigned, each worker's places and refusals."""
    with house.client() as client:
        assert exchange(client, terms).permitted
    house.settled()
    told = wait_for(lambda: all_told(status_of(house)))
    assert told["epoch"]["sequence"] >= 1
    assert told["epoch"]["suspensions"] == 0
    assert told["log"]["leaves"] == told["log"]["signed"] > 0
    assert told["log"]["backlog"] == 0
    server = house.settings.server
    for worker in told["broker"]["workers"]:
        assert worker["places"]["calls"] == {"used": 0, "limit": server.max_concurrent_calls, "refused": 0}
        assert worker["places"]["streams"] == {"used": 0, "limit": server.max_streams, "refused": 0}
    shown = command(house, "status")
    assert f"第 {told['epoch']['sequence']} 号" in shown
    assert "待签 backlog 0" in shown
    assert shown.count(f"0/{server.max_concurrent_calls}") == 3
    assert shown.count("服务中") == 3


def status_of(house):
    return json.loads(command(house, "status", "--json"))


def all_told(status):
    """The status, once every worker has said something of its places."""
    return all(worker["places"] for worker in status["broker"]["workers"]) and status


def command(house, *words):
    words = [sys.executable, "-m", "broker.cli", *words, "--config", str(house.embedded.settings)]
    wide = {**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(words, capture_output=True, encoding="utf-8", env=wide, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_connection_that_reaches_its_age_costs_no_call(tmp_path):
    """Connections are replaced again and again under load, and no call fails."""
    ages = []

    class Watching(Client):
        """A client that tells when a connection of its is ended."""

        def _dial(self, address, identity):
            channel = super()._dial(address, identity)
            channel.subscribe(lambda state: ages.append(state) if state is ended else None)
            return channel

    ended = grpc.ChannelConnectivity.IDLE
    with running(tmp_path, SHAREBROKER_SERVER__MAX_CONNECTION_AGE_SECONDS="1") as house:
        credentials = Credentials.load(house.embedded.identity("housing_fund"))
        with Watching(f"127.0.0.1:{house.status()['port']}", credentials) as client:

            def call():
                end = time.monotonic() + 120
                while len(ages) < 20 and time.monotonic() < end:
                    assert client.checkpoint(timeout=60)

            with ThreadPoolExecutor(4) as callers:
                for called in [callers.submit(call) for _ in range(4)]:
                    called.result()
        assert len(ages) >= 20
        assert all(not worker["deaths"] for worker in house.settled()["workers"])


def test_workers_end_with_their_supervisor(tmp_path):
    """When the supervisor is killed, signer and workers end by themselves and free the port."""
    with running(tmp_path) as house:
        status = house.settled()
        pids = [status["signer"], *(worker["pid"] for worker in status["workers"])]
        house.process.kill()
        house.process.wait()
        wait_for(lambda: not any(is_alive(pid) for pid in pids))


def is_alive(pid):
    """Whether the process exists and is no zombie waiting for its new parent."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_log_gets_another_key_under_load(house, terms):
    """Both workers change keys while they are asked; who pinned the first key goes on, with openssl, too."""
    done, receipts = threading.Event(), []

    def load(number):
        with house.client() as client:
            while not done.is_set() or len(receipts) < 4:
                receipts.append(exchange(client, terms | {"case_no": str(number)}).receipt)

    command = [sys.executable, "-m", "broker.cli", "log", "rotate-key", "--json", "--reason", "a test"]
    command += ["--config", str(house.embedded.settings)]
    trust = VerifierKey.parse(house.embedded.trust.read_text("utf-8").strip())
    with house.client() as client, ThreadPoolExecutor(3) as pool:
        before = exchange(client, terms).receipt
        loads = [pool.submit(load, number) for number in range(3)]
        told = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        after = [exchange(client, terms).receipt for _ in range(8)]
        done.set()
        for one in loads:
            one.result()
        keys = client.log_keys()
    said = json.loads(told.stdout)
    assert [str(key) for key in keys.keys] == [str(trust), said["new"]] == [said["old"], said["new"]]
    for receipt in (before, *after, *receipts):
        verify_receipt(receipt, trust)
        verify_receipt(receipt, keys)
    larger = [receipt for receipt in receipts + after if receipt.tree_size > said["leaf"]]
    assert len(larger) >= len(after)
    for receipt in larger:
        verify_note(receipt.checkpoint, keys.newest)
        assert receipt.successions == keys.notes
    assert openssl_verifies(larger[-1].checkpoint, keys.newest, 0, house.embedded.folder)
    assert openssl_verifies(larger[-1].checkpoint, trust, 1, house.embedded.folder)
    assert openssl_verifies(keys.notes[0], trust, 0, house.embedded.folder)
    assert openssl_verifies(keys.notes[0], keys.newest, 1, house.embedded.folder)


def openssl_verifies(note, key, line, folder):
    """Whether a note's signature line of that number is by the key, as openssl finds."""
    text, _, lines = note.rpartition("\n\n")
    signature = b64decode(lines.splitlines()[line].rpartition(" ")[2])[4:]
    for name, content in (("text", f"{text}\n".encode()), ("signature", signature)):
        (folder / name).write_bytes(content)
    (folder / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + key.public_key)
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER"]
    files = ["-inkey", "key.der", "-sigfile", "signature", "-in", "text"]
    return subprocess.run([*command, *files], cwd=folder, stdout=subprocess.PIPE, check=False).returncode == 0
