"""The receipt log on real databases, with a real signer process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextlib import closing as closed
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from broker.errors import Changed, Conflict, NotFound, SetUpError, Unavailable
from broker.journal import QuotaExceeded
from broker.keys.log_key import create_log_key
from broker.model import Charge, Entry, EntryKind, Receipt, ReceiptFilter, Verdict
from broker.reasons import Reason
from broker.receipt import cose_receipt
from broker.receipt.log import ReceiptLog
from broker.receipt.merkle import leaf_entry, leaf_hash, verify_consistency, verify_inclusion
from broker.receipt.note import VerifierKey, parse_checkpoint, verify_note
from broker.receipt.signer import CheckpointSigner, socket_of, start_signer
from broker.store import Store, migrate, open_store

ORIGIN = "xinghe.example/log"
CONSUMER = "spiffe://xinghe/department/tax/system/counter-1"


class Clock:
    """The system's clock, which a test can set wrong."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


class World:
    """One broker's files: a database, the log's key, the signer's state."""

    def __init__(self, url: str, folder: Path, closing: ExitStack) -> None:
        self.url = url
        self.key = folder / "log.key"
        self.state = folder / "signer-state"
        self.clock = Clock()
        self._closing = closing
        migrate(url)
        create_log_key(self.key)

    def signer(self) -> CheckpointSigner:
        signer = start_signer(self.key, self.state, ORIGIN)
        self._closing.callback(signer.close)
        return signer

    def another_worker(self) -> ReceiptLog:
        signer = CheckpointSigner(socket_of(self.state))
        self._closing.callback(signer.close)
        return self.log(signer)

    def store(self) -> Store:
        store = open_store(self.url)
        self._closing.callback(store.close)
        return store

    def log(self, signer: CheckpointSigner, store: Store | None = None) -> ReceiptLog:
        log = ReceiptLog(store or self.store(), signer, ORIGIN, self.clock)
        self._closing.callback(log.close)
        return log


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db"
    new: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new()


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def world(url: str, tmp_path: Path, closing: ExitStack) -> World:
    return World(url, tmp_path, closing)


@pytest.fixture
def sqlite_world(tmp_path: Path, closing: ExitStack) -> World:
    return World(f"sqlite:///{tmp_path}/log.db", tmp_path, closing)


def entry(request_id: str = "", **changes: object) -> Entry:
    base = Entry(
        kind=EntryKind.EXCHANGE,
        statement=json.dumps({"n": str(uuid4())}).encode(),
        recorded_at=datetime.now(UTC),
        consumer="tax",
        consumer_uri=CONSUMER,
        provider="civil_affairs",
        dataset="civil_affairs.marriage",
        purpose="low_income_check",
        verdict=Verdict.PERMIT,
        request_id=request_id,
        request_mac=b"mac",
        answer_digest=b"digest",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def assert_verifies(receipt: Receipt, key: VerifierKey) -> None:
    """Checks as an auditor would, from the receipt and the log's public key alone."""
    checkpoint = parse_checkpoint(verify_note(receipt.checkpoint, key))
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, receipt.tree_size)
    leaf = leaf_hash(leaf_entry(receipt.statement))
    verify_inclusion(leaf, receipt.leaf_index, receipt.tree_size, receipt.proof, checkpoint.root)


def test_genesis_is_leaf_zero_and_names_log_and_key(world: World) -> None:
    """A new log starts with a leaf that says whose it is, so no proof is ever about an empty tree."""
    signer = world.signer()
    log = world.log(signer)
    receipt = log.receipt(0)
    said = json.loads(receipt.statement)
    assert (said["kind"], said["origin"]) == ("genesis", ORIGIN)
    assert said["verifier_key"] == str(signer.verifier_key)
    assert_verifies(receipt, signer.verifier_key)


def test_a_leaf_has_a_cose_receipt_too(sqlite_world: World) -> None:
    """It tells the same as the receipt, at the head another worker had signed; a log's only leaf has none."""
    signer = sqlite_world.signer()
    log = sqlite_world.log(signer)
    for missing in (0, 1):
        with pytest.raises(NotFound):
            log.cose_receipt(missing)
    appended = sqlite_world.another_worker().append(entry()).receipt
    receipt, data = log.cose_receipt(appended.leaf_index)
    assert receipt == appended == cose_receipt.parse(data)[0]
    cose_receipt.verify(data, signer.verifier_key)


def test_appended_entries_verify_and_the_log_goes_on_after_a_restart(world: World) -> None:
    """A receipt holds for ever: also against the head of a log that was closed and opened again."""
    signer = world.signer()
    log = world.log(signer)
    wanted = [entry() for _ in range(300)]
    receipts = [log.append(one).receipt for one in wanted]
    assert [r.leaf_index for r in receipts] == list(range(1, 301))
    assert_verifies(receipts[255], signer.verifier_key)
    old = parse_checkpoint(verify_note(log.checkpoint(), signer.verifier_key))
    log.close()

    again = world.log(signer)
    late = again.append(entry()).receipt
    new = parse_checkpoint(verify_note(late.checkpoint, signer.verifier_key))
    verify_consistency(old.size, new.size, old.root, new.root, again.consistency_proof(old.size, new.size))
    assert again.receipt(200).statement == wanted[199].statement
    assert_verifies(again.receipt(200), signer.verifier_key)
    path = again.inclusion_proof(7, old.size)
    verify_inclusion(again.leaf_hash(7), 7, old.size, path, old.root)


class HeldStore(Store):
    """The real store, which also counts transactions, and begins none before it may."""

    transactions = 0
    may_begin: threading.Event

    def append_transaction(self):  # type: ignore[no-untyped-def]
        self.transactions += 1
        assert self.may_begin.wait(300)
        return super().append_transaction()


def test_entries_share_a_transaction(world: World) -> None:
    """Group commit: what comes while a batch is committed is the next batch, all of it."""
    signer = world.signer()
    store = HeldStore(world.store()._database)
    store.may_begin = threading.Event()
    store.may_begin.set()
    log = world.log(signer, store)
    store.transactions = 0
    store.may_begin.clear()
    entries = [entry(str(uuid4())) for _ in range(200)]
    coming = [log._writer.submit(one, 0) for one in entries]
    store.may_begin.set()
    receipts = [one.result(300).receipt for one in coming]
    assert store.transactions <= 2
    assert [r.leaf_index for r in receipts] == list(range(1, 201))
    for one, receipt in zip(entries, receipts, strict=True):
        assert receipt.statement == one.statement


def test_many_threads_append_and_each_gets_its_own_leaf(world: World) -> None:
    """32 callers at once lose no entry, and none gets another's receipt."""
    signer = world.signer()
    log = world.log(signer)
    entries = [entry(str(uuid4())) for _ in range(640)]
    with ThreadPoolExecutor(32) as pool:
        receipts = [a.receipt for a in pool.map(log.append, entries)]
    assert sorted(r.leaf_index for r in receipts) == list(range(1, 641))
    for one, receipt in zip(entries, receipts, strict=True):
        assert receipt.statement == one.statement
    for receipt in receipts[::40]:
        assert_verifies(receipt, signer.verifier_key)


def test_two_workers_append_to_one_log(world: World) -> None:
    """Replicas need nothing but the database and the signer: their leaves interleave without gap or fork."""
    world.signer()
    workers = [world.another_worker() for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: workers[n % 2].append(entry()).receipt, range(80)))
    assert sorted(r.leaf_index for r in found) == list(range(1, 81))
    for receipt in found:
        assert_verifies(receipt, workers[0].verifier_key)
    assert workers[0].checkpoint() == workers[1].checkpoint()
    assert workers[0].size() == 81


def test_retry_gets_the_original_receipt_and_leaves_a_redelivered_leaf(world: World) -> None:
    """An idempotent retry hands out the first receipt, is not charged again, and is itself on record."""
    signer = world.signer()
    log = world.log(signer)
    charge = Charge("calls/x", 1, 1)
    first = log.append(entry("r1", charges=(charge,)))
    again = log.append(entry("r1", charges=(charge,)))
    assert (first.redelivered, again.redelivered) == (False, True)
    assert again.receipt.statement == first.receipt.statement
    assert again.receipt.leaf_index == first.receipt.leaf_index == 1
    assert_verifies(again.receipt, signer.verifier_key)
    said = json.loads(log.receipt(2).statement)
    assert (said["kind"], said["of"]) == ("redelivered", 1)


def test_a_request_id_belongs_to_one_request_and_one_answer(world: World) -> None:
    """Another request under the id is a conflict; the same with other data or verdict has changed."""
    log = world.log(world.signer())
    log.append(entry("r1"))
    for changes, error, reason in (
        ({"request_mac": b"other"}, Conflict, Reason.REQUEST_ID_REUSED),
        ({"answer_digest": b"other"}, Changed, Reason.DATA_CHANGED),
        ({"verdict": Verdict.DENY}, Changed, Reason.DATA_CHANGED),
    ):
        with pytest.raises(error) as caught:
            log.append(entry("r1", **changes))
        assert caught.value.reason is reason
    assert log.append(entry("r1", consumer_uri="spiffe://other")).redelivered is False
    assert log.size() == 3


def test_of_simultaneous_entries_with_one_id_one_is_the_original(world: World) -> None:
    """Two attempts in one batch are told apart as well as two in two."""
    log = world.log(world.signer())
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: log.append(entry("same")), range(16)))
    assert sorted(a.redelivered for a in found) == [False] + [True] * 15
    assert len({a.receipt.leaf_index for a in found}) == 1
    assert log.size() == 17


def test_quotas_are_exact_under_concurrency_and_refuse_only_their_own_entry(world: World) -> None:
    """Of 40 entries against a quota of 25, exactly 25 are recorded; others of the batch go on."""
    log = world.log(world.signer())
    charge = Charge("rows/x", 50)

    def one(number: int) -> bool:
        if number % 2:
            log.append(entry())
        try:
            log.append(entry(charges=(charge,)), rows=2)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(40))) == 25
    assert log.size() == 1 + 20 + 25


def test_clock_behind_the_log_stops_it_until_the_clock_is_right(world: World) -> None:
    """A clock set back by more than the tolerance releases nothing; a little skew is tolerated."""
    log = world.log(world.signer())
    log.append(entry())
    world.clock.offset = timedelta(seconds=-0.5)
    log.append(entry())
    world.clock.offset = timedelta(seconds=-60)
    with pytest.raises(Unavailable) as caught:
        log.append(entry())
    assert caught.value.reason is Reason.CLOCK_BEHIND_LOG
    world.clock.offset = timedelta()
    log.append(entry())
    assert log.size() == 4


def test_lists_filter_newest_first_and_page(world: World) -> None:
    """Receipts are listed by what the store indexes of them, in pages that neither repeat nor skip."""
    log = world.log(world.signer())
    for number in range(6):
        log.append(entry(dataset="a.b" if number % 2 else "c.d"))
    wanted = ReceiptFilter(dataset="a.b", party="tax", verdict=Verdict.PERMIT)
    first = log.entries(wanted, None, 2)
    assert [index for index, _ in first] == [6, 4]
    assert [index for index, _ in log.entries(wanted, 4, 2)] == [2]
    assert log.entries(ReceiptFilter(party="nobody"), None, 10) == []
    assert log.entries(ReceiptFilter(since=datetime.now(UTC) + timedelta(days=1)), None, 10) == []


def test_unknown_leaves_and_sizes_are_refused(world: World) -> None:
    """Nothing is proved of leaves that are not there or not signed."""
    log = world.log(world.signer())
    with pytest.raises(NotFound):
        log.receipt(1)
    for index, size in ((1, 1), (0, 2), (-1, 1), (0, 0)):
        with pytest.raises(ValueError, match=r"signed|outside"):
            log.inclusion_proof(index, size)
    with pytest.raises(ValueError, match="signed"):
        log.consistency_proof(1, 2)


def test_signer_gone_after_a_commit_gives_no_receipt_and_a_retry_finds_the_entry(world: World) -> None:
    """Durable but unsigned is not acknowledged; once the signer is back the retry gets that very leaf."""
    signer = world.signer()
    log = world.log(signer)
    process = signer._process
    assert process is not None
    process.kill()
    process.wait()
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            log.append(entry("r1"))
        assert caught.value.reason is Reason.LOG_UNAVAILABLE
    assert world.store().head().size == 2  # the second attempt did not even try to commit

    world.signer()
    found = log.append(entry("r1"))
    assert (found.redelivered, found.receipt.leaf_index) == (True, 1)
    assert_verifies(found.receipt, signer.verifier_key)


def test_a_closed_log_appends_what_came_before_and_refuses_what_comes_after(world: World) -> None:
    """Draining loses nothing that was accepted."""
    log = world.log(world.signer())
    with ThreadPoolExecutor(8) as pool:
        pending = [pool.submit(log.append, entry()) for _ in range(8)]
        while log.size() == 1:
            time.sleep(0.01)
        log.close()
    kept = [p for p in pending if p.exception() is None]
    assert kept
    assert world.store().head().size == 1 + len(kept)
    with pytest.raises(Unavailable) as caught:
        log.append(entry())
    assert caught.value.reason is Reason.SHUTTING_DOWN


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from broker.model import Entry, EntryKind, Verdict
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner
from broker.store import open_store
log = ReceiptLog(open_store(sys.argv[1]), CheckpointSigner(Path(sys.argv[2])), sys.argv[3],
                 lambda: datetime.now(UTC))
log.append(Entry(EntryKind.EXCHANGE, b"{}", datetime.now(UTC), consumer_uri=sys.argv[4], request_id="r1",
                 request_mac=b"mac", answer_digest=b"digest", verdict=Verdict.PERMIT))
"""


@pytest.mark.parametrize(
    ("failpoint", "survives"),
    [("before_commit", False), ("after_commit", True), ("before_signature", True), ("after_signature", True)],
)
def test_killed_at_any_point_the_log_is_whole(sqlite_world: World, failpoint: str, survives: bool) -> None:
    """kill -9 before the commit leaves nothing, after it the entry; the restarted log goes on either way."""
    assert_whole_after_kill(sqlite_world, failpoint, survives)


@pytest.mark.postgres
@pytest.mark.parametrize(("failpoint", "survives"), [("before_commit", False), ("after_commit", True)])
def test_killed_around_the_commit_the_log_is_whole_on_postgres(
    postgres_url: str, tmp_path: Path, closing: ExitStack, failpoint: str, survives: bool
) -> None:
    """The server rolls back what a killed client had not committed, and keeps what it had."""
    assert_whole_after_kill(World(postgres_url, tmp_path, closing), failpoint, survives)


def assert_whole_after_kill(world: World, failpoint: str, survives: bool) -> None:
    signer = world.signer()
    world.log(signer).close()
    arguments = [world.url, str(socket_of(world.state)), ORIGIN, CONSUMER]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        env={**os.environ, "SHAREBROKER_FAILPOINTS": f"{failpoint}=1"},
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    log = world.log(signer)
    assert log.size() == (2 if survives else 1)
    found = log.append(entry("r1"))
    assert (found.redelivered, found.receipt.leaf_index) == (survives, 1)
    assert (found.receipt.statement == b"{}") is survives
    assert_verifies(found.receipt, signer.verifier_key)


def test_a_restored_backup_is_refused(sqlite_world: World, tmp_path: Path) -> None:
    """A database that lacks signed leaves must not start a second history."""
    signer = sqlite_world.signer()
    log = sqlite_world.log(signer)
    log.append(entry())
    log.close()
    sqlite_world._closing.close()
    shutil.copy(tmp_path / "log.db", tmp_path / "backup")
    signer = sqlite_world.signer()
    log = sqlite_world.log(signer)
    log.append(entry())
    sqlite_world._closing.close()
    shutil.copy(tmp_path / "backup", tmp_path / "log.db")
    with pytest.raises(SetUpError, match="restored backup"):
        sqlite_world.log(sqlite_world.signer())


def test_a_forked_database_is_refused(sqlite_world: World, tmp_path: Path) -> None:
    """A database of the right size but with another history is not the one that was signed."""
    signer = sqlite_world.signer()
    sqlite_world.log(signer).append(entry())
    sqlite_world._closing.close()
    shutil.copy(tmp_path / "log.db", tmp_path / "backup")
    shutil.copy(sqlite_world.state, tmp_path / "state-backup")
    sqlite_world.log(sqlite_world.signer()).append(entry())
    sqlite_world._closing.close()
    shutil.copy(tmp_path / "backup", tmp_path / "log.db")
    signed = sqlite_world.state.read_bytes()
    shutil.copy(tmp_path / "state-backup", sqlite_world.state)
    sqlite_world.log(sqlite_world.signer()).append(entry())  # the attacker's history, signed by nobody else
    sqlite_world._closing.close()
    sqlite_world.state.write_bytes(signed)
    with pytest.raises(SetUpError, match="not what was signed"):
        sqlite_world.log(sqlite_world.signer())


def test_a_signer_without_memory_is_refused_for_a_log_with_leaves(world: World) -> None:
    """Deleting the signer's state does not switch the rollback detector off."""
    signer = world.signer()
    log = world.log(signer)
    log.append(entry())
    log.close()
    signer.close()
    memory = world.state.read_bytes()
    world.state.unlink()
    signer = world.signer()
    with pytest.raises(SetUpError, match="signer's state is missing"):
        world.log(signer)
    signer.close()
    world.state.write_bytes(memory)
    assert world.log(world.signer()).size() == 2


def test_a_database_of_another_log_is_refused(world: World, tmp_path: Path) -> None:
    """The genesis leaf ties a database to one name and one key."""
    signer = world.signer()
    world.log(signer).close()
    with pytest.raises(SetUpError, match="another name or key"):
        ReceiptLog(world.store(), signer, "other.example/log", world.clock)


def test_a_statement_and_its_hash_changed_in_the_database_give_no_receipt(
    sqlite_world: World, tmp_path: Path
) -> None:
    """In a full tile, of which the root needs but the hash above: what is given out leads to that root."""
    sqlite_world.log(signer := sqlite_world.signer())
    log = sqlite_world.another_worker()
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(log.append, [entry(str(uuid4())) for _ in range(300)]))
    forged = b'{"n":"forged"}'
    with closed(sqlite3.connect(tmp_path / "log.db")) as connection:
        ((hashes,),) = connection.execute("SELECT hashes FROM tile WHERE level = 0 AND tile_index = 0")
        hashes = hashes[:160] + leaf_hash(leaf_entry(forged)) + hashes[192:]
        connection.execute("UPDATE tile SET hashes = ? WHERE level = 0 AND tile_index = 0", [hashes])
        connection.execute("UPDATE statement SET content = ? WHERE leaf_index = 5", [forged])
        connection.commit()
    another = sqlite_world.another_worker()
    with pytest.raises(Unavailable):
        another.receipt(5)
    with pytest.raises(Unavailable):
        another.receipt(6)
    with pytest.raises(Unavailable):
        another.cose_receipt(5)
    assert_verifies(another.receipt(290), signer.verifier_key)


def test_a_tampered_tile_is_refused_at_start(sqlite_world: World, tmp_path: Path) -> None:
    """Hashes changed inside the database no longer lead to the root that was signed."""
    signer = sqlite_world.signer()
    sqlite_world.log(signer).append(entry())
    sqlite_world._closing.close()
    with closed(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("UPDATE tile SET hashes = zeroblob(64)")
        connection.commit()
    with pytest.raises(SetUpError, match="not what was signed"):
        sqlite_world.log(sqlite_world.signer())
