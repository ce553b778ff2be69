"""kill -9 under load: what a client was told stays true, and what it did not hear it can ask again.

Clients write ledgers, on disk, of what they ask and of the bytes that reach them. The broker is killed at
named points (:mod:`broker.failpoints`), at random moments and while it starts, and loses its signer. After
each kill it is started again in the same folder, and the ledgers are judged against the log it then has.
"""

import base64
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from broker.client import Client, Credentials, VerifierKey, verify_receipt
from broker.demo.setup import Embedded, prepare, shipped_policies
from broker.model import AnswerStatus, EntryKind, Receipt, ReceiptFilter, Role, Verdict
from broker.reasons import Reason
from broker.receipt.merkle import EMPTY_ROOT, leaf_entry, leaf_hash, node_hash, verify_consistency
from broker.receipt.verify import verify_checkpoint
from broker.settings import load_settings
from broker.store.schema import migrate
from broker.store.store import open_store
from broker.transmit.digest import answer_digest, canonical_answer
from broker.v1 import exchange_pb2 as pb

POINTS = ("before_commit", "after_commit", "before_signature", "after_signature", "before_send", "after_send")
UNARY, STREAM = "/broker.v1.ExchangeService/Exchange", "/broker.v1.ExchangeService/StreamExchange"
LEASE = "SHAREBROKER_SERVER__STREAM_LEASE_SECONDS"
CLIENTS = 4
"""The last one streams."""
RETRIES = 8
"""Answered calls of a round that are asked once more in the next, beside all unanswered ones."""
WAIT_SECONDS = 600
"""Longest wait for what must happen; how long it takes is not asserted."""


def wait_for(condition):
    """What ``condition`` gives once it is true."""
    end = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


# ── the broker ───────────────────────────────────────────────────────────────────────────────────


@dataclass
class House:
    """One broker's folder, and the process that runs in it."""

    embedded: Embedded
    store_url: str
    environment: dict[str, str]
    patient: type[Client]
    process: subprocess.Popen | None = None
    kills: int = 0

    def launch(self, failpoints=""):
        """Start the broker's process, whatever becomes of it."""
        (self.embedded.folder / "broker.port").unlink(missing_ok=True)
        with (self.embedded.folder / "broker.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "broker.cli", "serve", "--config", str(self.embedded.settings)],
                env=self.environment | {"SHAREBROKER_FAILPOINTS": failpoints},
                stderr=output,
            )

    def start(self, failpoints=""):
        """Start the broker; gives its address once it serves."""
        self.launch(failpoints)
        port_file = self.embedded.folder / "broker.port"

        def port():
            assert self.process.poll() is None, (self.embedded.folder / "broker.log").read_text()[-2000:]
            return port_file.exists() and port_file.read_text().strip()

        return f"127.0.0.1:{wait_for(port)}"

    def end(self):
        """SIGTERM; gives the exit code."""
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.die()

    def die(self):
        """Wait until the broker was killed and its signer has noticed: the next one needs its place."""
        assert self.process.wait(WAIT_SECONDS) == -signal.SIGKILL
        wait_for(lambda: not self._processes())
        self.kills += 1

    def kill_signer(self):
        """kill -9 to the signer alone."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        assert b"broker.receipt.signer" in Path(f"/proc/{child}/cmdline").read_bytes()
        os.kill(int(child), signal.SIGKILL)
        self.kills += 1

    def _processes(self):
        """Those that were started for this folder."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it has ended meanwhile
                if str(self.embedded.folder).encode() in file.read_bytes():
                    found.append(file)
        return found

    def leaves(self):
        """Every leaf of the log, read where it is stored, while nothing is appended."""
        with TemporaryDirectory() as folder, closing(open_store(self._copied(folder))) as store:
            return store.leaves(ReceiptFilter(), None, 2**31)[::-1]

    def _copied(self, folder):
        """URL of a copy of the database, where that is files: to open those would repair what a kill left."""
        if not self.store_url.startswith("sqlite:///"):
            return self.store_url
        database = Path(self.store_url.removeprefix("sqlite:///"))
        for file in (database, database.with_name(f"{database.name}-wal")):
            if file.exists():
                shutil.copy(file, folder)
        return f"sqlite:///{folder}/{database.name}"

    def credentials(self, department, role=Role.SYSTEM):
        return Credentials.load(self.embedded.identity(department, role))

    def auditor(self, address):
        return self.patient(address, self.credentials("data_authority", Role.AUDITOR), trust=self.trust)

    @property
    def trust(self):
        """The log's key, as the authority would give it to an auditor."""
        return VerifierKey.parse(self.embedded.trust.read_text("utf-8").strip())


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """An environment for a broker of one process that need not compile its modules at each start."""
    # Long leases, so that nothing is appended while the log is judged, but for the test that is about them.
    environment = os.environ | {"SHAREBROKER_SERVER__WORKERS": "1", LEASE: "3600"}
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("pycache"))
    return environment


@pytest.fixture
def build(tmp_path, compiled, patient):
    """Makes a house with a small city; no process of it outlives the test."""
    houses = []

    def make(url=None):
        departments = ("housing_fund", "medical_insurance", "data_authority")
        embedded = prepare(tmp_path / "broker", 300, 7, shipped_policies(), departments)
        if url is not None:
            migrate(url)
        elsewhere = {} if url is None else {"SHAREBROKER_STORE__URL": url}
        store_url = url or load_settings(embedded.settings).store_url
        house = House(embedded, store_url, compiled | elsewhere, patient)
        houses.append(house)
        return house

    yield make
    for house in houses:
        if house.process is not None and house.process.poll() is None:
            house.process.kill()
            house.process.wait(WAIT_SECONDS)


# ── the load ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Call:
    """One call, as its ledger tells it."""

    method: str
    request: bytes
    retried: bool
    parts: list[bytes] = field(default_factory=list)
    """Messages as they came off the wire."""
    failure: str = ""

    @property
    def request_id(self):
        return pb.ExchangeRequest.FromString(self.request).request_id  # both kinds have it at the same place

    def answers(self):
        """The answer to a unary call, if it came."""
        return [pb.ExchangeResponse.FromString(part) for part in self.parts if self.method == UNARY]

    def pieces(self):
        """The parts of a stream, as far as they came."""
        return [pb.StreamExchangeResponse.FromString(part) for part in self.parts if self.method == STREAM]

    def receipts(self):
        """Every receipt that reached the client."""
        pieces = [getattr(piece, piece.WhichOneof("part")) for piece in self.pieces()]
        told = [*self.answers(), *(piece for piece in pieces if not isinstance(piece, bytes))]
        return [receipt_of(message.receipt) for message in told]


def receipt_of(message):
    """The receipt in a message."""
    proof = tuple(message.proof)
    return Receipt(message.statement, message.leaf_index, message.tree_size, proof, message.checkpoint)


class Ledger:
    """What one client asked and what reached it, each entry on disk before the client goes on."""

    def __init__(self, path):
        self._path, self._file = path, path.open("w")

    def write(self, **entry):
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self):
        self._file.close()

    def calls(self):
        """The calls, read back from disk."""
        calls = []
        for entry in map(json.loads, self._path.read_text().splitlines()):
            if "request" in entry:
                calls.append(Call(**entry | {"request": base64.b64decode(entry["request"])}))
            elif "part" in entry:
                calls[-1].parts.append(base64.b64decode(entry["part"]))
            else:
                calls[-1].failure = entry["failure"]
        return calls


class Load:
    """Clients in threads, each with a connection and a ledger of its own, for as long as the block runs."""

    def __init__(self, house, address, folder, backlog, seed):
        folder.mkdir()
        self._subjects, self._stop = subjects_of(house), threading.Event()
        self._ledgers = [Ledger(folder / f"{number}.jsonl") for number in range(CLIENTS)]
        self._threads = []
        self.answered = [0] * CLIENTS
        """By client: calls answered to the end, those apart that were made before."""
        for number in range(CLIENTS):
            streams = number == CLIENTS - 1
            credentials = house.credentials("medical_insurance" if streams else "housing_fund")
            retries = [] if streams else backlog[number :: CLIENTS - 1]
            make = stream if streams else self._withdrawal
            arguments = (number, address, credentials, retries, make, random.Random(f"{seed} {number}"))
            self._threads.append(threading.Thread(target=self._run, args=arguments, daemon=True))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()

    def calls(self):
        """All calls that the ledgers tell."""
        return [call for ledger in self._ledgers for call in ledger.calls()]

    def _run(self, number, address, credentials, retries, make, chance):
        ledger = self._ledgers[number]
        with closing(ledger), channel_to(address, credentials) as channel:
            for call in retries:
                ask(channel, ledger, call.method, call.request, retried=True)
            while not self._stop.is_set():
                if ask(channel, ledger, *make(chance)):
                    self.answered[number] += 1
                else:
                    self._stop.wait(0.05)

    def _withdrawal(self, chance):
        purpose = "housing_fund_audit" if chance.random() < 0.1 else "housing_fund_withdrawal"
        return UNARY, withdrawal(chance.choice(self._subjects), purpose)


def ask(channel, ledger, method, request, retried=False):
    """One call, in the ledger before it is made and as it is answered; whether it was answered to the end."""
    ledger.write(method=method, request=base64.b64encode(request).decode(), retried=retried)
    try:
        if method == UNARY:
            parts = [channel.unary_unary(method)(request, timeout=WAIT_SECONDS)]
        else:
            parts = channel.unary_stream(method)(request, timeout=WAIT_SECONDS)
        for part in parts:
            ledger.write(part=base64.b64encode(part).decode())
    except grpc.RpcError as failure:
        ledger.write(failure=failure.code().name)
        return False
    return True


def channel_to(address, credentials):
    """A connection that leaves messages the bytes they are."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.secure_channel(address, credentials.channel_credentials(), options)


def subjects_of(house):
    """Residents whom the provider has a marriage of."""
    with closing(sqlite3.connect(house.embedded.folder / "data" / "civil_affairs.db")) as database:
        return [subject for (subject,) in database.execute("SELECT DISTINCT nan_sfzh FROM hydj")]


def withdrawal(subject, purpose="housing_fund_withdrawal"):
    """A request about one marriage, serialised: permitted, unless the purpose is another."""
    application = pb.Application(
        dataset="datasets/civil_affairs.marriage",
        fields=["status", "registered_on"],
        subjects=[subject],
        purpose=purpose,
        service_item="990100-GJJ-0003" if purpose == "housing_fund_withdrawal" else "990100-GJJ-0009",
        case_no="GJJ-2026-000001",
        legal_basis="住房公积金管理条例 第二十四条",
        operator="GJJ-0088",
    )
    return pb.ExchangeRequest(request_id=str(uuid.uuid4()), application=application).SerializeToString()


def stream(_chance):
    """A permitted stream of the whole household register."""
    application = pb.Application(
        dataset="datasets/public_security.household",
        fields=["resident_id", "name", "district"],
        purpose="grid_service",
        service_item="990100-YB-0007",
        case_no="YB-2026-000001",
        legal_basis="医疗保障基金使用监督管理条例 第六条",
        operator="YB-0001",
    )
    request = pb.StreamExchangeRequest(request_id=str(uuid.uuid4()), application=application)
    return STREAM, request.SerializeToString()


# ── the judgement ────────────────────────────────────────────────────────────────────────────────


class Judge:
    """Reads the log once, where it is stored, and holds the clients' ledgers against it."""

    def __init__(self, house, address):
        self.trust = house.trust
        self.leaves = house.leaves()
        self.statements = [json.loads(leaf.entry.statement) for leaf in self.leaves]
        self.roots = roots_of(leaf_hash(leaf.log_entry) for leaf in self.leaves)
        self.claims = self._claims()
        with house.auditor(address) as auditor:
            self.head = verify_checkpoint(auditor.checkpoint(), self.trust)

    def log(self):
        """The log is whole: no gap, every hash that of its statement, the signed head over all of it, and
        no second exchange of one request id."""
        assert [leaf.index for leaf in self.leaves] == list(range(len(self.leaves)))
        assert all(leaf.log_entry == leaf_entry(leaf.entry.statement) for leaf in self.leaves)
        assert (self.head.size, self.head.root) == (len(self.leaves), self.roots[-1])

    def call(self, call):
        """What one client was told stands in the log, in the place and under the root it was told."""
        for receipt in call.receipts():
            own = verify_receipt(receipt, self.trust).checkpoint
            assert self.roots[own.size] == own.root
            assert self.leaves[receipt.leaf_index].entry.statement == receipt.statement
        for answer in call.answers():
            if answer.HasField("answer"):
                self._released(answer)
        if call.pieces():
            self._streamed(call.pieces())

    def retry(self, call, claims):
        """A call made again is answered as the first time, if ``claims`` (request id → leaf) has one."""
        for answer in call.answers():
            if answer.HasField("answer"):
                assert answer.redelivered == (call.request_id in claims)
                assert answer.receipt.leaf_index == self.claims[call.request_id]
                assert claims.get(call.request_id, answer.receipt.leaf_index) == answer.receipt.leaf_index

    def deliveries(self, calls):
        """Nobody got an answer again without a leaf that says so."""
        answers = [answer for call in calls for answer in call.answers()]
        got = Counter(answer.receipt.leaf_index for answer in answers if answer.redelivered)
        said = Counter(s["of"] for s in self.statements if s["kind"] == EntryKind.REDELIVERED)
        assert got <= said

    def _claims(self):
        claims = {}
        for index, statement in enumerate(self.statements):
            if statement["kind"] == EntryKind.EXCHANGE and statement["decision"]["verdict"] == Verdict.PERMIT:
                assert statement["request_id"] not in claims, "a second exchange under one request id"
                claims[statement["request_id"]] = index
        return claims

    def _released(self, response):
        statement = self.statements[response.receipt.leaf_index]
        assert statement["kind"] == EntryKind.EXCHANGE
        assert (
            statement["outcome"]["digest"] == response.answer.digest.hex() == digest_of(response.answer).hex()
        )

    def _streamed(self, pieces):
        """The decision is in the log whatever came after it; with an outcome, what came is what it says."""
        opening, *rest = pieces
        assert self.statements[opening.opening.receipt.leaf_index]["kind"] == EntryKind.STREAM_DECISION
        if rest and rest[-1].HasField("outcome"):
            outcome = self.statements[rest[-1].outcome.receipt.leaf_index]
            chunks = b"".join(piece.chunk for piece in rest)
            assert outcome["decision_leaf"] == opening.opening.receipt.leaf_index
            assert outcome["outcome"]["digest"] == answer_digest(opening.opening.nonce, chunks).hex()


def judge(house, address, calls, claims):
    """Judge a round's calls against the log of the broker at ``address``; gives the log's claims."""
    judge = Judge(house, address)
    judge.log()
    for call in calls:
        judge.call(call)
        if call.retried:
            judge.retry(call, claims)
    ask_auditor(house, address, judge.head, [receipt for call in calls for receipt in call.receipts()])
    return judge.claims


def ask_auditor(house, address, head, receipts):
    """Through the broker itself: some of the receipts again under the new head, and proof that it grew."""
    with house.auditor(address) as auditor:
        for receipt in receipts[:: len(receipts) // 20 + 1]:
            fresh = auditor.receipt(receipt.leaf_index)
            assert verify_receipt(fresh, house.trust).checkpoint == head
            assert fresh.statement == receipt.statement
            own = verify_checkpoint(receipt.checkpoint, house.trust)
            proof = auditor.consistency_proof(own.size, head.size)
            verify_consistency(own.size, head.size, own.root, head.root, proof)


def roots_of(hashes):
    """Root of the tree at every size, from its complete subtrees (RFC 6962 §2.1), not by our code."""
    peaks, roots = [], [EMPTY_ROOT]
    for size, leaf in enumerate(hashes, 1):
        peaks.append(leaf)
        while size % 2 == 0:
            right = peaks.pop()
            peaks[-1], size = node_hash(peaks[-1], right), size // 2
        roots.append(reduce(lambda root, peak: node_hash(peak, root), reversed(peaks)))
    return roots


def digest_of(answer):
    """Digest of the records that an answer holds."""
    records = [
        {name: getattr(value, value.WhichOneof("kind")) for name, value in record.values.items()}
        for record in answer.records
    ]
    content = canonical_answer(
        status_of(answer.status),
        [status_of(subject.status) for subject in answer.subjects],
        records,
        [tuple(record.subjects) for record in answer.records],
    )
    return answer_digest(answer.nonce, content)


def status_of(value):
    return AnswerStatus[pb.AnswerStatus.Name(value).removeprefix("ANSWER_STATUS_")]


# ── the tests ────────────────────────────────────────────────────────────────────────────────────


def torture(house, folder, rounds, chance):
    """Run the rounds, judge after each, at the end everything; gives all calls.

    A round is failpoints to arm, or a way to end the broker under load. What one round left unanswered, and
    some of what it did not, the next asks again before anything else.
    """
    folder.mkdir()
    calls, claims, last = [], {}, []
    for number, how in enumerate([*rounds, finish]):
        armed = isinstance(how, str)
        address = house.start(how if armed else "")
        claims = judge(house, address, last, claims)
        answered = [call for call in last if call.method == UNARY and call.parts]
        unanswered = [call for call in last if call.method == UNARY and not call.parts]
        backlog = unanswered + chance.sample(answered, min(RETRIES, len(answered)))
        with Load(house, address, folder / str(number), backlog, number) as load:
            if armed:
                house.die()
            else:
                how(house, address, chance, load)
        last = load.calls()
        assert {call.failure for call in last} <= {"", "UNAVAILABLE", "CANCELLED"}
        calls += last
    # Not of each round: on a busy machine one may be killed before anybody had an answer.
    assert any(call.parts for call in calls)
    address = house.start()
    judge(house, address, last, claims)
    everything = Judge(house, address)
    for call in calls:
        everything.call(call)
    everything.deliveries(calls)
    house.end()
    return calls


def at_random(house, _address, chance, _load):
    """Kill the broker at some moment."""
    time.sleep(chance.uniform(0.05, 0.8))
    house.kill()


def while_starting(house, address, chance, load):
    """Kill the broker, and once more while it starts."""
    at_random(house, address, chance, load)
    house.launch()
    time.sleep(chance.uniform(0.1, 1.2))
    house.kill()


def finish(house, _address, _chance, load):
    """Let every client work for a while, then end the broker in order."""
    wait_for(lambda: min(load.answered) >= 5)
    assert house.end() == 0


def without_signer(house, address, chance, _load):
    """Kill the signer alone: nothing is released until there is a new one; then kill the broker."""
    time.sleep(chance.uniform(0.1, 0.3))
    house.kill_signer()
    assert isinstance(answer_to(house, address, withdrawal(subjects_of(house)[0])), pb.ExchangeResponse)
    house.kill()


def answer_to(house, address, request):
    """The answer to a call that is made until the log is available, or why there is none."""
    return wait_for(
        lambda: (answer := once(house, address, request)) != Reason.LOG_UNAVAILABLE and (answer,)
    )[0]


def once(house, address, request):
    """The answer to one call, or the reason why there is none (empty: the broker is gone)."""
    with channel_to(address, house.credentials("housing_fund")) as channel:
        try:
            return pb.ExchangeResponse.FromString(channel.unary_unary(UNARY)(request, timeout=WAIT_SECONDS))
        except grpc.RpcError as failure:
            status, info = rpc_status.from_call(failure), error_details_pb2.ErrorInfo()
            assert status is None or status.details[0].Unpack(info)
            return info.reason


def armed(probability):
    """One round for each failpoint."""
    return [f"{point}={probability}" for point in POINTS]


def test_kills_lose_nothing_and_repeat_nothing(build, tmp_path):
    """However the broker or its signer dies, every receipt given is kept, and no exchange happens twice."""
    house, chance = build(), random.Random(20)
    rounds = [*armed(0.05), *armed(0.02), *[at_random] * 3, while_starting, *[without_signer] * 2]
    chance.shuffle(rounds)
    calls = torture(house, tmp_path / "ledgers", rounds, chance)
    assert house.kills >= 20
    assert any(call.retried and call.answers() for call in calls)


def test_kills_lose_nothing_in_postgresql(build, tmp_path, new_postgres_url):
    """The same with the log in PostgreSQL, which outlives the broker with its half-done transaction."""
    house, chance = build(new_postgres_url()), random.Random(21)
    rounds = [*armed(0.05), at_random]
    chance.shuffle(rounds)
    torture(house, tmp_path / "ledgers", rounds, chance)
    assert house.kills == len(rounds)


def test_streams_that_a_kill_cut_off_get_their_outcome(build, tmp_path):
    """The broker that is started next closes them, each once, and none that has its outcome."""
    house, chance, calls = build(), random.Random(22), []
    house.environment |= {LEASE: "1"}
    for number in range(3):
        with Load(house, house.start(), tmp_path / str(number), [], number) as load:
            at_random(house, None, chance)
        calls += load.calls()
    address, end = house.start(), time.monotonic() + WAIT_SECONDS
    with closing(open_store(house.store_url)) as store:
        while under_way(store):
            assert time.monotonic() < end
            time.sleep(0.05)
    judge = Judge(house, address)
    judge.log()
    for call in calls:
        judge.call(call)
    opened = [i for i, said in enumerate(judge.statements) if said["kind"] == EntryKind.STREAM_DECISION]
    outcomes = Counter(said["decision_leaf"] for said in judge.statements if "decision_leaf" in said)
    assert outcomes == dict.fromkeys(opened, 1)


def under_way(store):
    with store.leases() as leases:
        return leases.live()


def test_retry_after_a_kill_never_gives_other_data_under_the_same_request_id(build):
    """When the data changed between a committed but unheard answer and its retry, the retry is refused."""
    house = build()
    subject = subjects_of(house)[0]
    request = withdrawal(subject)
    assert answer_to(house, house.start("after_commit=1"), request) == ""
    house.die()
    with closing(sqlite3.connect(house.embedded.folder / "data" / "civil_affairs.db")) as database, database:
        database.execute("UPDATE hydj SET hyzt = hyzt || '（更正）' WHERE nan_sfzh = ?", [subject])
    address = house.start()
    assert answer_to(house, address, request) == Reason.DATA_CHANGED
    assert answer_to(house, address, withdrawal(subject)).answer.records
    kinds = Counter(statement["kind"] for statement in Judge(house, address).statements)
    assert kinds[EntryKind.EXCHANGE] == 2
    assert kinds[EntryKind.REDELIVERED] == 0


def test_another_reader_of_the_database_costs_no_receipt(build):
    """Whoever opens the database while the broker runs, as a backup does, cannot make it lose its log."""
    house = build()
    address = house.start()
    with closing(open_store(house.store_url)) as reader:
        assert reader.head().size
    receipt = answer_to(house, address, withdrawal(subjects_of(house)[0])).receipt
    house.kill()
    statements = [leaf.entry.statement for leaf in house.leaves()]
    assert statements[receipt.leaf_index :] == [receipt.statement]
