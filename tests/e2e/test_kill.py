"""kill -9 under load: what a client was told stays true, and what it did not hear it can ask again.

Clients write ledgers, on disk, of what they ask and of the bytes that reach them. The broker is killed at
named points (:mod:`broker.failpoints`), at random moments and while it starts, and loses its signer. After
each kill it is started again in the same folder, and the ledgers are judged against the log it then has.
"""

import random
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from broker.model import EntryKind
from broker.reasons import Reason
from broker.store.store import open_store
from broker.v1 import exchange_pb2 as pb
from soak import asks
from soak.house import WAIT_SECONDS, Plan, wait_for
from soak.house import build as build_house
from soak.judge import Judge, ask_again
from soak.ledger import STREAM, UNARY, Ledger, ask, channel_to

POINTS = ("before_commit", "after_commit", "before_signature", "after_signature", "before_send", "after_send")
LEASE = "SHAREBROKER_SERVER__STREAM_LEASE_SECONDS"
CLIENTS = 4
"""The last one streams."""
RETRIES = 8
"""Answered calls of a round that are asked once more in the next, beside all unanswered ones."""


# ── the broker ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def one_process():
    """Settings for a broker of one process."""
    # Long leases, so that nothing is appended while the log is judged, but for the test that is about them.
    return {"SHAREBROKER_SERVER__WORKERS": "1", LEASE: "3600"}


@pytest.fixture
def build(tmp_path, one_process):
    """Makes a house with a small city; no process of it outlives the test."""
    houses = []

    def make(url=""):
        houses.append(build_house(Plan(tmp_path / "broker", 300, url)))
        houses[-1].environment |= one_process
        return houses[-1]

    yield make
    for one in houses:
        one.discard()


# ── the load ─────────────────────────────────────────────────────────────────────────────────────


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
            make = self._stream if streams else self._withdrawal
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
                ask(channel, ledger, call.method, call.request, retried=True, timeout=WAIT_SECONDS)
            while not self._stop.is_set():
                if ask(channel, ledger, *make(chance), timeout=WAIT_SECONDS):
                    self._stop.wait(0.05)
                else:
                    self.answered[number] += 1

    def _withdrawal(self, chance):
        wanted = asks.AUDIT if chance.random() < 0.1 else asks.MARRIAGE
        return UNARY, asks.unary(wanted, chance.choice(self._subjects))

    def _stream(self, _chance):
        return STREAM, asks.stream()


def subjects_of(house):
    """Residents whom the provider has a marriage of."""
    with closing(sqlite3.connect(house.embedded.folder / "data" / "civil_affairs.db")) as database:
        return [subject for (subject,) in database.execute("SELECT DISTINCT nan_sfzh FROM hydj")]


def withdrawal(house):
    """A permitted request about the first of them, serialised."""
    return asks.unary(asks.MARRIAGE, subjects_of(house)[0])


# ── the judgement ────────────────────────────────────────────────────────────────────────────────


def judge(house, address, calls, claims, *, ask_auditor=True):
    """Judge a round's calls against the log of the broker at ``address``; gives the log's claims.

    An auditor is not asked where failpoints are armed: what an auditor reads is appended, too.
    """
    log = Judge(house.leaves(), house.head(address), house.trust)
    faults = [*log.log()]
    for call in calls:
        faults += log.call(call)
        if call.retried:
            faults += log.retry(call, claims)
    if ask_auditor:
        with house.auditor(address) as auditor:
            faults += ask_again(auditor, house.trust, [r for call in calls for r in call.receipts()])
    assert faults == []
    return log.claims


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
        claims = judge(house, address, last, claims, ask_auditor=not armed)
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
    everything = Judge(house.leaves(), house.head(address), house.trust)
    assert [fault for call in calls for fault in everything.call(call)] == []
    assert [*everything.deliveries()] == []
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
    assert isinstance(answer_to(house, address, withdrawal(house)), pb.ExchangeResponse)
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
            at_random(house, None, chance, load)
        calls += load.calls()
    address = house.start()
    wait_for(lambda: not house.under_way())
    log = Judge(house.leaves(), house.head(address), house.trust)
    faults = [*log.log(), *(fault for call in calls for fault in log.call(call))]
    assert [*faults, *log.streams.closed()] == []


def test_retry_after_a_kill_never_gives_other_data_under_the_same_request_id(build):
    """When the data changed between a committed but unheard answer and its retry, the retry is refused."""
    house = build()
    subject = subjects_of(house)[0]
    request = withdrawal(house)
    assert answer_to(house, house.start("after_commit=1"), request) == ""
    house.die()
    with closing(sqlite3.connect(house.embedded.folder / "data" / "civil_affairs.db")) as database, database:
        database.execute("UPDATE hydj SET hyzt = hyzt || '（更正）' WHERE nan_sfzh = ?", [subject])
    address = house.start()
    assert answer_to(house, address, request) == Reason.DATA_CHANGED
    assert answer_to(house, address, withdrawal(house)).answer.records
    kinds = Counter(fact.kind for fact in Judge(house.leaves(), house.head(address), house.trust).facts)
    assert kinds[EntryKind.EXCHANGE] == 2
    assert kinds[EntryKind.REDELIVERED] == 0


def test_another_reader_of_the_database_costs_no_receipt(build):
    """Whoever opens the database while the broker runs, as a backup does, cannot make it lose its log."""
    house = build()
    address = house.start()
    with closing(open_store(house.store_url)) as reader:
        assert reader.head().size
    receipt = answer_to(house, address, withdrawal(house)).receipt
    house.kill()
    statements = [leaf.entry.statement for leaf in house.leaves()]
    assert statements[receipt.leaf_index :] == [receipt.statement]
